import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkCommand } from "../../src/core/check-command.ts";
import { checkSedScript } from "../../src/core/command/sed-script.ts";

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const check = (script: string) =>
  checkCommand(`sed ${quote(script)} a.txt`, { allow: ["sed"], root: "/repo" });

describe("a sed script", () => {
  it.each([
    ..."p|1p|$p|1,20p|1~2p|0,/x/p|2,+3d|2,~4d|/a/,/b/d|/a/!d|/a/I,$!p|\\,a/b,p|=|n;d|$!N;P;D|q|q5|l|l 20".split(
      "|",
    ),

    "s/a/b/",
    "s/a/b/g;s/c/d/2p",
    "s|a|b|I",
    "s,/etc,/usr,",
    "s/[^/]*$//",
    "s/[/w]/x/",
    "s/a\\/b/c/",
    "y/abc/xyz/",
    "/^#/d",
    "/start/,/end/{p;d}",
    "/a/{s/x/y/;p}",
    ":a;s/x/y/;ta",
    ":a;N;$!ba;s/x/ /g",
    "1!G;h;$!d",

    "a hello w x",
    "1i\\first; e id",
    "$c last",
    "s/a/b/ # w x",
    "# w x",
    "s/e/w/",
    "/e/p",
    "s/\\([a-z]*\\).*/\\1/",

    "",
    " ; ",
    "1d ; 2d",
    "s/a/b/;;p",
    "{p}",
    "{p;}",
    "1{/a/p}",
    "F",
    "z",
    "x",
    "s/[]/]/x/",
    "s/[[:space:]]*$//",
  ])("%j edits text", (script) => {
    expect(check(script)).toMatchObject({ allowed: true, argv: ["sed", "--sandbox", script, "a.txt"] });
  });

  it.each([
    ..."e|1e|e id|1,2e id|/a/e|$e|1!e|{e}|p;e|p;1e id|s/a/b/e|s/a/b/ge|s/a/b/eg|s/a/b/2e|s,a,id,e|s/a/b/Ie".split(
      "|",
    ),

    "w out",
    "1w out",
    "W out",
    "r /etc/passwd",
    "R x",
    "0r x",
    "$!w x",
    "{w x",
    "s/a/b/w out",
    "s/a/b/gw out",
    "s/a/b/;w x",
    ":a;w x",
    "ba;w x",
    "b;w x",
    "y/a/b/;w x",
    "}w x",
    "s/[/b/;#]/x/w f",
    "s/[/b/;#]/x/e",

    "\\,a,w x",
    "/a/w x",
    "/[/]/w x",
    "/[/p;#]/w f",
    "1,/a/{w x",
    "s/a/b/ w x",
    "s/a/b/ e",
    "p w x",
    "z;e",
  ])("%j runs, reads or writes", (script) => {
    expect(check(script)).toMatchObject({ allowed: false, code: "script" });
    expect(
      checkCommand(`sed -n -e p -e ${quote(script)} a.txt`, { allow: ["sed"], root: "/repo" }).code,
    ).toBe("script");
    expect(checkCommand(`sed --expression=${quote(script)}`, { allow: ["sed"], root: "/repo" }).code).toBe(
      "script",
    );
  });

  it.each(["s/a/b", "s/a", "s", "y/a/b", "/a", "\\", "1,", "k", "v", "s/a/b/k", "pp", "p p", "M", "1,e"])(
    "%j is none",
    (script) => {
      expect(check(script)).toMatchObject({ allowed: false, code: "script" });
    },
  );

  it("is refused wherever the real sed says that it would run, read or write", () => {
    const piece = fc.constantFrom(
      "s",
      "y",
      "/",
      "/",
      ",",
      "|",
      "a",
      "b",
      "[",
      "]",
      "^",
      "\\",
      ";",
      "#",
      "{",
      "}",
      "p",
      "w f",
      "e",
      "r f",
      "1",

      "$",
      "!",
      "I",
      "g",
      "[^/]",
      "[/]",
      "s/a/b/",
      "/a/",
      "s/[",
      ":a",
      "ba",
      "\\n",
      " ",
      "~",
      "+",
      "i x",
      "[:",
      ":]",
    );
    const script = fc.array(piece, { minLength: 1, maxLength: 10 }).map((pieces) => pieces.join(""));
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(script, { minLength: 1000, maxLength: 1000 }), (scripts) => {
        const good = [...new Set(scripts.filter((each) => checkSedScript(each) === null))];
        accepted += good.length;
        const lines = good.map(
          (each) => `sed --sandbox -n ${quote(each)} /dev/null 2>&1 | grep -q sandbox && echo ${quote(each)}`,
        );
        const { stdout } = spawnSync("bash", ["-s"], { encoding: "utf8", input: lines.join("\n") });
        expect(stdout).toBe("");
      }),
      { numRuns: 2 },
    );
    expect(accepted).toBeGreaterThan(100);
  }, 60_000);
});
