/** One repository, its models, its stores and its temporary directory: where one case plays. Everything goes with it. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, type Running, startOxbow } from "../support/cli.ts";
import { type ModelHandler, startModelServer } from "../support/model-server.ts";
import type { Shop } from "../support/shop.ts";
import { inSchema, runSql } from "../support/store-sql.ts";
import { check } from "./checker.ts";
import { gitsOf, type Held, heldBy, kill, processesOf, programsOf } from "./processes.ts";
import { refsOf, type Scene } from "./seen.ts";
import { answersFor, KEY, makeWork, type Part, partsOf, PROGRAM_MARK, TICKET } from "./shop-work.ts";

/** Servers of the suite's own; null: SQLite alone. */
export interface Servers {
  readonly postgres: string;
  readonly redis: string;
}

type Env = Readonly<Record<string, string>>;

export interface Stage extends AsyncDisposable {
  readonly shop: Shop;
  readonly parts: readonly Part[];
  readonly storeUrl: string | undefined;
  /** Below it is all that the scene has on the disk, but its repository. */
  readonly folder: string;
  /** A process of the scene; `env` goes on top of what all have. */
  start(args: readonly string[], env?: Env): Running;
  /** Starts the run of the scene's task. */
  run(args?: readonly string[], env?: Env): Running;
  /** Resolves when the models have given so many answers in all. */
  answered(count: number): Promise<void>;
  /** Programs of agents that are at work now. */
  programs(): readonly number[];
  /** Git's processes that are there now. */
  gits(): readonly number[];
  /** Notes what the scene's processes hold just now; returns the most so far. */
  look(): Held;
  seen(printed: readonly Ended[], options?: CheckOptions): Scene;
  check(printed: readonly Ended[], options?: CheckOptions): Promise<readonly string[]>;
  /** Ends whatever is left; returns how many processes that were. */
  endAll(): number;
}

type CheckOptions = Pick<Scene, "mayFail" | "refusals" | "clockJumps" | "unmerged" | "critical"> & {
  lastIsWhole?: boolean;
};

export interface StageOptions {
  readonly children: number;
  /** Every n-th part is written by a program. */
  readonly programs?: number;
  /** Changes the team file. */
  readonly team?: (team: string) => string;
  /** What the models answer in place of what the work says. */
  readonly models?: (answer: ModelHandler) => ModelHandler;
  /** Where the repository is. */
  readonly folder?: string;
  /** The tables of SQLite are not in the repository's folder but elsewhere. */
  readonly stored?: boolean;
  readonly env?: Env;
}

let made = 0;

export interface Verdict {
  readonly kills: number;
  readonly children: number;
  readonly violations: readonly string[];
  /** A figure that is worth telling. */
  readonly note?: string | undefined;
  /** Why it could not be played here. */
  readonly skipped?: string;
}

export async function setStage(servers: Servers | null, options: StageOptions): Promise<Stage> {
  const parts = partsOf(options.children, { programs: options.programs ?? 0 });
  const work = answersFor(parts);
  const answer = options.models?.(work) ?? work;
  let answers = 0;
  let wake = Promise.withResolvers<void>();
  const models = await startModelServer((call) => {
    answers++;
    wake.resolve();
    wake = Promise.withResolvers();
    return answer(call);
  });
  const shop = makeWork(options.team, options.folder);
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-faults-")));
  const tmp = join(folder, "tmp");
  mkdirSync(tmp);
  const schema = `faults_${process.pid}_${++made}`;
  const file = options.stored === true ? `sqlite:${join(folder, "oxbow.db")}` : undefined;
  const storeUrl = servers ? inSchema({ url: servers.postgres }, schema) : file;
  const env = {
    OPENAI_BASE_URL: models.url,
    OPENAI_API_KEY: KEY,
    OXBOW_LEASE_MS: "3000",
    OXBOW_REDIS_ALLOW_VOLATILE: "1",
    TMPDIR: tmp,
    ...(storeUrl === undefined ? {} : { OXBOW_STORE_URL: storeUrl }),
    ...(servers ? { REDIS_URL: servers.redis } : {}),
    ...options.env,
  };
  const before = { fingerprint: shop.fingerprint(), refs: refsOf(shop) };
  const place = { shop, tmp };
  let most: Held = { handles: 0, resident: 0 };
  const start: Stage["start"] = (args, more = {}) =>
    startOxbow(args, { cwd: shop.dir, env: { ...env, ...more } });
  const endAll = () => processesOf(place).filter(kill).length;
  const seen: Stage["seen"] = (printed, how = {}) => {
    const lists = printed.map(({ lines }) => lines);
    return { shop, parts, storeUrl, tmp, before, printed: lists, lastIsWhole: false, most, ...how };
  };
  return {
    shop,
    parts,
    storeUrl,
    folder,
    start,
    run: (args = [], more = {}) =>
      start(["run", "Write all parts", "--ticket", TICKET, "--json", ...args], more),
    async answered(count) {
      while (answers < count) await wake.promise;
    },
    programs: () => programsOf(place, PROGRAM_MARK),
    gits: () => gitsOf(place),
    look: () => (most = heldBy(processesOf(place), most)),
    seen,
    async check(printed, how) {
      const defects = printed.filter(({ stderr }) => /defect in Oxbow/.test(stderr));
      return [
        ...defects.map(({ stderr }) => `a defect: ${stderr.slice(-400)}`),
        ...(await check(seen(printed, how))),
      ];
    },
    endAll,
    async [Symbol.asyncDispose]() {
      endAll();
      await models.close();
      shop[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
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

export function resume(stage: Stage, env: Env = {}): Running {
  return stage.start(["run", "--resume", TICKET, "--json"], env);
}

/** What a run that should have come to its end did not. */
export function notEnded(last: Ended | undefined): string[] {
  const report = last?.lines.at(-1);
  if (last?.code === 0 && report?.["event"] === "report" && report["state"] === "completed") return [];
  return [`it ends with ${last?.code}: ${last?.stderr.slice(-500)} ${last?.stdout.slice(-500)}`];
}
