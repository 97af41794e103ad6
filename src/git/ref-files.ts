/**
 * Reads refs from the files that hold them (`gitrepository-layout`): a ref is looked up for every child, and a file is
 * read in microseconds. Whatever is not plainly an id in a file is left to git.
 */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { Oid } from "./contract.ts";
import { orMissing } from "./missing.ts";

/** The object a full ref names, or null; undefined when only git can tell. */
export type RefFiles = (ref: string) => Oid | null | undefined;

const NAME = /^refs\/[^\0\n]+$/;
const ID = /^[0-9a-f]{40}(?:[0-9a-f]{24})?\n?$/;

export function createRefFiles(commonDir: string): RefFiles {
  const packed = createPackedRefs(path.join(commonDir, "packed-refs"));
  return (ref) => {
    if (!NAME.test(ref) || path.normalize(ref) !== ref) return undefined;
    // Loose first: one that is packed in between is then found there.
    const loose = orMissing(() => readRef(path.join(commonDir, ref)), null);
    if (loose === null) return packed().get(ref) ?? null;
    return ID.test(loose) ? loose.trim() : undefined;
  };
}

/** Null for a directory: refs lie below the name. */
function readRef(file: string): string | null {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EISDIR") return null;
    throw error;
  }
}

/** All of `packed-refs`; read again only when the file has changed. */
function createPackedRefs(file: string): () => ReadonlyMap<string, Oid> {
  let known = "";
  let refs = new Map<string, Oid>();
  return () => {
    const stats = orMissing(() => statSync(file, { bigint: true }), null);
    const version = stats === null ? "" : `${stats.mtimeNs} ${stats.size} ${stats.ino}`;
    if (version === known) return refs;
    known = version;
    refs = new Map();
    const text = stats === null ? "" : orMissing(() => readFileSync(file, "latin1"), "");
    for (const [, oid = "", ref = ""] of text.matchAll(/^([0-9a-f]{40,64}) (refs\/[^\n]+)$/gm))
      refs.set(ref, oid);
    return refs;
  };
}
