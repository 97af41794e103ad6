/** Writes small objects (merge commits, fence tokens) through a `git hash-object` that stays open, one per type. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { newId } from "../host/ids.ts";
import type { LongProcess } from "../host/process.ts";
import { type GitSite, gitFailed, startGit } from "./command.ts";
import type { Oid } from "./contract.ts";

export interface ObjectWriter {
  write(content: string): Promise<Oid>;
  close(): Promise<void>;
}

/** `dir` holds the text of an object while git reads it. */
export function createObjectWriter(site: GitSite, type: "blob" | "commit", dir: string): ObjectWriter {
  let process: LongProcess | null = null;
  let ready = false;
  let waiting: ((oid: Oid | null) => void)[] = [];
  const start = (): LongProcess => {
    const started = startGit(site, ["hash-object", "-t", type, "-w", "--no-filters", "--stdin-paths"]);
    let text = "";
    started.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) waiting.shift()?.(line);
    });
    void started.exited.then(() => {
      if (process !== started) return;
      process = null;
      const lost = waiting;
      waiting = [];
      for (const one of lost) one(null);
    });
    return started;
  };
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
          const current = (process ??= start());
          const oid = await new Promise<Oid | null>((resolve) => {
            waiting.push(resolve);
            current.stdin.write(`${JSON.stringify(file)}\n`);
          });
          if (oid !== null) return oid;
          if (tries > 0) throw gitFailed(["hash-object"], current.stderrTail());
        }
      } finally {
        rmSync(file, { force: true });
      }
    },
    async close() {
      await process?.close();
    },
  };
}
