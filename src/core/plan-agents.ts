/** Which agent fits a piece of work: what it can do, whether it is quick enough, how much it has on its hands. */
import { parsePattern } from "./glob.ts";
import type { AgentSpec } from "./team-file.ts";

/** What an agent is doing now. */
export interface AgentLoad {
  /** Subtasks of live tasks that have no outcome yet. */
  readonly open: number;
  /** It crashed too often, and is not started any more. */
  readonly disabled: boolean;
}

export interface AgentNeed {
  /** What is to be done, in any words. */
  readonly text: string;
  /** Milliseconds until it must be done; null: whenever. */
  readonly deadlineMs?: number | null;
}

export interface AgentFit {
  readonly agent: string;
  /** What of the agent the words speak of, weighed: skills and its name 3, domain and responsibilities 2, its folders 1. */
  readonly score: number;
  /** The words, in their plain form, sorted. */
  readonly words: readonly string[];
  /** False: it is disabled, or its `sla_ms` is longer than there is time. */
  readonly available: boolean;
  readonly open: number;
}

export type AgentTraits = Pick<
  AgentSpec,
  "name" | "skills" | "responsibilities" | "domain" | "slaMs" | "allowedPaths"
>;

/**
 * All agents, the best first: who is available, then the higher score, then less on its hands, then the shorter
 * `sla_ms`, then the name. The order of `agents` changes nothing.
 */
export function rankAgents(
  need: AgentNeed,
  agents: readonly AgentTraits[],
  loads: ReadonlyMap<string, AgentLoad> = new Map(),
): readonly AgentFit[] {
  const wanted = plainWords(need.text);
  const fits = agents.map((agent) => ({ agent, fit: fitOf(wanted, need, agent, loads.get(agent.name)) }));
  const soonest = ({ slaMs }: AgentTraits) => slaMs ?? Number.POSITIVE_INFINITY;
  return fits
    .sort(
      (a, b) =>
        Number(b.fit.available) - Number(a.fit.available) ||
        b.fit.score - a.fit.score ||
        a.fit.open - b.fit.open ||
        compare(soonest(a.agent), soonest(b.agent)) ||
        compare(a.agent.name, b.agent.name),
    )
    .map(({ fit }) => fit);
}

/**
 * Who is needed so that every word which speaks of an agent is heard: the best first, then whoever answers to words that
 * are left, as long as there are some. None when no word speaks of anybody.
 */
export function chooseAgents(
  need: AgentNeed,
  agents: readonly AgentTraits[],
  loads: ReadonlyMap<string, AgentLoad> = new Map(),
): readonly AgentFit[] {
  const chosen: AgentFit[] = [];
  let words = [...plainWords(need.text)];
  let left = agents;
  for (;;) {
    const text = words.join(" ");
    const [best] = rankAgents({ ...need, text }, left, loads);
    if (
      best === undefined ||
      best.score < (chosen.length === 0 ? 1 : 2) ||
      (!best.available && chosen.length > 0)
    )
      return chosen;
    chosen.push(best);
    words = words.filter((word) => !best.words.includes(word));
    left = left.filter(({ name }) => name !== best.agent);
  }
}

function fitOf(
  wanted: ReadonlySet<string>,
  need: AgentNeed,
  agent: AgentTraits,
  load: AgentLoad | undefined,
): AgentFit {
  const weights = weightsOf(agent);
  const words = [...wanted].filter((word) => weights.has(word)).sort(compare);
  const deadline = need.deadlineMs ?? null;
  const inTime = deadline === null || agent.slaMs === null || agent.slaMs <= deadline;
  return {
    agent: agent.name,
    score: words.reduce((sum, word) => sum + (weights.get(word) ?? 0), 0),
    words,
    available: inTime && load?.disabled !== true,
    open: load?.open ?? 0,
  };
}

function weightsOf(agent: AgentTraits): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  const add = (texts: readonly string[], weight: number): void => {
    for (const text of texts)
      for (const word of plainWords(text)) weights.set(word, Math.max(weights.get(word) ?? 0, weight));
  };
  add([agent.name, ...agent.skills], 3);
  add([...agent.responsibilities, agent.domain ?? ""], 2);
  add(foldersOf(agent.allowedPaths), 1);
  return weights;
}

/** Names of folders in an agent's patterns. */
function foldersOf(patterns: readonly string[]): readonly string[] {
  return patterns
    .flatMap(parsePattern)
    .filter(({ negative }) => !negative)
    .flatMap(({ prefix, directory }) => (directory ?? prefix).split("/"));
}

/** Said of everybody, or of nobody. */
const GENERIC = new Set(
  (
    "a an and are as at be build builder by can code coder coding dev develop developer do engineer file for from get go has " +
    "have if in into is it lead main make must not of on only or own owner package plan project repo repository should so " +
    "source src team than that the their then this to use with work write writer you agent app lib bot core all every each " +
    "new add change fix update"
  ).split(" "),
);

const SAME: Readonly<Record<string, string>> = {
  doc: "docs",
  documentation: "docs",
  document: "docs",
  readme: "docs",
  guide: "docs",
  spec: "test",
  qa: "test",
  unittest: "test",
  coverage: "test",
  reviewer: "review",
  tester: "test",
  ts: "typescript",
  js: "javascript",
  py: "python",
  db: "database",
  ui: "frontend",
};

/** Lower case, `camelCase` apart, without endings: `Tests`, `testing` and `test` are one. */
export function plainWords(text: string): ReadonlySet<string> {
  const apart = text.replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2").toLowerCase();
  const words = apart.match(/[\p{L}\p{N}+#]+/gu) ?? [];
  const found = new Set<string>();
  for (const word of words) {
    const plain = stem(word);
    if (!GENERIC.has(word) && !GENERIC.has(plain)) found.add(SAME[word] ?? SAME[plain] ?? plain);
  }
  return found;
}

function stem(word: string): string {
  if (word.length > 4 && word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  const bare = [/(?<=..)ing$/, /(?<=...)ed$/, /(?<=[^s].)(?<!s)s$/].find(
    (ending) => word.length > 3 && ending.test(word),
  );
  return bare === undefined ? word : word.replace(bare, "");
}

function compare<T extends string | number>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
