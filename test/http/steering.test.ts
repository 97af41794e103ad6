/** What a person does over HTTP beside planning and reading: answers, steers, talks, sets up. */
import { describe, expect, it } from "vitest";
import { type CalledService, callService, sending } from "../support/service.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const TASK = {
  task_id: "t-1",
  title: "Rename users",
  description: "Rename them in src/api/users.js, and show it on src/web/page.js.",
};
const post = (service: CalledService, path: string, body?: object, status = 200) =>
  service.json(path, status, sending("POST", body));

describe("work under way", () => {
  it("is cancelled in part, tried again, given to another agent, and cancelled as a whole", async () => {
    await using service = await callService();
    await post(service, "/orchestrate", TASK, 201);
    await post(service, "/execute/t-1", { execution_mode: "manual" });
    const cancelled = await post(service, "/subtasks/Web::t-1::1/cancel");
    expect(cancelled).toMatchObject({ subtask_id: "Web::t-1::1", changed: true, state: "cancelled" });
    expect(await post(service, "/subtasks/Web::t-1::1/retry")).toMatchObject({
      task_id: "t-1",
      parts: [{ supersedes: "Web::t-1::1", subtask_id: "Web::t-1::2" }],
    });
    const part = encodeURIComponent("Api::t-1::1");
    expect(await post(service, `/subtasks/${part}/assign`, { agent: "Web" })).toMatchObject({ agent: "Web" });
    const { subtasks } = await service.json("/tasks/t-1");
    expect(subtasks[0]).toMatchObject({ subtask_id: "Api::t-1::1", agent: "Web" });
    expect((await post(service, `/subtasks/${part}/assign`, { agent: "Nobody" }, 404)).code).toBe(
      "agent_unknown",
    );
    const wrong = await post(service, `/subtasks/${part}/assign`, { agent: 1, id: "x" }, 400);
    expect(wrong.fields).toMatchObject([{ field: "agent" }, { field: "" }]);
    expect(await post(service, "/tasks/t-1/cancel")).toMatchObject({ state: "cancelled", changed: true });
    expect(await post(service, "/tasks/t-1/cancel")).toMatchObject({ state: "cancelled", changed: false });
    expect((await post(service, "/tasks/none/retry", {}, 404)).code).toBe("task_unknown");
    expect((await post(service, "/subtasks/Api::none::1/retry", {}, 404)).code).toBe("subtask_unknown");
  });

  it("is bounded, planned without being made, and looked up", async () => {
    await using service = await callService();
    await post(service, "/orchestrate", TASK, 201);
    const limits = { limits: { usd: 2 } };
    const { budget } = await service.json("/tasks/t-1/budget", 200, sending("PUT", limits));
    expect(JSON.stringify(budget)).toContain('"usd":2');
    const { plan, files } = await post(service, "/plan", { task: TASK.description });
    expect(plan.subtasks.map(({ agent }: any) => agent)).toEqual(["Api", "Web"]);
    expect(files).toHaveLength(2);
    expect((await service.json("/tasks")).tasks).toHaveLength(1);
    const { owners } = await service.json("/owners?path=src/api/users.js&path=LICENSE");
    expect(owners).toMatchObject([{ owner: { agent: "Api" } }, { path: "LICENSE", owner: null }]);
  });
});

describe("every operation of the MCP server", () => {
  it("is a route too, listed with what it takes, as far as the token allows", async () => {
    await using service = await callService();
    expect((await post(service, "/calls/owner", { paths: ["src/web/page.js"] })).owners).toMatchObject([
      { owner: { agent: "Web" } },
    ]);
    const wrong = await post(service, "/calls/owner", { paths: "x" }, 400);
    expect([wrong.code, wrong.fields]).toMatchObject(["request_invalid", [{ field: "paths" }]]);
    expect((await post(service, "/calls/nothing", {}, 404)).code).toBe("route_unknown");
    const names = async (headers: Record<string, string>) =>
      (await service.json("/calls", 200, { headers })).calls.map((each: any) => each.name);
    expect(await names({})).toEqual(expect.arrayContaining(["run", "create_agent", "merge"]));
    const reads = await names(await service.token("read"));
    expect([reads.includes("status"), reads.includes("run")]).toEqual([true, false]);
  });
});

it("each route needs its scope, and who has answered is who the token says", async () => {
  await using service = await callService();
  await post(service, "/orchestrate", TASK, 201);
  await post(service, "/execute/t-1", { execution_mode: "manual" });
  const [first] = (await service.json("/approvals")).approvals;
  const [read, submit, approve] = [
    await service.token("read"),
    await service.token("submit"),
    await service.token("approve"),
  ];
  const refused = async (headers: Record<string, string>, method: string, path: string) => {
    const answer = await service.call(path, sending(method, {}, headers));
    return [answer.status, ((await answer.json()) as any).code];
  };
  const no = [403, "scope_missing"];
  for (const path of ["/orchestrate", "/execute/t-1", "/tasks/t-1/cancel", "/plan", "/signals", "/calls/run"])
    expect([path, await refused(read, "POST", path)]).toEqual([path, no]);
  expect(await refused(submit, "POST", `/approvals/${first.approval_id}/grant`)).toEqual(no);
  expect(await refused(submit, "POST", "/tasks/t-1/merge")).toEqual(no);
  expect(await refused(approve, "POST", "/agents")).toEqual(no);
  expect(await refused(approve, "DELETE", "/agents/Api")).toEqual(no);
  expect(await refused(approve, "POST", "/webhooks")).toEqual(no);
  expect((await service.call("/webhooks", { headers: read })).status).toBe(403);
  expect((await service.json("/tasks/t-1")).status).toBe("running");
  const granted = await service.json(
    `/approvals/${first.approval_id}/grant`,
    200,
    sending("POST", {}, approve),
  );
  expect(granted).toMatchObject({ state: "granted", decided_by: "test 3" });
});

describe("agents and conversations", () => {
  it("come, are talked with, and go", async () => {
    await using service = await callService();
    const agent = { name: "Review", skills: ["review"], allowed_paths: ["docs/reviews/**"] };
    expect(await post(service, "/agents", agent, 201)).toMatchObject({ ...agent, team: "Shop" });
    expect((await post(service, "/agents", agent, 400)).code).toBe("team_config");
    const found = await service.json("/agents?capability=review");
    expect(found.agents).toMatchObject([{ name: "Review", health: "healthy" }]);
    // Nobody has a key here: the answer says so.
    const said = await post(
      service,
      "/conversations",
      { agent: "Review", content: "Hello.", wait_ms: 30_000 },
      201,
    );
    expect(said).toMatchObject({ kind: "dialogue", agent: "Review", reply: { type: "error" } });
    const path = `/conversations/${said.conversation_id}/messages`;
    await post(service, path, { content: "Again.", wait_ms: 30_000 });
    const page = await service.json(`${path}?limit=3`);
    const rest = await service.json(`${path}?limit=3&cursor=${page.next_cursor}`);
    const contents = [...page.messages, ...rest.messages].filter(({ type }: any) => type !== "error");
    expect(contents.map(({ content }: any) => content)).toEqual(["Hello.", "Again."]);
    expect([page.messages.length, rest.messages.length, rest.next_cursor]).toEqual([3, 1, null]);
    const others = ["One", "Two"].map((content) => ({ agent: "Review", content, wait_ms: 30_000 }));
    for (const other of others) await post(service, "/conversations", other, 201);
    const first = await service.json("/conversations?limit=2");
    const second = await service.json(`/conversations?limit=2&cursor=${first.next_cursor}`);
    const ids = [...first.conversations, ...second.conversations].map((each: any) => each.conversation_id);
    expect([new Set(ids).size, ids.at(-1), second.next_cursor]).toEqual([3, said.conversation_id, null]);
    const remove = { method: "DELETE" };
    expect(await service.json(path.replace("/messages", ""), 200, remove)).toEqual({ deleted: true });
    expect((await service.json(path, 404)).code).toBe("recipient_unknown");
    expect(await service.json("/agents/Review?cancel=true", 200, remove)).toMatchObject({ changed: true });
    expect((await service.json("/agents?health=unavailable")).agents).toMatchObject([{ name: "Review" }]);
    expect((await post(service, "/conversations", { content: "Who?" }, 400)).fields).toMatchObject([
      { field: "agent" },
    ]);
  });
});

it("webhooks are added, tried and removed", async () => {
  await using receiver = await startReceiver();
  await using service = await callService({ env: { OXBOW_WEBHOOK_ALLOW_PRIVATE: "1" } });
  const { webhook, secret } = await post(service, "/webhooks", { url: receiver.url }, 201);
  expect([webhook.events, secret]).toEqual(["default", expect.stringMatching(/^whsec_/)]);
  const path = `/webhooks/${webhook.webhook_id}`;
  expect(await post(service, `${path}/test`)).toMatchObject({ ok: true, status: 204 });
  expect((await service.json("/webhooks")).webhooks).toMatchObject([{ webhook_id: webhook.webhook_id }]);
  expect((await service.json(`${path}/deliveries`)).next_cursor).toBeNull();
  expect(await post(service, `${path}/resume?skip=true`)).toMatchObject({ state: "active" });
  const wrong = await post(service, "/webhooks", { url: receiver.url, events: [], secret: "x" }, 400);
  expect(wrong.fields.map(({ field }: any) => field)).toEqual(["events", "secret"]);
  expect((await post(service, "/webhooks", { url: "https://169.254.169.254/" }, 400)).code).toBe(
    "webhook_refused",
  );
  expect(await service.json(path, 200, { method: "DELETE" })).toEqual({ removed: true });
  expect((await service.json(path, 404, { method: "DELETE" })).code).toBe("webhook_unknown");
});
