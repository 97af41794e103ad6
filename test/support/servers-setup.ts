/**
 * Vitest's global set-up: one Postgres and one Redis a run, started when the first test file asks, gone with the run.
 * Test files ask over a loopback socket, because they run in processes of their own.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import type { TestProject } from "vitest/node";
import { type Kept, keepServer } from "./servers-keep.ts";
import type { ServerKind } from "./servers-start.ts";

declare module "vitest" {
  interface ProvidedContext {
    servers: { readonly port: number; readonly secret: string };
  }
}

/** What a test file is told; `n` differs for every question of a run. */
export interface Answer {
  readonly url?: string;
  readonly missing?: string;
  readonly failed?: string;
  /** Started for this run: tests may fill, flush and break what is theirs in it. */
  readonly own: boolean;
  readonly n: number;
}

const GIVEN: Readonly<Record<ServerKind, string>> = { postgres: "DATABASE_URL", redis: "REDIS_URL" };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kept = new Map<ServerKind, Promise<Kept>>();
  const secret = randomUUID();
  let asked = 0;

  async function answer(kind: ServerKind): Promise<Answer> {
    const n = ++asked;
    const given = process.env[GIVEN[kind]];
    if (given) return { url: given, own: false, n };
    const keeping = kept.get(kind) ?? keepServer(kind);
    kept.set(kind, keeping);
    return { ...(await keeping).said, own: true, n };
  }

  const door = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    createInterface({ input: socket }).once("line", (line) => {
      const kind = line === `${secret} postgres` ? "postgres" : "redis";
      if (line !== `${secret} ${kind}`) return socket.destroy();
      void answer(kind).then(
        (told) => socket.end(`${JSON.stringify(told)}\n`),
        (error: unknown) => socket.end(`${JSON.stringify({ failed: String(error), own: true, n: 0 })}\n`),
      );
    });
  }).listen(0, "127.0.0.1");
  await once(door, "listening");
  const address = door.address();
  if (typeof address !== "object" || address === null) throw new Error("the set-up has no port");
  project.provide("servers", { port: address.port, secret });

  return async () => {
    door.close();
    for (const keeping of kept.values()) await (await keeping).end();
  };
}
