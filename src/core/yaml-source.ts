/** A YAML text whose every value knows its line and column. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";

/** Both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlSource {
  readonly value: unknown;
  /** Where a value stands; a missing one is said to stand where its mapping does. */
  position(path: readonly PropertyKey[]): Position;
  /** Where a mapping's key stands. */
  keyPosition(path: readonly PropertyKey[], key: string): Position;
}

export interface YamlProblem extends Position {
  readonly message: string;
}

const MAX_BYTES = 1_048_576;
const MAX_ALIASES = 100;

/** Bounded: at most 1 MB, and aliases that do not multiply. One document. */
export function readYaml(
  text: string,
): { ok: true; source: YamlSource } | { ok: false; problem: YamlProblem } {
  if (text.length > MAX_BYTES) return failed(1, 1, "is larger than 1 MB");
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: false,
    });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) {
      const { line, column } = at(problem.pos[0]);
      return failed(line, column, problem.message);
    }
    const bad = badNode(document);
    if (bad !== null) {
      const { line, column } = at(bad.offset);
      return failed(line, column, bad.message);
    }
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
    const source: YamlSource = {
      value,
      position: (path) => at(walk(document.contents, path, resolve)?.range?.[0] ?? 0),
      keyPosition(path, key) {
        const map = walk(document.contents, path, resolve);
        return at((isMap(map) ? keyOffset(map.items, key) : undefined) ?? map?.range?.[0] ?? 0);
      },
    };
    return { ok: true, source };
  } catch (error) {
    // Aliases that multiply (ReferenceError), nesting beyond the stack (RangeError): hostile text, not a defect.
    return failed(1, 1, error instanceof RangeError ? "is nested too deeply" : messageOf(error));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface BadNode {
  readonly offset: number;
  readonly message: string;
}

/**
 * The first key that is there twice, or alias that stands for nothing or is one too many. (To resolve an alias costs a
 * walk over the document, and the library's own check of keys compares each with each.)
 */
function badNode(document: Document): BadNode | null {
  let aliases = 0;
  const found: BadNode[] = [];
  const stop = (offset: number | undefined, message: string): symbol => {
    found.push({ offset: offset ?? 0, message });
    return visit.BREAK;
  };
  visit(document, {
    Alias(_key, node) {
      if (++aliases > MAX_ALIASES) return stop(node.range?.[0], `uses more than ${MAX_ALIASES} aliases`);
      if (node.resolve(document) !== undefined) return undefined;
      return stop(node.range?.[0], `there is no anchor &${node.source} before this`);
    },
    Map(_key, node) {
      const keys = new Set<unknown>();
      for (const { key } of node.items) {
        const name = isScalar(key) ? key.value : key;
        if (keys.has(name))
          return stop(isNode(key) ? key.range?.[0] : undefined, `the key ${String(name)} is there already`);
        keys.add(name);
      }
      return undefined;
    },
  });
  return found[0] ?? null;
}

function failed(line: number, column: number, message: string): { ok: false; problem: YamlProblem } {
  return { ok: false, problem: { line, column, message } };
}

/** The node at a path, or the deepest one on the way to it. */
function walk(
  root: Node | null,
  path: readonly PropertyKey[],
  resolve: (node: unknown) => unknown,
): Node | null {
  let here = root;
  for (const step of path) {
    const node = resolve(here);
    let next: unknown;
    if (isMap(node)) next = node.get(step, true);
    else if (isSeq(node)) next = node.get(step, true);
    if (!isNode(next)) return here;
    here = next;
  }
  const found = resolve(here);
  return isNode(found) && isMap(found) ? found : here;
}

function keyOffset(pairs: readonly { readonly key: unknown }[], key: string): number | undefined {
  const found = pairs.find((pair) => isScalar(pair.key) && pair.key.value === key)?.key;
  return isScalar(found) ? found.range?.[0] : undefined;
}

/** `agents[1].allowed_paths`. */
export function dotted(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === "number") return `${name}[${step}]`;
    return name === "" ? String(step) : `${name}.${String(step)}`;
  }, "");
}
