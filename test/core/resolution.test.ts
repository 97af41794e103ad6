import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { movedLines } from "../../src/core/line-moves.ts";
import { checkResolution, type FileVersion, type Waiver } from "../../src/core/resolution.ts";

const text = (content: string, mode = "100644"): FileVersion => ({ mode, id: content, text: content });
const binary = (id: string): FileVersion => ({ mode: "100644", id, text: null });
const link = (target: string): FileVersion => ({ mode: "120000", id: target, text: target });
const version = (given: string | FileVersion | null) => (typeof given === "string" ? text(given) : given);

type Given = string | FileVersion | null;

function check(base: Given, ours: Given, theirs: Given, resolved: Given, waived: readonly Waiver[] = []) {
  const [b, o, t, r] = [base, ours, theirs, resolved].map(version);
  const file = { path: "f", base: b ?? null, ours: o ?? null, theirs: t ?? null, resolved: r ?? null };
  return checkResolution([file], waived);
}

/** What is dropped, in short: `theirs removed 2 b`. */
function dropped(...given: Parameters<typeof check>): string[] {
  return check(...given).dropped.map(({ side, change, line, text: shown }) =>
    [side, change, line ?? "-", JSON.stringify(shown)].join(" "),
  );
}

const lines = (...list: string[]) => list.map((line) => `${line}\n`).join("");
const BASE = lines("a", "b", "c");

describe("a resolution of text", () => {
  it("passes with the changes of both sides, in any order and anywhere", () => {
    const [ours, theirs] = [lines("a", "O", "c"), lines("a", "T", "c")];
    for (const resolved of [
      ["a", "O", "T", "c"],
      ["a", "T", "O", "c"],
      ["O", "a", "c", "T"],
      ["a", "O", "more", "T", "c"],
    ])
      expect(check(BASE, ours, theirs, lines(...resolved)).ok).toBe(true);
  });

  it("names each line that a side added and that is not there, and each it removed that is", () => {
    const [ours, theirs] = [lines("a", "O", "c"), lines("a", "T", "c")];
    expect(dropped(BASE, ours, theirs, ours)).toEqual(['theirs added 2 "T"']);
    expect(dropped(BASE, ours, theirs, theirs)).toEqual(['ours added 2 "O"']);
    expect(dropped(BASE, ours, theirs, BASE)).toEqual([
      'ours removed 2 "b"',
      'ours added 2 "O"',
      'theirs removed 2 "b"',
      'theirs added 2 "T"',
    ]);
    expect(dropped(BASE, ours, theirs, lines("a", "b", "O", "T", "c"))).toEqual([
      'ours removed 2 "b"',
      'theirs removed 2 "b"',
    ]);
  });

  it("counts equal lines", () => {
    const ours = lines("a", "b", "x", "x", "c");
    expect(dropped(BASE, ours, BASE, lines("a", "b", "x", "c"))).toEqual(['ours added 4 "x"']);
    expect(
      dropped(lines("x", "x", "x"), lines("x"), lines("x", "x", "x", "T"), lines("x", "x", "T")),
    ).toEqual(['ours removed 3 "x"']);
    // Both sides added the same line: once is enough. One took one away, the other added one.
    expect(check(BASE, ours, ours, ours).ok).toBe(true);
    expect(check(lines("x", "a"), lines("x", "a", "x"), lines("a"), lines("a", "x")).ok).toBe(true);
  });

  it("does not take blanks for nothing", () => {
    const [ours, theirs] = [lines("a", "  b", "c"), lines("a", "b ", "c")];
    expect(dropped(BASE, ours, theirs, theirs)).toEqual(['ours added 2 "  b"']);
    expect(dropped(BASE, lines("a", "", "b", "c"), theirs, theirs)).toEqual(['ours added 2 ""']);
  });

  it("sees when only the order was changed and that is lost", () => {
    const base = lines("1", "2", "3", "4");
    const ours = lines("4", "1", "2", "3");
    const theirs = lines("1", "2", "3", "4", "T");
    expect(dropped(base, ours, theirs, theirs)).toEqual(['ours moved 1 "4"']);
    expect(check(base, ours, theirs, lines("4", "1", "2", "3", "T")).ok).toBe(true);
    expect(check(base, ours, theirs, lines("1", "4", "2", "3", "T")).ok).toBe(true);
    // Also where the lines are alike.
    expect(
      dropped(
        lines("x", "x", "y"),
        lines("x", "y", "x"),
        lines("x", "x", "T", "y"),
        lines("x", "x", "T", "y"),
      ),
    ).toEqual(['ours moved 2 "y"']);
  });

  it("takes the newline at the end of the file for what it is", () => {
    const base = "a\nb";
    expect(dropped(base, "a\nb\n", "a\nB", "a\nB")).toEqual(['ours added 2 "\\n"']);
    expect(check(base, "a\nb\n", "a\nB", "a\nB\n").ok).toBe(true);
    expect(dropped("a\nb\n", "a\nb", "a\nB\n", "a\nB\n")).toEqual(['ours removed 2 "\\n"']);
    // A line that both appended to is the same line, whatever follows it.
    expect(check("a", "a\nO", "a\nT", "a\nO\nT").ok).toBe(true);
    expect(check("a", "a\nO", "a\nT", "a\nO\nT\n").ok).toBe(true);
    expect(check("a\n", "", "a\nT\n", "T\n").ok).toBe(true);
  });

  it("lets lines follow a side that changed all line ends, and sees when those are lost", () => {
    const crlf = (given: string) => given.replaceAll("\n", "\r\n");
    const ours = crlf(BASE);
    const theirs = lines("a", "T", "c");
    expect(check(BASE, ours, theirs, crlf(theirs)).ok).toBe(true);
    expect(check(BASE, ours, theirs, "a\r\nT\nc\r\n").dropped).toHaveLength(1);
    const lost = check(BASE, ours, theirs, theirs).dropped;
    expect(lost.every(({ side }) => side === "ours")).toBe(true);
    expect(lost.map(({ text: shown }) => shown)).toContain("a\r");
    expect(check(BASE, ours, theirs, theirs, [{ path: "f", side: "ours" }]).ok).toBe(true);
    // One line with another end is a change like any other.
    expect(dropped(BASE, lines("a", "b\r", "c"), theirs, theirs)).toEqual(['ours added 2 "b\\r"']);
  });

  it("sees conflict markers that were left, unless a version had them", () => {
    const [ours, theirs] = [lines("a", "O", "c"), lines("a", "T", "c")];
    const left = lines("a", "<<<<<<< ours", "O", "=======", "T", ">>>>>>> theirs", "c");
    expect(check(BASE, ours, theirs, left)).toEqual({
      ok: false,
      dropped: [],
      markers: [
        { path: "f", line: 2, text: "<<<<<<< ours" },
        { path: "f", line: 6, text: ">>>>>>> theirs" },
      ],
    });
    const quoted = lines("a", "O", "T", "<<<<<<< ours", ">>>>>>>", "c");
    expect(
      check(`${BASE}<<<<<<< ours\n`, `${ours}<<<<<<< ours\n>>>>>>>\n`, `${theirs}<<<<<<< ours\n`, quoted).ok,
    ).toBe(true);
    expect(check(BASE, `${BASE}Title\n`, `${BASE}=====\n`, `${BASE}Title\n=======\n=====\n`).ok).toBe(true);
  });

  it("lets a side be given up by name, or a line", () => {
    const [ours, theirs] = [lines("a", "O", "O2", "c"), lines("a", "T", "c")];
    const ok = (...waived: Waiver[]) => check(BASE, ours, theirs, theirs, waived).ok;
    expect(ok({ path: "f", side: "ours" })).toBe(true);
    expect(ok({ path: "f", side: "theirs" })).toBe(false);
    expect(ok({ path: "g", side: "ours" })).toBe(false);
    expect(ok({ path: "f" })).toBe(false);
    expect(ok({ path: "f", line: "O" })).toBe(false);
    expect(ok({ path: "f", line: "O" }, { path: "f", line: "O2" })).toBe(true);
    expect(ok({ path: "f", line: "O" }, { path: "f", line: "O2", side: "theirs" })).toBe(false);
    expect(ok({ path: "f", line: "O" }, { path: "f", line: "o2" })).toBe(false);
  });
});

describe("what has no lines is taken whole", () => {
  it("a deletion against a change", () => {
    const theirs = lines("a", "T", "c");
    expect(dropped(BASE, null, theirs, theirs)).toEqual(['ours file - ""']);
    expect(dropped(BASE, null, theirs, null)).toEqual(['theirs file - ""']);
    expect(dropped(BASE, null, theirs, BASE)).toEqual([
      'ours file - ""',
      'theirs removed 2 "b"',
      'theirs added 2 "T"',
    ]);
    expect(check(BASE, null, theirs, theirs, [{ path: "f", side: "ours" }]).ok).toBe(true);
    // A line's waiver does not give up a file.
    expect(check(BASE, null, theirs, null, [{ path: "f", line: "T" }]).ok).toBe(false);
    expect(check(BASE, null, null, null).ok).toBe(true);
    expect(check(BASE, null, null, BASE).dropped).toHaveLength(2);
  });

  it("two additions, of which neither may be left out", () => {
    expect(check(null, "a\n", "b\n", "a\nb\n").ok).toBe(true);
    expect(dropped(null, "a\n", "b\n", "a\n")).toEqual(['theirs added 1 "b"']);
    expect(dropped(null, "a\n", "b\n", null)).toEqual(['ours file - ""', 'theirs file - ""']);
    expect(check(null, "a\n", null, "a\n").ok).toBe(true);
  });

  it("binary files, symlinks, submodules", () => {
    expect(dropped(binary("0"), binary("1"), binary("2"), binary("2"))).toEqual(['ours file - ""']);
    expect(dropped(binary("0"), binary("1"), binary("2"), binary("3"))).toHaveLength(2);
    expect(check(binary("0"), binary("1"), binary("0"), binary("1")).ok).toBe(true);
    expect(dropped(link("x"), link("y"), link("z"), link("z"))).toEqual(['ours file - ""']);
    // A symlink against a file: text that happens to be its target does not do.
    expect(dropped(BASE, link("y"), lines("a", "T", "c"), lines("a", "T", "c", "y"))).toEqual([
      'ours file - ""',
    ]);
    expect(dropped(BASE, link("y"), lines("a", "T", "c"), link("y"))).toEqual(['theirs file - ""']);
    const module = (id: string): FileVersion => ({ mode: "160000", id, text: null });
    expect(dropped(module("1"), module("2"), module("3"), module("3"))).toEqual(['ours file - ""']);
  });

  it("the executable bit", () => {
    const theirs = lines("a", "T", "c");
    expect(dropped(BASE, text(BASE, "100755"), theirs, theirs)).toEqual(['ours mode - "100755"']);
    expect(check(BASE, text(BASE, "100755"), theirs, text(theirs, "100755")).ok).toBe(true);
    expect(dropped(text(BASE, "100755"), text(BASE), text(theirs, "100755"), text(theirs, "100755"))).toEqual(
      ['ours mode - "100644"'],
    );
  });
});

describe("against git merge-file", () => {
  let dir = "";
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "oxbow-resolution-"));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** What Git makes of it; null where it is a conflict. */
  function merged(base: string, ours: string, theirs: string): string | null {
    const file = (name: string, content: string) => {
      writeFileSync(join(dir, name), content);
      return join(dir, name);
    };
    const files = [file("ours", ours), file("base", base), file("theirs", theirs)];
    try {
      return execFileSync("git", ["merge-file", "-p", "-q", ...files], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    } catch {
      return null;
    }
  }

  const line = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 }).map((n) => `line ${n}`) },
    { weight: 1, arbitrary: fc.constantFrom("}", "", "x") },
  );
  const content = fc.array(line, { maxLength: 14 });
  /** Edits at random places: a line goes, comes, changes, or moves. */
  const edits = fc.array(
    fc.record({
      kind: fc.constantFrom("add", "remove", "change", "move"),
      at: fc.nat(30),
      to: fc.nat(30),
      line,
    }),
    { maxLength: 4 },
  );
  const edited = (
    before: readonly string[],
    changes: typeof edits extends fc.Arbitrary<infer T> ? T : never,
  ) => {
    const list = [...before];
    for (const { kind, at, to, line: next } of changes) {
      const place = at % (list.length + 1);
      if (kind === "add") list.splice(place, 0, next);
      else if (kind === "change") list.splice(place, 1, next);
      else {
        const gone = list.splice(place, 1);
        if (kind === "move") list.splice(to % (list.length + 1), 0, ...gone);
      }
    }
    return list;
  };
  const histories = fc.record({
    base: content,
    ours: edits,
    theirs: edits,
    ends: fc.tuple(fc.boolean(), fc.boolean()),
  });
  const texts = ({
    base,
    ours,
    theirs,
    ends,
  }: typeof histories extends fc.Arbitrary<infer T> ? T : never) => {
    const end = (list: readonly string[], ended: boolean) => (ended ? lines(...list) : list.join("\n"));
    return {
      base: end(base, true),
      ours: end(edited(base, ours), ends[0]),
      theirs: end(edited(base, theirs), ends[1]),
    };
  };

  /** Do lines of `other` lack some of what `side` changed? Of an order only what can be told for certain. */
  function misses(...contents: readonly [base: string, side: string, other: string]): boolean {
    const [base = [], side = [], other = []] = contents.map((content) =>
      content === "" ? [] : content.replace(/\n$/, "").split("\n"),
    );
    const count = (list: readonly string[], wanted: string) => list.filter((one) => one === wanted).length;
    const change = (list: readonly string[], wanted: string) => count(list, wanted) - count(base, wanted);
    const changed = [...new Set([...base, ...side])].filter((one) => change(side, one) !== 0);
    if (changed.length === 0) return side.join() !== base.join() && movedLines(base, other) === 0;
    return changed.some((one) => {
      const [own, others] = [change(side, one), change(other, one)];
      return own > 0 ? others < own : others > own;
    });
  }

  it("what merges cleanly passes, and of a conflict no side can be left out", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { base, ours, theirs } = texts(history);
        const result = merged(base, ours, theirs);
        if (result !== null) {
          // Git lets one side have it all where both took the same line away and that side put it back elsewhere.
          const trimmed = (content: string) => content.replace(/\n$/, "");
          if ([ours, theirs].map(trimmed).includes(trimmed(result))) return;
          expect(check(base, ours, theirs, result).dropped).toEqual([]);
          return;
        }
        for (const [side, other] of [
          [ours, theirs],
          [theirs, ours],
        ] as const)
          if (misses(base, side, other)) expect(check(base, ours, theirs, other).ok).toBe(false);
        expect(check(base, ours, theirs, theirs, [{ path: "f", side: "ours" }]).ok).toBe(true);
      }),
      { numRuns: 200, seed: 6 },
    );
  });

  it("a conflict that is settled by both sides' lines, one after the other, passes", () => {
    const added = fc.array(line, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(content, content, added, added, fc.boolean(), (before, after, ours, theirs, first) => {
        const whole = (...middle: string[]) => lines(...before, ...middle, ...after);
        const both = first ? [...ours, ...theirs] : [...theirs, ...ours];
        expect(check(whole(), whole(...ours), whole(...theirs), whole(...both)).ok).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
