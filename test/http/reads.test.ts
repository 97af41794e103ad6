/** What can be read over HTTP. */
import { describe, expect, it } from "vitest";
import { agentCards, isAlive } from "../../src/agent-cards.ts";
import type { App } from "../../src/app.ts";
import { keptAnswer } from "../../src/doors/http/health.ts";
import { callService } from "../support/service.ts";

const NEVER = new AbortController().signal;
const split = (app: App, ticket: string) =>
  app.split({ task: `Do ${ticket}`, ticket, children: [{ task: "A part", agent: "Api" }] }, NEVER);

describe("GET /agents", () => {
  it("says who can do what, by domain, capability and health", async () => {
    await using service = await callService();
    const names = async (query: string) =>
      (await service.json(`/agents${query}`)).agents.map((each: any) => each.name);
    expect(await names("")).toEqual(["Lead", "Api", "Web"]);
    expect(await names("?capability=typescript")).toEqual(["Api", "Web"]);
    expect(await names("?domain=Backend")).toEqual(["Api"]);
    expect(await names("?domain=backend&capability=css")).toEqual([]);
    expect(await names("?health=healthy&limit=200")).toEqual(["Lead", "Api", "Web"]);
    expect(await names("?health=unavailable")).toEqual([]);
    await split(service.app, "146");
    const { agents } = await service.json("/agents?domain=backend");
    expect(agents).toMatchObject([
      {
        name: "Api",
        skills: ["typescript", "rest"],
        domain: "backend",
        health: "healthy",
        state: "idle",
        load: { working: 0, open: 1 },
      },
    ]);
  });

  it("is healthy while at work, degraded after a crash, unavailable when it is not started any more", () => {
    const state = (value: string) => ({
      agent: "A",
      state: value as "idle",
      group: null,
      critical: true,
      working: 0,
      open: 0,
      crashes: 0,
      last_crash: null,
      reason: null,
    });
    const spec = { name: "A", team: "T", skills: [], responsibilities: [], allowedPaths: [], domain: null };
    const health = (value: string) =>
      agentCards([{ ...spec, runtime: "command", slaMs: 5 } as any], [state(value)])[0]?.health;
    const states = ["idle", "processing", "restarting", "failed", "terminated"];
    expect(states.map(health)).toEqual(["healthy", "healthy", "degraded", "unavailable", "unavailable"]);
    expect(states.map((each) => isAlive(state(each)))).toEqual([true, true, false, false, false]);
  });
});

describe("GET /tasks", () => {
  it("gives pages, the newest first, without gaps or doubles, also while tasks come", async () => {
    await using service = await callService();
    for (const n of [1, 2, 3, 4, 5]) await split(service.app, `of-${n}`);
    const first = await service.json("/tasks?limit=2");
    expect(first.tasks.map((each: any) => each.ticket)).toEqual(["of-5", "of-4"]);
    expect(first.tasks[0]).toMatchObject({ status: "running", team: "Shop", base_ref: "main" });
    await split(service.app, "of-6");
    const second = await service.json(`/tasks?limit=2&cursor=${first.next_cursor}`);
    const third = await service.json(`/tasks?limit=2&cursor=${second.next_cursor}`);
    const rest = [...second.tasks, ...third.tasks].map((each: any) => each.ticket);
    expect([rest, third.next_cursor]).toEqual([["of-3", "of-2", "of-1"], null]);
    expect((await service.json("/tasks?ticket=of-3")).tasks).toHaveLength(1);
    expect((await service.json("/tasks?state=completed")).tasks).toEqual([]);
  });

  it("names what is wrong in a query", async () => {
    await using service = await callService();
    const fields = async (query: string) => (await service.json(`/tasks?${query}`, 400)).fields;
    expect(await fields("limit=0&state=done")).toMatchObject([{ field: "limit" }, { field: "state" }]);
    for (const cursor of ["x", "W10", Buffer.from('["a"]').toString("base64url")])
      expect(await fields(`cursor=${cursor}`)).toMatchObject([{ field: "cursor" }]);
  });
});

describe("GET /tasks/{task_id}", () => {
  it("is the task as the seed's sample shows it, and what the description says it is", async () => {
    await using service = await callService();
    await service.app.orchestrate({
      task_id: "feature-1087",
      title: "Implement invoice PDF export",
      description: "Add the export to src/api/users.js, and a button to src/web/page.js.",
      priority: "high",
      metadata: { requester: "product-management", due_date: "2999-11-22" },
    });
    const task = await service.json("/tasks/feature-1087");
    expect(task).toMatchObject({
      task_id: "feature-1087",
      status: "planned",
      subtasks: [
        { subtask_id: "Api::feature-1087::1", agent: "Api", state: "planned" },
        { subtask_id: "Web::feature-1087::1", agent: "Web", state: "planned" },
      ],
      metrics: { elapsed_seconds: expect.any(Number), on_time: true },
    });
    const { components } = await service.json("/openapi.json");
    expect(Object.keys(task).sort()).toEqual(Object.keys(components.schemas.Task.properties).sort());
    // A branch without a pull request is none the less one.
    expect(components.schemas.TaskSubtask.properties.outputs.required).toEqual(["branch", "commit"]);
    expect(await service.json("/tasks/none", 404)).toMatchObject({ code: "task_unknown" });
  });
});

describe("GET /tasks/{task_id}/report", () => {
  it("is data, a page or Markdown, as the caller asks", async () => {
    await using service = await callService();
    await split(service.app, "146");
    const report = async (query: string, accept = "*/*") =>
      service.call(`/tasks/146/report${query}`, { headers: { accept } });
    const json = await report("");
    expect(await json.json()).toMatchObject({ ticket: "146" });
    for (const [query, accept, type, begins] of [
      ["", "text/html,application/xhtml+xml;q=0.9", "text/html; charset=UTF-8", "<!doctype html>"],
      ["?format=html", "application/json", "text/html; charset=UTF-8", "<!doctype html>"],
      ["", "text/markdown, text/html;q=0.5", "text/markdown; charset=UTF-8", "#"],
    ] as const) {
      const answer = await report(query, accept);
      expect(answer.headers.get("content-type")).toBe(type);
      expect((await answer.text()).toLowerCase().startsWith(begins)).toBe(true);
      if (type.startsWith("text/html"))
        expect(answer.headers.get("content-security-policy")).toContain("sandbox");
    }
    expect(await service.json("/tasks/146/report?format=pdf", 400)).toMatchObject({
      fields: [{ field: "format" }],
    });
    expect((await report("", "image/png")).status).toBe(406);
    expect(await service.json("/tasks/none/report", 404)).toMatchObject({ code: "task_unknown" });
  });
});

it("GET /approvals gives what waits for a person, in pages", async () => {
  await using service = await callService();
  expect(await service.json("/approvals")).toEqual({ approvals: [], next_cursor: null, alerts: [] });
  expect(await service.json("/approvals?all=true&task_id=t")).toMatchObject({ approvals: [] });
  expect(await service.json("/approvals?all=yes", 400)).toMatchObject({ fields: [{ field: "all" }] });
});

describe("the description of the routes", () => {
  it("is OpenAPI 3.1 with every route, its scope, and the problem it may answer", async () => {
    await using service = await callService();
    const document = await service.json("/openapi.json");
    expect(document).toMatchObject({ openapi: "3.1.0", info: { title: "Oxbow", version: "1.2.3" } });
    const routes = Object.entries<any>(document.paths).flatMap(([path, item]) =>
      Object.entries<any>(item).map(([method, operation]) => ({ path, method, ...operation })),
    );
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual(
      expect.arrayContaining(["get /tasks", "get /agents", "get /approvals", "get /healthz"]),
    );
    for (const { path, summary, security, responses, tags } of routes) {
      expect([path, summary, tags.length]).toEqual([path, expect.stringMatching(/\.$/), 1]);
      if (path === "/healthz") continue;
      expect(security).toEqual([{ token: [expect.any(String)] }]);
      expect(Object.keys(responses.default.content)).toEqual(["application/problem+json"]);
    }
    const refs = JSON.stringify(document).match(/"#\/components\/schemas\/\w+"/g) ?? [];
    for (const ref of refs)
      expect(Object.keys(document.components.schemas)).toContain(ref.slice(1, -1).split("/").at(-1));
  });

  it("is a page that needs nothing from elsewhere, and may run nothing", async () => {
    await using service = await callService();
    const answer = await service.call("/docs", { headers: { accept: "text/html" } });
    const page = await answer.text();
    expect(page).toContain("<code>/tasks/{task_id}/report</code>");
    expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|src=|https?:\/\//i);
    expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-/);
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${target}"`);
  });
});

describe("GET /healthz", () => {
  it("is ok or unavailable, and nothing else", async () => {
    await using well = await callService();
    const answer = await well.call("/healthz");
    expect([answer.status, await answer.text()]).toEqual([200, "ok"]);
    await using ill = await callService({ isHealthy: () => Promise.resolve(false) });
    const other = await ill.call("/healthz");
    expect([other.status, await other.text()]).toEqual([503, "unavailable"]);
  });

  it("looks once for many who ask, again later, and takes a failed look for a no", async () => {
    let looks = 0;
    const kept = keptAnswer(() => Promise.resolve((looks += 1) > 0), 60_000);
    expect(await Promise.all([kept(), kept(), kept()])).toEqual([true, true, true]);
    expect(looks).toBe(1);
    const fresh = keptAnswer(() => Promise.reject(new Error(`look ${++looks}`)), 0);
    expect([await fresh(), await fresh(), looks]).toEqual([false, false, 3]);
  });
});

it("GET /version says which Oxbow this is", async () => {
  await using service = await callService();
  expect(await service.json("/version")).toEqual({ name: "oxbow", version: "1.2.3", api: "1" });
});
