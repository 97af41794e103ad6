import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkCommand } from "../../src/core/check-command.ts";
import { lex } from "../../src/core/command/lex.ts";

const check = (line: string) => checkCommand(line, { allow: ["echo", "true"], root: "/repo" });

/** What bash makes of each line; globs stay, as nothing here expands them. */
function bashWords(lines: readonly string[]): (string[] | null)[] {
  const script = lines.map((line) => `printf '%s\\0' x ${line}\nprintf '\\1\\0'`).join("\n");
  const { stdout } = spawnSync("bash", ["-f", "-c", script], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: "/home/somebody" },
  });
  const answers = stdout.split("\u0001\0").slice(0, -1);
  return answers.map((text) => text.split("\0").slice(1, -1));
}

describe("the words of a command", () => {
  it.each<[string, string[]]>([
    ["echo a  \t b ", ["a", "b"]],
    [`echo 'a | b; c && $x \`d\` > e # f ~ {g,h}'`, ["a | b; c && $x `d` > e # f ~ {g,h}"]],
    [
      String.raw`echo "a \"b\" \\ \c \$d" e\ f \| \" \# \~ \{a,b\}`,
      [String.raw`a "b" \ \c $d`, "e f", "|", '"', "#", "~", "{a,b}"],
    ],
    [`echo '' "" a''b`, ["", "", "ab"]],
    [
      "echo *.ts a? [b] x=1 !y a#b HEAD~3 a~ {} {a} HEAD^{commit} stash@{0}",
      ["*.ts", "a?", "[b]", "x=1", "!y", "a#b", "HEAD~3", "a~", "{}", "{a}", "HEAD^{commit}", "stash@{0}"],
    ],
    [`echo a$ "b$" "$" c$/d '$x' $% "it's"`, ["a$", "b$", "$", "c$/d", "$x", "$%", "it's"]],
    ["echo 'é — “ok” 日本'", ["é — “ok” 日本"]],
    [`echo "{"a,b} {a","b} {a\\,b} {1".."3}`, ["{a,b}", "{a,b}", "{a,b}", "{1..3}"]],
  ])("of %s", (line, words) => {
    expect(check(line)).toMatchObject({ allowed: true, argv: ["echo", ...words] });
  });

  it.each([
    ["echo a | sh", "operator"],
    ["echo a && b", "operator"],
    ["echo a & b", "operator"],
    ["echo a&", "operator"],
    ["echo a; b", "operator"],
    ["echo a||b", "operator"],
    ["(echo a)", "operator"],
    ["echo a > b", "redirection"],
    ["echo a 2>&1", "redirection"],
    ["echo >>b", "redirection"],
    ["echo < b", "redirection"],
    ["echo <(id)", "redirection"],
    ["echo <<EOF", "redirection"],
    ["echo $(id)", "substitution"],
    ["echo `id`", "substitution"],
    ['echo "`id`"', "substitution"],
    ['echo "$(id)"', "substitution"],
    ["echo $HOME", "expansion"],
    ['echo "$HOME"', "expansion"],
    ["echo ${HOME}", "expansion"],
    ["echo $1 $@", "expansion"],
    ["echo $[1+1]", "expansion"],
    ["echo $'a'", "expansion"],
    ['echo $"a"', "expansion"],
    ["echo $?", "expansion"],
    ["echo {a,b}", "brace_expansion"],
    ["echo a{1..3}b", "brace_expansion"],
    ["echo {a,{b}}", "brace_expansion"],
    [`echo {a,"b"}`, "brace_expansion"],
    ["echo ~", "tilde"],
    ["echo ~root/x", "tilde"],
    ["echo a=~/x", "tilde"],
    ["echo a=b:~", "tilde"],
    ["echo a # b", "comment"],
    ["# echo", "comment"],
    ["echo a\nb", "newline"],
    ["echo 'a\nb'", "newline"],
    ["echo a\\\nb", "newline"],
    ["echo a\r", "newline"],
    ["echo a\u2028b", "newline"],
    ["echo 'b", "unfinished"],
    ['echo "b', "unfinished"],
    ["echo b\\", "unfinished"],
    ["echo a\0b", "nul"],
    ["echo 'a\u001bb'", "control_character"],
    ["echo a\u007fb", "control_character"],
    ["echo a\u202Eb", "hidden_character"],
    ["echo a\u200Bb", "hidden_character"],
    ["echo a\uFEFFb", "hidden_character"],
    ["echo\u00A0a", "hidden_character"],
    ["echo '\u3000'", "hidden_character"],
    ["echo a\u{E0041}", "hidden_character"],
    ["echo a\uD800", "invalid_unicode"],
    ["echo \uDC00a", "invalid_unicode"],
    ["echo a\uFFFD", "invalid_unicode"],
    ["echo \u2013rf", "foreign_dash"],
    ["echo '\u2014x'", "foreign_dash"],
    ["echo \u2212x", "foreign_dash"],
    ["echo \uFF0Dx", "foreign_dash"],
    ["A=1 echo", "env_prefix"],
    ["A+=1 echo", "env_prefix"],
    ["A[0]=1 echo", "env_prefix"],
    ["A= echo", "env_prefix"],
    ["A='x y' echo", "env_prefix"],
    ["", "empty"],
    [" \t ", "empty"],
    [`echo ${"x".repeat(8188)}`, "line_too_long"],
    [`echo ${"é".repeat(4100)}`, "line_too_long"],
    [`echo ${"x ".repeat(1024)}`, "too_many_words"],
  ])("%j is refused", (line, code) => {
    expect(check(line)).toMatchObject({ allowed: false, code });
    expect(check(line).argv).toBeUndefined();
    expect(check(line).reason).toMatch(/\.$/);
  });

  it("may use the limits up", () => {
    expect(check(`echo ${"x".repeat(8187)}`).allowed).toBe(true);
    expect(check(`echo${" x".repeat(1023)}`).argv).toHaveLength(1024);
  });

  it.each(["'echo' a", '"echo" a', "ec\\ho a", "e''cho a", "\\echo a"])("%s quotes the program", (line) => {
    expect(check(line).code).toBe("program_quoted");
  });

  it("splits whatever it accepts as bash does", () => {
    const piece = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(...Array.from(` \t'"\\$\`~#{},.:=!*?[]()<>|&;^%@+-/_aZ09é日`)),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          "{a,b}",
          "{1..3}",
          "''",
          '""',
          "\\'",
          '\\"',
          "a=",
          "~/",
          "..",
          "${",
          "$'",
          " '",
          "' ",
          ' "',
          '" ',
        ),
      },
    );
    const line = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(line, { minLength: 400, maxLength: 400 }), (lines) => {
        const good = lines.flatMap((each) => {
          const words = lex(each);
          return "code" in words ? [] : [{ line: each, words: words.map((word) => word.text) }];
        });
        accepted += good.length;
        expect(bashWords(good.map((each) => each.line))).toEqual(good.map((each) => each.words));
      }),
      { numRuns: 25 },
    );
    expect(accepted).toBeGreaterThan(1000);
  });

  it("takes time in proportion to the line, however hostile", () => {
    const lines = ["{", "{,", "'", "\\", "$", '""', "a=", "{a,", "# ", "~ ", "\u0301", "[[:"].map((part) =>
      `echo ${part.repeat(8000 / part.length)}`.slice(0, 8000),
    );
    const scripts = ["[", "[[:", "s/[/", "/[/", "{", "y/a/b/;", "1,", "1~", ";"].map(
      (part) => `sed '${part.repeat(7900 / part.length)}' x`,
    );
    const paths = ["../", "a/", "a/../", "/", "./", ":", "=", "@"].flatMap((part) => {
      const long = part.repeat(7900 / part.length);
      return [`cat ${long}`, `git show ${long}`, `mytool ${long}`, `mytool -x${long}`];
    });
    const began = performance.now();
    for (const line of [...lines, ...scripts, ...paths]) {
      checkCommand(line, { allow: ["echo", "sed", "cat", "git", "mytool *"], root: "/repo" });
    }
    // Some 50 lines of 8 kB; quadratic work on one of them alone would take longer.
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
