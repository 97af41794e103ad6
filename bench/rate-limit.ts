/** How much of a provider's rate limit a team uses: whole runs of 100 children over HTTP, against servers that count. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { openApp } from "../src/app.ts";
import { type ModelCall, type ModelReply, startModelServer } from "../test/support/model-server.ts";
import { fixedWindow, type RateLimit, slidingWindow, tokenBucket } from "../test/support/rate-limits.ts";
import { type Bench, git, GOAL_COLUMNS, goalRow, type Section } from "./measure.ts";

const RATE = 20;
const CHILDREN = 100;
/** Answers of each child: it reads, writes, commits, and says that it has. */
const TURNS = 4;

interface Case {
  readonly name: string;
  limit(): RateLimit;
  /** Headers of a refusal. */
  says(waitMs: number): Readonly<Record<string, string>>;
}

const inSeconds = (ms: number) => ({ "retry-after": String(Math.ceil(ms / 1000)) });
const CASES: readonly Case[] = [
  {
    name: "token bucket of 20, `Retry-After` in whole seconds",
    limit: () => tokenBucket(RATE, RATE),
    says: inSeconds,
  },
  { name: "window of one second, the same", limit: () => fixedWindow(RATE, 1000), says: inSeconds },
  { name: "sliding second, the same", limit: () => slidingWindow(RATE, 1000), says: inSeconds },
  {
    name: "token bucket of 20, `retry-after-ms`",
    limit: () => tokenBucket(RATE, RATE),
    says: (ms) => ({ "retry-after-ms": String(Math.ceil(ms)) }),
  },
  { name: "token bucket of 20, says nothing", limit: () => tokenBucket(RATE, RATE), says: () => ({}) },
];

interface Result {
  readonly completed: number;
  readonly taken: number;
  readonly refused: number;
  /** From the first request to the last that was taken. */
  readonly seconds: number;
}

function makeTeam(home: string): string {
  const dir = mkdtempSync(path.join(home, "rate-"));
  const agents: string[] = [];
  for (let n = 0; n < CHILDREN; n++) {
    const folder = path.join(dir, "parts", `p${n}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "part.txt"), `Part ${n}\n`);
    agents.push(`  - { name: A${n}, allowed_paths: ["parts/p${n}/**"] }`);
  }
  const limits = `limits: { max_children_per_split: ${CHILDREN}, max_parallel: ${CHILDREN} }`;
  writeFileSync(path.join(dir, "team.yaml"), `team: Bench\n${limits}\nagents:\n${agents.join("\n")}\n`);
  git(dir, ["init", "-q", "-b", "main"]);
  git(dir, ["config", "user.name", "Bench"]);
  git(dir, ["config", "user.email", "bench@example.com"]);
  git(dir, ["add", "parts"]);
  git(dir, ["commit", "-q", "-m", "Start"]);
  return dir;
}

function answerTo({ turn, agent }: ModelCall): ModelReply {
  const file = `parts/p${agent?.slice(1)}/part.txt`;
  if (turn === 1) return { calls: [{ name: "read_file", arguments: { path: file } }] };
  if (turn === 2) return { calls: [{ name: "write_file", arguments: { path: file, content: "Done.\n" } }] };
  return turn === 3 ? { calls: [{ name: "commit", arguments: { message: "Do it" } }] } : { text: "Done." };
}

async function measure(bench: Bench, one: Case): Promise<Result> {
  bench.say(`rate-limit: ${one.name}`);
  const dir = makeTeam(bench.dir);
  const limit = one.limit();
  let [first, last, taken, refused] = [Number.NaN, 0, 0, 0];
  await using server = await startModelServer((call) => {
    const now = performance.now();
    if (taken + refused === 0) first = now;
    const wait = limit(now);
    if (wait !== null) {
      refused++;
      return { status: 429, message: "Slow down", headers: one.says(wait) };
    }
    taken++;
    last = now;
    return answerTo(call);
  });
  await using app = openApp({
    repo: dir,
    env: { OPENAI_API_KEY: `sk-${one.name}`, OPENAI_BASE_URL: server.url },
  });
  const options = {
    by: "owner",
    provider: null,
    model: "m",
    runtime: null,
    command: null,
    script: null,
    maxParallel: null,
  } as const;
  const report = await app.run({ title: "Do it", options }, {}, new AbortController().signal);
  rmSync(dir, { recursive: true, force: true });
  const completed = report.children.filter((child) => child.outcome === "completed").length;
  return { completed, taken, refused, seconds: (last - first) / 1000 };
}

export async function rateLimit(bench: Bench): Promise<Section> {
  const results: { readonly one: Case; readonly result: Result }[] = [];
  for (const one of bench.quick ? CASES.slice(0, 1) : CASES)
    results.push({ one, result: await measure(bench, one) });
  const used = ({ taken, seconds }: Result) => taken / (RATE * seconds);
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const [main] = results;
  if (main === undefined) throw new Error("Nothing was measured.");
  const all = main.result.completed === CHILDREN;
  return {
    title: "A provider's rate limit",
    about: `Whole runs of ${CHILDREN} children at once, ${TURNS} requests each, over HTTP on loopback, through a server that takes ${RATE} requests a second and answers 429 to any other. Used is what it took of what it would have taken, from the first request to the last; a bucket that is full at the start gives up to ${RATE} more than its rate.`,
    tables: [
      {
        caption: "",
        columns: GOAL_COLUMNS,
        rows: [
          goalRow("children that completed", String(CHILDREN), String(main.result.completed), all),
          goalRow("used of the limit", "> 90 %", percent(used(main.result)), used(main.result) > 0.9),
        ],
      },
      {
        caption: "",
        columns: ["server", "completed", "requests taken", "refused", "seconds", "used"],
        rows: results.map(({ one, result }) => [
          one.name,
          `${result.completed} of ${CHILDREN}`,
          String(result.taken),
          String(result.refused),
          result.seconds.toFixed(1),
          percent(used(result)),
        ]),
      },
    ],
    notes: [
      "Where a server says to come back in whole seconds, each refusal stops everybody for one, and what a window would have taken meanwhile is lost.",
    ],
  };
}
