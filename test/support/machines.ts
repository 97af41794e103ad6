/** A fleet on one machine: a bare remote, and directories that share nothing with each other but its URL. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseRemoteUrl } from "../../src/core/remote-url.ts";
import { plainEnvironment } from "./cli.ts";
import { makeShop, SHOP_TEAM, type Shop } from "./shop.ts";

export interface Machine {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Fleet extends Disposable {
  /** The clone of a person, where runs are started. */
  readonly shop: Shop;
  readonly remote: string;
  readonly url: string;
  /** The schema that the remote's name gives. */
  readonly schema: string;
  git(...args: string[]): string;
  /** With the team file alone, or a clone. */
  machine(name: string, clone: boolean): Machine;
  /** Every Git directory that the fleet has made. */
  repositories(): string[];
}

/** Where a fleet's bare remote is going to be. */
export function fleetFolder(): { readonly folder: string; readonly remote: string } {
  const folder = mkdtempSync(join(tmpdir(), "oxbow-fleet-"));
  return { folder, remote: join(folder, "remote.git") };
}

/** `url`: how the machines reach the remote; by default as a file. */
export function makeFleet(at: { folder: string; remote: string; url?: string } = fleetFolder()): Fleet {
  const { folder, remote } = at;
  const file = pathToFileURL(remote).href;
  const url = at.url ?? file;
  const shop = makeShop({ team: `repo: { base: main, url: "${url}" }\n${SHOP_TEAM}` });
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: remote,
      env: plainEnvironment(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  mkdirSync(remote);
  git("init", "--quiet", "--bare", "--initial-branch=main");
  shop.git("push", "--quiet", file, "main");
  const parsed = parseRemoteUrl(url);
  if ("refused" in parsed) throw new Error(parsed.refused);
  const { identity } = parsed;
  return {
    shop,
    remote,
    url,
    schema: `oxbow_${createHash("sha256").update(identity).digest("hex").slice(0, 12)}`,
    git,
    machine(name, clone) {
      const dir = join(folder, name, "work");
      if (clone) execFileSync("git", ["clone", "--quiet", file, dir], { env: plainEnvironment() });
      else {
        mkdirSync(dir, { recursive: true });
        cpSync(join(shop.dir, "team.yaml"), join(dir, "team.yaml"));
      }
      return { dir, env: { OXBOW_HOME: join(folder, name, "home") } };
    },
    repositories() {
      const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
        (entry) => entry.isDirectory() && /^[0-9a-f]{12}\.git$/.test(entry.name),
      );
      return [remote, shop.dir, ...found.map((entry) => join(entry.parentPath, entry.name))];
    },
    [Symbol.dispose]() {
      shop[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
