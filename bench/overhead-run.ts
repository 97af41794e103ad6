/** One run of N children in a process of its own: `overhead-run.ts WAY CHILDREN PARALLEL DIR` prints an {@link Answer}. */
import { Agent, type Model, type ModelResponse, Runner } from "@openai/agents";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import { createModelSource } from "../src/agent/providers.ts";
import { openApp } from "../src/app.ts";
import type { RunOptions } from "../src/team/engine.ts";
import { git } from "./measure.ts";

export type Way = "bare" | "owner" | "lead";

export interface Answer {
  readonly ms: number;
  readonly rssBytes: number;
  /** Milliseconds. */
  readonly lagP99: number;
  readonly lagMax: number;
  /** Null for the bare SDK, which keeps nothing. */
  readonly kept: Kept | null;
}

/** What a whole run left, and how many files, sockets and pipes its process had open. */
export interface Kept {
  readonly outcomes: number;
  /** Entries on the topics of done signals: one a child. */
  readonly signals: number;
  /** Signals that were not sent yet. */
  readonly unsent: number;
  readonly handles: { readonly before: number; readonly most: number; readonly after: number };
}

export const MODEL_MS = 50;

const CHILD_STEPS = [{ wait_ms: MODEL_MS }, { say: "Looked, and found nothing to change." }];

function scriptFor(children: number): string {
  const split = {
    tool: "orchestrate_split",
    arguments: { task: "Look", num_children: children, target_agent: "A0" },
  };
  const wait = { tool: "signal_wait_all", arguments: { topics: "$last.topics", timeout_ms: 600_000 } };
  return JSON.stringify({ agents: { Lead: [split, wait, { say: "All are done." }] }, default: CHILD_STEPS });
}

/** One small file and one agent per child, and a lead. */
function makeRepository(home: string, children: number): string {
  const dir = mkdtempSync(path.join(home, "overhead-"));
  const agents = [`  - { name: Lead, allowed_paths: ["**"] }`];
  for (let n = 0; n < children; n++) {
    const folder = path.join(dir, "parts", `p${n}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "part.txt"), `Part ${n}\n`);
    agents.push(`  - { name: A${n}, allowed_paths: ["parts/p${n}/**"] }`);
  }
  const most = children + 10;
  const limits = `limits: { max_children_per_split: ${most}, max_children: ${most}, max_parallel: ${most} }`;
  writeFileSync(
    path.join(dir, "team.yaml"),
    `team: Bench\nlead: Lead\n${limits}\nagents:\n${agents.join("\n")}\n`,
  );
  writeFileSync(path.join(dir, ".git-script.json"), scriptFor(children));
  git(dir, ["init", "-q", "-b", "main"]);
  git(dir, ["config", "user.name", "Bench"]);
  git(dir, ["config", "user.email", "bench@example.com"]);
  git(dir, ["add", "parts"]);
  git(dir, ["commit", "-q", "-m", "Start"]);
  return dir;
}

function openHandles(): number {
  return readdirSync("/proc/self/fd").length;
}

function countRows(dir: string): Pick<Kept, "outcomes" | "signals" | "unsent"> {
  const db = new DatabaseSync(path.join(dir, ".git/oxbow/oxbow.db"), { readOnly: true });
  try {
    const count = (rows: string) => Number(db.prepare(`select count(*) as n from ${rows}`).get()?.["n"]);
    return {
      outcomes: count("outcomes"),
      signals: count("topic_entries where topic like 'signal:%:done'"),
      unsent: count("outbox"),
    };
  } finally {
    db.close();
  }
}

async function runWithOxbow(way: Way, children: number, parallel: number, home: string) {
  const dir = makeRepository(home, children);
  // A lead gives its own place away while it waits, but holds one for its two turns.
  const options: RunOptions = {
    by: way === "owner" ? "owner" : null,
    provider: "scripted",
    model: null,
    runtime: null,
    command: null,
    script: path.join(dir, ".git-script.json"),
    maxParallel: parallel,
  };
  const before = openHandles();
  let most = before;
  const app = openApp({ repo: dir, env: {} });
  await app.facts();
  const looking = setInterval(() => (most = Math.max(most, openHandles())), 20);
  const started = performance.now();
  const report = await app.run({ title: "Look around", options }, {}, new AbortController().signal);
  const ms = performance.now() - started;
  clearInterval(looking);
  await app.close();
  const kept: Kept = { ...countRows(dir), handles: { before, most, after: openHandles() } };
  const parts = report.children.filter((child) => child.outcome === "completed").length;
  if (parts < children)
    throw new Error(`${parts} of ${children} completed: ${JSON.stringify(report).slice(0, 2000)}`);
  rmSync(dir, { recursive: true, force: true });
  return { ms, kept };
}

/** The model that Oxbow's runs ask, for an SDK that asks without streaming. */
async function plainModel(): Promise<Model> {
  const script = { file: "bench.json", text: scriptFor(1) };
  const source = createModelSource({ provider: "scripted", apiKey: undefined, baseUrl: undefined, script });
  const model = await source.model({ agent: "A0", task: "Look", model: undefined });
  return {
    async getResponse(request): Promise<ModelResponse> {
      for await (const event of model.getStreamedResponse(request)) {
        if (event.type !== "response_done") continue;
        const { id, output, usage } = event.response;
        return { responseId: id, output, usage: usage as any };
      }
      throw new Error("The model did not answer.");
    },
    getStreamedResponse: (request) => model.getStreamedResponse(request),
  };
}

async function runBare(children: number, parallel: number) {
  const runner = new Runner({ tracingDisabled: true });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < children) {
      next++;
      const agent = new Agent({ name: "A0", instructions: "Look around.", model: await plainModel() });
      const { finalOutput } = await runner.run(agent, "Look", { maxTurns: 2 });
      if (finalOutput !== "Looked, and found nothing to change.") throw new Error("No answer.");
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: parallel }, worker));
  return { ms: performance.now() - started, kept: null };
}

async function main(): Promise<void> {
  const [way, children, parallel, home = "."] = process.argv.slice(2);
  const run = (count: number, atOnce: number) =>
    way === "bare" ? runBare(count, atOnce) : runWithOxbow(way as Way, count, atOnce, home);
  await run(4, 4);
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  const { ms, kept } = await run(Number(children), Number(parallel));
  lag.disable();
  const answer: Answer = {
    ms,
    rssBytes: process.resourceUsage().maxRSS * 1024,
    lagP99: lag.percentile(99) / 1e6 - 1,
    lagMax: lag.max / 1e6 - 1,
    kept,
  };
  process.stdout.write(JSON.stringify(answer));
}

if (import.meta.main) {
  // The SDK and execa each leave a signal to the other: without this, nothing but SIGKILL would end a run.
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(130));
  await main();
}
