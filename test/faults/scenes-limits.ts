/** Scenes at the edges: no room on the disk, a hundred children at once, and what must be refused at the door. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, realpathSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { errorOf, type Running } from "../support/cli.ts";
import { endOf, type Played, type Plot, type SceneSetting } from "./plot.ts";
import { resume, type Stage } from "./scene.ts";
import { refsOf } from "./seen.ts";

/** A hundred children are at work when everything dies: how soon are all of them again? */
export function ready(): Plot {
  const gate = Promise.withResolvers<void>();
  let open = false;
  return {
    options: {
      children: 100,
      team: (team) => team.replace("max_parallel: 8", "max_parallel: 120"),
      models: (answer) => async (call) => {
        if (!open && call.agent !== "Lead") await gate.promise;
        return answer(call);
      },
    },
    play: (stage) =>
      playReady(stage, () => {
        open = true;
        gate.resolve();
      }),
  };
}

const READY_MS = 10_000;

async function playReady(stage: Stage, answer: () => void): Promise<Played> {
  const children = stage.parts.length;
  const started = (running: Running) => {
    const seen = new Set<unknown>();
    return running.line((line) => {
      if (line["event"] === "child_started") seen.add(line["subtask_id"]);
      return seen.size > children;
    });
  };
  const first = stage.run();
  await started(first);
  stage.look();
  first.kill("SIGKILL");
  await first.ended;
  const from = performance.now();
  const last = resume(stage);
  await last.line((line) => line["event"] === "child_started");
  const readyMs = Math.round(performance.now() - from);
  await started(last);
  const allMs = Math.round(performance.now() - from);
  stage.look();
  answer();
  const ended = await last.ended;
  const violations = await endOf(stage, [ended]);
  if (readyMs > READY_MS) violations.push(`I14: no child is at work again after ${readyMs} ms`);
  const note = `the first child is at work again after ${readyMs} ms, all ${children} after ${allMs} ms`;
  return { kills: 1, note, violations };
}

const DISK_MIB = 48;

/**
 * The file system of the repository and of Oxbow's state is full in the middle of a run; with `stored` the tables are
 * elsewhere, where there is room.
 */
export function disk(stored = false): Plot {
  return {
    options: { children: 6, programs: 3, stored },
    without: "no small file system could be mounted (that needs root)",
    place() {
      const folder = mkdtempSync(join(realpathSync(tmpdir()), "oxbow-disk-"));
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "oxbow-faults", folder]);
      if (mounted.status !== 0) {
        rmSync(folder, { recursive: true });
        return null;
      }
      const end = () => {
        process.off("exit", end);
        spawnSync("umount", ["--lazy", folder]);
        rmSync(folder, { recursive: true, force: true });
      };
      // Also when the suite is stopped half-way: a mount outlives its process.
      process.on("exit", end);
      return { folder, [Symbol.dispose]: end };
    },
    play: playDisk,
  };
}

async function playDisk(stage: Stage, _setting: unknown, folder: string): Promise<Played> {
  const run = stage.run();
  await stage.answered(8);
  const filler = join(folder, "filler");
  fill(folder, filler);
  // Where the tables have room, attempts break, and are tried again until there is room for their work.
  const ended = await Promise.race([
    run.ended,
    new Promise<null>((resolve) => setTimeout(resolve, FULL_MS, null)),
  ]);
  const status = await stage.start(["status", "--json"]).ended;
  rmSync(filler);
  const first = ended ?? (await run.ended);
  const violations = status.code === null ? ["status was killed while the disk was full"] : [];
  const printed = [first];
  if (ended !== null) {
    if (first.code === 0) violations.push("I11: it ends with 0, though the disk was full");
    else if (!/"error"/.test(first.stderr)) violations.push(`no error: ${first.stderr.slice(-300)}`);
    printed.push(await resume(stage).ended);
  }
  const note = `while it was full: ${ended === null ? "it waited" : codeOf(first.stderr)}`;
  return { kills: 1, note, violations: [...violations, ...(await endOf(stage, printed))] };
}

const FULL_MS = 4_000;

function codeOf(stderr: string): string {
  return /"code":"(\w+)"/.exec(stderr)?.[1] ?? "?";
}

/** Takes all the room there is, to the last block. */
function fill(folder: string, filler: string): void {
  for (const size of [1 << 20, 4096])
    for (;;) {
      try {
        writeFileSync(filler, Buffer.alloc(size, 1), { flag: "a" });
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOSPC") break;
        throw error;
      }
    }
  if (statfsSync(folder).bavail > 0) throw new Error("there is still room");
}

/** What cannot be known or guarded is refused at the door, with a code, and nothing has happened. */
export function closed(): Plot {
  return { options: { children: 1 }, play: playClosed };
}

interface Refusal {
  readonly code: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: (dir: string) => void;
  readonly policy?: string;
  /** Only with servers. */
  readonly redis?: boolean;
  readonly sqlite?: boolean;
}

const REFUSALS: readonly Refusal[] = [
  { code: "setting_invalid", env: { OXBOW_LEASE_MS: "soon" } },
  { code: "setting_unknown", env: { OXBOW_LEASES: "1" } },
  { code: "provider_missing", env: { OPENAI_API_KEY: "", OPENAI_BASE_URL: "" } },
  { code: "redis_unsuitable", env: { OXBOW_REDIS_ALLOW_VOLATILE: "0" }, redis: true, policy: "allkeys-lru" },
  {
    code: "store_failed",
    sqlite: true,
    prepare: (dir) => writeFileSync(join(dir, ".git", "oxbow", "oxbow.db"), "not a database\n".repeat(500)),
  },
];

async function playClosed(stage: Stage, { servers }: SceneSetting): Promise<Played> {
  const violations: string[] = [];
  // Made, so that what is refused meets a repository that is known.
  const status = await stage.start(["status", "--json"]).ended;
  if (status.code !== 0) violations.push(`status ends with ${status.code}: ${status.stderr}`);
  const before = stateOf(stage);
  let kills = 0;
  for (const { code, env = {}, prepare, redis, sqlite, policy } of REFUSALS) {
    if ((redis && servers === null) || (sqlite && servers !== null)) continue;
    kills++;
    prepare?.(stage.shop.dir);
    if (policy !== undefined && servers) await setPolicy(servers.redis, policy);
    const ended = await stage.run([], env).ended;
    const said = ended.code === 0 ? "nothing" : errorOf(ended).code;
    if (said !== code) violations.push(`I11: ${code} was to be said, and it is ${said}: ${ended.stderr}`);
    if (policy !== undefined && servers) await setPolicy(servers.redis, "noeviction");
    if (stateOf(stage) !== before) violations.push(`I15: something has changed after ${code}`);
  }
  return { kills, violations };
}

/** What a Redis does when its memory is full. */
async function setPolicy(url: string, policy: string): Promise<void> {
  const redis = new Redis(url);
  await redis.config("SET", "maxmemory", policy === "noeviction" ? "0" : "256mb");
  await redis.config("SET", "maxmemory-policy", policy);
  redis.disconnect();
}

function stateOf({ shop }: Stage): string {
  const workspaces = join(shop.dir, ".git", "oxbow");
  return JSON.stringify([
    shop.fingerprint(),
    [...refsOf(shop)],
    readdirSync(workspaces).filter((name) => name === "workspaces"),
  ]);
}
