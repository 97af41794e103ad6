import { describe, expect, it } from "vitest";
import { type Ended, errorOf, oxbow, reportOf, type Running, startOxbow } from "../support/cli.ts";
import {
  type ModelCall,
  type ModelHandler,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { openApp } from "../../src/index.ts";
import { makeShop, type Shop, SHOP_TEAM } from "../support/shop.ts";

const call = (name: string, args: unknown): ScriptedReply => ({ calls: [{ name, arguments: args }] });
const split = (...agents: string[]): ScriptedReply[] => [
  call("orchestrate_split", {
    task: "t",
    children: agents.map((agent) => ({ task: `Part of ${agent}`, agent })),
  }),
  call("signal_wait_all", { topics: "$last.topics", timeout_ms: 30_000 }),
  { text: "All are done." },
];
const ask = (...paths: string[]) =>
  call("scope_request", { paths, reason: "The list is renamed; the page must follow." });
const write = (path: string, content = "changed\n") => call("write_file", { path, content });
const offers = (request: ModelCall | undefined, tool: string) =>
  ((request?.body["tools"] ?? []) as any[]).some((each) => (each.name ?? each.function.name) === tool);

interface Started {
  readonly running: Running;
  readonly requests: readonly ModelCall[];
  outputs(agent: string): any[];
}

async function withRun(
  shop: Shop,
  script: ModelHandler | Record<string, readonly ScriptedReply[]>,
  work: (run: Started) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  await using server = await startModelServer(typeof script === "function" ? script : scriptByAgent(script));
  const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
  const running = startOxbow(["run", "Rename", "--ticket", "9", "--json", ...args], { cwd: shop.dir, env });
  const outputs = (agent: string) =>
    [...(server.requests.filter((request) => request.agent === agent).at(-1)?.outputs ?? [])] as any[];
  try {
    await work({ running, requests: server.requests, outputs });
  } finally {
    running.kill("SIGKILL");
    await running.ended;
  }
}

const requested = (running: Running) => running.line((line) => line["event"] === "approval_requested");
const cli = (shop: Shop, ...args: string[]): Promise<Ended> => oxbow(args, { cwd: shop.dir });

describe("scope_request", () => {
  it("is answered by the owner, and the grant holds for the file tools and the merge", async () => {
    using shop = makeShop();
    const script = {
      Lead: split("Api"),
      Api: [
        write("src/web/page.js"),
        ask("src/web/page.js", "src/api/users.js"),
        write("src/web/page.js"),
        write("src/web/other.js"),
        { text: "Done." },
      ],
      Web: [call("scope_answer", { grant: true, reason: "Keep the default export." })],
    };
    await withRun(shop, script, async ({ running, requests, outputs }) => {
      const ended = await running.ended;
      const report = reportOf(ended);
      expect([ended.code, report["state"]]).toEqual([0, "completed"]);
      const api = outputs("Api");
      expect(api[0]).toMatchObject({
        ok: false,
        error: { code: "out_of_scope", message: expect.stringContaining("Web") },
      });
      expect(api[1]).toMatchObject({
        ok: true,
        answers: [
          { paths: ["src/api/users.js"], state: "in_scope" },
          {
            paths: ["src/web/page.js"],
            state: "granted",
            decided_by: "Web",
            answer: "Keep the default export.",
          },
        ],
      });
      expect(api[3]).toMatchObject({ ok: false, error: { code: "out_of_scope" } });
      expect(shop.at("integration/9", "src/web/page.js")).toBe("changed\n");
      expect(report["approvals"]).toMatchObject([
        { agent: "Api", paths: ["src/web/page.js"], state: "granted", owner: "Web", decided_by: "Web" },
      ]);
      const web = requests.filter((request) => request.agent === "Web");
      expect(web).toHaveLength(1);
      expect(offers(web[0], "scope_answer") && !offers(web[0], "write_file")).toBe(true);
      expect(web[0]?.raw).toContain("the page must follow");
      const [part] = report["children"];
      expect(part.usage.requests).toBe(6);
    });
  });

  it("takes the owner's no for an answer, also when it is asked again", async () => {
    using shop = makeShop();
    const script = {
      Lead: split("Api"),
      Api: [
        ask("src/web/page.js"),
        ask("src/web/page.js"),
        write("src/web/page.js"),
        { text: "Without it." },
      ],
      Web: [call("scope_answer", { grant: false, reason: "I do that myself." })],
    };
    await withRun(shop, script, async ({ running, requests, outputs }) => {
      expect((await running.ended).code).toBe(0);
      const denied = {
        ok: false,
        answers: [{ state: "denied", decided_by: "Web", answer: "I do that myself." }],
      };
      expect(outputs("Api").slice(0, 2)).toMatchObject([denied, denied]);
      expect(outputs("Api")[2]).toMatchObject({ error: { code: "out_of_scope" } });
      expect(requests.filter((request) => request.agent === "Web")).toHaveLength(1);
    });
  });

  it("waits for the window person where nobody owns the file, without holding others up", async () => {
    using shop = makeShop();
    const script = {
      Lead: split("Api", "Docs"),
      Api: [ask("LICENSE"), write("LICENSE", "MIT\n"), { text: "Done." }],
      Docs: [write("docs/new.md"), { text: "Written." }],
    };
    const check = async ({ running, outputs }: Started) => {
      const { approval_id: id } = await requested(running);
      // One place: Docs can only have ended if the one who waits gave it away.
      await running.line((line) => line["event"] === "child_finished" && line["source"] === "Docs");
      const open = JSON.parse((await cli(shop, "approvals", "list", "--json")).stdout);
      expect(open).toMatchObject([
        {
          approval_id: id,
          agent: "Api",
          paths: ["LICENSE"],
          state: "open",
          owner: null,
          person: "lead@example.com",
          waiting: true,
        },
      ]);
      expect((await cli(shop, "approvals", "list")).stdout).toContain(`oxbow approvals grant ${id}`);
      const granted = await cli(shop, "approvals", "grant", String(id), "--reason", "MIT it is", "--json");
      expect([granted.code, JSON.parse(granted.stdout)]).toMatchObject([
        0,
        { state: "granted", decided_by: "Ada <ada@example.com>" },
      ]);
      const second = await cli(shop, "approvals", "deny", String(id), "--json");
      expect(second.code).toBe(1);
      expect(errorOf(second)).toMatchObject({
        code: "approval_decided",
        message: expect.stringContaining("Ada <ada@example.com> was first: the request was granted"),
      });
      const ended = await running.ended;
      expect([ended.code, reportOf(ended)["state"]]).toEqual([0, "completed"]);
      expect(outputs("Api")[0]).toMatchObject({
        ok: true,
        answers: [{ state: "granted", answer: "MIT it is" }],
      });
      expect(shop.at("integration/9", "LICENSE")).toBe("MIT\n");
      expect((await cli(shop, "approvals", "list")).stdout).toBe("Nobody waits for an answer.\n");
      const all = JSON.parse((await cli(shop, "approvals", "list", "--all", "--json")).stdout);
      expect(all).toMatchObject([{ state: "granted", waiting: false }]);
    };
    await withRun(shop, script, check, ["--max-parallel", "1"]);
  });

  it("tells the model that nobody answered in time; the run then ends with exit code 5", async () => {
    using shop = makeShop({ team: SHOP_TEAM.replace("agents:", "defaults: { timeout_ms: 8000 }\nagents:") });
    const script = { Lead: [ask("LICENSE"), { text: "Gave up." }] };
    await withRun(shop, script, async ({ running, outputs }) => {
      const ended = await running.ended;
      expect(outputs("Lead")[0]).toMatchObject({
        ok: false,
        answers: [{ state: "no_answer", decided_by: null }],
      });
      expect([ended.code, reportOf(ended)["state"]]).toEqual([5, "completed"]);
      expect(reportOf(ended)["approvals"]).toMatchObject([{ state: "open" }]);
      const [open] = JSON.parse((await cli(shop, "approvals", "list", "--json")).stdout);
      expect(open).toMatchObject({ waiting: false });
      expect((await cli(shop, "approvals", "deny", open.approval_id)).stdout).toContain(
        "changes nothing any more",
      );
    });
  });

  it("asks the window person when the owner gives no answer, when files are protected, and when owners are several", async () => {
    using shop = makeShop({
      team: `${SHOP_TEAM}  - name: Ops\n    allowed_paths: [".github/**"]\n  - name: Fmt\n    runtime: command\n    command: ["true"]\n    allowed_paths: ["fmt/**"]\n`,
      files: { ".github/workflows/ci.yml": "on: push\n", "fmt/x": "x\n" },
    });
    const script = {
      Lead: split("Api"),
      Api: [
        {
          calls: [
            ["src/web/page.js"],
            [".github/workflows/ci.yml"],
            ["src/**"],
            ["fmt/x"],
            ["team.yaml"],
          ].map((paths) => ({ name: "scope_request", arguments: { paths, reason: "Because." } })),
        },
        { text: "Done." },
      ],
      Web: [{ text: "I would rather not say." }],
    };
    await withRun(shop, script, async ({ running, outputs }) => {
      const asked = new Map<string, string>();
      for (const path of ["src/web/page.js", ".github/workflows/ci.yml", "src/**", "fmt/x", "team.yaml"]) {
        const line = await running.line(
          (each) =>
            each["event"] === "approval_requested" && each["owner"] === null && each["paths"][0] === path,
        );
        asked.set(path, line["approval_id"]);
      }
      for (const id of asked.values()) expect((await cli(shop, "approvals", "deny", id)).code).toBe(0);
      expect((await running.ended).code).toBe(0);
      expect(outputs("Api").map((each) => each.answers[0].state)).toEqual(Array(5).fill("denied"));
    });
  });

  it("outlives kill -9: a grant that came meanwhile holds for the next attempt, from its start", async () => {
    using shop = makeShop();
    const first = { Lead: split("Api"), Api: [ask("LICENSE"), { text: "?" }] };
    let task = "";
    await withRun(shop, first, async ({ running }) => {
      const asked = await requested(running);
      task = String(asked["task_id"]);
      running.kill("SIGKILL");
      await running.ended;
      expect((await cli(shop, "approvals", "grant", String(asked["approval_id"]))).code).toBe(0);
    });
    const second = {
      Lead: split("Api"),
      Api: [ask("LICENSE"), write("LICENSE", "MIT\n"), { text: "Done." }],
    };
    await using server = await startModelServer(scriptByAgent(second));
    const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
    const ended = await oxbow(["run", "--resume", task, "--json"], { cwd: shop.dir, env });
    expect([ended.code, reportOf(ended)["state"]]).toEqual([0, "completed"]);
    const api = server.requests.filter((request) => request.agent === "Api");
    expect(api[0]?.instructions).toContain("src/api/**, LICENSE");
    expect(api.at(-1)?.outputs[0]).toMatchObject({ ok: true, answers: [{ state: "in_scope" }] });
    expect(shop.at("integration/9", "LICENSE")).toBe("MIT\n");
  });

  it("goes on waiting for the same request after kill -9", async () => {
    using shop = makeShop();
    const script = { Lead: [ask("LICENSE"), { text: "Done." }] };
    let asked: Record<string, any> = {};
    await withRun(shop, script, async ({ running }) => {
      asked = await requested(running);
      running.kill("SIGKILL");
      await running.ended;
    });
    await using server = await startModelServer(scriptByAgent(script));
    const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
    const running = startOxbow(["run", "--resume", String(asked["task_id"]), "--json"], {
      cwd: shop.dir,
      env,
    });
    await running.line((line) => line["event"] === "child_started");
    expect((await cli(shop, "approvals", "deny", String(asked["approval_id"]), "--reason", "No.")).code).toBe(
      0,
    );
    const ended = await running.ended;
    expect(ended.code).toBe(0);
    expect(server.requests.at(-1)?.outputs[0]).toMatchObject({
      ok: false,
      answers: [{ approval_id: asked["approval_id"], state: "denied", answer: "No." }],
    });
  });

  it("lets Ctrl-C end the wait, and the library answer", async () => {
    using shop = makeShop();
    await using app = openApp({ repo: shop.dir });
    const script = { Lead: [ask("LICENSE"), { text: "Done." }] };
    await withRun(shop, script, async ({ running }) => {
      const { approval_id: id } = await requested(running);
      expect(await app.approvals()).toMatchObject([{ approval_id: id, waiting: true }]);
      running.kill("SIGINT");
      const ended = await running.ended;
      expect([ended.code, reportOf(ended)["state"]]).toEqual([130, "cancelled"]);
      expect(await app.decide(String(id), { granted: false })).toMatchObject({
        state: "denied",
        waiting: false,
      });
      await expect(app.decide(String(id), { granted: true })).rejects.toMatchObject({
        code: "approval_decided",
      });
    });
    expect(await app.checkScope("main", { agent: "Api", base: "main" })).toMatchObject({
      ok: true,
      changed: [],
    });
  });

  it("refuses what is no path or has no reason", async () => {
    using shop = makeShop();
    const bad = [["../x"], ["/etc/passwd"], [".git/config"], ["!src/web/**"], ["a/\u0000b"]];
    const script = {
      Lead: [
        { calls: bad.map((paths) => ({ name: "scope_request", arguments: { paths, reason: "r" } })) },
        call("scope_request", { paths: ["LICENSE"], reason: " " }),
        { text: "Done." },
      ],
    };
    await withRun(shop, script, async ({ running, requests, outputs }) => {
      expect((await running.ended).code).toBe(0);
      expect(outputs("Lead").map((each) => each.error?.code)).toEqual([
        "path_rejected",
        "path_rejected",
        "path_rejected",
        "tool_input",
        "path_rejected",
        "tool_input",
      ]);
      expect(offers(requests[0], "scope_request")).toBe(true);
    });
    expect((await cli(shop, "approvals", "grant", "a_nothing", "--json")).code).toBe(2);
  });
});
