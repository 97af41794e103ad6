import { execFileSync, spawnSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { flagTable, type Grammar } from "../../src/core/command/grammar.ts";
import { PROGRAMS } from "../../src/core/command/programs.ts";
import { checkCommand } from "../../src/library-paths.ts";

const top = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-allowed-")));
const root = join(top, "repo");
const env = { PATH: process.env["PATH"] ?? "", HOME: top, GIT_CONFIG_NOSYSTEM: "1", GIT_PAGER: "cat" };
const READERS = "git ls cat head tail wc grep find sed sort uniq cut diff tar"
  .split(" ")
  .filter((program) => spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined);

beforeAll(() => {
  for (const folder of ["out", "repo/src/.env.d", "repo/other"])
    mkdirSync(join(top, folder), { recursive: true });
  const files: Record<string, string> = {
    "out/f": "OUTSIDE-SECRET\n",
    "repo/list": "../out/f\n.env\n",
    "repo/list0": "../out/f\0.env\0",
    "repo/w.sed": "w written\n",
    "repo/.env.example": "text\n",
  };
  for (const file of ["a", "src/b", "other/b"]) files[`repo/${file}`] = "text one\ntext two\n";
  for (const file of [".env", "src/.env", "src/.ENV.local", "src/.env.d/k", "other/.env"])
    files[`repo/${file}`] = "INSIDE-SECRET text\n";
  for (const [file, text] of Object.entries(files)) writeFileSync(join(top, file), text);
  symlinkSync("../../out/f", join(root, "src/link"));
  symlinkSync("../out", join(root, "outlink"));
  symlinkSync("src", join(root, "in"));
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, env });
  const commit = (message: string) =>
    git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "--message", message);
  git("init", "--quiet", "--initial-branch=main");
  if (READERS.includes("tar")) execFileSync("tar", ["cf", "t.tar", "a"], { cwd: root });
  git("add", "--force", "--all");
  commit("one");
  writeFileSync(join(root, "a"), "text one\ntext changed\n");
  writeFileSync(join(root, "src/.env"), "INSIDE-SECRET text changed\n");
  git("add", "--all");
  commit("two");
  writeFileSync(join(root, ".env"), "INSIDE-SECRET again\n");
  git("add", ".env");
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

function commands(name: string, grammar: Grammar): [string, readonly string[]][] {
  const own: [string, readonly string[]] = [name, [...flagTable(grammar).keys()]];
  const more = Object.entries(grammar.subcommands ?? {}).flatMap(([sub, each]) =>
    commands(`${name} ${sub}`, each),
  );
  return [own, ...more];
}

/** Everything but what git itself keeps: names, kinds, sizes, targets and times. */
function everything(): readonly string[] {
  const names = readdirSync(top, { recursive: true, encoding: "utf8" }).filter(
    (name) => !name.startsWith("repo/.git/"),
  );
  return names.sort().map((name) => {
    const { mode, size, mtimeMs } = lstatSync(join(top, name));
    return `${name} ${mode} ${size} ${name === "repo/.git" ? "" : mtimeMs}`;
  });
}

const WORDS = String.raw`a src . src/b text HEAD HEAD~1 HEAD:src HEAD~1..HEAD * SECRET src/link outlink in in/b .env.example t.tar w.sed list0 list .. .env p 1,2p - -- :(glob)** :/ :!a 2 1 b main --all src/.e* other blob HEAD:a :0:a :0:.env`;

/** Some thousand lines drawn the same way, once: nothing was shown and nothing written. */
it("no allowed line of flags and words, really run, writes anything or shows a secret", () => {
  const known = READERS.flatMap((name) => commands(name, PROGRAMS[name] ?? {}));
  const word = fc.constantFrom(...WORDS.split(" "));
  const line = fc.constantFrom(...known).chain(([name, flags]) => {
    const flag = flags.length === 0 ? word : fc.constantFrom(...flags);
    const glued = fc
      .tuple(flag, word)
      .map(([first, second]) => `${first}${first.startsWith("--") ? "=" : ""}${second}`);
    const quoted = fc.oneof(flag, glued, word, word).map((text) => `'${text}'`);
    return fc.array(quoted, { maxLength: 5 }).map((parts) => [name, ...parts].join(" "));
  });
  const before = everything();
  let ran = 0;
  for (const [drawn, cwd] of fc.sample(fc.tuple(line, fc.constantFrom("", "src")), {
    seed: 4,
    numRuns: 3000,
  })) {
    const [program = "", ...args] = checkCommand(drawn, { allow: READERS, root, cwd }).argv ?? [];
    if (program === "" || ran >= 400) continue;
    ran++;
    const { stdout, error } = spawnSync(program, args, {
      cwd: join(root, cwd),
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(error, drawn).toBeUndefined();
    expect(stdout, drawn).not.toMatch(/(?:INSIDE|OUTSIDE)-SECRET/);
  }
  expect(everything()).toEqual(before);
  expect(ran).toBeGreaterThan(200);
});
