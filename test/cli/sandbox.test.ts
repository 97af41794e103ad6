import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { ME, processesWith, whyNot } from "../support/confined.ts";
import { makeShop, type Shop } from "../support/shop.ts";

function makeHome(): Disposable & { dir: string; write(path: string, text: string): string } {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-home-")));
  return {
    dir,
    write(path, text) {
      mkdirSync(join(dir, path, ".."), { recursive: true });
      writeFileSync(join(dir, path), text, { mode: 0o755 });
      return join(dir, path);
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** A team of one program, which runs this JavaScript. */
function team(source: string, sandbox = ""): string {
  const command = JSON.stringify(["node", "-e", source]);
  return `team: One\nagents:\n  - { name: Tool, runtime: command, command: ${command}, allowed_paths: ["out/**"]${sandbox && `, sandbox: ${sandbox}`} }\n`;
}

async function runIn(shop: Shop, env: Record<string, string> = {}) {
  const ended = await oxbow(["run", "Go", "--ticket", "1", "--json"], { cwd: shop.dir, env });
  return { ended, report: reportOf(ended) };
}

const WRITES = (lines: string) =>
  `const fs = require("fs"); fs.mkdirSync("out"); const out = (x) => fs.appendFileSync("out/said", String(x) + "\\n"); const a = (f) => { try { out(f()) } catch (e) { out(e.code) } }; ${lines}`;

describe("an agent that is a program, in the sandbox", () => {
  const sandboxed = (name: string, body: () => Promise<void>) =>
    it(name, async ({ skip }) => {
      const reason = await whyNot(ME);
      if (reason !== null) return skip(reason);
      await body();
    });

  sandboxed(
    "changes its branch, and cannot write outside, into the repository's .git, or read a secret of the home",
    async () => {
      using home = makeHome();
      home.write(".netrc", "s3cret");
      using shop = makeShop();
      const git = join(shop.dir, ".git");
      shop.write(
        "team.yaml",
        team(
          WRITES(`
          a(() => fs.readFileSync(${JSON.stringify(join(home.dir, ".netrc"))}, "utf8"));
          a(() => fs.writeFileSync(${JSON.stringify(join(git, "hooks", "pre-commit"))}, "x"));
          a(() => fs.writeFileSync(${JSON.stringify(join(git, "objects", "oxbow-was-here"))}, "x"));
          a(() => fs.readFileSync(${JSON.stringify(join(git, "config"))}, "utf8"));
          a(() => fs.readFileSync(${JSON.stringify(join(shop.dir, "team.yaml"))}, "utf8"));
          a(() => require("child_process").execFileSync("git", ["log", "--format=%s"], { encoding: "utf8" }).trim());
          a(() => process.env.MY_KEY);
        `),
        ),
      );
      shop.git("commit", "--quiet", "-am", "Let a program work");
      const { report } = await runIn(shop, { HOME: home.dir, MY_KEY: "k3y-of-mine" });
      expect(report.state, JSON.stringify(report.lead)).toBe("completed");
      expect(shop.at("feature/1/Tool", "out/said").trim().split("\n")).toEqual([
        "ENOENT",
        expect.stringMatching(/ENOENT|EROFS|EACCES/),
        expect.stringMatching(/ENOENT|EROFS|EACCES/),
        "ENOENT",
        "ENOENT",
        "Let a program work",
        "Open the shop",
        "undefined",
      ]);
      expect(existsSync(join(git, "objects", "oxbow-was-here"))).toBe(false);
      expect(report.notices).toEqual([]);
    },
  );

  sandboxed("gets what `sandbox:` opens, and the report says it", async () => {
    using home = makeHome();
    home.write(".tool/login", "a login");
    home.write(".other/login", "not this");
    using shop = makeShop({
      team: team(
        WRITES(`
          a(() => fs.readFileSync(process.env.HOME + "/.tool/login", "utf8"));
          a(() => fs.readFileSync(process.env.HOME + "/.other/login", "utf8"));
          fs.writeFileSync(process.env.HOME + "/.tool/token", "new");
          out(process.env.MY_KEY.length); out(Object.keys(require("os").networkInterfaces()).length > 0);
        `),
        "{ network: true, env: [MY_KEY], home: [.tool] }",
      ),
    });
    const { ended, report } = await runIn(shop, { HOME: home.dir, MY_KEY: "k3y-of-mine" });
    expect(report.state, JSON.stringify(report.lead)).toBe("completed");
    expect(shop.at("feature/1/Tool", "out/said")).toBe("a login\nENOENT\n11\ntrue\n");
    expect(readFileSync(join(home.dir, ".tool/token"), "utf8")).toBe("new");
    expect(report.notices).toEqual([
      "The programs of Tool may use the network, and get MY_KEY, and read and write .tool of your home (`sandbox:` in the team file).",
    ]);
    expect(ended.stdout).not.toContain("k3y-of-mine");
  });

  sandboxed("finds programs of the PATH, and scripts that the command names, wherever they are", async () => {
    using home = makeHome();
    home.write(
      ".tools/lib/node_modules/shout/index.js",
      "#!/usr/bin/env node\nrequire('fs').mkdirSync('out'); require('fs').writeFileSync('out/x', require('./word.js'));\n",
    );
    home.write(".tools/lib/node_modules/shout/word.js", "module.exports = 'HEY';\n");
    home.write(
      ".tools/bin/shout",
      '#!/bin/sh\nexec node "$(dirname "$0")/../lib/node_modules/shout/index.js"\n',
    );
    const script = home.write(
      "scripts/mod.mjs",
      "import { word } from './word.mjs'; import fs from 'node:fs'; fs.appendFileSync(process.argv[2], word);\n",
    );
    home.write("scripts/word.mjs", "export const word = 'ho';\n");
    using shop = makeShop();
    const path = `${home.dir}/.tools/bin:${process.env["PATH"]}`;
    for (const [command, files] of [
      ["shout", ["out/x", "HEY"]],
      [`node ${script} LICENSE`, ["LICENSE", "none\nho"]],
    ] as const) {
      const ticket = command.split(" ")[0] ?? "";
      shop.write("team.yaml", `team: One\nagents:\n  - { name: Tool, allowed_paths: ["out/**", LICENSE] }\n`);
      const ended = await oxbow(
        ["run", "Go", "--ticket", ticket, "--runtime", "command", "--command", command, "--json"],
        {
          cwd: shop.dir,
          env: { HOME: home.dir, PATH: path },
        },
      );
      expect(reportOf(ended).state, ended.stdout).toBe("completed");
      expect(shop.at(`feature/${ticket}/Tool`, files[0])).toBe(files[1]);
    }
  });

  sandboxed("says which key opens what a program lacked", async () => {
    using home = makeHome();
    const config = home.write(".tool/config.json", "{}");
    const cases = [
      ["require('dns').lookup('registry.example.com', (e) => { throw e; })", "sandbox: { network: true }"],
      [
        `require('fs').readFileSync(${JSON.stringify(config)})`,
        `${config} is there, but the sandbox does not show it`,
      ],
      ["require('fs').writeFileSync('/usr/x', '')", "It may write only in its workspace"],
      ["console.error('Please log in first'); process.exit(1)", "home: [.its-folder]"],
      ["console.error('2 tests failed'); process.exit(1)", "Look at the command's output"],
    ] as const;
    for (const [source, hint] of cases) {
      using shop = makeShop({ team: team(source) });
      const { report } = await runIn(shop, { HOME: home.dir });
      expect(report.lead.error.code).toBe("command_failed");
      expect(report.lead.error.hint).toContain(hint);
    }
  });

  it("runs without one where bubblewrap cannot show the repository, and says so; `required` refuses before anything is made", async ({
    skip,
  }) => {
    if (process.getuid?.() !== 0)
      return skip("SKIPPED: only root meets a folder that it may enter and bubblewrap may not");
    const reason = await whyNot(ME);
    if (reason !== null) return skip(reason);
    using shop = makeShop({ team: team(WRITES("")) });
    chownSync(shop.dir, 65534, 65534);
    chmodSync(shop.dir, 0o700);
    using home = makeHome();
    home.write(".gitconfig", "[safe]\n\tdirectory = *\n");
    const env = { HOME: home.dir };
    const refs = shop.git("-c", "safe.directory=*", "for-each-ref");
    const refused = await oxbow(["run", "Go", "--ticket", "1", "--json"], {
      cwd: shop.dir,
      env: { ...env, TERMINAL_SANDBOX: "required" },
    });
    expect(errorOf(refused)).toMatchObject({
      code: "sandbox_missing",
      message: expect.stringContaining("does not work here"),
    });
    expect([refused.code, shop.git("-c", "safe.directory=*", "for-each-ref")]).toEqual([2, refs]);
    const { report } = await runIn(shop, env);
    expect(report.state).toBe("completed");
    expect(report.notices.join()).toContain("Programs run without a sandbox");
    const rows = (await oxbow(["doctor", "--json"], { cwd: shop.dir, env })).stdout;
    expect(rows).toContain("Programs run without a sandbox");
  });

  it.each(["auto", "off"])(
    "leaves nothing behind when its worker is killed (TERMINAL_SANDBOX=%s)",
    async (mode) => {
      const token = `5${Date.now()}`;
      const stray = `require("child_process").spawn("setsid", ["sleep", "${token}"], { detached: true, stdio: "ignore" }).unref();`;
      using shop = makeShop({ team: team(`${stray} console.log("up"); setInterval(() => 0, 1000);`) });
      const cli = { cwd: shop.dir, env: { TERMINAL_SANDBOX: mode } };
      const running = startOxbow(["run", "Go", "--ticket", "1", "--json"], cli);
      await running.line((line) => line["event"] === "command_output");
      expect(processesWith(token)).not.toEqual([]);
      running.kill("SIGKILL");
      await running.ended;
      const next = await oxbow(
        ["run", "Next", "--ticket", "2", "--command", "true", "--runtime", "command", "--json"],
        cli,
      );
      expect(reportOf(next).state).toBe("completed");
      expect(processesWith(token)).toEqual([]);
    },
  );

  it("runs without one on request, and says so", async () => {
    using shop = makeShop({ team: team(WRITES("")) });
    const { report } = await runIn(shop, { TERMINAL_SANDBOX: "off" });
    expect(report.state).toBe("completed");
    expect(report.notices).toEqual([
      "Programs run without a sandbox (TERMINAL_SANDBOX is off): they can read and write whatever your user can.",
    ]);
  });
});
