/** Who may come in, and what those who may not are told. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { refuseUnguarded } from "../../src/doors/http/gate.ts";
import { callService } from "../support/service.ts";

const FAR = { bind: "0.0.0.0" };

describe("on this machine", () => {
  it("nobody needs a token; one that is given must be right, and limits what may be done", async () => {
    await using service = await callService();
    await service.json("/tasks");
    await service.json("/tasks", 200, { headers: await service.token("read") });
    await service.json("/tasks", 200, { headers: await service.token("admin") });
    expect(
      await service.json("/tasks", 403, { headers: await service.token("submit", "approve") }),
    ).toMatchObject({ code: "scope_missing", detail: expect.stringContaining("read") });
    for (const authorization of ["Bearer oxb_0123456789_x", "Basic YTpi", "Bearer", "x".repeat(600)]) {
      const answer = await service.call("/tasks", { headers: { authorization } });
      expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="oxbow"']);
      expect(await answer.json()).toMatchObject({ code: "token_rejected" });
    }
  });

  it("what something has passed on needs one, and --require-token asks everybody", async () => {
    await using service = await callService();
    const forwarded = { "x-forwarded-for": "203.0.113.7" };
    expect(await service.json("/tasks", 401, { headers: forwarded })).toMatchObject({
      code: "token_missing",
    });
    await service.json("/tasks", 200, { headers: { ...forwarded, ...(await service.token("read")) } });
    await using strict = await callService({ requireToken: true });
    expect(await strict.json("/tasks", 401)).toMatchObject({ code: "token_missing" });
    expect((await strict.call("/healthz")).status).toBe(200);
  });

  it("a page of another site, or a name that was made to lead here, is refused before anything else", async () => {
    await using service = await callService();
    for (const headers of [
      { host: "evil.example" },
      { host: "127.0.0.1:9999" },
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "https://evil.example", authorization: "Bearer wrong" },
    ])
      expect(await service.json("/tasks", 403, { headers })).toMatchObject({ code: "origin_refused" });
    expect((await service.call("/healthz", { headers: { host: "evil.example" } })).status).toBe(403);
    expect(await service.json("/tasks", 400, { headers: { host: "a b" } })).toMatchObject({
      code: "host_malformed",
    });
    await service.json("/tasks", 200, { headers: { origin: "http://127.0.0.1:8000" } });
  });
});

describe("beyond this machine", () => {
  it("only /healthz answers without a token", async () => {
    await using service = await callService(FAR);
    expect((await service.call("/healthz")).status).toBe(200);
    for (const path of ["/tasks", "/agents", "/openapi.json", "/docs", "/version", "/nowhere"])
      expect(await service.json(path, 401)).toMatchObject({ code: "token_missing" });
    await service.json("/tasks", 200, { headers: await service.token("read") });
    expect((await service.call("/tasks?token=oxb_1")).status).toBe(401);
  });

  it("a token opens nothing once it is revoked or its time is up", async () => {
    await using service = await callService(FAR);
    const { token, token_id } = await service.app.createToken({ name: "ci", scopes: ["read"], lifeMs: null });
    const short = await service.app.createToken({ name: "short", scopes: ["read"], lifeMs: 0 });
    const status = async (given: string) =>
      (await service.call("/tasks", { headers: { authorization: `Bearer ${given}` } })).status;
    expect([await status(token), await status(short.token)]).toEqual([200, 401]);
    const listed = (await service.app.tokens()).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expect(listed).toMatchObject([
      { name: "ci", last_used_at: expect.any(Number) },
      { name: "short", last_used_at: null },
    ]);
    const forged = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
    expect(await status(forged)).toBe(401);
    await service.app.revokeToken(token_id);
    expect(await status(token)).toBe(401);
  });

  it("nothing is opened while there is no token", async () => {
    await using service = await callService();
    const { app } = service;
    const open = { bind: "0.0.0.0", requireToken: false };
    await expect(refuseUnguarded(app, open)).rejects.toMatchObject({ code: "token_required" });
    await app.createToken({ name: "over", scopes: ["read"], lifeMs: 0 });
    await expect(refuseUnguarded(app, open)).rejects.toMatchObject({ code: "token_required" });
    const here = { bind: "localhost", requireToken: true };
    await expect(refuseUnguarded(app, here)).rejects.toMatchObject({ code: "token_required" });
    await refuseUnguarded(app, { bind: "::1", requireToken: false });
    await app.createToken({ name: "ci", scopes: ["read"], lifeMs: null });
    await refuseUnguarded(app, open);
  });
});

describe("pages of sites on the list", () => {
  const UI = "https://ui.example.com";

  it("may call and read what is answered, refusals too; others may not", async () => {
    await using service = await callService({ allowedOrigins: [`${UI}/`] });
    const call = (path: string, origin: string) => service.call(path, { headers: { origin } });
    const good = await call("/tasks", UI);
    expect([good.status, good.headers.get("access-control-allow-origin"), good.headers.get("vary")]).toEqual([
      200,
      UI,
      "Origin",
    ]);
    const missing = await call("/tasks/none/report", UI);
    expect([missing.status, missing.headers.get("access-control-allow-origin")]).toEqual([404, UI]);
    const other = await call("/tasks", "https://other.example");
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  });

  it("ask first, without a token", async () => {
    await using service = await callService({ ...FAR, allowedOrigins: [UI] });
    const headers = { origin: UI, "access-control-request-method": "POST" };
    const answer = await service.call("/tasks", { method: "OPTIONS", headers });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-headers")).toContain("Authorization");
    const other = { ...headers, origin: "https://other.example" };
    expect((await service.call("/tasks", { method: "OPTIONS", headers: other })).status).toBe(403);
    expect((await service.call("/tasks", { headers: { origin: UI } })).status).toBe(401);
  });
});

describe("every answer", () => {
  it("has a request id: the caller's where it is a plain one; the log has it too", async () => {
    await using service = await callService();
    const id = async (given?: string) => {
      const headers = given === undefined ? {} : { "x-request-id": given };
      return (await service.call("/nowhere", { headers })).headers.get("x-request-id");
    };
    expect(await id("trace-1.2:3")).toBe("trace-1.2:3");
    expect(await id()).toMatch(/^[0-9a-f-]{36}$/);
    expect(await id("a b")).toMatch(/^[0-9a-f-]{36}$/);
    const problem = await service.json("/nowhere", 404, { headers: { "x-request-id": "abc" } });
    expect(problem).toMatchObject({ code: "route_unknown", request_id: "abc", status: 404 });
    await service.app.close();
    const log = readFileSync(join(service.shop.dir, ".git/oxbow/logs/orchestrator.log"), "utf8");
    expect(log).toContain('"request_id":"trace-1.2:3"');
  });

  it("shows no token, wherever somebody wrote it", async () => {
    await using service = await callService();
    const { token } = await service.app.createToken({ name: "ci", scopes: ["read"], lifeMs: null });
    const told = JSON.stringify([
      await service.json(`/${token}`, 404),
      await service.json(`/tasks/${token}/report`, 404),
      await service.json(`/tasks?state=${token}`, 400),
    ]);
    await service.app.close();
    const log = readFileSync(join(service.shop.dir, ".git/oxbow/logs/orchestrator.log"), "utf8");
    expect(log).toContain("route_unknown");
    expect(told + log).not.toContain(token.slice(20));
  });

  it("tells which methods a path takes", async () => {
    await using service = await callService();
    const answer = await service.call("/tasks", { method: "DELETE" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    const options = await service.call("/tasks/x/report", { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
    const head = await service.call("/tasks", { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("says of a defect only where to look", async () => {
    await using service = await callService({ isHealthy: () => Promise.reject(new Error("secret words")) });
    const answer = await service.json("/healthz", 500);
    expect(answer).toMatchObject({ code: "internal", status: 500 });
    expect(JSON.stringify(answer)).not.toContain("secret words");
  });
});

describe("a body", () => {
  const post = (body: string | Uint8Array<ArrayBuffer>, type = "application/json") => ({
    method: "POST",
    body,
    headers: { "content-type": type },
  });

  it("is UTF-8, JSON, of a sane depth, and small", async () => {
    await using service = await callService();
    const refused = async (init: ReturnType<typeof post>, status: number) =>
      (await service.json("/tasks", status, init)).code;
    expect(await refused(post("{"), 400)).toBe("request_invalid");
    expect(await refused(post(new Uint8Array([0x22, 0xff, 0x22])), 400)).toBe("request_invalid");
    expect(await refused(post("[".repeat(65) + "]".repeat(65)), 400)).toBe("request_invalid");
    expect(await refused(post("a=1", "application/x-www-form-urlencoded"), 415)).toBe(
      "media_type_unsupported",
    );
    expect(await refused(post(`"${"x".repeat(1_048_576)}"`), 413)).toBe("request_too_large");
    expect(await refused(post('{"in a string":"[[[["}'), 405)).toBe("method_not_allowed");
  });

  it("goes as it is to a door that is mounted, with who calls", async () => {
    const calls: unknown[] = [];
    await using service = await callService({
      mounts: {
        "/mcp": async (request, { name }) => {
          calls.push([request.method, await request.text(), request.headers.get("content-type"), name]);
          return Response.json({ ok: true });
        },
      },
    });
    const answer = await service.call("/mcp", post("not JSON", "text/plain"));
    expect([answer.status, answer.headers.get("x-content-type-options")]).toEqual([200, "nosniff"]);
    await service.call("/mcp");
    expect(calls).toEqual([
      ["POST", "not JSON", "text/plain", "local"],
      ["GET", "", null, "local"],
    ]);
  });
});
