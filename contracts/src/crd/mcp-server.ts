import { z } from "zod";
import { ruled } from "./rules.ts";

/** No user and no password in it: what is secret comes from `secretRefs`. */
const address = /^https:\/\/[^\s/@?#]+([/?][^\s#]*)?$/;
/** It is the first half of the tools' names, which end at 64 characters; no underscore, so that the halves can be told apart. */
const serverName = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;
/** What the protocol says with, in lower case. */
const ownHeaders = [
  "accept",
  "connection",
  "content-length",
  "content-type",
  "host",
  "last-event-id",
  "mcp-protocol-version",
  "mcp-session-id",
  "transfer-encoding",
];

const McpHeader = z
  .object({
    name: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/),
    secret: z.string().min(1).max(253).describe("One of the session's `secretRefs`."),
    key: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[-._a-zA-Z0-9]+$/)
      .describe("Its value is the header's. It becomes no variable of commands."),
    prefix: z
      .string()
      .max(64)
      .regex(/^[ -~]*$/)
      .optional()
      .describe("What comes before the value, as `Bearer ` does. Visible: no secret."),
  })
  .meta(
    ruled({
      rule: `!(self.name.lowerAscii() in [${ownHeaders.map((name) => `'${name}'`).join(", ")}])`,
      message: `headers of the protocol itself are the runner's: ${ownHeaders.join(", ")}`,
    }),
  );

/** A server of the Model Context Protocol that speaks Streamable HTTP. */
const McpServer = z.object({
  url: z.string().max(2048).regex(address).describe("Visible to all who may read the session."),
  headers: z
    .array(McpHeader)
    .max(16)
    .optional()
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
  tools: z
    .array(z.string().min(1).max(128))
    .min(1)
    .max(100)
    .optional()
    .describe("Those of its tools that the model gets; all when nothing is said.")
    .meta({ "x-kubernetes-list-type": "set" }),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(60)
    .describe("A call that says nothing for so long is given up."),
  optional: z
    .boolean()
    .default(false)
    .describe("True: an attempt goes on without it when it cannot be used."),
});

/** By name. */
export const McpServers = z.record(z.string().regex(serverName), McpServer).meta({
  maxProperties: 32,
  ...ruled({
    rule: `self.all(name, name.matches('${serverName.source}'))`,
    message:
      "names of mcpServers must be at most 32 lower-case letters, digits and dashes, with neither first nor last a dash",
  }),
});
export type McpServers = z.infer<typeof McpServers>;

/** For the spec as a whole, which knows what may be referred to. */
export const headersAreOfSecretRefs = {
  rule: "!has(self.mcpServers) || self.mcpServers.all(name, !has(self.mcpServers[name].headers) || self.mcpServers[name].headers.all(header, has(self.secretRefs) && header.secret in self.secretRefs))",
  message: "mcpServers: the secret of a header must be one of secretRefs",
};
