import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "../support/model-server.ts";
import { makeShop, type Shop, SHOP_TEAM } from "../support/shop.ts";

const KEY = "sk-test-0123456789abcdefghijkl";
const call = (name: string, args: unknown): ScriptedReply => ({ calls: [{ name, arguments: args }] });
const lead = (last: ScriptedReply = { text: "All are done." }): ScriptedReply[] => [
  call("orchestrate_split", { task: "t", children: [{ task: "The API", agent: "Api" }] }),
  call("signal_wait_all", { topics: "$last.topics", timeout_ms: 30_000 }),
  last,
];
const RUN = ["run", "Rename", "--ticket", "9", "--json"];

async function runWith(shop: Shop, script: Record<string, readonly ScriptedReply[]>, env = {}, args = RUN) {
  await using server = await startModelServer(scriptByAgent(script));
  const all = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: KEY, ...env };
  const ended = await oxbow(args, { cwd: shop.dir, env: all });
  const outputs = (agent: string) =>
    [...(server.requests.filter((request) => request.agent === agent).at(-1)?.outputs ?? [])] as any[];
  return { ended, report: reportOf(ended), outputs, raw: server.requests.map(({ raw }) => raw).join("\n") };
}

/** A person's commit on top of a branch, pushed from a clone as people do. */
function pushed(
  shop: Shop,
  branch: string,
  work: (git: (...args: string[]) => void, shop: Shop) => void,
): void {
  using other = makeShop();
  const git = (...args: string[]) => void other.git(...args);
  git("fetch", "--quiet", shop.dir, `${branch}:person`);
  git("checkout", "--quiet", "person");
  work(git, other);
  git("add", "--all");
  git("commit", "--quiet", "--message", "By hand");
  git("push", "--quiet", shop.dir, `person:${branch}`);
}

describe("the file tools", () => {
  it("refuse every write outside of the agent's paths, with the owner's name", async () => {
    using shop = makeShop({ files: { "src/api/deep/x.js": "x\n", ".github/ci.yml": "on: push\n" } });
    const patch = (body: string) => call("apply_patch", { patch: `*** Begin Patch\n${body}\n*** End Patch` });
    const steps = [
      call("write_file", { path: "src/web/page.js", content: "x" }),
      call("edit_file", { path: "src/web/page.js", old_string: "home", new_string: "x" }),
      call("move_file", { from: "src/api/users.js", to: "src/web/users.js" }),
      call("move_file", { from: "src/web/page.js", to: "src/api/page.js" }),
      call("move_file", { from: "src/api/deep", to: "docs/deep" }),
      call("delete_file", { path: "docs" }),
      call("delete_file", { path: "src" }),
      patch("*** Delete File: README.md"),
      patch(
        "*** Update File: src/api/users.js\n*** Move to: docs/users.js\n@@\n-export const users = [];\n+export const u = [];",
      ),
      patch("*** Update File: src/web/page.js\n@@\n-export const page = 'home';\n+x"),
      patch("*** Add File: src/web/new.js\n+x"),
      call("write_file", { path: "src/api/../web/page.js", content: "x" }),
    ];
    const { ended, report, outputs } = await runWith(shop, {
      Lead: lead(),
      Api: [...steps, { text: "Nothing." }],
    });
    expect(ended.code).toBe(0);
    const answers = outputs("Api");
    const owners = ["Web", "Web", "Web", "Web", "Docs", "Docs", "", "Docs", "Docs", "Web", "Web"];
    for (const [i, owner] of owners.entries()) {
      expect(answers[i], `step ${i}`).toMatchObject({ ok: false, error: { code: "out_of_scope" } });
      expect(answers[i].error.message, `step ${i}`).toContain(owner);
    }
    expect(answers[11]).toMatchObject({ error: { code: "path_rejected" } });
    expect(report["children"][0].commit).toBeNull();
  });

  it("keep names and contents of what an agent may not read from it", async () => {
    const team = SHOP_TEAM.replace(
      'allowed_paths: ["src/api/**"]',
      'allowed_paths: ["src/api/**"]\n    read_paths: ["src/**"]',
    );
    using shop = makeShop({ team, files: { "docs/hidden-plan.md": "the hidden plan: users\n" } });
    const steps = [
      call("list_files", {}),
      call("search_files", { pattern: "plan|users" }),
      call("read_file", { path: "docs/hidden-plan.md" }),
      call("write_file", { path: "src/api/new.js", content: "new\n" }),
      call("diff", {}),
    ];
    const script = { Lead: lead(), Api: [...steps, { text: "Looked." }] };
    const first = await runWith(shop, script);
    const [list, found, read, , diff] = first.outputs("Api");
    expect(list.files).toEqual(["src/api/orders.js", "src/api/users.js", "src/web/page.js"]);
    expect(JSON.stringify(found)).not.toContain("docs/");
    expect(read).toMatchObject({
      error: { code: "out_of_scope", message: expect.stringContaining("may read; it belongs to Docs") },
    });
    expect(diff.diff).toContain("src/api/new.js");
    // Both limits at once: of what it may read, only what it may write.
    const second = await runWith(shop, script, { SCOPE_READS: "allowed_paths" }, [
      ...RUN.slice(0, 3),
      "10",
      "--json",
    ]);
    expect(second.outputs("Api")[0].files).toEqual(["src/api/orders.js", "src/api/users.js"]);
  });
});

describe("the merge gate", () => {
  it("refuses a branch onto which a person pushed what lies outside, renames and modes included, and leaves it whole", async () => {
    using shop = makeShop({ files: { "docs/run.sh": "echo\n" } });
    await using server = await startModelServer(
      scriptByAgent({
        Lead: lead(),
        Api: [
          call("write_file", { path: "src/api/new.js", content: "new\n" }),
          call("commit", { message: "New" }),
          { hang: true },
        ],
      }),
    );
    const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: KEY };
    const running = startOxbow(RUN, { cwd: shop.dir, env });
    const { task_id: task } = await running.line((line) => line["event"] === "commit");
    running.kill("SIGKILL");
    await running.ended;
    pushed(shop, "feature/9/Api", (git, other) => {
      git("mv", "src/web/page.js", "src/api/page.js");
      git("mv", "src/api/orders.js", "orders.js");
      git("update-index", "--chmod=+x", "docs/run.sh");
      other.git("checkout", "--", "docs/run.sh");
    });
    const done: ScriptedReply[] = Array(3).fill({ text: "Done." });
    const resumed = await runWith(shop, { Lead: done, Api: done }, {}, [
      "run",
      "--resume",
      String(task),
      "--json",
    ]);
    expect([resumed.ended.code, resumed.report["state"]]).toEqual([1, "partial"]);
    const refusal = resumed.ended.lines.find((line) => line["event"] === "refused");
    expect(refusal).toMatchObject({ code: "out_of_scope", source: "Api" });
    for (const named of ["src/web/page.js (owner Web)", "orders.js (no owner)", "docs/run.sh (owner Docs)"])
      expect(refusal?.["message"]).toContain(named);
    expect(refusal?.["message"]).not.toContain("src/api/");
    expect(resumed.report["integration"]).toBeNull();
    expect(shop.git("log", "-1", "--format=%s", "feature/9/Api").trim()).toBe("By hand");

    const check = await oxbow(["scope", "check", "feature/9/Api", "--json"], { cwd: shop.dir });
    expect(check.code).toBe(1);
    const found = JSON.parse(check.stdout);
    expect(found).toMatchObject({
      ok: false,
      agent: "Api",
      subtask_id: `Api::${String(task)}::1`,
      allowed_paths: ["src/api/**"],
    });
    expect(found.outside).toEqual([
      { path: "docs/run.sh", status: "mode", owner: "Docs" },
      { path: "orders.js", status: "added", owner: null },
      { path: "src/web/page.js", status: "deleted", owner: "Web" },
    ]);
    expect(found.changed).toHaveLength(6);
  });

  it("merges the commit that the agent ended with, not what was pushed on top of it afterwards", async () => {
    using shop = makeShop();
    const push = (): { text: string } => {
      pushed(shop, "feature/9/Api", (_git, other) => other.write("LICENSE", "taken\n"));
      return { text: "Done." };
    };
    const script = {
      Lead: lead(push),
      Api: [call("write_file", { path: "src/api/new.js", content: "new\n" }), { text: "Made." }],
    };
    const { ended } = await runWith(shop, script);
    expect(ended.code).toBe(0);
    expect(shop.at("integration/9", "src/api/new.js")).toBe("new\n");
    expect(shop.at("integration/9", "LICENSE")).toBe("none\n");
    expect(shop.at("feature/9/Api", "LICENSE")).toBe("taken\n");
    const check = await oxbow(["scope", "check", "feature/9/Api"], { cwd: shop.dir });
    expect([check.code, check.stdout]).toEqual([
      1,
      expect.stringMatching(/1 outside the scope of Api\.\n {2}modified\tLICENSE\tno owner\n/),
    ]);
  });
});

describe("oxbow scope check", () => {
  const check = (shop: Shop, ...args: string[]) =>
    oxbow(["scope", "check", ...args, "--json"], { cwd: shop.dir });

  it("looks at any branch: by its name, by --agent, since --base", async () => {
    using shop = makeShop();
    shop.git("checkout", "--quiet", "-b", "feature/5/Web-2");
    shop.write("src/web/new.js", "x\n");
    shop.git("add", "--all");
    shop.git("commit", "--quiet", "--message", "Web");
    shop.git("checkout", "--quiet", "main");
    shop.write("LICENSE", "on main\n");
    shop.git("commit", "--quiet", "--all", "--message", "Main goes on");

    const own = await check(shop, "feature/5/Web-2");
    expect([own.code, JSON.parse(own.stdout)]).toMatchObject([
      0,
      {
        ok: true,
        agent: "Web",
        subtask_id: null,
        changed: [{ path: "src/web/new.js", status: "added" }],
        outside: [],
      },
    ]);
    const other = await check(shop, "feature/5/Web-2", "--agent", "Api");
    expect([other.code, JSON.parse(other.stdout).outside]).toEqual([
      1,
      [{ path: "src/web/new.js", status: "added", owner: "Web" }],
    ]);
    const rev = await check(shop, "main", "--agent", "Docs", "--base", "HEAD~1");
    expect([rev.code, JSON.parse(rev.stdout).outside]).toEqual([
      1,
      [{ path: "LICENSE", status: "modified", owner: null }],
    ]);
    shop.git("checkout", "--quiet", "feature/5/Web-2");
    const onIt = await check(shop, "feature/5/Web-2", "--base", "main");
    expect(onIt.code).toBe(0);
  });

  it("refuses what it cannot answer, with exit 2", async () => {
    using shop = makeShop();
    const wrong: [string[], string][] = [
      [["nowhere"], "rev_not_found"],
      [["--agent", "Api", "--", "--upload-pack=x"], "rev_not_found"],
      [["main"], "usage"],
      [["main", "--agent", "Nobody"], "agent_unknown"],
      [["main", "--agent", "Api"], "usage"],
      [["main", "--agent", "Api", "--base", "nowhere"], "rev_not_found"],
      [[], "usage"],
    ];
    for (const [args, code] of wrong) {
      const ended = await oxbow(["scope", "check", "--json", ...args], { cwd: shop.dir });
      expect([args, ended.code, errorOf(ended).code]).toEqual([args, 2, code]);
    }
  });
});
