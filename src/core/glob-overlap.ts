/**
 * What two path patterns have in common, as patterns. Only names with `*` and `?`, and `**` for any number of names, none
 * included: whoever has braces, brackets or groups is told so by `parseNames`.
 */

/** A character, `?` (any one) or `*` (any number, none included); null stands for `**`. */
export type NamePattern = readonly Token[] | null;
export type Token = { readonly char: string } | "?" | "*";
export type PathPattern = readonly NamePattern[];

/** More pieces than this are no longer something to write down. */
const MOST_PIECES = 24;

/** A pattern of `allowed_paths` without braces, as its names; null when it has more than wildcards and escapes. */
export function parseNames(glob: string): PathPattern | null {
  const names: NamePattern[] = [];
  for (const name of glob.split("/")) {
    const tokens = name === "**" ? null : parseName(name);
    if (tokens === undefined) return null;
    if (tokens !== null || names.length === 0 || names.at(-1) !== null) names.push(tokens);
  }
  return names;
}

function parseName(name: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  for (let i = 0; i < name.length; i++) {
    const char = name.charAt(i);
    if (/[[\](){}|"]/.test(char)) return undefined;
    if (char === "*") {
      if (tokens.at(-1) !== "*") tokens.push("*");
    } else if (char === "?") tokens.push("?");
    else if (char === "\\") tokens.push({ char: name.charAt(++i) });
    else tokens.push({ char });
  }
  return tokens;
}

/** The pattern as text for `allowed_paths`. */
export function globText(pattern: PathPattern): string {
  const text = pattern.map((name) => (name === null ? "**" : name.map(tokenText).join(""))).join("/");
  return /^!|^[A-Za-z]:/.test(text) ? `./${text}` : text;
}

function tokenText(token: Token): string {
  return typeof token === "string" ? token : token.char.replace(/[\\*?[\](){}|"]/, "\\$&");
}

/** True for a path without wildcards. */
export function isLiteral(pattern: PathPattern): boolean {
  return pattern.every((name) => name?.every((token) => typeof token === "object") === true);
}

/** Patterns that together match what both match; null when there would be too many. */
export function intersect(a: PathPattern, b: PathPattern): readonly PathPattern[] | null {
  return meet<NamePattern>(a, b, {
    any: (name) => name === null,
    star: null,
    both: (one, other) => (one === null || other === null ? [] : meetNames(one, other)),
    covers: (big, small) => coversPath(big, small),
  });
}

function meetNames(a: readonly Token[], b: readonly Token[]): readonly NamePattern[] | null {
  return meet<Token>(a, b, {
    any: (token) => token === "*",
    star: "*",
    both: (one, other) => (one === "*" || other === "*" ? [] : meetTokens(one, other)),
    covers: (big, small) => coversName(big, small),
  });
}

function meetTokens(a: Exclude<Token, "*">, b: Exclude<Token, "*">): readonly Token[] {
  if (a === "?") return [b];
  return b === "?" || a.char === b.char ? [a] : [];
}

interface Meeting<T> {
  any(part: T): boolean;
  readonly star: T;
  /** What two parts of which neither is the star have in common; null: too much to write down. */
  both(a: T, b: T): readonly T[] | null;
  covers(big: readonly T[], small: readonly T[]): boolean;
}

type Pieces<T> = readonly (readonly T[])[] | null;

/** Both lists of parts, aligned in every way in which their stars allow it. */
function meet<T>(a: readonly T[], b: readonly T[], { any, star, both, covers }: Meeting<T>): Pieces<T> {
  const known = new Map<number, Pieces<T>>();
  const from = (i: number, j: number): Pieces<T> => {
    const key = i * (b.length + 1) + j;
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = prune(look(i, j));
    known.set(key, found);
    return found;
  };
  const prune = (pieces: Pieces<T>): Pieces<T> => {
    if (pieces === null) return null;
    const kept = pieces.filter(
      (piece, i) =>
        !pieces.some((other, j) => j !== i && covers(other, piece) && (j < i || !covers(piece, other))),
    );
    return kept.length > MOST_PIECES ? null : kept;
  };
  const before = (part: T, rest: Pieces<T>): Pieces<T> =>
    rest?.map((each) => (any(part) && each[0] !== undefined && any(each[0]) ? each : [part, ...each])) ??
    null;
  const join = (...lists: readonly Pieces<T>[]): Pieces<T> =>
    lists.includes(null) ? null : lists.flatMap((list) => list ?? []);
  const look = (i: number, j: number): Pieces<T> => {
    const [one, other] = [a[i], b[j]];
    if (one === undefined && other === undefined) return [[]];
    if (one === undefined) return other !== undefined && any(other) ? from(i, j + 1) : [];
    if (other === undefined) return any(one) ? from(i + 1, j) : [];
    if (any(one) && any(other)) return before(star, join(from(i + 1, j), from(i, j + 1)));
    if (any(one)) return join(from(i + 1, j), before(other, from(i, j + 1)));
    if (any(other)) return join(from(i, j + 1), before(one, from(i + 1, j)));
    const parts = both(one, other);
    return parts === null ? null : join(...parts.map((part) => before(part, from(i + 1, j + 1))));
  };
  return from(0, 0);
}

/** True when whatever `small` matches is surely matched by `big`. */
export function coversPath(big: PathPattern, small: PathPattern): boolean {
  // What ends with `**` matches the path before it, and what is below.
  if (small.length > 1 && small.at(-1) === null && big.at(-1) !== null)
    return coversPath(big, small.slice(0, -1)) && coversPath(big, [...small, ["*"]]);
  return absorbs(big, small, {
    any: (name) => name === null,
    covers: (one, other) => one !== null && other !== null && coversName(one, other),
  });
}

function coversName(big: NamePattern, small: NamePattern): boolean {
  if (big === null || small === null) return big === small;
  // One `*` alone is any name, and a name is never empty.
  if (big.length === 1 && big[0] === "*") return true;
  return absorbs(big, small, {
    any: (token) => token === "*",
    covers: (one, other) => {
      if (other === "*") return false;
      if (one === "?") return true;
      return typeof one === "object" && typeof other === "object" && one.char === other.char;
    },
  });
}

function absorbs<T>(
  big: readonly T[],
  small: readonly T[],
  { any, covers }: { any(part: T): boolean; covers(one: T, other: T): boolean },
): boolean {
  let reach = new Set([0]);
  for (const part of big) {
    const next = new Set<number>();
    if (any(part)) for (let at = Math.min(...reach); at <= small.length; at++) next.add(at);
    else
      for (const at of reach) {
        const other = small[at];
        if (other !== undefined && !any(other) && covers(part, other)) next.add(at + 1);
      }
    if (next.size === 0) return false;
    reach = next;
  }
  return reach.has(small.length);
}
