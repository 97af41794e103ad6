/** Providers as `doctor` sees them, and `provider: claude-code`: a program that stands for Claude Code, on the PATH. */
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { examine, openApp } from "../../src/app.ts";
import type { OxbowError } from "../../src/core/errors.ts";
import type { DoctorRow } from "../../src/doctor.ts";
import { oxbow, plainEnvironment, reportOf } from "../support/cli.ts";
import { REFUSED_KEY, startModelServer } from "../support/model-server.ts";
import { temporaryDir } from "../support/repos.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

interface Examined {
  readonly rows: readonly DoctorRow[];
  about(check: string): readonly DoctorRow[];
}

async function doctor(repo: string, env: Record<string, string>, live = false): Promise<Examined> {
  const rows = await examine({ repo, env: plainEnvironment(env), live });
  return { rows, about: (check) => rows.filter((row) => row.check === check) };
}

describe("oxbow doctor", () => {
  it("asks nobody without --live; with it, says which provider takes its key and knows its models", async () => {
    using shop = makeShop({ team: SHOP_TEAM.replace("name: Api\n", "name: Api\n    provider: anthropic\n") });
    await using server = await startModelServer(() => ({ text: "not asked" }));
    const urls = { OPENAI_BASE_URL: server.url, ANTHROPIC_BASE_URL: server.origin };
    const keys = {
      OPENAI_API_KEY: "sk-good-0123456789abcdefgh",
      ANTHROPIC_API_KEY: "sk-ant-good-0123456789",
    };
    const host = new URL(server.url).host;

    const silent = await doctor(shop.dir, { ...keys, OPENAI_BASE_URL: "http://127.0.0.1:1/v1" });
    expect(silent.about("provider").map(({ state, found }) => [state, found])).toEqual([
      ["ok", "openai at 127.0.0.1:1, key set"],
      ["ok", "anthropic, key set"],
    ]);

    const good = await doctor(shop.dir, { ...keys, ...urls }, true);
    expect(good.about("provider").map(({ state, found }) => [state, found])).toEqual([
      ["ok", `openai at ${host}, key set, answers, 3 models`],
      ["ok", `anthropic at ${host}, key set, answers, 3 models`],
    ]);

    const env = { ...keys, ...urls, ANTHROPIC_API_KEY: REFUSED_KEY };
    const refused = await oxbow(["doctor", "--live", "--json"], { cwd: shop.dir, env });
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).not.toContain(REFUSED_KEY);
    const rows: DoctorRow[] = JSON.parse(refused.stdout);
    expect(rows.filter(({ state }) => state === "error")).toMatchObject([
      { check: "provider", found: expect.stringContaining("HTTP 401"), hint: "Check ANTHROPIC_API_KEY." },
    ]);
    expect(server.requests).toEqual([]);
  });

  it("says with --live what is missing, what is not there, and which model is not listed", async () => {
    using shop = makeShop({
      team: SHOP_TEAM.replace("name: Web\n", "name: Web\n    model: gpt-unheard-of\n"),
    });
    const none = await doctor(shop.dir, {}, true);
    expect(none.about("provider")).toMatchObject([{ state: "error", found: "openai: no OPENAI_API_KEY" }]);
    const away = await doctor(shop.dir, { OPENAI_BASE_URL: "http://127.0.0.1:1/v1" }, true);
    expect(away.about("provider")[0]).toMatchObject({
      state: "error",
      hint: "Check OPENAI_BASE_URL and the network.",
    });
    await using server = await startModelServer(() => ({ text: "not asked" }));
    const odd = await doctor(shop.dir, { OPENAI_BASE_URL: server.url }, true);
    expect(odd.about("provider")[0]).toMatchObject({
      state: "warning",
      found: expect.stringContaining("does not list gpt-unheard-of"),
    });
  });
});

/** Says what it was asked and where its login is, and writes a file. */
const CLAUDE = `#!/bin/sh
[ "$1" = --version ] && { echo "2.9.9 (Claude Code)"; exit 0; }
mkdir -p docs
printf '%s\\n' "$@" > docs/asked.txt
cat "$HOME/.claude/.credentials.json" > docs/login.txt
echo "Edited the docs."
`;

function machine(): { readonly env: Record<string, string>; readonly home: string } {
  const home = temporaryDir();
  mkdirSync(join(home, ".claude"));
  writeFileSync(join(home, ".claude/.credentials.json"), "logged in");
  mkdirSync(join(home, "bin"));
  writeFileSync(join(home, "bin/claude"), CLAUDE);
  chmodSync(join(home, "bin/claude"), 0o755);
  return { home, env: { PATH: `${join(home, "bin")}:${process.env["PATH"] ?? ""}`, HOME: home } };
}

const team = (sandbox: string, more = "") =>
  `team: One\n${more}agents:\n  - { name: Docs, ${more === "" ? "provider: claude-code, " : ""}allowed_paths: ["docs/**"], instructions: Be brief., sandbox: ${sandbox} }\n`;
const NO_OPTIONS = {
  by: null,
  provider: null,
  model: null,
  runtime: null,
  command: null,
  script: null,
  maxParallel: null,
} as const;
const OPEN = "{ network: true, home: [.claude] }";

describe("provider: claude-code", () => {
  it("runs claude -p with the login that the sandbox opens, and commits what it edits", async () => {
    const { env } = machine();
    using shop = makeShop({ team: team(OPEN, "defaults: { provider: claude-code, model: opus }\n") });
    const args = ["run", 'Explain {branch} it\'s "all"', "--ticket", "7", "--json"];
    const report = reportOf(await oxbow(args, { cwd: shop.dir, env }));
    expect(report.children[0] ?? report.lead).toMatchObject({ agent: "Docs", outcome: "completed" });
    const at = (path: string) => shop.at("feature/7/Docs", path);
    expect(at("docs/login.txt")).toBe("logged in");
    const asked = at("docs/asked.txt").split("\n");
    expect(asked.slice(0, 4)).toEqual(["-p", args[1], "--permission-mode", "acceptEdits"]);
    expect(asked).toContain("You may change only: docs/**");
    expect(asked).toContain("Be brief.");
    expect(asked.slice(-3)).toEqual(["--model", "opus", ""]);
  });

  it("is refused before anything is made where it cannot work, and doctor says the same", async () => {
    const { env, home } = machine();
    const folders = (process.env["PATH"] ?? "")
      .split(":")
      .filter((folder) => !existsSync(join(folder, "claude")));
    const without = { ...env, PATH: folders.join(":") };
    const cases: readonly (readonly [string, Record<string, string>, string])[] = [
      ["{ home: [.claude] }", env, "needs the network"],
      ["{ network: true }", env, "no login"],
      [OPEN, without, "no `claude` on the PATH"],
    ];
    for (const [sandbox, given, message] of cases) {
      using shop = makeShop({ team: team(sandbox) });
      await using app = openApp({ repo: shop.dir, env: plainEnvironment(given) });
      const planned = app.plan({ title: "x", options: NO_OPTIONS }).then(
        () => null,
        (error: unknown) => error as OxbowError,
      );
      const error = await planned;
      expect(error).toMatchObject({ code: "provider_missing", message: expect.stringContaining(message) });
      const seen = await doctor(shop.dir, given);
      expect(seen.about("claude-code")).toMatchObject([
        { state: "error", found: error?.message, hint: error?.hint },
      ]);
    }
    using shop = makeShop({ team: team(OPEN) });
    expect((await doctor(shop.dir, env)).about("claude-code")).toMatchObject([
      { state: "ok", found: "Docs: 2.9.9 (Claude Code), login by ~/.claude/.credentials.json" },
    ]);
    rmSync(join(home, ".claude/.credentials.json"));
    expect((await doctor(shop.dir, env)).about("claude-code")[0]?.found).toContain("no login");
  });
});
