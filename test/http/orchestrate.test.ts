/** `POST /orchestrate` and `POST /execute`, as the tables and samples of the service's description show them. */
import { describe, expect, it } from "vitest";
import { openApp } from "../../src/app.ts";
import { STOP } from "../../src/core/stop.ts";
import { plainEnvironment } from "../support/cli.ts";
import { scriptByAgent, type ScriptedReply, startModelServer } from "../support/model-server.ts";
import { callService, sending } from "../support/service.ts";
import { SAMPLE } from "../support/seed.ts";

const TEAM = `team: Tools
agents:
  - name: feature-dev
    skills: [typescript]
    allowed_paths: ["src/**"]
  - name: code-review
    skills: [review]
    allowed_paths: ["docs/**"]
`;

/** One that names files, so that the rules give it parts. */
const task = (task_id: string, more: object = {}) => ({
  task_id,
  title: "Rename users",
  description: "Rename them in src/api/users.js, and say so in docs/guide.md.",
  ...more,
});

async function tools() {
  const service = await callService({ team: TEAM });
  service.shop.git("remote", "add", "origin", SAMPLE.metadata.repository);
  const send = (path: string, body: unknown, status?: number) =>
    service.json(path, status, sending("POST", body));
  return { ...service, send, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

describe("POST /orchestrate", () => {
  it("takes the sample and gives its plan; GET /tasks/{task_id} shows the sample's fields", async () => {
    await using service = await tools();
    const answer = await service.call("/orchestrate", sending("POST", SAMPLE));
    const made: any = await answer.json();
    expect([answer.status, answer.headers.get("location")]).toEqual([201, "/tasks/feature-1087"]);
    expect(made).toMatchObject({ task_id: "feature-1087", status: "planned", priority: "high" });
    expect(made.subtasks.length).toBeGreaterThan(0);
    for (const { subtask_id, agent, state } of made.subtasks) {
      expect(["feature-dev", "code-review"]).toContain(agent);
      expect(subtask_id).toMatch(new RegExp(`^${agent}::feature-1087::[1-9]\\d*$`));
      expect(state).toBe("planned");
    }
    expect(made).toMatchObject({ requester: "product-management", due_at: "2025-11-22T23:59:59.999Z" });
    const shown = await service.json("/tasks/feature-1087");
    expect(shown).toEqual({ ...made, metrics: { ...made.metrics, elapsed_seconds: expect.any(Number) } });
    expect(shown.metrics).toMatchObject({ elapsed_seconds: expect.any(Number), on_time: false });
  });

  it("gives the plan and status that are there, and refuses another body under the same id", async () => {
    await using service = await tools();
    const first = await service.send("/orchestrate", task("t-1"), 201);
    expect((await service.send("/orchestrate", task("t-1"))).subtasks).toEqual(first.subtasks);
    // Its keys in another order, and defaults written out, are the same submission.
    const { title, ...rest } = task("t-1", { priority: "normal", metadata: {} });
    await service.send("/orchestrate", { ...rest, title }, 200);
    const refused = await service.send("/orchestrate", task("t-1", { priority: "low" }), 409);
    expect(refused).toMatchObject({ code: "task_conflict", task_id: "t-1" });
    await service.json("/tasks/t-1/cancel", 200, sending("POST"));
    expect(await service.send("/orchestrate", task("t-1"))).toMatchObject({ status: "cancelled" });
  });

  it("makes one task of twenty equal requests at once", async () => {
    await using service = await tools();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => service.call("/orchestrate", sending("POST", task("t-1")))),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
    const plans = await Promise.all(
      answers.map(async (each) => JSON.stringify(((await each.json()) as any).subtasks)),
    );
    expect(new Set(plans).size).toBe(1);
    expect((await service.json("/tasks")).tasks).toHaveLength(1);
  });

  it("names each field that is wrong", async () => {
    await using service = await tools();
    const fields = async (body: unknown, status = 400) =>
      ((await service.send("/orchestrate", body, status)).fields ?? []).map(({ field, issue }: any) => {
        expect(issue).not.toBe("");
        return field;
      });
    expect(await fields({})).toEqual(["task_id", "title"]);
    expect(await fields(task("a/b"))).toEqual(["task_id"]);
    expect(
      await fields(task("t", { priority: "soon", metadata: { due_date: "tomorrow", sla_ms: 0 } })),
    ).toEqual(["priority", "metadata.due_date", "metadata.sla_ms"]);
    expect(await fields(task("t", { other: 1 }))).toEqual([""]);
    expect(await fields([])).toEqual([""]);
    expect(await fields(task("t", { callback_url: "https://169.254.169.254/" }))).toEqual(["callback_url"]);
    expect(await fields(task("t", { metadata: { base: "nowhere" } }), 404)).toEqual(["metadata.base"]);
    expect(await fields(task("t", { metadata: { repository: "acme/other" } }), 404)).toEqual([
      "metadata.repository",
    ]);
    const none = await service.call("/orchestrate", { method: "POST" });
    expect(none.status).toBe(400);
    expect((await service.json("/tasks")).tasks).toEqual([]);
  });

  it("sends the task's events to its callback_url", async () => {
    await using service = await callService({ team: TEAM, env: { OXBOW_WEBHOOK_ALLOW_PRIVATE: "1" } });
    const body = task("t-1", { callback_url: "https://127.0.0.1:8443/a-secret-path" });
    for (const status of [201, 200]) await service.json("/orchestrate", status, sending("POST", body));
    const { webhooks } = await service.json("/webhooks?of_tasks=true");
    expect(webhooks).toMatchObject([{ task_id: "t-1", url: "https://127.0.0.1:8443/…", state: "active" }]);
    expect((await service.json("/webhooks")).webhooks).toEqual([]);
  });

  it("is 503 when every agent of the team was shut down, and makes nothing", async () => {
    await using service = await tools();
    for (const agent of ["feature-dev", "code-review"])
      await service.json(`/agents/${agent}`, 200, { method: "DELETE" });
    const answer = await service.call("/orchestrate", sending("POST", task("t-1")));
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await answer.json()).toMatchObject({ code: "agent_unavailable" });
    expect((await service.json("/tasks")).tasks).toEqual([]);
  });
});

describe("POST /execute/{task_id}", () => {
  it("is 503 while nobody takes any part that could start: they are blocked, with an alert", async () => {
    await using service = await tools();
    await service.send("/orchestrate", task("t-1"), 201);
    for (const body of [undefined, { execution_mode: "auto" }]) {
      const answer = await service.call("/execute/t-1", sending("POST", body));
      const problem: any = await answer.json();
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
      expect(problem).toMatchObject({ code: "agent_unavailable", task_id: "t-1" });
      expect(problem.subtasks).toContainEqual({
        subtask_id: "feature-dev::t-1::1",
        agent: "feature-dev",
        state: "blocked",
      });
    }
    const { status, subtasks } = await service.json("/tasks/t-1");
    expect([status, subtasks[0].state]).toEqual(["running", "blocked"]);
    const { alerts } = await service.json("/approvals?task_id=t-1");
    expect(alerts).toContainEqual(expect.objectContaining({ kind: "alert", code: "agent_unavailable" }));
  });

  it("starts what was blocked as soon as a worker takes it", { timeout: 60_000 }, async () => {
    await using service = await tools();
    const path = { "feature-dev": "src/api/users.js", "code-review": "docs/guide.md" };
    const script = Object.entries(path).map(([agent, file]): [string, readonly ScriptedReply[]] => [
      agent,
      [{ calls: [{ name: "write_file", arguments: { path: file, content: "new\n" } }] }, { text: "Done." }],
    ]);
    await using model = await startModelServer(scriptByAgent(Object.fromEntries(script)));
    await service.send("/orchestrate", task("t-1"), 201);
    await service.send("/execute/t-1", {}, 503);
    const key = { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
    await using worker = openApp({ repo: service.shop.dir, env: plainEnvironment(key) });
    const stop = new AbortController();
    const working = worker.work({}, stop.signal);
    try {
      const status = async () => (await service.json("/tasks/t-1")).status;
      await expect.poll(status, { timeout: 50_000, interval: 100 }).toBe("completed");
    } finally {
      stop.abort(STOP.handBack);
      await working;
    }
    const done = await service.json("/tasks/t-1");
    for (const { agent, state, merged, outputs } of done.subtasks) {
      expect([agent, state, merged]).toEqual([agent, "completed", true]);
      expect(outputs).toEqual({
        branch: `feature/t-1/${agent}`,
        commit: expect.stringMatching(/^[0-9a-f]{40}$/),
      });
    }
    expect(await service.send("/execute/t-1", {})).toEqual({ task_id: "t-1", status: "completed" });
  });

  it("waits for a person where it is begun by hand, and says how it is when it is asked again", async () => {
    await using service = await tools();
    await service.send("/orchestrate", task("t-1"), 201);
    const manual = { execution_mode: "manual" };
    const begun = { task_id: "t-1", status: "running" };
    expect(await service.send("/execute/t-1", manual)).toEqual(begun);
    expect(await service.send("/execute/t-1", manual)).toEqual(begun);
    const { subtasks } = await service.json("/tasks/t-1");
    expect(new Set(subtasks.map(({ state }: any) => state))).toEqual(new Set(["awaiting_approval"]));
    const { approvals } = await service.json("/approvals?task_id=t-1");
    const [one] = approvals;
    const denied = await service.send(`/approvals/${one.approval_id}/deny`, { reason: "Not now." });
    expect(denied).toMatchObject({ state: "denied", answer: "Not now." });
    expect((await service.send(`/approvals/${one.approval_id}/grant`, {}, 409)).code).toBe(
      "approval_decided",
    );
    await service.json("/tasks/t-1/cancel", 200, sending("POST"));
    expect(await service.send("/execute/t-1", {})).toEqual({ task_id: "t-1", status: "cancelled" });
  });

  it("refuses what it does not know", async () => {
    await using service = await tools();
    expect((await service.send("/execute/none", {}, 404)).code).toBe("task_unknown");
    await service.send("/orchestrate", task("t-1"), 201);
    const wrong = await service.send("/execute/t-1", { execution_mode: "soon" }, 400);
    expect(wrong.fields).toMatchObject([{ field: "execution_mode" }]);
    const unknown = { execution_mode: "manual", checkpoints: ["x::t-1::1"] };
    expect((await service.send("/execute/t-1", unknown, 404)).code).toBe("subtask_unknown");
    expect((await service.json("/tasks/t-1")).status).toBe("planned");
  });
});
