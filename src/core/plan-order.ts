/** In which order parts are done: what the text says, then testers after builders and reviewers after all. */
import { plainWords } from "./plan-agents.ts";
import type { AgentSpec } from "./team-file.ts";

export interface OrderedPart {
  readonly id: string;
  /** Where the text puts it in a sequence; null: nowhere. */
  readonly step: number | null;
  readonly agent: Pick<AgentSpec, "responsibilities">;
}

/**
 * By id, what each part waits for. A part with a step waits for those of earlier steps. Who only tests waits for those who
 * build in its step, who only reviews for all others of it; without a step of their own, for those of every step. Who only
 * documents holds back no tests of its step. What is waited for through another is not named. Acyclic by construction.
 */
export function dependenciesOf(parts: readonly OrderedPart[]): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, Place>();
  const members = new Map<string, string[]>();
  for (const part of parts) {
    const place = placeOf(part);
    const key = `${place.step} ${place.work}`;
    places.set(key, place);
    members.set(key, [...(members.get(key) ?? []), part.id]);
  }
  const sorted = [...places].sort(
    ([, a], [, b]) => (a.step ?? 0) - (b.step ?? 0) || RANK[a.work] - RANK[b.work],
  );
  const behind = new Map<string, ReadonlySet<string>>();
  const waits = new Map<string, readonly string[]>();
  for (const [at, [key, place]] of sorted.entries()) {
    const direct: string[] = [];
    const all = new Set<string>();
    for (const [before, other] of sorted.slice(0, at).toReversed()) {
      if (all.has(before) || !comesBefore(other, place)) continue;
      direct.push(before);
      all.add(before);
      for (const further of behind.get(before) ?? []) all.add(further);
    }
    behind.set(key, all);
    const ids = new Set(direct.flatMap((each) => members.get(each) ?? []));
    for (const id of members.get(key) ?? []) waits.set(id, [...ids]);
  }
  return new Map(
    parts.map(({ id }) => {
      const wanted = new Set(waits.get(id));
      return [id, parts.flatMap((part) => (wanted.has(part.id) ? [part.id] : []))];
    }),
  );
}

type Work = "build" | "docs" | "test" | "review";

interface Place {
  /** Null: whenever, so that nothing is before it. */
  readonly step: number | null;
  readonly work: Work;
}

const RANK: Readonly<Record<Work, number>> = { build: 0, docs: 0, test: 1, review: 2 };

/** After every step that a text can have. */
const LAST = 1_000_000;

function placeOf({ step, agent }: OrderedPart): Place {
  const work = workOf(agent);
  return { step: step ?? (RANK[work] === 0 ? null : LAST), work };
}

function comesBefore(before: Place, after: Place): boolean {
  if (after.step === null) return false;
  if (before.step === null && after.step < LAST) return false;
  if (before.work === "docs" && after.work === "test") return after.step < LAST && before.step !== after.step;
  return (before.step ?? 0) < after.step || RANK[before.work] < RANK[after.work];
}

/** What it does and nothing else; `build`: any other work. */
function workOf({ responsibilities }: Pick<AgentSpec, "responsibilities">): Work {
  const words = responsibilities.flatMap((text) => [...plainWords(text)]);
  if (words.length === 0) return "build";
  if (words.every((word) => word === "docs")) return "docs";
  if (!words.every((word) => word === "test" || word === "review")) return "build";
  return words.includes("review") ? "review" : "test";
}
