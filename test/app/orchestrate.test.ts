/** Tasks that are planned first and begun later, as a service has them: nobody but workers carries them out. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, openApp } from "../../src/app.ts";
import { hasCode } from "../../src/core/errors.ts";
import { openApp as openLibrary } from "../../src/library.ts";
import { STOP } from "../../src/core/stop.ts";
import { taskViewSchema } from "../../src/core/task-view.ts";
import type { TaskView } from "../../src/orchestrate-calls.ts";
import { plainEnvironment } from "../support/cli.ts";
import {
  type ModelServer,
  scriptByAgent,
  type ScriptedReply,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop, type Shop, SHOP_TEAM } from "../support/shop.ts";

const TEAM = SHOP_TEAM.replace("lead: Lead\n", "");
const WRITES: Readonly<Record<string, string>> = {
  Api: "src/api/users.js",
  Web: "src/web/page.js",
  Docs: "docs/guide.md",
};
const TEXT =
  "Rename `users` to `people` in src/api/users.js.\nShow it on src/web/page.js.\nSay so in docs/guide.md.";

/** Whoever is asked writes its own file once, and says so. */
const SCRIPT = Object.fromEntries(
  Object.entries(WRITES).map(([agent, path]): [string, readonly ScriptedReply[]] => [
    agent,
    [
      { calls: [{ name: "write_file", arguments: { path, content: `by ${agent}\n` } }] },
      { text: `${agent} is done.` },
    ],
  ]),
);

/** Until the task has ended, or a person is asked. */
async function settled(app: App, id: string, asked = 0): Promise<TaskView> {
  let view = await app.taskView(id);
  await expect
    .poll(
      async () => {
        view = taskViewSchema.parse(await app.taskView(id));
        const open = view.subtasks.filter(({ state }) => state === "awaiting_approval").length;
        return view.ended_at !== null || (asked > 0 && open >= asked);
      },
      { timeout: 60_000, interval: 50 },
    )
    .toBe(true);
  return view;
}

const agentsIn = (view: TaskView, state: string) =>
  view.subtasks.filter((each) => each.state === state).map(({ agent }) => agent);

describe("a planned task", { timeout: 90_000 }, () => {
  let server: ModelServer;
  let shop: Shop;
  let app: App;
  let env: Record<string, string>;
  const stop = new AbortController();
  let worker: App;
  let working: Promise<void>;
  beforeAll(async () => {
    server = await startModelServer(scriptByAgent(SCRIPT));
    shop = makeShop({ team: TEAM });
    shop.git("remote", "add", "origin", "git@example.com:acme/shop.git");
    // Who plans has no key: then the rules do. Who works has one.
    env = plainEnvironment();
    app = openApp({ repo: shop.dir, env });
    const key = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
    worker = openApp({ repo: shop.dir, env: plainEnvironment(key) });
    working = worker.work({}, stop.signal);
  });
  afterAll(async () => {
    stop.abort(STOP.handBack);
    await working;
    await worker.close();
    await app.close();
    await server[Symbol.asyncDispose]();
    shop[Symbol.dispose]();
  });
  const submission = (task_id: string, metadata: Record<string, unknown> = {}) => ({
    task_id,
    title: "Rename the users",
    description: TEXT,
    priority: "high",
    metadata: { requester: "product-management", ...metadata },
  });

  it("is there with its subtasks, and nobody works on it", async () => {
    const { created, view } = await app.orchestrate(submission("feature-1", { repository: "acme/shop" }));
    expect(created).toBe(true);
    expect(view).toMatchObject({
      task_id: "feature-1",
      title: "Rename the users",
      status: "planned",
      priority: "high",
      requester: "product-management",
      ended_at: null,
      metrics: { on_time: null, completed: 0 },
    });
    expect(view.subtasks.map(({ subtask_id, state }) => [subtask_id, state])).toContainEqual([
      "Api::feature-1::1",
      "planned",
    ]);
    expect(new Set(view.subtasks.map(({ state }) => state))).toEqual(new Set(["planned"]));
    expect(view.subtasks.every((each) => !("outputs" in each))).toBe(true);
    expect(view.subtasks.find(({ agent }) => agent === "Api")?.brief).toContain("people");
    expect(view.plan).toMatchObject({ constraints: [], notices: expect.any(Array) });
    expect(view.plan?.objectives.length).toBeGreaterThan(0);
  });

  it("is the same task however often it is sent, and another body is refused", async () => {
    const sent = submission("feature-2");
    const [one, two] = await Promise.all([app.orchestrate(sent), app.orchestrate({ ...sent })]);
    expect([one.created, two.created].sort()).toEqual([false, true]);
    expect(one.view.subtasks).toEqual(two.view.subtasks);
    const other = app.orchestrate({ ...sent, priority: "low" });
    await expect(other).rejects.toMatchObject({ code: "task_conflict" });
    expect((await app.orchestrate(sent)).created).toBe(false);
    await app.cancel("feature-2");
    const ended = await settled(app, "feature-2");
    expect([ended.status, agentsIn(ended, "cancelled").length]).toEqual(["cancelled", ended.subtasks.length]);
    expect((await app.orchestrate(sent)).view.status).toBe("cancelled");
    expect((await app.execute("feature-2")).begun).toBe(false);
  });

  it("uses no more than it was given with the submission", async () => {
    const sent = { ...submission("feature-thrifty"), budget: { tokens: 1, usd: 2 } };
    await app.orchestrate(sent);
    expect((await app.budget("feature-thrifty"))?.limit).toEqual({ tokens: 1, usd: 2 });
    expect((await app.orchestrate(sent)).created).toBe(false);
    const more = app.orchestrate({ ...sent, budget: { tokens: 2, usd: 2 } });
    await expect(more).rejects.toMatchObject({ code: "task_conflict" });
    await app.execute("feature-thrifty");
    const view = await settled(app, "feature-thrifty");
    expect(view.status).toBe("failed");
    expect(view.subtasks.flatMap(({ error }) => error?.code ?? [])).toContain("budget_exceeded");
  });

  it("is carried out by workers alone, to its merge and its end", async () => {
    await app.orchestrate(submission("feature-3", { due_date: "2999-01-01" }));
    const { begun, view: started } = await app.execute("feature-3");
    expect([begun, started.status]).toEqual([true, "running"]);
    expect((await app.execute("feature-3", { mode: "manual" })).begun).toBe(false);
    const view = await settled(app, "feature-3");
    expect(view).toMatchObject({ status: "completed", metrics: { on_time: true, open: 0 } });
    expect(view.due_at).toBe("2999-01-01T23:59:59.999Z");
    for (const { merged, outputs, agent } of view.subtasks) {
      expect(merged).toBe(true);
      expect(shop.at(outputs?.commit ?? "", WRITES[agent] ?? "")).toBe(`by ${agent}\n`);
    }
    expect(shop.at("integration/feature-3", "src/api/users.js")).toBe("by Api\n");
    const whats = view.audit.map(({ what }) => what);
    expect(whats[0]).toBe("task_submitted");
    expect(whats.at(-1)).toBe("task_finished");
    expect(view.audit[0]).toMatchObject({ who: "product-management" });
    expect(view.audit.find(({ what }) => what === "task_started")).toMatchObject({
      who: "Ada <ada@example.com>",
    });
    expect(view.status_history.filter(({ subtask_id }) => subtask_id === null).map(({ to }) => to)).toEqual([
      "planned",
      "running",
      "completed",
    ]);
    expect(view.artifacts).toContainEqual({
      kind: "integration_branch",
      reference: "refs/heads/integration/feature-3",
      commit: shop.git("rev-parse", "integration/feature-3").trim(),
      subtask_id: null,
    });
  });

  it("waits for a person before each part in manual mode; a no ends that part and what depends on it", async () => {
    const { view: planned } = await app.orchestrate(submission("feature-4", { sla_ms: 1 }));
    await app.execute("feature-4", { mode: "manual" });
    const denied = planned.subtasks[0]?.agent ?? "";
    const answered = new Set<string>();
    let view = await settled(app, "feature-4", 1);
    while (view.ended_at === null) {
      for (const each of await app.approvals({ taskId: "feature-4" })) {
        answered.add(each.agent);
        await app.decide(each.approval_id, { granted: each.agent !== denied, reason: "Not now." });
      }
      view = await settled(app, "feature-4", 1);
    }
    expect(agentsIn(view, "cancelled")).toEqual([denied]);
    expect(view.subtasks[0]).toMatchObject({
      error: { code: "approval_denied", message: "Ada <ada@example.com> said no. Not now." },
      approvals: [{ kind: "gate", state: "denied", decided_by: "Ada <ada@example.com>" }],
    });
    const behind = view.subtasks.filter(({ depends_on }) => depends_on.includes(`${denied}::feature-4::1`));
    for (const each of behind) expect(each.error?.code).toBe("dependency_failed");
    expect([...answered].sort()).toEqual(
      view.subtasks
        .filter((each) => !behind.includes(each))
        .map(({ agent }) => agent)
        .sort(),
    );
    expect(view).toMatchObject({ status: "failed", metrics: { on_time: false } });
  });

  it("waits at its checkpoints alone", async () => {
    const { view: planned } = await app.orchestrate(submission("feature-5"));
    const last = planned.subtasks.at(-1);
    const checkpoints = [last?.subtask_id ?? ""];
    const wrong = app.execute("feature-5", { mode: "auto", checkpoints: ["Api::feature-5::9"] });
    await expect(wrong).rejects.toMatchObject({ code: "subtask_unknown" });
    expect((await app.taskView("feature-5")).status).toBe("planned");
    await app.execute("feature-5", { mode: "manual", checkpoints });
    const waiting = await settled(app, "feature-5", 1);
    expect(agentsIn(waiting, "awaiting_approval")).toEqual([last?.agent]);
    const [request] = await app.approvals({ taskId: "feature-5" });
    expect(request).toMatchObject({ kind: "gate", person: "lead@example.com", waiting: true });
    await app.decide(request?.approval_id ?? "", { granted: true, reason: "" });
    expect(await settled(app, "feature-5")).toMatchObject({ status: "completed" });
  });

  it("goes with its cancellation, its open question too", async () => {
    await app.orchestrate(submission("feature-6"));
    await app.execute("feature-6", { mode: "manual" });
    await settled(app, "feature-6", 1);
    const [request] = await app.approvals({ taskId: "feature-6" });
    await app.cancel("feature-6");
    expect(await settled(app, "feature-6")).toMatchObject({ status: "cancelled", metrics: { open: 0 } });
    const late = app.decide(request?.approval_id ?? "", { granted: true, reason: "" });
    await expect(late).rejects.toMatchObject({
      code: "approval_decided",
      message: expect.stringContaining("Nobody waits for it any more"),
    });
    expect(await app.approvals({ taskId: "feature-6" })).toEqual([]);
  });

  it("is begun by whoever resumes it", async () => {
    await app.orchestrate(submission("feature-7"));
    const report = await worker.resume("feature-7", { workers: "none" }, new AbortController().signal);
    expect(report.state).toBe("completed");
    expect((await app.taskView("feature-7")).status).toBe("completed");
  });

  it("is handed back, and says so, when nobody but a person is missing", async () => {
    await app.orchestrate(submission("feature-8"));
    await app.execute("feature-8", { mode: "manual" });
    const report = await app.resume("feature-8", { wait: false }, new AbortController().signal);
    expect(report.state).toBe("waiting");
    expect(report.children.map(({ outcome }) => outcome)).toContain("awaiting_approval");
    expect(report.approvals.every(({ state, kind }) => state === "open" && kind === "gate")).toBe(true);
    const [status] = await app.status("feature-8");
    expect(status?.subtasks.map(({ state }) => state)).toContain("awaiting_approval");
    const story = await app.report("feature-8");
    expect(story.tasks[0]?.parts.map(({ verdict }) => verdict)).toContain("awaiting_approval");
    await app.cancel("feature-8");
  });

  it("is planned and begun through the library as well", async () => {
    await using library = openLibrary({ repo: shop.dir, env });
    const { view } = await library.orchestrate(submission("feature-10"));
    expect(view.status).toBe("planned");
    const wrong = { mode: "later" } as unknown as { mode: "auto" };
    await expect(library.execute("feature-10", wrong)).rejects.toMatchObject({ code: "usage" });
    expect((await library.execute("feature-10", { mode: "manual" })).begun).toBe(true);
    const report = await library.resume("feature-10", { wait: false });
    expect(report.state).toBe("waiting");
    await library.cancel("feature-10");
    expect((await library.taskView("feature-10")).status).toBe("cancelled");
  });

  it("is refused with what is wrong, field by field, and nothing is made", async () => {
    const sent = {
      task_id: "a b",
      title: " ",
      priority: "soon",
      metadata: { due_date: "tomorrow", sla_ms: 0 },
      colour: "red",
    };
    const error: unknown = await app.orchestrate(sent).catch((thrown: unknown) => thrown);
    if (!hasCode(error, "request_invalid")) throw error;
    const fields = error.details["fields"] as { field: string }[];
    expect(fields.map(({ field }) => field).sort()).toEqual([
      "",
      "metadata.due_date",
      "metadata.sla_ms",
      "priority",
      "task_id",
      "title",
    ]);
    const foreign = app.orchestrate(
      submission("feature-9", { repository: "git@example.com:other/repo.git" }),
    );
    await expect(foreign).rejects.toMatchObject({ code: "repository_unknown" });
    await expect(app.taskView("feature-9")).rejects.toMatchObject({ code: "task_unknown" });
    await expect(app.execute("feature-9")).rejects.toMatchObject({ code: "task_unknown" });
    for (const repository of [shop.dir, "https://example.com/acme/shop", "shop"])
      expect((await app.orchestrate(submission(`r-${repository.length}`, { repository }))).created).toBe(
        true,
      );
  });
});
