import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FilePatch, parsePatch } from "../../src/core/patch.ts";
import { applyHunks } from "../../src/core/patch-apply.ts";
import { hasCode, type OxbowError } from "../../src/core/errors.ts";

const wrap = (...lines: string[]): string => ["*** Begin Patch", ...lines, "*** End Patch"].join("\n");

function refusal(work: () => unknown): OxbowError {
  try {
    work();
  } catch (error) {
    if (hasCode(error)) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** One update of one file. */
function patched(text: string, ...lines: string[]): string {
  const [section] = parsePatch(wrap("*** Update File: f.txt", ...lines));
  if (section?.kind !== "update") throw new Error("no update");
  return applyHunks("f.txt", text, section.hunks);
}

const kinds = (sections: readonly FilePatch[]) => sections.map(({ kind, path }) => [kind, path]);

describe("reading a patch", () => {
  it("gives every section in its order", () => {
    const sections = parsePatch(
      wrap(
        "*** Add File: path/add.py",
        "+abc",
        "+",
        "+def",
        "*** Delete File: path/delete.py",
        "*** Update File: path/update.py",
        "*** Move to: path/update2.py",
        "@@ def f():",
        "-    pass",
        "+    return 123",
      ),
    );
    expect(sections).toMatchObject([
      { kind: "add", path: "path/add.py", content: "abc\n\ndef\n" },
      { kind: "delete", path: "path/delete.py" },
      {
        kind: "update",
        path: "path/update.py",
        moveTo: "path/update2.py",
        hunks: [
          {
            anchors: ["def f():"],
            lines: [
              { kind: "remove", text: "    pass" },
              { kind: "add", text: "    return 123" },
            ],
          },
        ],
      },
    ]);
  });

  it.each([
    ["blanks around the markers", "  *** Begin Patch \n  *** Add File: foo \n+hi\n *** End Patch  \n"],
    ["CRLF", "*** Begin Patch\r\n*** Add File: foo\r\n+hi\r\n*** End Patch\r\n"],
    ["a heredoc", "<<'EOF'\n*** Begin Patch\n*** Add File: foo\n+hi\n*** End Patch\nEOF\n"],
    ["a heredoc in double quotes", '<<"EOF"\n*** Begin Patch\n*** Add File: foo\n+hi\n*** End Patch\nEOF'],
    ["a whole command", "apply_patch <<EOF\n*** Begin Patch\n*** Add File: foo\n+hi\n*** End Patch\nEOF"],
    ["empty lines between sections", "*** Begin Patch\n\n*** Add File: foo\n+hi\n\n*** End Patch"],
  ])("does not mind %s", (_what, text) => {
    expect(parsePatch(text)).toEqual([{ kind: "add", path: "foo", content: "hi\n" }]);
  });

  it("takes a first hunk without @@, empty lines of context, and empty lines between hunks", () => {
    const text = "import foo\n\nlast\nx\n";
    expect(patched(text, " import foo", "", "-last", "+LAST", "", "@@", "-x", "+y")).toBe(
      "import foo\n\nLAST\ny\n",
    );
  });

  it("takes a file that is added empty, and a move without hunks", () => {
    expect(parsePatch(wrap("*** Add File: a"))).toEqual([{ kind: "add", path: "a", content: "" }]);
    expect(parsePatch(wrap("*** Update File: a", "*** Move to: b", "*** Delete File: c"))).toMatchObject([
      { kind: "update", moveTo: "b", hunks: [] },
      { kind: "delete", path: "c" },
    ]);
  });

  it("keeps a line of context that looks like a marker", () => {
    const text = "*** Update File: x\n@@\nold\n";
    expect(patched(text, "@@", " *** Update File: x", " @@", "-old", "+*** End Patch")).toBe(
      "*** Update File: x\n@@\n*** End Patch\n",
    );
  });

  it.each([
    ["bad", "The first line"],
    ["", "The first line"],
    ["*** Begin Patch\nbad", "The last line"],
    ["*** Begin Patch", "The last line"],
    [wrap(), "is empty"],
    [wrap(""), "is empty"],
    [wrap("*** Frobnicate File: foo"), "Line 2 of the patch"],
    [wrap("*** Delete File: a", "+x"), "Line 3 of the patch"],
    [wrap("*** Add File: "), "the path is missing"],
    [wrap("*** Update File: test.py"), "is empty"],
    [wrap("*** Update File: test.py", "*** Move to:"), "the path is missing"],
    [wrap("*** Update File: a", "@@"), "the hunk has no lines"],
    [wrap("*** Update File: a", "@@", "*** End of File"), "the hunk has no lines"],
    [wrap("*** Update File: a", "@@", "bad"), "every line of a hunk begins with"],
    [wrap("*** Update File: a", "@@", "+x", "bad"), "Line 5 of the patch"],
    [wrap("*** Add File: a", "+x", "y"), "begins with +"],
  ])("refuses %j and says where", (text, why) => {
    const error = refusal(() => parsePatch(text));
    expect(error.code).toBe("patch_invalid");
    expect(error.message).toContain(why);
  });

  it("never fails in another way, whatever it is given", () => {
    const line = fc.constantFrom(
      "*** Add File: a",
      "*** Update File: b",
      "*** Move to: c",
      "*** Delete File: d",
      "*** End of File",
      "\\ No newline at end of file",
      "@@",
      "@@ x",
      "@@ -1,2 +3 @@ y",
      "+x",
      "-x",
      " x",
      "",
      " ",
      "x",
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.array(line, { maxLength: 6 }), (lines, file) => {
        try {
          expect(kinds(parsePatch(wrap(...lines))).length).toBeGreaterThan(0);
          patched(file.join("\n"), ...lines);
        } catch (error) {
          expect(
            hasCode(error, "patch_invalid") ||
              hasCode(error, "patch_failed") ||
              /no update/.test(String(error)),
          ).toBe(true);
        }
      }),
    );
  });
});

describe("a hunk finds its place", () => {
  it("changes several places in one file", () => {
    expect(patched("foo\nbar\nbaz\nqux\n", "@@", " foo", "-bar", "+BAR", "@@", " baz", "-qux", "+QUX")).toBe(
      "foo\nBAR\nbaz\nQUX\n",
    );
  });

  it("changes, adds and removes in hunks that follow each other", () => {
    const text = "a\nb\nc\nd\ne\nf\n";
    expect(
      patched(
        text,
        "@@",
        " a",
        "-b",
        "+B",
        "@@",
        " c",
        " d",
        "-e",
        "+E",
        "@@",
        " f",
        "+g",
        "*** End of File",
      ),
    ).toBe("a\nB\nc\nd\nE\nf\ng\n");
  });

  it.each([
    ["exactly", "a\nb\n", "a\nB\n"],
    ["without trailing blanks", "a  \nb\t\n", "a  \nB\n"],
    ["without blanks at either end", "    a  \n\tb\n", "    a  \nB\n"],
  ])("%s, keeping the lines of context as the file has them", (_how, before, after) => {
    expect(patched(before, "@@", " a", "-b", "+B")).toBe(after);
  });

  it("through typographic punctuation", () => {
    const text =
      "import asyncio  # local import \u2013 avoids top\u2011level dep\n\u201Cq\u201D\u00A0\u2018s\u2019\n";
    expect(
      patched(
        text,
        "@@",
        "-import asyncio  # local import - avoids top-level dep",
        "+import asyncio",
        ` "q" 's'`,
      ),
    ).toBe("import asyncio\n\u201Cq\u201D\u00A0\u2018s\u2019\n");
  });

  it("prefers an exact place further down to a loose one further up", () => {
    expect(patched("  a\nb\na\nb\n", "@@", " a", "-b", "+B")).toBe("  a\nb\na\nB\n");
  });

  it("after the line that @@ names, and after several of them", () => {
    const text = "class A\n  def f\n    1\nclass B\n  def f\n    1\n  def g\n    1\n";
    expect(patched(text, "@@ class B", "-    1", "+    2")).toContain("class B\n  def f\n    2");
    expect(patched(text, "@@ class B", "@@   def g", "-    1", "+    2")).toContain("def g\n    2");
    expect(patched(text, "@@ class B", " class B", "   def f", "-    1", "+    2")).toContain(
      "f\n    2\n  def g",
    );
  });

  it("when the next hunk names the same function again, or a unified diff's numbers", () => {
    const text = "def f\n  1\n  2\n";
    expect(patched(text, "@@ def f", "-  1", "+  one", "@@ def f", "-  2", "+  two")).toBe(
      "def f\n  one\n  two\n",
    );
    expect(patched(text, "@@ -1,3 +1,3 @@ def f", " def f", "-  1", "+  one")).toBe("def f\n  one\n  2\n");
  });

  it("when @@ names a line only in part, as long as there is one place", () => {
    const text = "class A(Base):\n  x\nclass B(Base):\n  y\n";
    expect(patched(text, "@@ class B", "-  y", "+  z")).toBe("class A(Base):\n  x\nclass B(Base):\n  z\n");
    expect(refusal(() => patched(text, "@@ class C", "+  z")).message).toContain("was not found");
  });

  it("adds lines after @@ with a line, and at the end without one", () => {
    expect(patched("a\nb\n", "@@ a", "+x")).toBe("a\nx\nb\n");
    expect(patched("a\nb\n", "@@", "+x", "+y")).toBe("a\nb\nx\ny\n");
    expect(patched("", "@@", "+x")).toBe("x\n");
    expect(patched("a\n\n", "@@", "+x")).toBe("a\nx\n\n");
    expect(patched("a\n\n", "@@", "+x", "*** End of File")).toBe("a\n\nx\n");
    expect(patched("1\n2\n3\n", "@@", "+x", "+y", "@@", " 1", "-2", "-3", "+two")).toBe("1\ntwo\nx\ny\n");
  });

  it("at the end of the file, where the lines come earlier too", () => {
    expect(patched("a\nb\na\n", "@@", "-a", "+A", "*** End of File")).toBe("a\nb\nA\n");
    expect(patched("first\nsecond\n", "@@", " first", "-second", "+second updated", "*** End of File")).toBe(
      "first\nsecond updated\n",
    );
  });

  it("with an empty last line that stands for the file's last line break", () => {
    expect(patched("a\nb\n", "@@", " a", "-b", "+c", " ")).toBe("a\nc\n");
    expect(patched("a\nb\n", "@@", " a", "-b", "-", "+c", "+")).toBe("a\nc\n");
  });

  it("and otherwise says which lines of which hunk are missing, and what stands there", () => {
    const error = refusal(() => patched("a\nb\nc\n", "@@", "-a", "+A", "@@", " b", "-x", "+y"));
    expect(error).toMatchObject({
      code: "patch_failed",
      details: { path: "f.txt", hunk: 2, lines: ["b", "x"] },
    });
    expect(error.message).toContain("Hunk 2 of f.txt does not apply");
    expect(error.message).toContain("after line 1:\nb\nx");
    expect(error.message).toContain('line 3 is "c" where the patch has "x"');
  });

  it("says that hunks are in the wrong order, and that an anchor is missing", () => {
    const late = refusal(() => patched("a\nb\nc\n", "@@", "-c", "+C", "@@", "-a", "+A"));
    expect(late.message).toContain("its lines are at line 1, before");
    expect(late.hint).toContain("order of the file");
    const anchor = refusal(() => patched("a\nb\na\n", "@@ nowhere", "-a", "+A"));
    expect(anchor.message).toContain('the line after @@ was not found: "nowhere"');
  });

  it("gives up on a search that would never end", () => {
    const error = refusal(() =>
      patched("\n".repeat(200_000), "@@", ...Array.from({ length: 2_000 }, () => " "), "-x", "+y"),
    );
    expect(error).toMatchObject({ code: "patch_failed" });
    const lines = refusal(() => patched("\n".repeat(600_000), "@@", "-x", "+y"));
    expect(lines.message).toContain("more than 500000 lines");
  });
});

describe("a patched file", () => {
  it("stays CRLF, also where lines are added", () => {
    expect(patched("a\r\nb\r\n", "@@", " a", "-b", "+B", "+c")).toBe("a\r\nB\r\nc\r\n");
  });

  it("keeps the ending of every line it does not touch", () => {
    expect(patched("a\r\nb\nc\nd\r\n", "@@", " b", "-c", "+C")).toBe("a\r\nb\nC\r\nd\r\n");
  });

  it("keeps its byte order mark", () => {
    expect(patched("\uFEFFa\nb\n", "@@", "-a", "+A")).toBe("\uFEFFA\nb\n");
  });

  it.each([
    ["its last line is changed", ["-b", "+B"], "a\nB"],
    ["a line is added after it", [" b", "+c"], "a\nb\nc"],
    ["it is removed", ["-b"], "a"],
    ["another line is changed", ["-a", "+A"], "A\nb"],
  ])("goes on without a last line break when %s", (_what, lines, after) => {
    expect(patched("a\nb", "@@", ...lines)).toBe(after);
  });

  it("gets or loses its last line break when the patch says so", () => {
    expect(patched("a\nb", "@@", "-b", "\\ No newline at end of file", "+b")).toBe("a\nb\n");
    expect(patched("a\nb\n", "@@", "-b", "+b", "\\ No newline at end of file")).toBe("a\nb");
    expect(parsePatch(wrap("*** Add File: a", "+x", "\\ No newline at end of file"))).toMatchObject([
      { content: "x" },
    ]);
  });

  it("may become empty", () => {
    expect(patched("a\nb\n", "@@", "-a", "-b")).toBe("");
  });
});

/** A file as lines without their breaks, and what an edit makes of it: each line kept, removed or given lines before it. */
const lineText = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "a",
    "b",
    "  a",
    "a ",
    "*** End Patch",
    "@@",
    "@@ a",
    "+a",
    "-a",
    " a",
    "\\x",
    "ä – “q”",
  ),
  fc.string({ maxLength: 6 }).map((text) => text.replace(/[\r\n\uFEFF]/g, "_")),
);
const edit = fc.array(
  fc.record({
    text: lineText,
    change: fc.constantFrom("keep", "keep", "keep", "remove", "before"),
    added: lineText,
  }),
  { minLength: 1, maxLength: 14 },
);

interface Op {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

describe("any edit, written as a patch", () => {
  it.each([
    ["\n", true],
    ["\n", false],
    ["\r\n", true],
    ["\r\n", false],
  ] as const)("brings the same bytes back (line break %j, at the end too: %s)", (eol, closed) => {
    fc.assert(
      fc.property(edit, lineText, fc.boolean(), (entries, tail, addTail) => {
        const ops: Op[] = entries.flatMap(({ text, change, added }): Op[] => {
          if (change === "keep") return [{ mark: " ", text }];
          const extra: Op[] = change === "before" ? [{ mark: "+", text: added }] : [];
          return change === "remove" ? [{ mark: "-", text }] : [...extra, { mark: " ", text }];
        });
        if (addTail) ops.push({ mark: "+", text: tail });
        const side = (mark: Op["mark"]) => ops.filter((op) => op.mark !== mark).map(({ text }) => text);
        const file = (lines: readonly string[]) => lines.join(eol) + (closed && lines.length > 0 ? eol : "");
        const [before, after] = [file(side("+")), file(side("-"))];
        // A file that ends in an empty line without a break is one with a break; a lone line has no kind of break yet.
        fc.pre(closed || (side("+").at(-1) !== "" && side("-").at(-1) !== "" && side("-").length > 0));
        fc.pre(side("+").length > 1 && ops.some(({ mark }) => mark !== " "));
        const lines = ops.map(({ mark, text }) => mark + text);
        expect(patched(before, "@@", ...lines)).toBe(after);
        expect(patched(before, "@@", ...lines, "*** End of File")).toBe(after);
      }),
      { numRuns: 300 },
    );
  });

  it("also in hunks with as much context as makes each unique", () => {
    const file = fc.uniqueArray(
      fc.string({ minLength: 1, maxLength: 5 }).map((text) => text.replace(/\s/g, "_")),
      {
        minLength: 3,
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(
        file,
        fc.array(fc.nat(59), { maxLength: 8 }),
        fc.integer({ min: 0, max: 3 }),
        (lines, picks, around) => {
          const at = [...new Set(picks)].filter((n) => n < lines.length).sort((a, b) => a - b);
          fc.pre(at.length > 0);
          const hunks: string[] = [];
          let done = 0;
          for (const [i, n] of at.entries()) {
            const next = at[i + 1] ?? lines.length;
            hunks.push(
              "@@",
              ...lines.slice(Math.max(done, n - around), n).map((line) => ` ${line}`),
              `-${lines[n]}`,
              `+new ${n}`,
              ...lines.slice(n + 1, Math.min(next, n + 1 + around)).map((line) => ` ${line}`),
            );
            done = Math.min(next, n + 1 + around);
          }
          const after = lines.map((line, n) => (at.includes(n) ? `new ${n}` : line));
          expect(patched(`${lines.join("\n")}\n`, ...hunks)).toBe(`${after.join("\n")}\n`);
        },
      ),
      { numRuns: 200 },
    );
  });
});
