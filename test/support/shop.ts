/** A small shop with three owners, in a real repository, as most whole-run tests want it. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { plainEnvironment } from "./cli.ts";

export const SHOP_TEAM = `team: Shop
lead: Lead
window_person: lead@example.com
agents:
  - name: Lead
    responsibilities: [plan]
    allowed_paths: []
  - name: Api
    responsibilities: [build]
    allowed_paths: ["src/api/**"]
  - name: Web
    responsibilities: [build]
    allowed_paths: ["src/web/**"]
  - name: Docs
    responsibilities: [write]
    allowed_paths: ["docs/**", "README.md"]
`;

const FILES: Readonly<Record<string, string>> = {
  "README.md": "# Shop\n",
  "src/api/users.js": "export const users = [];\n",
  "src/api/orders.js": "export const orders = [];\n",
  "src/web/page.js": "export const page = 'home';\n",
  "docs/guide.md": "# Guide\n",
  LICENSE: "none\n",
};

export interface Shop extends Disposable {
  readonly dir: string;
  git(...args: string[]): string;
  write(path: string, text: string): void;
  /** A file of a commit. */
  at(rev: string, path: string): string;
  /** HEAD, index, config, refs that are not Oxbow's, and every file: what a run must leave as it is. */
  fingerprint(): string;
}

/** `folder`: where it is made; by default among the temporary files. */
export function makeShop(
  options: { team?: string; files?: Readonly<Record<string, string>>; folder?: string } = {},
): Shop {
  const dir = realpathSync(mkdtempSync(join(options.folder ?? tmpdir(), "oxbow-shop-")));
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: dir,
      env: plainEnvironment(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  };
  git("init", "--quiet", "--initial-branch=main");
  git("config", "user.name", "Ada");
  git("config", "user.email", "ada@example.com");
  for (const [path, text] of Object.entries({ ...FILES, ...options.files })) write(path, text);
  write("team.yaml", options.team ?? SHOP_TEAM);
  git("add", "--all");
  git("commit", "--quiet", "--message", "Open the shop");
  return {
    dir,
    git,
    write,
    at: (rev, path) => git("show", `${rev}:${path}`),
    fingerprint: () => fingerprint(dir, git),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }),
  };
}

function fingerprint(dir: string, git: (...args: string[]) => string): string {
  const hash = createHash("sha256");
  const names = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(join(dir, ".git")))
    .sort();
  for (const path of [...names, ...["HEAD", "index", "config"].map((name) => join(dir, ".git", name))])
    hash.update(path).update("\0").update(readFileSync(path)).update("\0");
  hash.update(
    git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/main", "refs/tags", "refs/remotes"),
  );
  return `${git("rev-parse", "HEAD").trim()} ${git("status", "--porcelain").trim()} ${hash.digest("hex")}`;
}
