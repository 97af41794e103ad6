/**
 * Refs that keep what each attempt saved. They are looked up for every run, so they are found in the files that hold refs,
 * without a process; the value is always asked of git.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { refComponent } from "../core/branch-name.ts";
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { orMissing } from "./missing.ts";

const PREFIX = "refs/oxbow/attempts/";

export function attemptRef(subtaskId: string, attempt: number): string {
  return `${PREFIX}${refComponent(subtaskId)}/${attempt}`;
}

export interface Attempts {
  last(subtaskId: string): Promise<{ attempt: number; commit: Oid } | null>;
}

export function createAttempts(engine: Engine): Attempts {
  const { commonDir } = engine.setup;
  const packed = createPackedNames(path.join(commonDir, "packed-refs"));
  const namesBelow = async (prefix: string): Promise<readonly string[]> => {
    if (existsSync(path.join(commonDir, "reftable"))) {
      return [...(await engine.refsBelow(prefix)).keys()].map((ref) => ref.slice(prefix.length));
    }
    // Loose refs first: one that is packed in between is then found there.
    const loose = orMissing(() => readdirSync(path.join(commonDir, prefix)), []);
    return [...loose, ...(packed().get(prefix) ?? [])];
  };
  return {
    async last(subtaskId) {
      const prefix = `${PREFIX}${refComponent(subtaskId)}/`;
      const numbers = new Set(
        (await namesBelow(prefix)).filter((name) => /^\d{1,9}$/.test(name)).map(Number),
      );
      for (const attempt of [...numbers].sort((a, b) => b - a)) {
        const commit = await engine.readRef(prefix + attempt);
        if (commit !== null) return { attempt, commit };
      }
      return null;
    },
  };
}

/** The attempts named in `packed-refs`, by directory; read again only when the file has changed. */
function createPackedNames(file: string): () => ReadonlyMap<string, readonly string[]> {
  let known = "";
  let names = new Map<string, string[]>();
  return () => {
    const stats = orMissing(() => statSync(file, { bigint: true }), null);
    const version = stats === null ? "" : `${stats.mtimeNs} ${stats.size} ${stats.ino}`;
    if (version === known) return names;
    known = version;
    names = new Map();
    const text = stats === null ? "" : orMissing(() => readFileSync(file, "latin1"), "");
    for (const [, directory = "", name = ""] of text.matchAll(
      /^[0-9a-f]+ (refs\/oxbow\/attempts\/[^/\n]+\/)(\d+)$/gm,
    )) {
      const found = names.get(directory);
      if (found === undefined) names.set(directory, [name]);
      else found.push(name);
    }
    return names;
  };
}
