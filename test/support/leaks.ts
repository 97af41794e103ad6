/** Looks for texts in everything that a run leaves behind, except in the files that agents wrote. */
import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { plainEnvironment } from "./cli.ts";

export interface Leak {
  readonly secret: string;
  readonly where: string;
}

/** Files below `<common dir>/oxbow`, refs and their names, commits, tags and blobs that refs name, and the given texts. */
export function findLeaks(
  repo: string,
  secrets: Readonly<Record<string, string>>,
  texts: Readonly<Record<string, string>>,
): Leak[] {
  const leaks: Leak[] = [];
  const look = (where: string, text: string) => {
    for (const [door, secret] of Object.entries(secrets)) {
      const at = text.indexOf(secret);
      if (at !== -1)
        leaks.push({ secret: door, where: `${where}: …${text.slice(Math.max(0, at - 80), at + 40)}` });
    }
  };
  for (const [name, text] of Object.entries(texts)) look(name, text);
  for (const file of filesBelow(join(repo, ".git", "oxbow")))
    look(relative(repo, file), `${file}\n${readFileSync(file, "latin1")}`);
  look("refs and commits", refs(repo));
  return leaks;
}

/** How many files of state there are: a search that sees none proves nothing. */
export function stateFiles(repo: string): string[] {
  return filesBelow(join(repo, ".git", "oxbow"));
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => join(dir, name))
    .filter((path) => lstatSync(path).isFile());
}

function refs(repo: string): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: repo, env: plainEnvironment(), encoding: "utf8", maxBuffer: 1 << 26 });
  const list = git("for-each-ref", "--format=%(objecttype) %(objectname) %(refname) %(contents)");
  const blobs = [...list.matchAll(/^(?:blob|tag) (\S+)/gm)].map(([, oid = ""]) => git("cat-file", "-p", oid));
  return [list, ...blobs, git("log", "--all", "--reflog", "--format=%B%n%an%n%ae%n%cn%n%ce")].join("\n");
}
