/**
 * Matches `*`, `?`, `[…]` and `**` in time that no pattern and no path can blow up: patterns also come from models.
 * The answers are those of micromatch with `{ dot: true }`; a test compares them.
 */

type Atom =
  | { readonly kind: "char"; readonly char: string }
  | { readonly kind: "any" }
  | { readonly kind: "star" }
  | Bracket;
interface Bracket {
  readonly kind: "bracket";
  readonly set: RegExp;
}
type Segment = { readonly kind: "globstar" } | { readonly kind: "atoms"; readonly atoms: readonly Atom[] };

/** A test for a pattern of these wildcards and escapes only; null when it has others (groups, quotes, odd brackets). */
export function simpleMatcher(pattern: string): ((path: string) => boolean) | null {
  const segments: Segment[] = [];
  for (const name of pattern.split("/")) {
    const atoms = name === "**" ? null : parseAtoms(name);
    if (atoms === undefined) return null;
    segments.push(atoms === null ? { kind: "globstar" } : { kind: "atoms", atoms });
  }
  const bareEnd = endsBelowWildcard(segments);
  const matches = anchoredMatcher(segments, bareEnd) ?? ((names) => matchSegments(segments, names, bareEnd));
  return (path) => path === pattern || matches(namesOf(path));
}

/** One path is tested against many patterns in a row. */
let lastPath = "";
let lastNames: readonly string[] = [""];
function namesOf(path: string): readonly string[] {
  if (path !== lastPath) {
    lastNames = path.split("/");
    lastPath = path;
  }
  return lastNames;
}

/** Without `**`, or with one, every segment has its place, counted from the start or from the end. */
function anchoredMatcher(
  segments: readonly Segment[],
  bareEnd: boolean,
): ((names: readonly string[]) => boolean) | null {
  const at = segments.findIndex((segment) => segment.kind === "globstar");
  if (at !== segments.findLastIndex((segment) => segment.kind === "globstar")) return null;
  const atoms = segments.map((segment) => (segment.kind === "atoms" ? segment.atoms : []));
  const head = at === -1 ? atoms : atoms.slice(0, at);
  const tail = at === -1 ? [] : atoms.slice(at + 1);
  const least = head.length + tail.length + (bareEnd ? 1 : 0);
  return (names) => {
    if (names.length < least || (at === -1 && names.length > least)) return false;
    const offset = names.length - tail.length;
    return (
      tail.every((one, i) => matchAtoms(one, names[offset + i] ?? "")) &&
      head.every((one, i) => matchAtoms(one, names[i] ?? ""))
    );
  };
}

function parseAtoms(name: string): readonly Atom[] | undefined {
  const atoms: Atom[] = [];
  for (let i = 0; i < name.length; i++) {
    const char = name.charAt(i);
    if (/[(){}|"\]]/.test(char)) return undefined;
    if (char === "*") {
      if (atoms.at(-1)?.kind !== "star") atoms.push({ kind: "star" });
    } else if (char === "?") atoms.push({ kind: "any" });
    else if (char === "[") {
      const found = /^\[\^?[A-Za-z0-9_.,@! -]+\]/.exec(name.slice(i))?.[0];
      if (found === undefined || /-.?-|\[\^?-|-\]/.test(found) || isBackwards(found)) return undefined;
      atoms.push({ kind: "bracket", set: new RegExp(`^${found}$`) });
      i += found.length - 1;
      if (name.charAt(i + 1) === "+") return undefined;
    } else if (char === "\\") {
      i++;
      atoms.push({ kind: "char", char: name.charAt(i) });
    } else atoms.push({ kind: "char", char });
  }
  return atoms;
}

function isBackwards(bracket: string): boolean {
  return [...bracket.matchAll(/(.)-(.)/g)].some(([, from = "", to = ""]) => from > to);
}

/** Micromatch lets `a/**` match `a`, but `*` + `/**` no bare `a`. */
function endsBelowWildcard(segments: readonly Segment[]): boolean {
  const before = segments.at(-2);
  return (
    segments.at(-1)?.kind === "globstar" && before?.kind === "atoms" && before.atoms.at(-1)?.kind === "star"
  );
}

/** `reach[j]`: the pattern so far can have used up j names of the path. */
function matchSegments(segments: readonly Segment[], names: readonly string[], bareEnd: boolean): boolean {
  let reach = new Uint8Array(names.length + 1);
  reach[0] = 1;
  for (const [i, segment] of segments.entries()) {
    const next = new Uint8Array(names.length + 1);
    if (segment.kind === "globstar") {
      const isLast = i === segments.length - 1;
      let open = 0;
      for (let j = 0; j <= names.length; j++) {
        next[j] = open | (isLast && bareEnd ? 0 : (reach[j] ?? 0));
        open |= reach[j] ?? 0;
      }
    } else {
      for (const [j, name] of names.entries()) {
        if (reach[j] === 1 && matchAtoms(segment.atoms, name)) next[j + 1] = 1;
      }
    }
    reach = next;
  }
  return reach[names.length] === 1;
}

/** Greedy with one point of return: the last star. */
function matchAtoms(atoms: readonly Atom[], name: string): boolean {
  if (name === "" || name === "." || name === "..") return false;
  let [a, n, star, resume] = [0, 0, -1, 0];
  while (n < name.length) {
    const atom = atoms[a];
    if (atom?.kind === "star") {
      star = a++;
      resume = n;
    } else if (atom !== undefined && matchOne(atom, name.charAt(n))) {
      a++;
      n++;
    } else if (star >= 0) {
      a = star + 1;
      n = ++resume;
    } else return false;
  }
  while (atoms[a]?.kind === "star") a++;
  return a === atoms.length;
}

function matchOne(atom: Atom, char: string): boolean {
  if (atom.kind === "char") return atom.char === char;
  return atom.kind === "any" || (atom.kind === "bracket" && atom.set.test(char));
}
