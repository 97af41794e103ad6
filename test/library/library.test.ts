import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  AgentRunner,
  allocateBranch,
  checkPath,
  openApp,
  orchestrateSplit,
  registerTool,
  signalSend,
  signalWait,
  signalWaitAll,
  signalWaitAny,
  TeamRegistry,
} from "oxbow";
import { z } from "zod";
import { openStore } from "../../src/store/open.ts";
import { plainEnvironment } from "../support/cli.ts";
import { temporaryDir } from "../support/repos.ts";
import { makeShop, SHOP_TEAM, type Shop } from "../support/shop.ts";

const open = (shop: Shop, env: Readonly<Record<string, string>> = {}) =>
  openApp({ repo: shop.dir, env: plainEnvironment(env) });

/** A shop whose agents are a program that appends to its files. */
function workingShop(): Shop {
  const command = `["node", "-e", "for (const f of process.argv.slice(1)) require('fs').appendFileSync(f, '// seen\\\\n')", "{paths}"]`;
  const agents = SHOP_TEAM.replace(
    /( +)(responsibilities: \[(?:build|write)\])/g,
    `$1$2\n$1runtime: command\n$1command: ${command}`,
  );
  return makeShop({ team: agents });
}

describe("orchestrateSplit", () => {
  it("makes a task with its children durable, in the order of the topics, and starts nothing", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const made = await app.orchestrateSplit({
      task: "Implement feature X",
      numChildren: 3,
      responsibilities: ["build"],
      allowedPaths: ["src/api/**"],
      targetAgent: "Api",
      ticket: "146",
    });
    expect(made.ok).toBe(true);
    expect(made.topics).toEqual(made.children.map((id) => `signal:${id}:done`));
    expect(made).not.toHaveProperty("wait");
    const [task] = await app.status("146");
    expect(task?.task).toMatchObject({ state: "running", title: "Implement feature X", ticket: "146" });
    expect(task?.subtasks.map((each) => each.conversation_id)).toEqual(made.children);
    expect(task?.subtasks.map((each) => [each.state, each.branch, each.agent])).toEqual(
      Array.from({ length: 3 }, () => ["planned", null, "Api"]),
    );
    await using store = await openStore({ url: `sqlite:${join(shop.dir, ".git/oxbow/oxbow.db")}` });
    const [message] = await store.messages(made.children[1] ?? "");
    expect(message?.metadata).toEqual({
      orchestrate: { responsibilities: ["build"], allowed_paths: ["src/api/**"], done_topic: made.topics[1] },
    });
  });

  it("says ok: false after its time when no worker is there, and the children stay", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const made = await app.orchestrateSplit({
      task: "Wait for it",
      wait: true,
      timeoutMs: 50,
      targetAgent: "Api",
    });
    expect(made).toMatchObject({ ok: false, wait: { ok: false, results: [], running: made.topics } });
    expect((await app.status())[0]?.subtasks).toHaveLength(2);
  });

  it("is carried out by app.work(): every child signals once, and the task is merged", async () => {
    using shop = workingShop();
    const before = shop.fingerprint();
    await using app = open(shop);
    const merged = Promise.withResolvers<string>();
    const working = app.work({
      concurrency: 2,
      onEvent: (told) => told.event === "task_ended" && merged.resolve(told.state),
    });
    const made = await app.orchestrateSplit({
      task: "See every file",
      children: [
        { task: "See the API", agent: "Api" },
        { task: "See the pages", agent: "Web" },
      ],
      wait: true,
      timeoutMs: 20_000,
      ticket: "7",
    });
    expect(made.ok).toBe(true);
    expect(made.wait?.results).toMatchObject([
      { conversation_id: made.children[0], outcome: "completed", branch: "feature/7/Api" },
      { conversation_id: made.children[1], outcome: "completed", branch: "feature/7/Web" },
    ]);
    expect(await merged.promise).toBe("completed");
    expect(shop.at("integration/7", "src/api/users.js")).toBe("export const users = [];\n// seen\n");
    expect(shop.at("integration/7", "src/web/page.js")).toBe("export const page = 'home';\n// seen\n");
    expect(shop.fingerprint()).toBe(before);
    await app.close();
    await working;
  });

  it("falls back to ORCHESTRATE_TARGET_AGENT, then AGENT_NAME, then the team's first agent", async () => {
    using shop = makeShop();
    const agentOf = async (env: Record<string, string>) => {
      await using app = open(shop, env);
      const { children } = await app.orchestrateSplit({ task: "Whose?", numChildren: 1 });
      const tasks = await app.status();
      return tasks.flatMap((task) => task.subtasks).find((each) => each.conversation_id === children[0])
        ?.agent;
    };
    expect(await agentOf({ ORCHESTRATE_TARGET_AGENT: "Docs", AGENT_NAME: "Web" })).toBe("Docs");
    expect(await agentOf({ AGENT_NAME: "Web" })).toBe("Web");
    expect(await agentOf({})).toBe("Lead");
  });

  it.each([
    [{ task: "" }, "split_invalid"],
    [{ task: "x", numChildren: 0 }, "split_invalid"],
    [{ task: "x", numChildren: 51 }, "limit_exceeded"],
    [{ task: "x", targetAgent: "Nobody" }, "agent_unknown"],
    [{ task: "x", children: [{ task: "a", depends_on: [0] }] }, "plan_invalid"],
    [{ task: "x", num_children: 2 }, "tool_input"],
    [{ task: 7 }, "tool_input"],
    [{}, "tool_input"],
  ])("refuses %j with %s and makes nothing", async (request, code) => {
    using shop = makeShop();
    await using app = open(shop);
    const untyped: any = request;
    await expect(app.orchestrateSplit(untyped)).rejects.toMatchObject({ code });
    expect(await app.status()).toEqual([]);
  });

  it("refuses a second live task on one ticket", async () => {
    using shop = makeShop();
    await using app = open(shop);
    await app.orchestrateSplit({ task: "First", ticket: "9" });
    await expect(app.orchestrateSplit({ task: "Second", ticket: "9" })).rejects.toMatchObject({
      code: "ticket_in_use",
    });
  });
});

describe("signals", () => {
  it("are read in order, from the first without a last id, and never missed", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const first = await app.signalSend("build", { n: 1 });
    const second = await app.signalSend("build", { n: 2 });
    expect(first).toMatchObject({ ok: true, topic: "build", message_id: expect.any(String) });
    const heard = await app.signalWait("build");
    expect(heard).toMatchObject({
      ok: true,
      topic: "build",
      message: { n: 1 },
      message_id: first.message_id,
    });
    expect(await app.signalWait("build", first.message_id, 0)).toMatchObject({ message: { n: 2 } });
    expect(await app.signalWait("build", second.message_id, 20)).toEqual({
      ok: false,
      topic: "build",
      timeout_ms: 20,
      last_id: second.message_id,
    });
  });

  it("wake whoever waits for any or for all of several topics", async () => {
    using shop = makeShop();
    await using app = open(shop);
    await using other = open(shop);
    const any = app.signalWaitAny(["a", "b"], null, 10_000);
    const all = app.signalWaitAll(["a", "b"], {}, 10_000);
    await other.signalSend("b", 1);
    expect(await any).toMatchObject({ ok: true, topic: "b", message: 1 });
    await other.signalSend("a", 2);
    expect(await all).toMatchObject({
      ok: true,
      missing: [],
      messages: { a: { message: 2 }, b: { message: 1 } },
    });
    expect(await app.signalWaitAll(["a", "c"], {}, 20)).toMatchObject({ ok: false, missing: ["c"] });
  });

  it("can be waited for without end, and given up", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const stop = new AbortController();
    const waiting = app.signalWait("never", null, Number.POSITIVE_INFINITY, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    const ended = expect(app.signalWait("never", null, 60_000)).rejects.toMatchObject({ code: "cancelled" });
    await app.close();
    await ended;
  });

  it("refuse what is no topic, no payload and no time", async () => {
    using shop = makeShop();
    await using app = open(shop, { SIGNAL_PAYLOAD_MAX_BYTES: "10" });
    const untyped: any = app;
    await expect(untyped.signalSend("", 1)).rejects.toMatchObject({ code: "topic_rejected" });
    await expect(untyped.signalSend(undefined, 1)).rejects.toMatchObject({ code: "usage" });
    await expect(untyped.signalSend("a", undefined)).rejects.toMatchObject({ code: "payload_invalid" });
    await expect(untyped.signalSend("a", "0123456789")).rejects.toMatchObject({ code: "payload_too_large" });
    await expect(untyped.signalWait("a", null, Number.NaN)).rejects.toMatchObject({ code: "tool_input" });
    await expect(untyped.signalWait("a", null, -1)).rejects.toMatchObject({ code: "tool_input" });
    await expect(untyped.signalWaitAll([])).rejects.toMatchObject({ code: "tool_input" });
    await expect(untyped.signalWaitAny("a")).rejects.toMatchObject({ code: "tool_input" });
  });
});

describe("an app", () => {
  it("allocates a branch and finds it again, without touching the checkout", async () => {
    using shop = makeShop();
    const before = shop.fingerprint();
    await using app = open(shop);
    const base = shop.git("rev-parse", "HEAD").trim();
    const name = "feature/146/DevAgent";
    expect(await app.allocateBranch({ agentName: "DevAgent", ticket: "146" })).toEqual({
      name,
      base,
      created: true,
    });
    expect(await app.allocateBranch({ agentName: "DevAgent", ticket: "146" })).toEqual({
      name,
      base,
      created: false,
    });
    expect((await app.allocateBranch({ agentName: "DevAgent" })).name).toBe("feature/task/DevAgent");
    expect(shop.fingerprint()).toBe(before);
    shop.write("README.md", "changed");
    await expect(app.allocateBranch({ agentName: "DevAgent", switch: true })).rejects.toMatchObject({
      code: "dirty_tree",
    });
  });

  it("splits to agents that were registered while it is open", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const team = await app.team();
    expect(team).toBeInstanceOf(TeamRegistry);
    team.register({ name: "Late", team: "Shop", allowedPaths: ["late/**"] });
    expect((await app.orchestrateSplit({ task: "x", targetAgent: "Late" })).ok).toBe(true);
  });

  it("runs a task as the command line does", async () => {
    using shop = workingShop();
    await using app = open(shop);
    const events: string[] = [];
    const report = await app.run("See every file", {
      by: "owner",
      ticket: "8",
      onEvent: (event) => events.push(event.event),
    });
    expect(report).toMatchObject({ state: "completed", ticket: "8" });
    expect(events).toContain("child_finished");
    expect((await app.resume(report.task_id)).state).toBe("completed");
  });

  it("is closed once, and then says so", async () => {
    using shop = makeShop();
    const app = open(shop);
    await app.signalSend("a", 1);
    await Promise.all([app.close(), app.close()]);
    await app.close();
    await expect(app.signalSend("a", 1)).rejects.toMatchObject({ code: "usage" });
  });

  it("says what is wrong with where it is", async () => {
    const nowhere = temporaryDir();
    await using app = openApp({ repo: nowhere, env: plainEnvironment() });
    await expect(app.signalSend("a", 1)).rejects.toMatchObject({ code: "not_a_repository" });
    expect(() => openApp({ env: { OXBOW_NONSENSE: "1" } })).toThrow(
      expect.objectContaining({ code: "setting_unknown" }),
    );
  });
});

describe("the free functions", () => {
  it("work where the program is, also after it went elsewhere", async () => {
    using shop = makeShop();
    using other = makeShop();
    const here = process.cwd();
    try {
      process.chdir(shop.dir);
      const sent = await signalSend("a", 1);
      process.chdir(other.dir);
      expect(await signalWait("a", null, 0)).toMatchObject({ ok: false });
      expect(await allocateBranch({ repoRoot: shop.dir, agentName: "A" })).toMatchObject({ created: true });
      expect(await allocateBranch({ agentName: "A" })).toMatchObject({ created: true });
      process.chdir(shop.dir);
      expect(await signalWaitAny(["a", "b"])).toMatchObject({ message: 1, message_id: sent.message_id });
      expect((await signalWaitAll(["a"])).missing).toEqual([]);
      expect((await orchestrateSplit({ task: "Here" })).children).toHaveLength(2);
    } finally {
      process.chdir(here);
    }
  });
});

describe("TeamRegistry", () => {
  it("loads a team file and says who owns a path", () => {
    using shop = makeShop();
    const registry = TeamRegistry.load(join(shop.dir, "team.yaml"));
    expect(registry).toBeInstanceOf(TeamRegistry);
    expect(registry.findOwner("src/api/users.js")).toEqual({
      agent: "Api",
      team: "Shop",
      pattern: "src/api/**",
    });
    expect(registry.windowPerson("Shop")).toBe("lead@example.com");
    registry.register({ name: "Ops", team: "Ops", allowedPaths: ["deploy"] });
    registry.setWindowPerson("Ops", "ops@example.com");
    registry.update("Ops", { allowedPaths: ["deploy", "charts"] });
    expect(registry.findOwner("charts/a.yaml")?.agent).toBe("Ops");
    expect(registry.list("Ops").map((agent) => agent.name)).toEqual(["Ops"]);
    expect(registry.get("Nobody")).toBeNull();
    expect(registry.findOwner("LICENSE")).toBeNull();
  });

  it("names the file, the line and the column of a mistake", () => {
    const dir = temporaryDir();
    writeFileSync(join(dir, "team.yaml"), "team: T\nagents:\n  - name: A\n    alowed_paths: []\n");
    expect(() => TeamRegistry.load(join(dir, "team.yaml"))).toThrow(
      expect.objectContaining({ code: "team_file_invalid", details: expect.objectContaining({ line: 4 }) }),
    );
    expect(() => TeamRegistry.load(join(dir, "none.yaml"))).toThrow(
      expect.objectContaining({ code: "team_file_missing" }),
    );
  });
});

describe("AgentRunner", () => {
  const script = (text: string) => {
    const file = join(temporaryDir(), "script.yaml");
    writeFileSync(file, text);
    return file;
  };

  it("runs one agent with its tools, and counts", async () => {
    const file = script(
      `agents:\n  Adder:\n    - { tool: add, arguments: { a: 2, b: 3 } }\n    - say: "Done by {{agent}}"\n`,
    );
    const seen: string[] = [];
    const result = await new AgentRunner({
      runtime: "openai_agents",
      provider: "scripted",
      script: file,
      env: {},
    }).run({
      agent: "Adder",
      input: "Add 2 and 3",
      tools: [
        {
          name: "add",
          description: "Adds.",
          flag: null,
          parameters: z.strictObject({ a: z.number(), b: z.number() }),
          run: async ({ a, b }) => Number(a) + Number(b),
        },
      ],
      onEvent: (event) => seen.push(`${event.source} ${event.kind}`),
    });
    expect(result).toMatchObject({
      output: "Done by Adder",
      usage: { requests: 2 },
      cost: 0,
      elapsed_ms: expect.any(Number),
      trace_id: expect.any(String),
    });
    expect(result).toHaveProperty("request_id");
    expect(result).not.toHaveProperty("error");
    expect(seen).toContain("Adder tool_result");
  });

  it("gives a failure in the shape of a success", async () => {
    const { output, usage, cost, error } = await new AgentRunner({ runtime: "openai_agents", env: {} }).run({
      agent: "A",
      input: "Hello",
    });
    expect({ output, requests: usage.requests, cost, code: error?.code }).toEqual({
      output: "",
      requests: 0,
      cost: null,
      code: "provider_missing",
    });
  });

  it("knows no other runtime", () => {
    const options: any = { runtime: "other" };
    expect(() => new AgentRunner(options)).toThrow(
      expect.objectContaining({ code: "runtime_not_available" }),
    );
  });
});

describe("registerTool", () => {
  it("gives the agents of an app a new tool; a name is taken once", async () => {
    using shop = makeShop();
    const asked: unknown[] = [];
    const tool = {
      name: "ask_weather",
      description: "Says what the weather is.",
      parameters: z.strictObject({ town: z.string() }),
      run: async ({ town }: { town: string }) => {
        asked.push(town);
        return { sunny: true };
      },
    };
    registerTool(tool);
    expect(() => registerTool(tool)).toThrow(expect.objectContaining({ code: "usage" }));
    expect(() => registerTool({ ...tool, name: "read_file" })).toThrow(
      expect.objectContaining({ code: "usage" }),
    );
    const noSchema: any = { ...tool, name: "no_schema", parameters: {} };
    expect(() => registerTool(noSchema)).toThrow(expect.objectContaining({ code: "usage" }));
    shop.write(
      ".git/script.yaml",
      'default:\n  - { tool: ask_weather, arguments: { town: Ulm } }\n  - say: "Sunny"\n',
    );
    await using app = open(shop);
    const report = await app.run("Ask", { script: join(shop.dir, ".git/script.yaml") });
    expect([report.state, asked]).toEqual(["completed", ["Ulm"]]);
  });
});

describe("checkPath", () => {
  it("looks at the disk unless it is given other files", () => {
    const root = temporaryDir();
    mkdirSync(join(root, "src"));
    writeFileSync(join(root, "src/a.js"), "");
    symlinkSync("/etc", join(root, "out"));
    mkdirSync(join(root, "module/.git"), { recursive: true });
    expect(checkPath("read", "src/a.js", { root })).toMatchObject({ allowed: true, code: "ok" });
    expect(checkPath("read", "out/passwd", { root })).toMatchObject({
      allowed: false,
      code: "symlink_outside",
    });
    expect(checkPath("write", "module/a.js", { root }).code).toBe("special_file");
    const empty = { lstat: () => null, readlink: () => "" };
    expect(checkPath("read", "out/passwd", { root, fs: empty }).allowed).toBe(true);
  });
});

describe("the version", () => {
  it("is that of package.json", () => {
    const top = join(import.meta.dirname, "../..");
    const { version } = JSON.parse(readFileSync(join(top, "package.json"), "utf8"));
    expect(readFileSync(join(top, "src/doors/cli/program.ts"), "utf8")).toContain(
      `const VERSION = "${version}";`,
    );
  });
});
