import type { CallToolResult } from "@modelcontextprotocol/client";
import type { z } from "zod";
import { isDeeperThan } from "../engine/is-deeper-than.ts";
import { cutTail, toolBounds } from "../tools/tool-bounds.ts";

type Block = CallToolResult["content"][number];
type Json = z.core.util.JSONType;

/** Deeper values are shown as text alone. */
const maxLevels = 64;

/** What a tool has answered, bounded: as text for the model, and for the log. What is no text is named. */
export function readResult(result: CallToolResult): {
  readonly content: string;
  readonly output: { readonly text: string; readonly structured?: Json };
} {
  const structured = structuredOf(result);
  const said = result.content.map(textOf).join("\n");
  // Who answers with a value is to say it as text too, and not all do.
  const hasText = result.content.some((block) => block.type === "text");
  const value = structured === undefined || hasText ? "" : JSON.stringify(structured);
  const text = cutTail([said, value].filter(Boolean).join("\n"), toolBounds.outputChars);
  const isKept = structured !== undefined && isSmall(structured);
  return {
    content: text === "" ? "(The tool answered nothing.)" : text,
    output: { text, ...(isKept && { structured }) },
  };
}

function structuredOf({ structuredContent }: CallToolResult): Json | undefined {
  if (structuredContent === undefined) return undefined;
  const value = structuredContent as Json;
  return isDeeperThan(value, maxLevels) ? undefined : value;
}

const isSmall = (value: Json): boolean => JSON.stringify(value).length <= toolBounds.outputChars;

function textOf(block: Block): string {
  switch (block.type) {
    case "text":
      return block.text;
    case "image":
    case "audio":
      return `[${block.type}, ${block.mimeType}, ${bytesOf(block.data)} bytes: not shown]`;
    case "resource_link":
      return `[resource ${block.uri}: ${block.title ?? block.name}]`;
    case "resource":
      return resourceText(block.resource);
  }
}

function resourceText(resource: Extract<Block, { readonly type: "resource" }>["resource"]): string {
  if ("text" in resource) return `[resource ${resource.uri}]\n${resource.text}`;
  const type = resource.mimeType ?? "of unknown type";
  return `[resource ${resource.uri}, ${type}, ${bytesOf(resource.blob)} bytes: not shown]`;
}

const bytesOf = (base64: string): number => Buffer.byteLength(base64, "base64");
