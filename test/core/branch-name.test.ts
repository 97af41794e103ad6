import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { branchName, integrationBranch, numberedBranch, refComponent } from "../../src/core/branch-name.ts";
import { hasCode } from "../../src/core/errors.ts";

const COMPONENT = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

function gitAccepts(branch: string): boolean {
  return spawnSync("git", ["check-ref-format", "--branch", branch]).status === 0;
}

function outcome(make: () => string): string | null {
  try {
    return make();
  } catch (error) {
    if (hasCode(error, "branch_name_rejected")) return null;
    throw error;
  }
}

function expectValid(part: string): void {
  expect(part).toMatch(COMPONENT);
  expect(part).not.toContain("..");
  expect(part).not.toMatch(/[.-]$/);
  expect(part).not.toMatch(/\.lock$/i);
  expect(part.length).toBeLessThanOrEqual(200);
}

describe("branchName", () => {
  it("is feature/<ticket or task>/<agent>", () => {
    expect(branchName({ ticket: "146", agentName: "DevAgent" })).toBe("feature/146/DevAgent");
    expect(branchName({ agentName: "DevAgent" })).toBe("feature/task/DevAgent");
    expect(branchName({ ticket: "", agentName: "DevAgent" })).toBe("feature/task/DevAgent");
    expect(integrationBranch("146")).toBe("integration/146");
  });

  it("reads a ticket the way people write it", () => {
    for (const ticket of ["146", "#146", " 146 ", " # 146"]) {
      expect(branchName({ ticket, agentName: "A" })).toBe("feature/146/A");
    }
  });

  it("marks a lossy name with eight digits of the digest of the raw text", () => {
    // printf 'a b' | sha256sum
    expect(refComponent("a b")).toBe("a-b-c8687a08");
    expect(refComponent("Api::t-1::2")).toMatch(/^Api--t-1--2-[0-9a-f]{8}$/);
    expect(refComponent("日本")).toMatch(/^x-[0-9a-f]{8}$/);
  });

  it.each([
    "foo.lock",
    "foo.LOCK",
    "a..b",
    "a.",
    "a-",
    ".a",
    "a/b",
    "a\\b",
    "a@{b",
    "a~1",
    "a^",
    "a:b",
    "a?*[",
    "@",
    "é",
  ])("makes %j valid and keeps it apart from its look-alike", (raw) => {
    const made = refComponent(raw);
    expectValid(made);
    expect(gitAccepts(`feature/1/${made}`)).toBe(true);
    expect(made).toMatch(/-[0-9a-f]{8}$/);
  });

  it.each([
    ["a leading dash", "-d"],
    ["an option", "--upload-pack=x"],
    ["a dash after the #", "#-d"],
    ["a control character", "a\u0007b"],
    ["a newline", "146\n"],
    ["a tab", "\t146"],
    ["NUL", "a\u0000"],
    ["a C1 control", "a\u0085b"],
    ["a bidirectional override", "a\u202Eb"],
    ["a bidirectional isolate", "a\u2066b"],
    ["a zero-width space", "a\u200Bb"],
    ["a zero-width joiner", "a\u200Db"],
    ["a byte-order mark", "\uFEFFa"],
    ["a soft hyphen", "a\u00ADb"],
    ["a tag character", "a\u{E0041}b"],
    ["a variation selector", "a\uFE0Fb"],
    ["a no-break space", "a\u00A0b"],
    ["an ideographic space", "\u3000"],
    ["a Hangul filler", "a\u3164"],
    ["a line separator", "a\u2028b"],
    ["a lone high surrogate", "a\uD800b"],
    ["a lone low surrogate", "\uDC00"],
    ["300 bytes", "x".repeat(300)],
    ["300 bytes in 100 characters", "日".repeat(100)],
    ["only blanks", "   "],
    ["only a #", "#"],
  ])("refuses %s", (_what, raw) => {
    expect(outcome(() => branchName({ ticket: raw, agentName: "A" }))).toBeNull();
    expect(outcome(() => branchName({ ticket: "1", agentName: raw }))).toBeNull();
    expect(outcome(() => refComponent(raw))).toBeNull();
  });

  it("shows no hidden character in its message", () => {
    expect(() => refComponent("a\u202Eb")).toThrow(
      '"a\\u{202e}b" contains a bidirectional character (U+202E)',
    );
  });

  it("is always accepted by git, whatever it was made from", () => {
    const raw = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({ unit: fc.constantFrom(...Array.from("aZ09._-/@{~^:?*[\\ #lock")), maxLength: 30 }),
      fc.stringMatching(/^[a-z]{0,3}\.{0,3}(lock|LOCK|Lock)?[.-]?$/),
    );
    fc.assert(
      fc.property(raw, raw, (ticket, agentName) => {
        const made = outcome(() => branchName({ ticket, agentName }));
        if (made === null) return;
        const parts = made.split("/");
        expect(parts).toHaveLength(3);
        parts.forEach(expectValid);
        expect(gitAccepts(made)).toBe(true);
        expect(gitAccepts(numberedBranch(made, 2))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("never gives one branch to two inputs, beyond the ways to write one ticket", () => {
    const unit = fc.constantFrom(...Array.from("ab.-_/ é#"));
    const raw = fc.string({ unit, minLength: 1, maxLength: 6 });
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(raw, (text) => {
        const made = outcome(() => refComponent(text));
        if (made === null) return;
        const meant = COMPONENT.test(made) && !/-[0-9a-f]{8}$/.test(made) ? made : text;
        expect(seen.get(made) ?? meant).toBe(meant);
        seen.set(made, meant);
      }),
      { numRuns: 5000 },
    );
  });

  it("leaves a clean name alone, and its own output too", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 60 }), (raw) => {
        const made = outcome(() => refComponent(raw));
        if (made !== null) expect(refComponent(made)).toBe(made);
      }),
    );
    expect(refComponent("x".repeat(200))).toBe("x".repeat(200));
  });
});

describe("numberedBranch", () => {
  it("counts from the bare name", () => {
    expect([1, 2, 3].map((n) => numberedBranch("feature/146/Api", n))).toEqual([
      "feature/146/Api",
      "feature/146/Api-2",
      "feature/146/Api-3",
    ]);
    expect(outcome(() => numberedBranch("feature/146/Api", 0))).toBeNull();
  });

  it("stays within a component's limit, and two long names stay apart", () => {
    const [a, b] = [`${"x".repeat(199)}a`, `${"x".repeat(199)}b`];
    const made = [a, b].map((name) => numberedBranch(`feature/1/${name}`, 12));
    for (const name of made) expectValid(name.split("/")[2] ?? "");
    expect(made[0]).not.toBe(made[1]);
  });
});
