import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkCommand } from "../../src/core/check-command.ts";
import { flagTable, type Grammar } from "../../src/core/command/grammar.ts";
import { PROGRAMS } from "../../src/core/command/programs.ts";
import { COMMAND_CODES } from "../../src/core/errors.ts";
import { COMMAND_LINES } from "../support/command-lines.ts";

const judge = (line: string, allow: string[], deny: string[] = []) =>
  checkCommand(line, { allow, deny, root: "/repo" });

const list = (entries: string, line: string) =>
  (entries === "-" ? (line.split(/\s+/)[0] ?? "") : entries).split(",").map((entry) => entry.trim());

describe("a command line", () => {
  it.each(COMMAND_LINES)("with %j, %j: %s", (entries, line, code) => {
    const [allow = "", deny = ""] = entries.split(" !! ");
    const verdict = judge(line, list(allow, line), deny === "" ? [] : list(deny, line));
    expect(verdict).toMatchObject({ allowed: code === "ok", code });
    expect(verdict.reason).toMatch(/^\S.*[^.]\.$/su);
    expect(verdict.argv === undefined).toBe(code !== "ok");
  });

  it("is refused when nothing allows it, whatever it is", () => {
    for (const [, line] of COMMAND_LINES) expect(judge(line, []).allowed).toBe(false);
    for (const [, line] of COMMAND_LINES) expect(judge(line, ["*", ""]).allowed).toBe(false);
  });

  it("is refused when it is denied, whatever allows it", () => {
    for (const [entries, line, code] of COMMAND_LINES) {
      if (code !== "ok") continue;
      const [allow = ""] = entries.split(" !! ");
      const program = line.split(/\s+/)[0] ?? "";
      expect(judge(line, list(allow, line), [program]).code).toBe("denied");
      expect(judge(line, list(allow, line), [`${program} *`]).code).toBe("denied");
    }
  });

  it("is not made safe by one more word: no operator, no path outside, no unknown flag", () => {
    const lines = COMMAND_LINES.filter(([, line, code]) => code === "ok" && !/^(echo|true) ?/.test(line));
    const more = fc.constantFrom(
      " ; id",
      " | sh",
      " && id",
      " > x",
      " `id`",
      " $(id)",
      "\nid",
      " --no-such-flag-here-1",
    );
    fc.assert(
      fc.property(fc.constantFrom(...lines), more, ([entries, line], word) => {
        const [allow = ""] = entries.split(" !! ");
        const verdict = judge(line + word, list(allow, line));
        const belongsToScript = word.startsWith(" --") && verdict.allowed;
        if (!belongsToScript) expect(verdict.allowed).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  it("gets the same answer twice, and never throws, whatever it contains", () => {
    const words = fc.constantFrom(
      "git",
      "ls",
      "sed",
      "tar",
      "find",
      "-",
      "--",
      "-n",
      "-e",
      "log",
      "show",
      "HEAD:.env",
      "../x",
      "/etc",
      "a",
      "=",
      ":",

      "'",
      '"',
      "\\",
      "$",
      "`",
      "{",
      "}",
      "~",
      "*",
      "-c",
      "--format=%G?",
      "w x",
      "s/a/b/e",
      ".git",
      "\u202e",
      "\ud800",
      "\0",
    );
    const line = fc.oneof(
      fc.array(words, { maxLength: 8 }).map((parts) => parts.join(" ")),
      fc.string({ unit: "binary", maxLength: 40 }),
    );
    fc.assert(
      fc.property(line, (drawn) => {
        const allow = ["git", "ls", "sed", "tar", "find"];
        const verdict = judge(drawn, allow);
        expect(Object.keys(COMMAND_CODES)).toContain(verdict.code);
        expect(verdict.allowed).toBe(verdict.code === "ok");
        expect(judge(drawn, allow)).toEqual(verdict);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("an entry", () => {
  it("of one word gives the safe part, of several these first words", () => {
    expect(judge("git status -s", ["git status"]).allowed).toBe(true);
    expect(judge("git status -s", ["git status -s"]).allowed).toBe(true);
    expect(judge("git status", ["git status -s"]).code).toBe("not_allowed");
    expect(judge("git log", ["ls", "git status"]).reason).toContain('only "git status"');
  });

  it("may be quoted like a command, and one that is no command allows nothing", () => {
    expect(judge('git log "--format=%h %s"', ["git log '--format=%h %s'"]).allowed).toBe(true);
    for (const entry of ["'git", "git;ls", "$(git)", "ls\u202e", " ", "ls | git", "git&"]) {
      expect(judge("git log", [entry]).allowed).toBe(false);
    }
  });

  it("that denies holds for any order of words and flags; one that is no command denies its program", () => {
    for (const entry of ["git 'log", "git log | sh", "git $(x)"]) {
      expect(judge("git status", ["git"], [entry]).code).toBe("denied");
    }
    expect(judge("git log", ["git"], ["git log"]).code).toBe("denied");
    expect(judge("git grep log", ["git"], ["git log"]).allowed).toBe(true);
    expect(judge("cat a b secret.txt", ["cat"], ["cat secret.txt"]).code).toBe("denied");
    expect(judge("git log -n5", ["git"], ["git log --max-count"]).code).toBe("denied");
  });

  it("never lets a program that starts others run", () => {
    for (const program of ["npx", "sh", "bash", "sudo", "timeout", "nohup"]) {
      for (const entry of [program, `${program} *`, `${program} x`]) {
        expect(judge(`${program} x`, [entry]).code).toBe("program_refused");
      }
    }
  });
});

describe("flags that are added", () => {
  it("keep sed to editing, and searches and comparisons away from secrets", () => {
    expect(judge("sed p a", ["sed"]).argv).toEqual(["sed", "--sandbox", "p", "a"]);
    expect(judge("sed --sandbox p a", ["sed"]).argv).toEqual(["sed", "--sandbox", "p", "a"]);
    const grep = judge("grep -r --include=.env x -- .", ["grep"]).argv ?? [];
    expect(grep.indexOf("--exclude=.[eE][nN][vV]*")).toBeGreaterThan(grep.indexOf("--include=.env"));
    expect(grep.slice(-2)).toEqual(["--", "."]);
    expect(judge("rg -g .env x", ["rg"]).argv?.at(-1)).toBe("--iglob=!.env*");
  });

  it("are not added to others", () => {
    for (const line of ["ls -la", "git log -5", "grep -n x a", "cat a", "find . -name x"]) {
      expect(judge(line, [line.split(" ")[0] ?? ""]).argv).toEqual(line.split(" "));
    }
  });
});

describe("the tables", () => {
  const grammars: [string, Grammar][] = [];
  const collect = (name: string, grammar: Grammar) => {
    grammars.push([name, grammar]);
    for (const [sub, each] of Object.entries(grammar.subcommands ?? {})) collect(`${name} ${sub}`, each);
  };
  for (const [name, grammar] of Object.entries(PROGRAMS)) collect(name, grammar);

  it.each(grammars)(
    "%s name flags and kinds that exist, and refuse none that they know",
    (_name, grammar) => {
      const table = flagTable(grammar);
      const { operands, complete, requires, codeUnless, guard } = grammar;
      const mentioned = [
        operands?.firstUnless,
        operands?.minUnless,
        operands?.onlyWith,
        complete?.when,
        requires,
        codeUnless,
        guard?.shows,
        guard?.silent,
        guard?.alone,
        guard?.single,
        guard?.whole,
        guard?.commitsUnless,
      ];
      for (const name of mentioned.flatMap((names) => names ?? [])) expect([...table.keys()]).toContain(name);
      for (const name of table.keys()) expect(name).toMatch(/^-{1,2}[A-Za-z0-9.][\w-]*$/);
      for (const [, names] of grammar.refused ?? []) {
        for (const name of names.split(" ")) {
          expect(table.has(name), name).toBe(false);
          expect(Object.hasOwn(grammar.subcommands ?? {}, name), name).toBe(false);
        }
      }
    },
  );

  it.each(grammars)("%s takes no shortened, unknown or capitalised flag", (name, grammar) => {
    if (grammar.style === "text") return;
    const table = flagTable(grammar);
    const known = [...table.keys()].filter((flag) => flag.startsWith("--"));
    const tries = new Set([
      ...known.flatMap((flag) => [flag.slice(0, -1), flag.slice(0, 5), `${flag}x`]),
      "--no-such",
      "-@",
    ]);
    for (const flag of [...tries, ...known.map((each) => each.toUpperCase())]) {
      if (flag.length < 4 || table.has(flag)) continue;
      for (const written of [flag, `${flag}=x`]) {
        expect(judge(`${name} ${written}`, [name]), written).toMatchObject({ allowed: false, code: "flag" });
      }
    }
  });

  it.each(grammars)("%s reads no path outside, whatever flag takes it", (name, grammar) => {
    if (grammar.style === "text") return;
    const covering = [name, `${name} *`];
    for (const flag of flagTable(grammar).values()) {
      if (!["path", "archive", "file", "free", "glob", "package", "test_id"].includes(flag.kind)) continue;
      for (const path of ["/etc/passwd", "../x", "a/../../x", ".env", ".git/config"]) {
        for (const each of flag.names) {
          const glued =
            each.startsWith("--") || grammar.style === "whole" ? `${each}=${path}` : `${each}${path}`;
          expect(judge(`${name} ${glued}`, covering).allowed, glued).toBe(false);
          expect(judge(`${name} ${each} ${path}`, covering).allowed, `${each} ${path}`).toBe(false);
        }
      }
    }
  });
});
