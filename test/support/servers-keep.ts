/** Starts a keeper (servers-keeper.ts) and talks to it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ServerKind } from "./servers-start.ts";

export interface Said {
  readonly url?: string;
  readonly missing?: string;
  readonly failed?: string;
  /** Where its data are. */
  readonly folder?: string;
}

export interface Kept {
  readonly said: Said;
  /** Resolves once it is done. */
  order(what: "start" | "stop" | "kill"): Promise<void>;
  /** Stops the server and removes its data. */
  end(): Promise<void>;
}

export async function keepServer(kind: ServerKind, options: readonly string[] = []): Promise<Kept> {
  const script = join(import.meta.dirname, "servers-keeper.ts");
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", script, JSON.stringify({ kind, options })],
    // A group of its own: Ctrl-C ends the tests, and the end of their pipe ends the keeper, which cleans up.
    { stdio: ["pipe", "pipe", "inherit"], detached: true },
  );
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Said> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the keeper of ${kind} ended`);
    return JSON.parse(value) as Said;
  };
  const said = await next();
  return {
    said,
    async order(what) {
      child.stdin.write(`${what}\n`);
      await next();
    },
    async end() {
      child.stdin.end();
      await closed;
    },
  };
}
