/** In which order parts are done: what the text says, then testers after builders and reviewers after both. */
import { plainWords } from "./plan-agents.ts";
import type { AgentSpec } from "./team-file.ts";

export interface OrderedPart {
  readonly id: string;
  /** Where the text puts it in a sequence; null: nowhere. */
  readonly step: number | null;
  readonly agent: Pick<AgentSpec, "responsibilities">;
}

/**
 * By id, what each part waits for. A part with a step waits for those of the step before. Who only tests or reviews, and has
 * no step, waits for all who do neither; who only reviews, for those who test as well. Acyclic by construction.
 */
export function dependenciesOf(parts: readonly OrderedPart[]): ReadonlyMap<string, readonly string[]> {
  const placed = parts.map((part) => ({ id: part.id, place: placeOf(part) }));
  const places = [...new Set(placed.flatMap(({ place }) => place ?? []))].sort((a, b) => a - b);
  const free = placed.filter(({ place }) => place === null);
  return new Map(
    placed.map(({ id, place }) => {
      if (place === null) return [id, []];
      const before = places[places.indexOf(place) - 1];
      const waits = placed.filter((other) => before !== undefined && other.place === before);
      return [id, [...waits, ...(place >= LAST ? free : [])].map((other) => other.id)];
    }),
  );
}

/** After every step that a text can have. */
const LAST = 1_000_000;

function placeOf({ step, agent }: OrderedPart): number | null {
  const rank = rankOf(agent);
  if (step !== null) return step + rank / 10;
  return rank === 0 ? null : LAST + rank;
}

/** 1: it only tests. 2: it only reviews (and tests). 0: anything else. */
function rankOf({ responsibilities }: Pick<AgentSpec, "responsibilities">): 0 | 1 | 2 {
  const words = responsibilities.flatMap((text) => [...plainWords(text)]);
  if (words.length === 0 || !words.every((word) => word === "test" || word === "review")) return 0;
  return words.includes("review") ? 2 : 1;
}
