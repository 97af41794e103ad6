/** The streams of a service that listens: WebSocket and server-sent events over the one event stream. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { OxbowEvent } from "../../src/core/events.ts";
import { STREAM_LIMITS, type StreamLimits } from "../../src/doors/http/stream-limits.ts";
import { sseBody } from "../../src/doors/http/stream-sse.ts";
import type { Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { rawConnection } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { aTask, notice, someChildren } from "../support/store-data.ts";
import { refusedUpgrade, socketClient, sseClient, subscriber } from "../support/stream-clients.ts";

type Options = NonNullable<Parameters<typeof startService>[0]>;

/** A service, and another process's place at its store; `limits` in place of some of the usual. */
async function streaming(limits: Partial<StreamLimits> = {}, options: Options = {}) {
  const service = await startService({ ...options, streams: { ...STREAM_LIMITS, ...limits } });
  const store = await openStore({ url: `sqlite:${join(service.shop.dir, ".git/oxbow/oxbow.db")}` });
  await store.submit(aTask("t1"), someChildren("t1", 1), [notice("t1", "first")]);
  return {
    service,
    store,
    url: service.url,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

async function kept(store: Store): Promise<readonly OxbowEvent[]> {
  return (await store.log.page({ taskId: null, names: null }, 0, 100_000)).events;
}
const idsOf = async (store: Store) => (await kept(store)).map(({ id }) => id);
const says = (words: string) => (came: any) => (came.event?.message ?? came.message) === words;
const isType = (type: string) => (came: any) => came.type === type;
const messages = (client: { all: readonly any[] }) =>
  client.all.flatMap((came) => came.event?.message ?? came.message ?? []);

describe("a stream", () => {
  it("gives every event once, in order, as the store has it, over both", async () => {
    await using on = await streaming();
    await using socket = await subscriber(on.url, { after: "0" });
    await using sse = await sseClient(`${on.url}/events?after=0`);
    for (let n = 0; n < 30; n++) await on.store.append([notice("t1", `${n}`), notice("t2", `${n}`)]);
    await on.store.append([notice("t1", "last")]);
    await Promise.all([socket.until(says("last")), sse.until(says("last"))]);
    const all = await kept(on.store);
    expect(all.length).toBeGreaterThan(61);
    expect(socket.ids()).toEqual(all.map(({ id }) => id));
    expect(sse.ids()).toEqual(all.map(({ id }) => id));
    expect(socket.all.filter(isType("event")).map(({ event }) => event)).toEqual(all);
    expect(sse.answer.headers.get("content-type")).toBe("text/event-stream");
  });

  it("goes on after any event, and begins at the present where none is named", async () => {
    await using on = await streaming();
    await on.store.append([notice("t1", "one"), notice("t1", "two"), notice("t1", "three")]);
    const [, one] = await kept(on.store);
    await using fresh = await subscriber(on.url);
    await using resumed = await subscriber(on.url, { after: one?.id });
    await using header = await sseClient(`${on.url}/events?after=0`, { "last-event-id": one?.id ?? "" });
    await on.store.append([notice("t1", "four")]);
    await Promise.all([fresh, resumed, header].map((client) => client.until(says("four"))));
    expect(messages(fresh)).toEqual(["four"]);
    expect(messages(resumed)).toEqual(["two", "three", "four"]);
    expect(messages(header)).toEqual(["two", "three", "four"]);
  });

  it("has only what is wanted: names, agent, task, ticket, conversation", async () => {
    await using on = await streaming();
    await on.store.submit(aTask("t2", { ticket: "146" }), someChildren("t2", 1), []);
    const about = { event: "notice", code: "x" } as const;
    await on.store.append([
      { ...about, task_id: "t1", source: "Api", message: "a" },
      { ...about, task_id: "t2", source: "Web", conversation_id: "c9", message: "b" },
      { event: "split", task_id: "t2", parent: null, children: [], topics: [] },
      { ...about, task_id: "t2", message: "c" },
    ]);
    const got = async (query: string) => {
      const client = await sseClient(`${on.url}/events?follow=0&${query}`);
      await client.ended;
      expect(client.all.at(-1)).toMatchObject({ type: "end", code: "caught_up" });
      return client.all.flatMap(({ type, message }) => (type === "notice" ? [message] : []));
    };
    expect(await got("event=notice")).toEqual(["first", "a", "b", "c"]);
    expect(await got("event=turn")).toEqual([]);
    expect(await got("agent=Api")).toEqual(["a"]);
    expect(await got("task_id=t2")).toEqual(["b", "c"]);
    expect(await got("ticket=146")).toEqual(["b", "c"]);
    expect(await got("conversation=c9&event=turn,notice")).toEqual(["b"]);
    await using socket = await subscriber(on.url, {
      after: "0",
      filters: { ticket: "146", event: "notice" },
    });
    await socket.until(isType("caught_up"));
    expect(messages(socket)).toEqual(["b", "c"]);
  });

  it("that cannot go on where it was says so", async () => {
    await using on = await streaming();
    for (const after of ["999999", "x", "-1"]) {
      const answer = await fetch(`${on.url}/events?after=${after}`);
      expect([answer.status, await answer.json()]).toEqual([
        410,
        expect.objectContaining({ code: "event_unknown" }),
      ]);
    }
    await using socket = await socketClient(on.url);
    socket.say({ type: "subscribe", after: "999999" });
    expect(await socket.until(isType("error"))).toMatchObject({ code: "event_unknown" });
    const answer = await fetch(`${on.url}/events?event=no_such_event`);
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({
        code: "request_invalid",
        fields: [{ field: "event", issue: expect.any(String) }],
      }),
    ]);
    expect((await fetch(`${on.url}/tasks/none/events`)).status).toBe(404);
    expect((await fetch(`${on.url}/events`, { method: "HEAD" })).status).toBe(200);
    const plain = await fetch(`${on.url}/ws`);
    expect([plain.status, plain.headers.get("upgrade")]).toEqual([426, "websocket"]);
  });

  it("of a task ends with it; an EventSource that comes back then stays away", async () => {
    await using on = await streaming();
    await using sse = await sseClient(`${on.url}/tasks/t1/events?event=notice`);
    await on.store.append([notice("t2", "of another"), notice("t1", "second")]);
    await sse.until(says("second"));
    await on.store.setTaskState("t1", "completed", [
      { event: "task_finished", task_id: "t1", state: "completed" },
    ]);
    await sse.ended;
    expect(messages(sse)).toEqual(["first", "second", "The task has ended."]);
    expect(sse.all.at(-1)).toMatchObject({ type: "end", code: "task_ended" });
    await using again = await sseClient(`${on.url}/tasks/t1/events`);
    await again.ended;
    expect(messages(again).slice(0, 2)).toEqual(["first", "second"]);
    const last = (await idsOf(on.store)).at(-1) ?? "";
    const answer = await fetch(`${on.url}/tasks/t1/events`, { headers: { "last-event-id": last } });
    expect(answer.status).toBe(204);
  });

  it("shows no secret", async () => {
    await using on = await streaming();
    const { token } = await on.service.app.createToken({ name: "ci", scopes: ["read"], lifeMs: null });
    await using socket = await subscriber(on.url);
    await using sse = await sseClient(`${on.url}/events`);
    const other = await openStore({ url: `sqlite:${join(on.service.shop.dir, ".git/oxbow/oxbow.db")}` });
    await other.append([notice("t1", `the token is ${token}`), notice("t1", "last")]);
    await Promise.all([socket.until(says("last")), sse.until(says("last"))]);
    expect(JSON.stringify([socket.all, sse.all])).not.toContain(token.slice(20));
    await other[Symbol.asyncDispose]();
  });
});

describe("many who read", () => {
  it("200 get all of it, and the store is read once for them", async () => {
    await using on = await streaming();
    const clients = await Promise.all(Array.from({ length: 200 }, () => subscriber(on.url)));
    for (let n = 0; n < 20; n++) await on.store.append([notice("t1", `${n}`)]);
    await on.store.append([notice("t1", "last")]);
    await Promise.all(clients.map((client) => client.until(says("last"))));
    const wanted = (await idsOf(on.store)).slice(-21);
    for (const client of clients) expect(client.ids()).toEqual(wanted);
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  });

  it("who does not take what is sent is cut with a reason, goes on later, and holds up nobody", async () => {
    const cuts = Promise.withResolvers<void>();
    let left = 2;
    const prepare: Options["prepare"] = async (app) => {
      const log = await app.log();
      const info: typeof log.info = (about, message) => {
        log.info(about, message);
        if (message === "stream_cut" && --left === 0) cuts.resolve();
      };
      return { ...app, log: () => Promise.resolve({ ...log, info }) };
    };
    await using on = await streaming({ slowMs: 100, graceMs: 60_000 }, { prepare });
    await using quick = await subscriber(on.url, { filters: { task_id: "t2" } });
    await using slow = await subscriber(on.url);
    slow.socket.pause();
    using raw = await rawConnection(on.service.port);
    raw.send(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${on.service.port}\r\n\r\n`);
    await raw.until("from here");
    raw.socket.pause();
    // More than the system keeps for a socket that is not read.
    const text = "x y ".repeat(25_000);
    for (let n = 0; n < 120; n++) await on.store.append([notice("t1", text)]);
    await on.store.append([notice("t2", "last")]);
    await Promise.all([quick.until(says("last")), cuts.promise]);
    slow.socket.resume();
    const { after } = await slow.until(isType("error"));
    expect(await slow.closed).toEqual({ code: 4008, reason: "slow_reader" });
    raw.socket.resume();
    const came = await raw.until('"slow_reader"');
    expect(came).toContain("event: cut\n");
    const all = (await idsOf(on.store)).slice(-121);
    expect(slow.ids()).toEqual(all.slice(0, slow.ids().length));
    expect(after).toBe(slow.ids().at(-1));
    await using again = await subscriber(on.url, { after });
    await again.until(says("last"));
    expect([...slow.ids(), ...again.ids()]).toEqual(all);
    const taken = [...came.matchAll(/^id: (\d+)\nevent:/gm)].map(([, id]) => id);
    expect(taken).toEqual(all.slice(0, taken.length));
  });
});

it("who goes away before the first word is let go of", async () => {
  let left = 0;
  const stream = {
    after: "0",
    over: false,
    items: () => [][Symbol.iterator]() as never,
    [Symbol.dispose]: () => void (left += 1),
  };
  const never = new AbortController().signal;
  const nothing = () => undefined;
  const body = sseBody(stream, {
    ...STREAM_LIMITS,
    stopping: never,
    mayStay: () => Promise.resolve(),
    slow: nothing,
    cut: nothing,
  });
  await body.cancel();
  expect(left).toBe(1);
});

describe("who may read", () => {
  it("is asked before the protocol changes, and answered as everywhere", async () => {
    const prepare: Options["prepare"] = async (app) => {
      await app.createToken({ name: "any", scopes: ["read"], lifeMs: null });
    };
    await using on = await streaming(
      {},
      { host: "0.0.0.0", allowOrigin: ["https://ui.example.com"], prepare },
    );
    const url = `http://127.0.0.1:${on.service.port}`;
    const make = async (name: string, scope: "read" | "submit") =>
      (await on.service.app.createToken({ name, scopes: [scope], lifeMs: null })).token;
    const [reader, writer] = [await make("reader", "read"), await make("writer", "submit")];
    const refused = async (headers: Record<string, string>, protocols: string[] = []) => {
      const { status, problem } = await refusedUpgrade(url, { headers, protocols });
      expect(problem).toMatchObject({ status, hint: expect.any(String), request_id: expect.any(String) });
      return [status, problem.code];
    };
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    expect(await refused({})).toEqual([401, "token_missing"]);
    expect(await refused(bearer(`${reader}x`))).toEqual([401, "token_rejected"]);
    expect(await refused(bearer(writer))).toEqual([403, "scope_missing"]);
    expect(await refused({ origin: "https://evil.example", ...bearer(reader) })).toEqual([
      403,
      "origin_refused",
    ]);
    expect(await refused({}, ["oxbow", `bearer.${writer}`])).toEqual([403, "scope_missing"]);
    await using header = await socketClient(url, { headers: bearer(reader) });
    expect(header.socket.protocol).toBe("");
    const origin = "https://ui.example.com";
    await using page = await socketClient(url, {
      headers: { origin },
      protocols: ["oxbow", `bearer.${reader}`],
    });
    expect(page.socket.protocol).toBe("oxbow");
    page.say({ type: "ping" });
    expect(await page.until(isType("pong"))).toEqual({ type: "pong", after: "0" });
    expect((await fetch(`${url}/events`)).status).toBe(401);
  });

  it("of pages of other sites and other names for this machine nobody", async () => {
    await using on = await streaming();
    const evil = await refusedUpgrade(on.url, { headers: { origin: "https://evil.example" } });
    const rebound = await refusedUpgrade(on.url, { headers: { host: "evil.example" } });
    expect([evil.status, rebound.status]).toEqual([403, 403]);
    const query = await refusedUpgrade(on.url, { headers: { "x-forwarded-for": "203.0.113.1" } });
    expect(query.problem).toMatchObject({ code: "token_missing" });
  });

  it("ends with the token", async () => {
    await using on = await streaming({ beatMs: 50 });
    const { token, token_id } = await on.service.app.createToken({
      name: "r",
      scopes: ["read"],
      lifeMs: null,
    });
    const headers = { authorization: `Bearer ${token}` };
    await using socket = await socketClient(on.url, { headers });
    await using sse = await sseClient(`${on.url}/events`, headers);
    await on.service.app.revokeToken(token_id);
    expect(await socket.until(isType("error"))).toMatchObject({ code: "token_rejected" });
    expect((await socket.closed).code).toBe(1008);
    expect(await sse.until(isType("cut"))).toMatchObject({ code: "token_rejected" });
  });
});

describe("what is not as it should be", () => {
  it("is answered a few times, then ends the connection", async () => {
    await using on = await streaming();
    await using socket = await socketClient(on.url);
    for (const message of ["{", { type: "shout" }, { type: "subscribe", filters: { event: "no_such" } }, "4"])
      socket.say(message);
    expect(await socket.closed).toEqual({ code: 1008, reason: "request_invalid" });
    expect(socket.all.map(({ type, code }) => [type, code])).toEqual(
      Array(4).fill(["error", "request_invalid"]),
    );
    expect(socket.all[2]).toMatchObject({ fields: [{ field: "filters.event" }] });
  });

  it("in its frames ends it at once: too large, no UTF-8, binary is only told", async () => {
    await using on = await streaming();
    await using large = await socketClient(on.url);
    large.say("x".repeat(65_537));
    expect((await large.closed).code).toBe(1009);
    await using garbled = await socketClient(on.url);
    garbled.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    expect((await garbled.closed).code).toBe(1007);
    await using binary = await socketClient(on.url);
    binary.socket.send(Buffer.from("{}"));
    expect(await binary.until(isType("error"))).toMatchObject({ code: "request_invalid" });
    expect((await fetch(`${on.url}/version`)).status).toBe(200);
  });

  it("a peer that is gone without a word is let go", async () => {
    await using on = await streaming({ beatMs: 30 });
    using raw = await rawConnection(on.service.port);
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const lines = ["GET /ws HTTP/1.1", `Host: 127.0.0.1:${on.service.port}`, "Connection: Upgrade"];
    const more = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`, "", ""];
    raw.send([...lines, ...more].join("\r\n"));
    expect(await raw.closed).toContain("101 Switching Protocols");
    using bad = await rawConnection(on.service.port);
    bad.send([...lines, "Upgrade: websocket", "Sec-WebSocket-Version: 7", "", ""].join("\r\n"));
    expect(await bad.closed).toMatch(/^HTTP\/1\.1 400 [^]*"request_invalid"/);
  });
});

it("a service that stops says so on every stream, and is gone", async () => {
  await using on = await streaming();
  await using socket = await subscriber(on.url);
  await using silent = await socketClient(on.url);
  await using sse = await sseClient(`${on.url}/events`);
  await on.service.stop();
  expect(await socket.until(isType("end"))).toMatchObject({ code: "service_stopping" });
  expect([await socket.closed, await silent.closed].map(({ code }) => code)).toEqual([1012, 1012]);
  await sse.ended;
  expect(sse.all.at(-1)).toMatchObject({ type: "end", code: "service_stopping" });
});
