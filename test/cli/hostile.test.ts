import { execFileSync, spawnSync } from "node:child_process";
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
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gitArgs } from "../../src/git/command.ts";
import { oxbow, plainEnvironment, reportOf } from "../support/cli.ts";
import { hostileFiles, makeHostile } from "../support/hostile.ts";
import { makeShop, type Shop } from "../support/shop.ts";

let outside = "";
beforeEach(() => {
  outside = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-outside-")));
});
afterEach(() => rmSync(outside, { recursive: true, force: true }));

/** Uses git itself, as agents' programs do, and writes where its agent may. */
const PROGRAM = `
const { execFileSync } = require("node:child_process");
const { writeFileSync } = require("node:fs");
for (const args of [["status"], ["diff"], ["log", "-p", "-1"], ["add", "--all"], ["commit", "--allow-empty", "-m", "x"], ["checkout", "--", "."], ["gc"]]) execFileSync("git", args);
writeFileSync("src/api/users.js", "changed\\r\\n$Id$\\n");
writeFileSync("src/api/new.js", "new\\n");
`;

const SCRIPT = `
agents:
  Api:
    - tool: write_file
      arguments: { path: src/api/orders.js, content: "changed $Id$\\n" }
    - tools:
        - { tool: diff }
        - { tool: search_files, arguments: { pattern: "changed|touch" } }
        - { tool: list_files }
        - { tool: read_file, arguments: { path: "src/api/odd/$(touch out)" } }
        - { tool: read_file, arguments: { path: src/api/passwd } }
        - { tool: write_file, arguments: { path: src/api/out/x, content: "x" } }
        - { tool: write_file, arguments: { path: src/api/config, content: "x" } }
    - { tool: commit, arguments: { message: "Signed-off-by: nobody\\n\\nSigned: x" } }
    - say: done
default: [{ say: nothing }]
`;

function hostileShop() {
  const shop = makeShop();
  hostileFiles(shop.dir, outside);
  shop.git("add", "--all");
  shop.git("update-index", "--add", "--cacheinfo", `160000,${shop.git("rev-parse", "HEAD").trim()},sub`);
  shop.git("commit", "--quiet", "--message", "Odd files");
  writeFileSync(join(outside, "script.yaml"), SCRIPT);
  writeFileSync(join(outside, "program.cjs"), PROGRAM);
  const before = readdirSync(outside, { recursive: true }).length;
  expect(before).toBe(2);
  return { shop, hostile: makeHostile(shop.dir, outside, (...args) => shop.git(...args)) };
}

describe("a repository that names a program wherever git would start one", () => {
  it("runs none of them in a whole run, whatever the caller's environment says", async () => {
    const { shop, hostile } = hostileShop();
    using _shop = shop;
    // Git itself falls for it: else this test would prove nothing.
    spawnSync("git", ["diff", "HEAD~1"], { cwd: shop.dir, env: plainEnvironment(), stdio: "ignore" });
    expect(hostile.marks().length).toBeGreaterThan(0);
    for (const name of hostile.marks()) rmSync(join(outside, "marks", name));
    const rest = () => readdirSync(outside).sort();
    const there = rest();

    const cli = (...args: string[]) => oxbow(args, { cwd: shop.dir, env: hostile.env });
    const node = process.execPath;
    const steps: [string[], number][] = [
      [["doctor"], 0],
      [
        [
          "run",
          "Change",
          "--ticket",
          "1",
          "--by",
          "owner",
          "--script",
          join(outside, "script.yaml"),
          "--json",
        ],
        0,
      ],
      [
        [
          "run",
          "Change",
          "--ticket",
          "2",
          "--by",
          "owner",
          "--json",
          "--command",
          `${node} ${join(outside, "program.cjs")}`,
        ],
        0,
      ],
      [["status", "--json"], 0],
      [["branch", "allocate", "--ticket", "3", "--agent", "Api", "--json"], 0],
      [["scope", "check", "feature/1/Api"], 0],
      [["uninstall", "--yes", "--force"], 0],
    ];
    for (const [args, code] of steps) {
      const ended = await cli(...args);
      expect([args[0], hostile.marks()]).toEqual([args[0], []]);
      if (!(args[0] === "doctor" || args.includes("--command")))
        expect([args[0], ended.code, ended.stderr]).toEqual([args[0], code, ""]);
      if (args.includes("--script")) {
        expect(reportOf(ended)["state"]).toBe("completed");
        const refused = ended.lines.filter((line) => line["event"] === "tool_result" && line["ok"] === false);
        expect(refused.map((line) => line["tool"])).toEqual(["write_file", "write_file"]);
      }
    }
    expect(shop.at("feature/1/Api", "src/api/orders.js")).toBe("changed $Id$\n");
    // The other agents' programs wrote there as well: outside of their paths.
    expect(shop.at("feature/2/Api", "src/api/users.js")).toBe("changed\r\n$Id$\n");
    expect(rest()).toEqual(there);
    expect(hostile.marks()).toEqual([]);
  }, 120_000);

  it("is given a team by init, and runs nothing meanwhile", async () => {
    const { shop, hostile } = hostileShop();
    using _shop = shop;
    rmSync(join(shop.dir, "team.yaml"));
    const ended = await oxbow(["init", "--json"], { cwd: shop.dir, env: hostile.env });
    expect([ended.code, hostile.marks()]).toEqual([0, []]);
  });
});

describe("a tree with names that mean .git somewhere", () => {
  const NAMES = [".git ", ".GIT", "git~1", ".g\u200cit", ".git.", "GIT~1", ".git::$INDEX_ALLOCATION", ".git"];

  function withEntry(shop: Shop, name: string): void {
    const blob = execFileSync("git", ["hash-object", "-w", "--stdin"], {
      cwd: shop.dir,
      input: "#!/bin/sh\n",
      encoding: "utf8",
    });
    const make = (input: string) =>
      execFileSync("git", ["mktree", "-z"], { cwd: shop.dir, input, encoding: "utf8" }).trim();
    const inner = make(`100755 blob ${blob.trim()}\tconfig\0`);
    const old = shop.git("ls-tree", "-z", "HEAD");
    const tree = make(`${old}040000 tree ${inner}\t${name}\0`);
    shop.git("update-ref", "HEAD", shop.git("commit-tree", "-p", "HEAD", "-m", "odd", tree).trim());
  }

  it.each(NAMES)("%j: no workspace is made, models work on, and nobody writes there", async (name) => {
    using shop = makeShop();
    withEntry(shop, name);
    const program = await oxbow(
      ["run", "x", "--ticket", "1", "--by", "owner", "--json", "--command", "true"],
      { cwd: shop.dir },
    );
    const [child] = reportOf(program)["children"];
    expect([program.code, child.outcome, child.error.code]).toEqual([1, "failed", "path_rejected"]);
    const script = join(outside, "script.yaml");
    const write = { tool: "write_file", arguments: { path: `${name}/config`, content: "x" } };
    writeFileSync(
      script,
      JSON.stringify({
        agents: {
          Api: [
            write,
            { tool: "write_file", arguments: { path: "src/api/x", content: "x" } },
            { say: "done" },
          ],
        },
        default: [{ say: "nothing" }],
      }),
    );
    const model = await oxbow(["run", "x", "--ticket", "2", "--by", "owner", "--json", "--script", script], {
      cwd: shop.dir,
    });
    expect([model.code, reportOf(model)["state"]]).toEqual([0, "completed"]);
    const results = model.lines
      .filter((line) => line["event"] === "tool_result")
      .map((line) => line["code"] ?? "ok");
    expect(results).toEqual(["path_rejected", "ok"]);
  });
});

describe("every git process of a run", () => {
  /** A `git` on the PATH that writes down how it was started. */
  function recordingGit(): { path: string; calls(): { args: string[]; env: Record<string, string> }[] } {
    const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
    const log = join(outside, "calls");
    mkdirSync(log);
    const file = join(outside, "git");
    const script = `{ printf '%s\\001' "$@"; printf '\\002'; env | tr '\\n' '\\001'; } > '${log}/'$$`;
    writeFileSync(file, `#!/bin/sh\n${script}\nexec '${real}' "$@"\n`, { mode: 0o755 });
    const calls = () =>
      readdirSync(log).map((name) => {
        const [words = "", env = ""] = readFileSync(join(log, name), "utf8").split("\u0002");
        const pairs = env.split("\u0001").map((line) => /^([^=]*)=([^]*)$/.exec(line) ?? ["", "", ""]);
        return {
          args: words.split("\u0001").slice(0, -1),
          env: Object.fromEntries(pairs.map(([, key = "", value = ""]) => [key, value])),
        };
      });
    return { path: `${outside}:${process.env["PATH"] ?? ""}`, calls };
  }

  it("has the one list of options and the one environment", async () => {
    using shop = makeShop();
    const git = recordingGit();
    writeFileSync(join(outside, "script.yaml"), SCRIPT);
    const env = { PATH: git.path, GIT_SSH_COMMAND: "false", GIT_EDITOR: "false", SOME_SECRET: "x" };
    const steps = [
      ["doctor"],
      ["run", "Change", "--ticket", "1", "--by", "owner", "--script", join(outside, "script.yaml"), "--json"],
      ["run", "Change", "--ticket", "2", "--by", "owner", "--json", "--command", "true"],
      ["status"],
      ["branch", "allocate", "--ticket", "3", "--agent", "Api"],
      ["branch", "allocate", "--ticket", "4", "--agent", "Api", "--switch"],
      ["scope", "check", "feature/1/Api"],
      ["uninstall", "--yes", "--force"],
    ];
    for (const args of steps) await oxbow(args, { cwd: shop.dir, env });
    const calls = git.calls();
    expect(calls.length).toBeGreaterThan(20);
    const options = [...gitArgs()];
    const strange = calls.filter(
      ({ args }) => JSON.stringify(args.slice(0, options.length)) !== JSON.stringify(options),
    );
    expect(strange.map(({ args }) => args)).toEqual([]);
    for (const { args, env: given } of calls) {
      const about = args.slice(options.length).join(" ");
      expect([about, given["GIT_TERMINAL_PROMPT"], given["GIT_OPTIONAL_LOCKS"]]).toEqual([about, "0", "0"]);
      const leaked = Object.keys(given).filter((key) =>
        /^GIT_(?:SSH|EDITOR|PAGER|ASKPASS|EXTERNAL)|SECRET/.test(key),
      );
      expect([about, leaked]).toEqual([about, []]);
    }
  }, 60_000);
});
