/** A file's bytes as text, and its line endings. */
import { hasCode, OxbowError } from "../src/core/errors.ts";
import type { BranchFiles } from "../src/core/tool.ts";

/** Larger files are refused as text: no model reads them, and an edit would hold several copies in memory. */
export const MAX_TEXT_BYTES = 5 * 1024 * 1024;

/** Exactly the bytes, as text: a byte order mark stays, invalid UTF-8 and NUL are refused. Throws not_text. */
export function decodeText(path: string, bytes: Uint8Array): string {
  if (bytes.length > MAX_TEXT_BYTES) {
    throw new OxbowError("not_text", `${path} is too large to read as text: ${bytes.length} bytes.`, {
      hint: "Use search_files to find lines in it.",
      details: { path, bytes: bytes.length },
    });
  }
  if (!bytes.includes(0)) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      throw new OxbowError("not_text", `${path} is not text in UTF-8.`, { details: { path }, cause: error });
    }
  }
  throw new OxbowError("not_text", `${path} is a binary file.`, { details: { path, bytes: bytes.length } });
}

/** The text of a file that may not exist, may not be readable for this agent, or may not be text; then null. */
export async function textIfAny(files: BranchFiles, path: string): Promise<string | null> {
  try {
    return decodeText(path, await files.read(path));
  } catch (error) {
    if (hasCode(error, "file_not_found") || hasCode(error, "not_text") || hasCode(error, "out_of_scope"))
      return null;
    throw error;
  }
}

/** True when there are line breaks and every one of them is CRLF. */
export function isCrlf(text: string): boolean {
  return text.includes("\r\n") && !/(?:^|[^\r])\n/.test(text);
}

/** Line feeds that are not part of a CRLF become one. */
export function toCrlf(text: string): string {
  return text.replace(/\r?\n/g, "\r\n");
}

/** Lines with their line breaks; the end of a last line without one is a line too. */
export function linesOf(text: string): readonly string[] {
  return text === "" ? [] : text.split(/(?<=\n)/);
}
