/** One repository, its models, its stores and its temporary directory: where one case plays. Everything goes with it. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, type Running, startOxbow } from "../support/cli.ts";
import { startModelServer } from "../support/model-server.ts";
import { inSchema, runSql } from "../support/store-sql.ts";
import { check, processesOf } from "./checker.ts";
import { refsOf, type Scene } from "./seen.ts";
import { answersFor, KEY, makeWork, partsOf, TICKET } from "./shop-work.ts";

/** Servers of the suite's own; null: SQLite alone. */
export interface Servers {
  readonly postgres: string;
  readonly redis: string;
}

export interface Stage extends AsyncDisposable {
  readonly dir: string;
  readonly storeUrl: string | undefined;
  /** A process of the scene; `env` goes on top of what all have. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** Starts the run of the scene's task. */
  run(args?: readonly string[], env?: Readonly<Record<string, string>>): Running;
  check(
    printed: readonly Ended[],
    options?: { lastIsWhole?: boolean; mayFail?: boolean },
  ): Promise<readonly string[]>;
  /** Ends whatever is left; returns how many processes that were. */
  endAll(): number;
}

let made = 0;

/** `answered` is told of each answer of a model. */
export async function setStage(
  servers: Servers | null,
  children: number,
  answered: () => void = () => undefined,
): Promise<Stage> {
  const parts = partsOf(children);
  const answer = answersFor(parts);
  const models = await startModelServer((call) => {
    answered();
    return answer(call);
  });
  const shop = makeWork();
  const tmp = join(realpathSync(mkdtempSync(join(tmpdir(), "oxbow-faults-"))), "tmp");
  mkdirSync(tmp);
  const schema = `faults_${process.pid}_${++made}`;
  const storeUrl = servers ? inSchema({ url: servers.postgres }, schema) : undefined;
  const stores = servers ? { OXBOW_STORE_URL: storeUrl ?? "", REDIS_URL: servers.redis } : {};
  const env = {
    OPENAI_BASE_URL: models.url,
    OPENAI_API_KEY: KEY,
    OXBOW_LEASE_MS: "3000",
    OXBOW_REDIS_ALLOW_VOLATILE: "1",
    TMPDIR: tmp,
    ...stores,
  };
  const before = { fingerprint: shop.fingerprint(), refs: refsOf(shop) };
  const start: Stage["start"] = (args, more = {}) =>
    startOxbow(args, { cwd: shop.dir, env: { ...env, ...more } });
  const endAll = () => {
    const left = processesOf({ shop, tmp });
    for (const pid of left) process.kill(pid, "SIGKILL");
    return left.length;
  };
  return {
    dir: shop.dir,
    storeUrl,
    start,
    run: (args = [], more = {}) =>
      start(["run", "Write all parts", "--ticket", TICKET, "--json", ...args], more),
    endAll,
    check(printed, { lastIsWhole = false, mayFail = false } = {}) {
      const lists = printed.map(({ lines }) => lines);
      const scene: Scene = { shop, parts, storeUrl, tmp, before, printed: lists, lastIsWhole, mayFail };
      return check(scene);
    },
    async [Symbol.asyncDispose]() {
      endAll();
      await models.close();
      shop[Symbol.dispose]();
      rmSync(join(tmp, ".."), { recursive: true, force: true, maxRetries: 3 });
      if (servers) await runSql({ url: servers.postgres }, `drop schema if exists ${schema} cascade`);
    },
  };
}

/** The promise's value; rejects when it takes longer. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
