/** The answers to one field, put together where they say the same. */
import type { Json } from "./model.ts";
import type { Cell } from "./evidence-fields.ts";
import { canonicalJson, isList } from "./canonical-json.ts";
import { sortedNumbers } from "./evidence-statistics.ts";

/** Answers that say the same; `state` tells a null from what is left out. */
export interface Group {
  readonly state: "value" | "null" | "missing";
  readonly value: Json;
  /** Positions of the answers, ascending. */
  readonly answers: readonly number[];
}

/** The most frequent first; of equally many, the one whose text comes first. */
export function groupsOf(cells: readonly Cell[]): readonly Group[] {
  const groups = new Map<string, { group: Omit<Group, "answers">; answers: number[] }>();
  for (const [at, cell] of cells.entries()) {
    if (cell === null) continue;
    const { value } = cell;
    const state = value === undefined ? "missing" : value === null ? "null" : "value";
    const key = `${STATES.indexOf(state)}${state === "value" ? canonicalJson(value ?? null) : ""}`;
    const known = groups.get(key);
    if (known) known.answers.push(at);
    else groups.set(key, { group: { state, value: value ?? null }, answers: [at] });
  }
  const sorted = [...groups].sort(
    ([a, x], [b, y]) => y.answers.length - x.answers.length || (a < b ? -1 : 1),
  );
  return sorted.map(([, { group, answers }]) => ({ ...group, answers }));
}

export const STATES = ["value", "null", "missing"] as const;

/** The elements of lists, those of most lists first. The n-th occurrence in one list is an element of its own. */
export function elementsOf(groups: readonly Group[]) {
  const found = new Map<string, { key: string; value: Json; support: number; places: number }>();
  for (const { value, answers } of groups) {
    const seen = new Map<string, number>();
    for (const [place, element] of (isList(value) ? value : []).entries()) {
      const text = canonicalJson(element);
      const times = (seen.get(text) ?? 0) + 1;
      seen.set(text, times);
      const key = `${text}#${times}`;
      const known = found.get(key) ?? { key, value: element, support: 0, places: 0 };
      known.support += answers.length;
      known.places += place * answers.length;
      found.set(key, known);
    }
  }
  return [...found.values()].sort((a, b) => b.support - a.support || (a.key < b.key ? -1 : 1));
}

export function numbersOf(groups: readonly Group[]): readonly number[] {
  return sortedNumbers(
    groups.flatMap(({ value, answers }) => (typeof value === "number" ? answers.map(() => value) : [])),
  );
}

export function sameJson(a: Json, b: Json): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
