/** A service that listens, and callers that mean it no good or are cut off: it answers, stays, and ends in order. */
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { bodyOf, rawConnection } from "../support/raw-http.ts";
import { type ListeningService, SERVICE_TEAM, startService } from "../support/service.ts";

const QUICK = { headersMs: 100, requestMs: 150, lookMs: 10 };

/** What the bytes are answered with until the service closes the connection. */
async function answered(service: ListeningService, bytes: string | Uint8Array): Promise<string> {
  using raw = await rawConnection(service.port);
  raw.send(bytes);
  return await raw.closed;
}

const status = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
const lines = (service: ListeningService, ...more: readonly string[]) =>
  [...more, `Host: 127.0.0.1:${service.port}`, "Connection: close", "", ""].join("\r\n");

describe("requests that do not come in time", () => {
  it("end with a 408, whether headers or a body are missing", async () => {
    await using service = await startService({ limits: QUICK });
    const host = `Host: 127.0.0.1:${service.port}\r\n`;
    const half = await answered(service, `GET /version HTTP/1.1\r\n${host}X-Slow: `);
    expect([status(half), bodyOf(half).code]).toEqual([408, "request_timeout"]);
    const bodiless = `POST /tasks HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{`;
    const cut = await answered(service, bodiless);
    expect([status(cut), bodyOf(cut).code]).toEqual([408, "request_timeout"]);
  });

  it("that end in the middle leave nothing behind", async () => {
    await using service = await startService();
    using raw = await rawConnection(service.port);
    raw.send(`POST /tasks HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\nContent-Length: 99\r\n\r\n{`);
    raw.socket.destroy();
    await raw.closed;
    expect((await fetch(`${service.url}/version`)).status).toBe(200);
  });
});

describe("requests that are not what they should be", () => {
  it("may leave a body out, or be empty of it, where none is needed", async () => {
    await using service = await startService();
    for (const more of [[], ["Content-Length: 0"], ["Content-Type: application/json", "Content-Length: 0"]]) {
      const answer = await answered(service, lines(service, "POST /execute/nope HTTP/1.1", ...more));
      expect([status(answer), bodyOf(answer).code]).toEqual([404, "task_unknown"]);
    }
  });

  it("are answered with what is wrong, each on its own connection", async () => {
    await using service = await startService();
    const get = (path: string, ...more: readonly string[]) =>
      answered(service, lines(service, `GET ${path} HTTP/1.1`, ...more));
    for (const [bytes, code] of [
      ["\x16\x03\x01\x02\x00\x01", "request_invalid"],
      ["GET /version\r\n\r\n", "request_invalid"],
      ["GET /version HTTP/1.1\r\nConnection: close\r\n\r\n", "request_invalid"],
      ["GET /version HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", "request_invalid"],
      ["GET /version HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "origin_refused"],
    ] as const)
      expect(bodyOf(await answered(service, bytes))).toMatchObject({ code, hint: expect.any(String) });
    expect(bodyOf(await get("/version", "Host: 127.0.0.1"))).toMatchObject({ code: "host_malformed" });
    expect(status(await get("/version", `X-Large: ${"x".repeat(20_000)}`))).toBe(431);
    expect(status(await get("/tasks/%FF%C0/report"))).toBe(404);
    expect(status(await get("/tasks/%2e%2e%2f%00/report"))).toBe(400);
    expect(status(await get("http://evil.example/version"))).toBe(200);
    const upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Origin: https://evil.example"];
    expect(status(await get("/tasks", ...upgrade))).toBe(403);
    expect((await fetch(`${service.url}/version`)).status).toBe(200);
  });
});

describe("a body that is too large", () => {
  it("is refused by its length alone, and cut off where that was not said", async () => {
    await using service = await startService();
    const head = [
      "POST /tasks HTTP/1.1",
      `Host: 127.0.0.1:${service.port}`,
      "Content-Type: application/json",
    ];
    const long = await answered(service, [...head, "Content-Length: 4000000000", "", ""].join("\r\n"));
    expect([status(long), bodyOf(long).code]).toEqual([413, "request_too_large"]);
    using raw = await rawConnection(service.port);
    raw.send([...head, "Transfer-Encoding: chunked", "", ""].join("\r\n"));
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    for (let sent = 0; sent < 20; sent++) raw.send(chunk);
    expect(status(await raw.until('"request_too_large"'))).toBe(413);
    await raw.closed;
  });
});

it("more connections than there may be are dropped, the others served", async () => {
  await using service = await startService({ limits: { connections: 2 } });
  using first = await rawConnection(service.port);
  using _second = await rawConnection(service.port);
  using third = await rawConnection(service.port);
  expect(await third.closed).toBe("");
  first.send(lines(service, "GET /version HTTP/1.1"));
  expect(status(await first.closed)).toBe(200);
});

describe("when it is asked to stop", () => {
  /** A call that is under way, and what ends it. */
  function heldCall() {
    const called = Promise.withResolvers<void>();
    const release = Promise.withResolvers<Response>();
    const mount = () => {
      called.resolve();
      return release.promise;
    };
    return { mounts: { "/held": mount }, called: called.promise, release: release.resolve };
  }

  it("what is under way ends in peace, idle connections close, and nobody else comes in", async () => {
    const held = heldCall();
    await using service = await startService({ mounts: held.mounts });
    using idle = await rawConnection(service.port);
    idle.send(`GET /version HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\n\r\n`);
    await idle.until('"oxbow"');
    const answer = fetch(`${service.url}/held`);
    await held.called;
    const stopped = service.stop();
    await idle.closed;
    await expect(fetch(`${service.url}/version`)).rejects.toThrow();
    held.release(Response.json({ done: true }));
    const { status: code, headers } = await answer;
    expect([code, headers.get("connection")]).toEqual([200, "close"]);
    await stopped;
  });

  it("what takes longer than OXBOW_DRAIN_MS is cut", async () => {
    const held = heldCall();
    await using service = await startService({ mounts: held.mounts, env: { OXBOW_DRAIN_MS: "30" } });
    const answer = fetch(`${service.url}/held`).catch(() => "cut");
    await held.called;
    await service.stop();
    expect(await answer).toBe("cut");
    held.release(new Response());
  });
});

describe("the work beside serving", () => {
  it("goes on until it is stopped", async () => {
    await using service = await startService({ work: true, concurrency: 3 });
    expect(await service.app.workers()).toMatchObject([{ places: 3, agents: ["Lead", "Api", "Web"] }]);
    await service.stop();
    expect(await service.app.workers()).toEqual([]);
  });

  it("that breaks shows in /healthz, and what is kept can still be read", async () => {
    await using service = await startService({
      work: true,
      prepare: (app) =>
        Promise.resolve({
          ...app,
          async work(options) {
            const started = { event: "worker_started", worker_id: "w", team: "Shop", agents: [], places: 1 };
            options.onEvent?.(started as never);
            await Promise.reject(new Error("broken"));
          },
        }),
    });
    expect((await fetch(`${service.url}/healthz`)).status).toBe(503);
    expect((await fetch(`${service.url}/tasks`)).status).toBe(200);
  });

  it("that cannot begin is said before anything listens", async () => {
    const team = SERVICE_TEAM.replace("name: Api", "name: Web");
    await expect(startService({ team })).rejects.toMatchObject({ code: "team_file_invalid" });
    await expect(startService({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "token_required" });
    await using service = await startService();
    await expect(startService({ port: service.port })).rejects.toMatchObject({ code: "address_in_use" });
    await expect(startService({ host: "203.0.113.1", prepare: withToken })).rejects.toMatchObject({
      code: "setting_invalid",
    });
  });
});

it("the team is as its file says now; a file that became wrong leaves it as it was", async () => {
  await using service = await startService();
  const names = async () => {
    const answer: any = await (await fetch(`${service.url}/agents`)).json();
    return answer.agents.map((each: any) => each.name);
  };
  expect(await names()).toEqual(["Lead", "Api", "Web"]);
  service.shop.write("team.yaml", `${SERVICE_TEAM}  - name: Docs\n`);
  expect(await names()).toEqual(["Lead", "Api", "Web", "Docs"]);
  service.shop.write("team.yaml", "team: [");
  expect([await names(), await names()]).toEqual(Array(2).fill(["Lead", "Api", "Web", "Docs"]));
});

async function withToken(
  app: Parameters<NonNullable<Parameters<typeof startService>[0]>["prepare"] & {}>[0],
) {
  await app.createToken({ name: "ci", scopes: ["read"], lifeMs: null });
}

describe("/metrics", () => {
  const metrics = async (service: ListeningService, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${service.metricsPort}/metrics`, { headers });

  it("has a port of its own, and what Prometheus reads", async () => {
    await using service = await startService();
    const answer = await metrics(service);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await answer.text()).toMatch(/^agent_state\{agent="Api"\} 1$/m);
    expect((await fetch(`${service.url}/metrics`)).status).toBe(404);
    const foreign = await new Promise((resolve) => {
      const options = { port: service.metricsPort, path: "/metrics", headers: { host: "evil.example" } };
      request(options, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(foreign).toBe(403);
  });

  it("needs a token beyond this machine, unless it is open", async () => {
    await using service = await startService({ host: "0.0.0.0", prepare: withToken });
    expect((await metrics(service)).status).toBe(401);
    const { token } = await service.app.createToken({ name: "scraper", scopes: ["read"], lifeMs: null });
    expect((await metrics(service, { authorization: `Bearer ${token}` })).status).toBe(200);
    await using open = await startService({ host: "0.0.0.0", prepare: withToken, metricsOpen: true });
    expect((await metrics(open)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${open.port}/tasks`)).status).toBe(401);
  });
});
