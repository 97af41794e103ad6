/** Several JSON values, laid side by side: a tree of objects and lists whose leaves are the fields that are compared. */
import type { Json } from "./model.ts";
import type { Distance, EvidenceOptions, FieldEvidence, FieldKind, FieldRule } from "./evidence.ts";
import { canonicalJson, isJsonObject, isList } from "./canonical-json.ts";
import { OxbowError } from "./errors.ts";
import {
  createSetDistance,
  createTextDistance,
  rangeDistance,
  relativeDistance,
} from "./evidence-distance.ts";
import { hintOf, itemHint, propertyHint, type SchemaHint } from "./evidence-schema.ts";

/** What one answer says to a field. `undefined`: it leaves it out. `null` in place of a cell: it could not occur there. */
export type Cell = { readonly value: Json | undefined } | null;

export interface Leaf {
  readonly path: string;
  readonly kind: FieldKind | "presence";
  readonly cells: readonly Cell[];
  /** Of two values that are neither null nor left out. */
  readonly distance: Distance;
  readonly weight: number;
  /** Only whole numbers make sense. */
  readonly integer: boolean;
  /** How many values there can be, where the schema says it. */
  readonly options: number | null;
}

/** Nodes and leaves by their place in the values. */
export type FieldTree =
  | { readonly kind: "leaf"; readonly leaf: Leaf }
  | {
      readonly kind: "object" | "list";
      /** Whether it is there, where some answers do not have it. */
      readonly presence: Leaf | null;
      readonly children: readonly (readonly [key: string, child: FieldTree])[];
    };

const MAX_FIELDS = 2_000;
const MAX_DEPTH = 32;

interface Place {
  readonly path: string;
  /** The path with `*` for the elements of lists: what rules are written for. */
  readonly pattern: string;
  readonly depth: number;
  readonly hint: SchemaHint;
}

/** Throws limit_exceeded. */
export function fieldTree(values: readonly Json[], options: EvidenceOptions): FieldTree {
  let leaves = 0;

  const leaf = (place: Place, kind: FieldKind | "presence", cells: readonly Cell[]): Leaf => {
    leaves += 1;
    if (leaves > MAX_FIELDS)
      throw new OxbowError("limit_exceeded", `The answers have more than ${MAX_FIELDS} fields.`, {
        hint: "Ask for fewer fields, or shorter lists.",
      });
    const rule = ruleOf(place);
    const weight = rule.weight ?? 1;
    const measure = rule.distance ?? (kind === "presence" ? undefined : options.distances?.[kind]);
    const { integer, size } = place.hint;
    const distance = measure === undefined ? measureOf(kind, place.hint) : bounded(measure);
    return { path: place.path, kind, cells, distance, weight, integer, options: size };
  };
  const ruleOf = ({ path, pattern }: Place): FieldRule =>
    options.fields?.[path] ?? options.fields?.[pattern] ?? {};

  const walk = (place: Place, cells: readonly Cell[]): FieldTree => {
    const rule = ruleOf(place);
    const present = cells.flatMap((cell) => (cell?.value == null ? [] : [cell.value]));
    const nests = present.length > 0 && place.depth < MAX_DEPTH;
    if (nests && rule.kind === undefined && rule.matchBy === undefined && present.every(isJsonObject))
      return node("object", place, cells, (value) => (isJsonObject(value) ? Object.entries(value) : []));
    const listed = rule.kind === "list" || rule.matchBy !== undefined || place.hint.tuple;
    if (nests && listed && present.every(isList))
      return node("list", place, cells, (value) => elementsOf(value, rule.matchBy));
    const wanted = rule.kind === "list" ? undefined : rule.kind;
    return { kind: "leaf", leaf: leaf(place, kindOf(wanted ?? place.hint.kind, present), cells) };
  };

  const node = (
    kind: "object" | "list",
    place: Place,
    cells: readonly Cell[],
    entries: (value: Json) => readonly (readonly [string, Json])[],
  ): FieldTree => {
    const parts = cells.map((cell) => (cell?.value == null ? null : new Map(entries(cell.value))));
    const keys = [...new Set(parts.flatMap((part) => [...(part?.keys() ?? [])]))].sort(inOrder(kind));
    const whole = cells.every((cell) => cell === null || cell.value != null);
    const presence = whole && keys.length > 0 ? null : leaf(place, "presence", cells.map(thereOrNot));
    const child = (key: string) =>
      walk(
        {
          path: `${place.path}/${escaped(key)}`,
          pattern: `${place.pattern}/${kind === "list" ? "*" : escaped(key)}`,
          depth: place.depth + 1,
          hint: kind === "list" ? itemHint(place.hint, key) : propertyHint(place.hint, key),
        },
        parts.map((part) => part && { value: part.get(key) }),
      );
    return { kind, presence, children: keys.map((key) => [key, child(key)] as const) };
  };

  const top: Place = { path: "", pattern: "", depth: 0, hint: hintOf(options.schema) };
  return walk(
    top,
    values.map((value) => ({ value })),
  );
}

export function leavesOf(tree: FieldTree): readonly Leaf[] {
  if (tree.kind === "leaf") return [tree.leaf];
  return [...(tree.presence ? [tree.presence] : []), ...tree.children.flatMap(([, each]) => leavesOf(each))];
}

/** The value that the fields' consensus amounts to; undefined: it is left out. */
export function valueOf(
  tree: FieldTree,
  fieldAt: (path: string) => Pick<FieldEvidence, "state" | "consensus"> | undefined,
): Json | undefined {
  const own = tree.kind === "leaf" ? tree.leaf : tree.presence;
  const field = own === null ? undefined : fieldAt(own.path);
  if (field?.state === "missing") return undefined;
  if (field?.state === "null") return null;
  if (tree.kind === "leaf") return field?.consensus;
  const parts = tree.children.flatMap(([key, child]) => {
    const value = valueOf(child, fieldAt);
    return value === undefined ? [] : [[key, value] as const];
  });
  return tree.kind === "list" ? parts.map(([, value]) => value) : Object.fromEntries(parts);
}

/** The elements by their position, or by the keys that say which thing each one is about. */
function elementsOf(value: Json, matchBy?: readonly string[]): readonly (readonly [string, Json])[] {
  if (!isList(value)) return [];
  if (matchBy === undefined) return value.map((each, index) => [String(index), each] as const);
  const seen = new Map<string, number>();
  return value.map((each) => {
    const named = isJsonObject(each)
      ? matchBy.map((key) => (Object.hasOwn(each, key) ? textOf(each[key] ?? null) : "")).join(":")
      : canonicalJson(each);
    const times = (seen.get(named) ?? 0) + 1;
    seen.set(named, times);
    return [times === 1 ? named : `${named}#${times}`, each] as const;
  });
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : canonicalJson(value);
}

function inOrder(kind: "object" | "list"): (a: string, b: string) => number {
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  if (kind === "object") return byText;
  const isPosition = /^\d+$/;
  return (a, b) => (isPosition.test(a) && isPosition.test(b) ? Number(a) - Number(b) : byText(a, b));
}

/** RFC 6901. */
function escaped(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** What is in an object is compared by itself. */
function thereOrNot(cell: Cell): Cell {
  return cell?.value == null ? cell : { value: true };
}

/** What the values cannot be compared as, they are not: then only whether they are the same counts. */
function kindOf(wanted: FieldKind | null, present: readonly Json[]): FieldKind {
  const fits = (kind: FieldKind): boolean => {
    if (kind === "number") return present.every((value) => typeof value === "number");
    if (kind === "text") return present.every((value) => typeof value === "string");
    return kind === "category" || present.every(isList);
  };
  if (wanted !== null && fits(wanted)) return wanted;
  if (wanted !== null || present.length === 0) return "category";
  return (["number", "text", "set"] as const).find(fits) ?? "category";
}

function measureOf(kind: FieldKind | "presence", { range }: SchemaHint): Distance {
  if (kind === "number") {
    const measure = range === null ? relativeDistance : rangeDistance(...range);
    return (a, b) => (typeof a === "number" && typeof b === "number" ? measure(a, b) : 1);
  }
  if (kind === "text") {
    const measure = createTextDistance();
    return (a, b) => (typeof a === "string" && typeof b === "string" ? measure(a, b) : 1);
  }
  if (kind === "set") {
    const measure = createSetDistance();
    return (a, b) => (isList(a) && isList(b) ? measure(a, b) : 1);
  }
  return (a, b) => (canonicalJson(a) === canonicalJson(b) ? 0 : 1);
}

/** A measure of somebody else: what is no number from 0 to 1 is made one. */
function bounded(measure: Distance): Distance {
  return (a, b) => {
    const distance = measure(a, b);
    return Number.isNaN(distance) ? 1 : Math.min(1, Math.max(0, distance));
  };
}
