/**
 * Postgres and Redis for tests: those of DATABASE_URL and REDIS_URL, else private ones from the programs found on the
 * machine. Without either the suites say SKIPPED and why; with CI=1 the run fails instead.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { describe, inject, it } from "vitest";
import { keepServer } from "./servers-keep.ts";
import type { Answer } from "./servers-setup.ts";
import type { ServerKind } from "./servers-start.ts";

export interface TestServer {
  /** For a private Redis with a database number of this file's own; Postgres's default database. */
  readonly url: string;
  /** Started for this run, so that a test may flush its database. Never true of a server that was given. */
  readonly own: boolean;
  /** Differs for every test file of every run: a schema, or a prefix of keys. Small letters, digits and `_`. */
  readonly name: string;
}

/** A server of one test alone, which it may stop, kill and start again; gone with it. */
export interface OwnServer extends AsyncDisposable {
  readonly url: string;
  order(what: "start" | "stop" | "kill"): Promise<void>;
}

const INSTEAD: Readonly<Record<ServerKind, string>> = {
  postgres: "set DATABASE_URL, or install Postgres (apt-get install postgresql)",
  redis: "set REDIS_URL, or install Redis (apt-get install redis-server)",
};

async function ask(kind: ServerKind): Promise<Answer> {
  const { port, secret } = inject("servers");
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`${secret} ${kind}\n`);
  for await (const line of createInterface({ input: socket })) return JSON.parse(line) as Answer;
  throw new Error(`nobody answered where a ${kind} for tests is`);
}

/**
 * Registers suites that need a server: `await withServer("redis", (redis) => describeTopics("Redis", …))` at the top of
 * a test file.
 */
export async function withServer(kind: ServerKind, suites: (server: TestServer) => void): Promise<void> {
  const { url, own, n, missing, failed } = await ask(kind);
  if (failed !== undefined) throw new Error(`The ${kind} for tests did not start: ${failed}`);
  if (url !== undefined) {
    const numbered = own && kind === "redis" ? `${url}/${n}` : url;
    return suites({ url: numbered, own, name: `t${Date.now().toString(36)}_${process.pid}_${n}` });
  }
  const why = `no ${kind}: ${missing ?? "it said nothing"} (${INSTEAD[kind]})`;
  if (!["", "0", "false"].includes(process.env["CI"] ?? ""))
    throw new Error(`With CI set no suite may be left out, but there is ${why}.`);
  process.stderr.write(`SKIPPED: ${why}\n`);
  describe.skip(`SKIPPED: ${why}`, () => it("needs it", () => undefined));
}

/** Throws when the machine has no such server: call it only inside `withServer`, and only where `own` is true. */
export async function ownServer(kind: ServerKind, options: readonly string[] = []): Promise<OwnServer> {
  const kept = await keepServer(kind, options);
  const { url, missing, failed } = kept.said;
  if (url === undefined) {
    await kept.end();
    throw new Error(`There is no ${kind} for this test: ${missing ?? failed}`);
  }
  return { url, order: kept.order, [Symbol.asyncDispose]: kept.end };
}
