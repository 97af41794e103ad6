/** What an MCP server answers to a call, as a model is given it. */
import { OxbowError } from "../core/errors.ts";
import type { Json } from "../core/model.ts";
import { isFields, textField } from "./wire-values.ts";

/** Characters of an error's text. */
const MOST_SAID = 4_000;

/** `{ text?, data?, left_out? }`. Throws mcp_tool_failed with the server's words where it calls its answer an error. */
export function mcpResult(answer: unknown, called: string): Json {
  const content = isFields(answer) && Array.isArray(answer["content"]) ? answer["content"] : [];
  const parts = content.map(partOf);
  const text = parts.flatMap((part) => ("text" in part ? [part.text] : [])).join("\n");
  if (isFields(answer) && answer["isError"] === true)
    throw new OxbowError(
      "mcp_tool_failed",
      `${called} failed: ${text.slice(0, MOST_SAID) || "it does not say why"}`,
    );
  const data = isFields(answer) ? answer["structuredContent"] : undefined;
  const leftOut = parts.flatMap((part) => ("leftOut" in part ? [part.leftOut] : []));
  return {
    // Servers repeat structured content as text, for clients that do not know it.
    ...(data === undefined ? { text } : { data: asJson(data) }),
    ...(leftOut.length === 0 ? {} : { left_out: leftOut }),
  };
}

type Part = { readonly text: string } | { readonly leftOut: string };

function partOf(part: unknown): Part {
  const type = textField(part, "type") ?? "content";
  if (type === "text") return { text: textField(part, "text") ?? "" };
  if (type === "resource_link")
    return { text: `${textField(part, "name") ?? "Resource"}: ${textField(part, "uri") ?? ""}` };
  if (type === "resource" && isFields(part)) {
    const text = textField(part["resource"], "text");
    return text === null ? leftOut(part["resource"], "blob") : { text };
  }
  return leftOut(part, "data");
}

function leftOut(part: unknown, key: string): Part {
  const bytes = Math.floor(((textField(part, key) ?? "").length * 3) / 4);
  const kind = textField(part, "mimeType") ?? textField(part, "type") ?? "content";
  return { leftOut: `${kind}, ${bytes} bytes` };
}

/** It came as JSON. */
function asJson(value: unknown): Json {
  const json: Json = JSON.parse(JSON.stringify(value));
  return json;
}
