/** Workspaces of a pool as a run asks for them, and what is in one. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import type { PoolRequest } from "../../src/git/contract.ts";

export function poolRequest(more: Partial<PoolRequest> = {}): PoolRequest {
  return {
    most: null,
    keep: 0,
    prepare: null,
    links: [],
    places: [],
    waiting: (wait) => wait(),
    clearUp: () => Promise.resolve(),
    ...more,
  };
}

/** Every name below a folder but `.git`'s content, with its mode and bytes. */
export function contentOf(dir: string, skipGit = true): readonly string[] {
  const lines: string[] = [];
  const visit = (at: Buffer, shown: string): void => {
    for (const name of readdirSync(at, { encoding: "buffer" })) {
      const label = `${shown}/${name.toString("latin1")}`;
      const file = Buffer.concat([at, Buffer.from("/"), name]);
      if (skipGit && label === "/.git") continue;
      const stats = lstatSync(file);
      const what = stats.isSymbolicLink()
        ? `-> ${readlinkSync(file)}`
        : stats.isFile()
          ? createHash("sha256").update(readFileSync(file)).digest("hex")
          : stats.isDirectory()
            ? "folder"
            : "other";
      lines.push(
        `${label} ${(stats.mode & 0o7777).toString(8)} ${stats.nlink > 1 && stats.isFile() ? "linked " : ""}${what}`,
      );
      if (stats.isDirectory()) visit(file, label);
    }
  };
  visit(Buffer.from(dir), "");
  return lines.sort();
}

/** The clone's own git dir: all that tells git what to do. */
export function gitDirOf(dir: string): readonly string[] {
  return contentOf(path.join(dir, ".git"), false).filter((line) => !line.startsWith("/index "));
}
