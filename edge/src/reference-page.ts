import { html, raw } from "hono/html";
import type { openApiDocument } from "./openapi-document.ts";

type Document = ReturnType<typeof openApiDocument>;
type PathItem = NonNullable<Document["paths"]>[string];
type Operation = NonNullable<PathItem["get"]>;
type Markup = ReturnType<typeof html>;

interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** Parts of the document may be references; this page prints them as they stand. */
interface Named {
  readonly name?: string;
  readonly in?: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: unknown;
  readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>;
}

/** The reference as one static page: no script, nothing from another site. */
export function referencePage(document: Document): Markup {
  const endpoints = endpointsOf(document);
  const schemas = Object.entries(document.components?.schemas ?? {});
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${document.info.title} API</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <h1>${document.info.title} API</h1>
        <p>${document.info.description}</p>
        <p>
          For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI ${document.openapi}).
        </p>
        ${(document.tags ?? []).map(
          ({ name, description }) =>
            html`<h2 id="${name}">${name}</h2>
              <p>${description}</p>
              ${endpoints.filter(({ operation }) => operation.tags?.includes(name)).map(endpointOf)}`,
        )}
        <h2 id="schemas">schemas</h2>
        ${schemas.map(
          ([name, schema]) =>
            html`<details id="schema-${name}">
              <summary><code>${name}</code></summary>
              ${schemaBlock(schema)}
            </details>`,
        )}
      </body>
    </html>`;
}

function endpointsOf(document: Document): readonly Endpoint[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    (["get", "head", "post", "put", "patch", "delete"] as const).flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ method: method.toUpperCase(), path, operation }];
    }),
  );
}

function endpointOf({ method, path, operation }: Endpoint): Markup {
  const parameters = (operation.parameters ?? []) as readonly Named[];
  const body = operation.requestBody as Named | undefined;
  const responses: readonly [string, Named][] = Object.entries(operation.responses ?? {});
  return html`<details id="${operation.operationId}">
    <summary>
      <b class="${method}">${method}</b> <code>${path}</code> <span>${operation.summary}</span>
    </summary>
    <p>${operation.security?.length ? "Needs an API key." : "Public."}</p>
    ${parameters.length > 0 ? parameterTable(parameters) : ""}
    ${
      body === undefined
        ? ""
        : html`<h4>Body</h4>
            ${contentOf(body)}`
    }
    <h4>Answers</h4>
    ${responses.map(
      ([status, response]) =>
        html`<p><b>${status}</b> ${response.description}</p>
          ${status.startsWith("2") ? contentOf(response) : ""}`,
    )}
  </details>`;
}

function parameterTable(parameters: readonly Named[]): Markup {
  return html`<table>
    ${parameters.map(
      ({ name, in: place, required, description, schema }) =>
        html`<tr>
          <td><code>${name}</code></td>
          <td>${place}${required ? ", required" : ""}</td>
          <td>${description ?? ""}</td>
          <td><code>${JSON.stringify(schema)}</code></td>
        </tr>`,
    )}
  </table>`;
}

function contentOf({ content = {} }: Named): Markup {
  return html`${Object.entries(content).map(
    ([type, { schema }]) =>
      html`<p><code>${type}</code></p>
        ${schemaBlock(schema)}`,
  )}`;
}

function schemaBlock(schema: unknown): Markup {
  return html`<pre>${JSON.stringify(schema, null, 2)}</pre>`;
}

const style = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  :root { color-scheme: light dark; }
  summary { cursor: pointer; padding: .4rem 0; }
  summary b { display: inline-block; width: 3.5rem; }
  summary span { opacity: .75; }
  .POST { color: #b3541e; } .GET { color: #2a7d4f; }
  pre, table { overflow: auto; font-size: 13px; }
  pre { border: 1px solid #8884; border-radius: 6px; padding: .75rem; max-height: 26rem; }
  td { border-bottom: 1px solid #8884; padding: .25rem .75rem .25rem 0; vertical-align: top; }
`;
