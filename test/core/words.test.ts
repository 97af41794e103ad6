import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { splitWords } from "../../src/core/words.ts";

function refusal(line: string): OxbowError {
  try {
    splitWords(line);
  } catch (error) {
    if (error instanceof OxbowError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("splitWords", () => {
  it.each<[string, string[]]>([
    ["npx prettier --write {paths}", ["npx", "prettier", "--write", "{paths}"]],
    ["claude -p '{task}'", ["claude", "-p", "{task}"]],
    ["a  \t b ", ["a", "b"]],
    [`sh -c 'a | b; echo "$x"'`, ["sh", "-c", 'a | b; echo "$x"']],
    [String.raw`echo "a \"b\" \\ \c \$d" e\ f \| \"`, ["echo", String.raw`a "b" \ \c $d`, "e f", "|", '"']],
    [`echo '' "" a''b`, ["echo", "", "", "ab"]],
    ["ls *.ts ~/x a? [b] {c,d} x=1 !y a#b", ["ls", "*.ts", "~/x", "a?", "[b]", "{c,d}", "x=1", "!y", "a#b"]],
    ["echo 'é — “ok”'", ["echo", "é — “ok”"]],
  ])("splits %s", (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it.each([
    ["a | b", "the operator | at character 3"],
    ["a && b", "the operator &"],
    ["a; b", "the operator ;"],
    ["a > b", "the operator >"],
    ["a < b", "the operator <"],
    ["(a)", "the operator ("],
    ["echo `id`", "a backtick"],
    ['echo "`id`"', "a backtick"],
    ["echo $HOME", "a $"],
    ['echo "$HOME"', "a $"],
    ["a\nb", "a line break"],
    ["'a\nb'", "a line break"],
    ["a # b", "a comment"],
    ["a 'b", "a quote (') that is not closed"],
    ['a "b', 'a quote (") that is not closed'],
    ["a \\", "a backslash with nothing after it"],
    ["a\0b", "a control character"],
    ["a \u202Eb", "a bidirectional character"],
    ["a\u00A0b", "a blank that is not a plain space"],
    ["a \uD800", "a lone surrogate"],
    ["", "is empty"],
    ["   ", "is empty"],
    ["x".repeat(9000), "more than 8192 bytes"],
    ["x ".repeat(2000), "more than 1024 words"],
  ])("refuses %j", (line, message) => {
    const error = refusal(line);
    expect(error.code).toBe("command_invalid");
    expect(error.message).toContain(message);
  });

  it("says how to pass an operator on", () => {
    expect(refusal("a | b").hint).toContain("sh -c '…'");
  });

  it("splits as bash does", () => {
    const char = fc.constantFrom(...Array.from(`ab "'\\ -=.,:/@%+é`));
    const lines = fc.array(fc.string({ unit: char, maxLength: 14 }), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(lines, (drawn) => {
        const good = drawn.filter((line) => {
          try {
            return splitWords(line).length > 0;
          } catch {
            return false;
          }
        });
        const script = good.map(
          (line) => `printf '%s\\0' x${line.startsWith(" ") ? "" : " "}${line}; printf '\\1\\0'`,
        );
        const { stdout } = spawnSync("bash", ["-f", "-c", script.join("\n")], { encoding: "utf8" });
        const answers = stdout.split("\u0001\0").slice(0, -1);
        expect(answers.map((text) => text.split("\0").slice(1, -1))).toEqual(good.map(splitWords));
      }),
      { numRuns: 40 },
    );
  });
});
