/**
 * Git LFS keeps pointers in the repository and the content elsewhere. Oxbow runs no filters, so agents meet the pointers: one
 * that is edited like a text points nowhere any more.
 */
import type { RawPath } from "./bytes.ts";
import { lossyText } from "./bytes.ts";
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import type { TreeFile } from "./trees.ts";

const ATTRIBUTES = ".gitattributes";
/** Version, extensions by name, object, size: in this order, nothing after them. */
const POINTER_TEXT =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:ext-\d-[^\n]+\n)*oid sha256:[0-9a-f]{64}\nsize \d+\n$/;
/** By its specification a pointer is shorter. */
const MAX_POINTER_BYTES = 1024;

/** Why such an edit is refused, as the end of a sentence that begins with the path. */
export const POINTER = "is a Git LFS pointer; its content is not in the repository";

export function isLfsPointer(bytes: Uint8Array): boolean {
  return bytes.length < MAX_POINTER_BYTES && POINTER_TEXT.test(Buffer.from(bytes).toString("latin1"));
}

/** The patterns that any `.gitattributes` among the files gives to LFS, as they are written there. */
export async function lfsPatterns(
  { objects }: Pick<Engine, "objects">,
  files: readonly TreeFile[],
): Promise<readonly string[]> {
  const rules = files.filter((file) => isAttributes(file.path) && file.mode.startsWith("100"));
  const found = await Promise.all(rules.map(async ({ oid }) => patternsIn(await objects.blob(oid))));
  return found.flat();
}

/** May the path be a pointer: does an attribute file above it speak of LFS? */
export async function mayBeLfs(
  { objects, trees }: Pick<Engine, "objects" | "trees">,
  tree: Oid,
  path: RawPath,
): Promise<boolean> {
  for (let end = 0; ; end = path.indexOf("/", end) + 1) {
    const entry = await trees.find(tree, path.slice(0, end) + ATTRIBUTES);
    if (entry?.mode.startsWith("100") && patternsIn(await objects.blob(entry.oid)).length > 0) return true;
    if (path.indexOf("/", end) < 0) return false;
  }
}

function isAttributes(path: RawPath): boolean {
  return path === ATTRIBUTES || path.endsWith(`/${ATTRIBUTES}`);
}

function patternsIn(attributes: Uint8Array): readonly string[] {
  return lossyText(Buffer.from(attributes).toString("latin1"))
    .split("\n")
    .filter((line) => /\sfilter=lfs(?:\s|$)/.test(line))
    .map((line) => line.trim().split(/\s+/, 1)[0] ?? "");
}
