import { expect, it } from "vitest";
import { openApiDocument } from "./openapi-document.ts";

const document = openApiDocument();

it("is what the repository holds", async () => {
  const text = `${JSON.stringify(document, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../contracts/openapi/openapi.json");
});

it("is generated with bounds and credentials", () => {
  const prompt = document.components?.schemas?.["RunCreate"];
  expect(prompt).toMatchObject({
    required: ["prompt"],
    properties: { prompt: { type: "string", maxLength: 200_000 } },
  });
  expect(document.components?.securitySchemes).toMatchObject({
    apiKey: { name: "X-Agent-Api-Key" },
    bearer: { scheme: "bearer" },
  });
});
