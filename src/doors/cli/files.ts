import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { OxbowError } from "../../core/errors.ts";

/** A path a person typed, from the working directory. */
export function absolutePath(path: string): string {
  return resolve(path);
}

/** `-` is stdin. Throws usage. */
export async function readText(file: string): Promise<string> {
  try {
    if (file !== "-") return await readFile(file, "utf8");
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("usage", `${file} cannot be read: ${why}`, { cause: error });
  }
}
