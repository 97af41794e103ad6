/** Writes small objects (merge commits, fence tokens) through a `git hash-object` that stays open, one per type. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { newId } from "../host/ids.ts";
import { type GitSite, gitFailed, startGit } from "./command.ts";
import type { Oid } from "./contract.ts";
import { createInOrder } from "./in-order.ts";

export interface ObjectWriter {
  write(content: string): Promise<Oid>;
  close(): Promise<void>;
}

/** `dir` holds the text of an object while git reads it. */
export function createObjectWriter(site: GitSite, type: "blob" | "commit", dir: string): ObjectWriter {
  const args = ["hash-object", "-t", type, "-w", "--no-filters", "--stdin-paths"];
  const writing = createInOrder<Oid>(() => startGit(site, args), createLines);
  let ready = false;
  return {
    async write(content) {
      const file = path.join(dir, newId("object"));
      // A few hundred bytes: written at once it takes microseconds, through the thread pool a millisecond.
      if (!ready) mkdirSync(dir, { recursive: true });
      ready = true;
      writeFileSync(file, content);
      try {
        // Once more when the process died over it: writing an object twice is writing it once.
        for (let tries = 0; ; tries++) {
          const oid = await writing.ask(`${JSON.stringify(file)}\n`);
          if (oid !== null) return oid;
          if (tries > 0) throw gitFailed(["hash-object"], writing.stderrTail());
        }
      } finally {
        rmSync(file, { force: true });
      }
    },
    close: () => writing.close(),
  };
}

function createLines(): (chunk: Buffer) => readonly string[] {
  let text = "";
  return (chunk) => {
    const lines = (text + chunk.toString("latin1")).split("\n");
    text = lines.pop() ?? "";
    return lines;
  };
}
