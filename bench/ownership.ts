/** Who owns a file: a lookup among 10 to 5,000 patterns, against matchers of micromatch and against a plain Map. */
import micromatch from "micromatch";
import { createOwnership } from "../src/core/ownership.ts";
import { compareSpecificity, parsePattern } from "../src/core/glob.ts";
import {
  type Bench,
  GOAL_COLUMNS,
  goalRow,
  inMs,
  mediansOf,
  type Section,
  takeTurns,
  times,
} from "./measure.ts";
import { createRandom, makePaths, pick, TREES } from "./trees.ts";

const COUNTS = [10, 100, 1000, 5000] as const;
/** Agents have this many patterns each. */
const PER_AGENT = 5;
/** Micromatch answers for so many of the paths; a lookup costs it the same for each. */
const SAMPLE = 500;

/** Patterns as teams write them, all different: directories for the most part, then files by ending, by name, anywhere. */
function makePatterns(count: number, paths: readonly string[], random: () => number): readonly string[] {
  const found = new Set<string>();
  while (found.size < count) {
    const names = pick(random, paths).split("/");
    const file = names.pop() ?? "";
    const dir = names.slice(0, 1 + Math.floor(random() * names.length)).join("/");
    const last = names.at(-1);
    if (dir === "" || last === undefined) continue;
    const word = file.split("-")[0] ?? "";
    const kinds: readonly (readonly [share: number, pattern: string])[] = [
      [0.45, `${dir}/**`],
      [0.6, `${dir}/*.ts`],
      [0.7, `${dir}/**/${word}-*.ts`],
      [0.8, [...names, file].join("/")],
      [0.88, `${names[0]}/*/${names[2] ?? last}/**`],
      [0.94, `**/${last}/**`],
      [1, `**/${file}`],
    ];
    const drawn = random();
    found.add(kinds.find(([share]) => drawn < share)?.[1] ?? `${dir}/**`);
  }
  return [...found];
}

function agentsOf(patterns: readonly string[]): Record<string, string[]> {
  const agents: Record<string, string[]> = {};
  for (const [i, pattern] of patterns.entries())
    (agents[`A${Math.floor(i / PER_AGENT)}`] ??= []).push(pattern);
  return agents;
}

/** Matchers made once, the most specific first: the first that matches decides. */
function withMicromatch(
  agents: Readonly<Record<string, readonly string[]>>,
): (path: string) => string | null {
  const rules = Object.entries(agents).flatMap(([agent, patterns]) =>
    patterns
      .flatMap(parsePattern)
      .map((glob) => ({ agent, glob, matches: micromatch.matcher(glob.text, { dot: true }) })),
  );
  rules.sort((a, b) => compareSpecificity(a.glob, b.glob) || (a.agent < b.agent ? -1 : 1));
  return (path) => rules.find((rule) => rule.matches(path))?.agent ?? null;
}

async function measure(bench: Bench, paths: readonly string[], count: number) {
  bench.say(`ownership: ${count} patterns`);
  const random = createRandom(count);
  const agents = agentsOf(makePatterns(count, paths, random));
  const { findOwner } = createOwnership(agents);
  const matchers = withMicromatch(agents);
  const sample = Array.from({ length: SAMPLE }, () => pick(random, paths));
  const floor = new Map(paths.map((path) => [path, findOwner(path)]));
  for (const path of sample)
    if (matchers(path) !== findOwner(path))
      throw new Error(`${path} has two owners: ${matchers(path)}, ${findOwner(path)}`);
  const each = (lookups: readonly string[], find: (path: string) => unknown) => () => {
    const started = performance.now();
    for (const path of lookups) find(path);
    return (performance.now() - started) / lookups.length;
  };
  const taken = await takeTurns(bench.quick ? 2 : 5, {
    oxbow: each(paths, findOwner),
    // All paths are new to a table that was made just now.
    fresh: () => each(paths, createOwnership(agents).findOwner)(),
    micromatch: each(sample, matchers),
    floor: each(paths, (path) => floor.get(path)),
  });
  return { count, ...mediansOf(taken) };
}

export async function ownership(bench: Bench): Promise<Section> {
  const paths = makePaths(TREES.large, createRandom(1));
  const results = [];
  for (const count of COUNTS) results.push(await measure(bench, paths, count));
  const goals = results.flatMap(({ count, oxbow, micromatch: peer }) => {
    const goal = { 1000: 50, 5000: 250 }[count];
    if (goal === undefined) return [];
    const ratio = peer / oxbow;
    return [
      goalRow(
        `${count} patterns, against matchers of micromatch`,
        `≥ ${goal}× faster`,
        times(ratio),
        ratio >= goal,
      ),
    ];
  });
  const growth = (results.at(-1)?.oxbow ?? Number.NaN) / (results[0]?.oxbow ?? Number.NaN);
  goals.push(goalRow("5000 patterns, against 10", "≤ 3×", times(growth), growth <= 3));
  return {
    title: "Ownership",
    about: `The owner of each of ${TREES.large.toLocaleString("en")} paths, ${PER_AGENT} patterns an agent. *Oxbow*: \`findOwner\`, of a table that has seen the paths before, and of a new one. *Micromatch*: matchers made once, the most specific first, until one matches. *Floor*: \`Map.get\`.`,
    tables: [
      { caption: "", columns: GOAL_COLUMNS, rows: goals },
      {
        caption: "One lookup:",
        columns: ["patterns", "Oxbow", "all paths new", "micromatch", "floor", "micromatch / Oxbow"],
        rows: results.map(({ count, oxbow, fresh, micromatch: peer, floor }) => [
          String(count),
          inMs(oxbow),
          inMs(fresh),
          inMs(peer),
          inMs(floor),
          times(peer / oxbow),
        ]),
      },
    ],
    notes: [
      `Micromatch was asked for ${SAMPLE} paths drawn from them. Checked in every run: its answers are Oxbow's.`,
    ],
  };
}
