/** What a run costs beside its models: whole runs of N children against the bare SDK and against no cost at all. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import {
  type Bench,
  GOAL_COLUMNS,
  goalRow,
  inBytes,
  inMs,
  median,
  PLAIN_ENV,
  type Section,
  times,
} from "./measure.ts";
import { type Answer, MODEL_MS, type Way } from "./overhead-run.ts";

/** A process of its own for every run: its memory and its event loop are nobody else's. */
async function runAlone(bench: Bench, way: Way, children: number, parallel: number): Promise<Answer> {
  const script = path.join(import.meta.dirname, "overhead-run.ts");
  const args = ["--disable-warning=ExperimentalWarning", script, way, String(children), String(parallel)];
  const child = spawn(process.execPath, [...args, bench.dir], {
    env: PLAIN_ENV,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const end = () => void child.kill("SIGKILL");
  process.once("exit", end);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  const [code] = (await once(child, "close")) as [number | null];
  process.off("exit", end);
  if (code !== 0) throw new Error(`The run of ${children} children (${way}) ended with ${code}.`);
  return JSON.parse(text) as Answer;
}

interface Result {
  readonly children: number;
  readonly parallel: number;
  readonly ideal: number;
  readonly ways: readonly (readonly [Way, Answer])[];
}

/** Beyond this a way of running is not measured again: its ratio needs no median. */
const LONG_MS = 10_000;

async function measure(bench: Bench, children: number, parallel: number): Promise<Result> {
  bench.say(`overhead: ${children} children, ${parallel} at a time`);
  const taken: Record<Way, Answer[]> = { bare: [], owner: [], lead: [] };
  const ways: readonly Way[] = children > MOST_BY_LEAD ? ["bare", "owner"] : ["bare", "owner", "lead"];
  for (let round = 0; round < (bench.quick ? 1 : 3); round++) {
    for (const way of ways) {
      if (taken[way].some((answer) => answer.ms > LONG_MS)) continue;
      taken[way].push(await runAlone(bench, way, children, parallel));
    }
  }
  const middle = (answers: readonly Answer[]): Answer => ({
    ms: median(answers.map((one) => one.ms)),
    rssBytes: median(answers.map((one) => one.rssBytes)),
    lagP99: median(answers.map((one) => one.lagP99)),
    lagMax: median(answers.map((one) => one.lagMax)),
    kept: answers.at(-1)?.kept ?? null,
  });
  return {
    children,
    parallel,
    ideal: Math.ceil(children / parallel) * MODEL_MS,
    ways: ways.map((way) => [way, middle(taken[way])] as const),
  };
}

const NAMES: Readonly<Record<Way, string>> = {
  bare: "bare SDK",
  owner: "Oxbow, one child per owner",
  lead: "Oxbow, a lead's split",
};

const MOST_BY_LEAD = 100;

export async function overhead(bench: Bench): Promise<Section> {
  const results = [await measure(bench, 100, 100)];
  results.push(await measure(bench, 100, 32));
  if (!bench.quick) results.push(await measure(bench, 1000, 1000), await measure(bench, 1000, 32));
  const goals: string[][] = [];
  for (const { children, parallel, ideal, ways } of results) {
    const name = `${children} children, ${parallel} at a time`;
    const { bare, owner } = Object.fromEntries(ways);
    if (children < 1000 || !bare || !owner) continue;
    const { ms, rssBytes, lagP99 } = owner;
    if (parallel === 32) {
      goals.push(goalRow(`${name}, against the ideal`, "≤ 1.15×", times(ms / ideal), ms / ideal <= 1.15));
    } else {
      const ratio = ms / bare.ms;
      goals.push(
        goalRow(`${name}, against the bare SDK`, "≤ 1.5×", times(ratio), ratio <= 1.5),
        goalRow(`${name}: memory at its peak`, "< 500 MB", inBytes(rssBytes), rssBytes < 500e6),
      );
    }
    goals.push(goalRow(`${name}: event-loop lag, p99`, "< 20 ms", inMs(lagP99), lagP99 < 20));
  }
  return {
    title: "Overhead of a run",
    about: `Every child asks a scripted model that answers in ${MODEL_MS} ms with one line of text. *Oxbow* is a whole run through the app, from the call to the report: durable tasks and outcomes in SQLite, a fence, a base and a branch per child, events, done signals, fan-in. *Bare SDK*: the same model called through @openai/agents with tracing off, in a pool of the same size; nothing durable. The ideal is ⌈N / parallel⌉ × ${MODEL_MS} ms. A lead's split adds two turns of the lead and its own wait for all children; all its children are of one agent.`,
    tables: [
      ...(goals.length > 0 ? [{ caption: "", columns: GOAL_COLUMNS, rows: goals }] : []),
      {
        caption: "",
        columns: [
          "children / at a time",
          "",
          "time",
          "× ideal",
          "× bare SDK",
          "peak memory",
          "lag p99",
          "lag max",
        ],
        rows: results.flatMap(({ children, parallel, ideal, ways }) =>
          ways.map(([way, { ms, rssBytes, lagP99, lagMax }]) => [
            `${children} / ${parallel}`,
            NAMES[way],
            inMs(ms),
            times(ms / ideal),
            times(ms / (ways[0]?.[1].ms ?? Number.NaN)),
            inBytes(rssBytes),
            inMs(lagP99),
            inMs(lagMax),
          ]),
        ),
      },
      {
        caption: "What Oxbow's runs left, and what they had open:",
        columns: [
          "children / at a time",
          "",
          "outcomes",
          "done signals",
          "unsent",
          "handles: before",
          "most",
          "after",
        ],
        rows: results.flatMap(({ children, parallel, ways }) =>
          ways.flatMap(([way, { kept }]) => {
            if (kept === null) return [];
            const { outcomes, signals, unsent, handles } = kept;
            const counts = [outcomes, signals, unsent, handles.before, handles.most, handles.after];
            return [[`${children} / ${parallel}`, NAMES[way], ...counts.map(String)]];
          }),
        ),
      },
    ],
    notes: [
      `Nothing is extrapolated. Runs of more than ${LONG_MS / 1000} s are measured once, and a lead splits up to ${MOST_BY_LEAD} ways only. Each run is a process of its own, warmed by a run of four children; loading the libraries is not in the times.`,
      "Memory is that of the process itself, without its git helpers. Handles are the entries of `/proc/self/fd`, looked at every 20 ms. The lag is how much later than asked a timer of 1 ms fired.",
    ],
  };
}
