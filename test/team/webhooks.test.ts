/** What receivers get, on a real store and over real connections, with a clock that the test moves. */
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_TRIES, secretForms } from "../../src/core/webhook-delivery.ts";
import { NO_USAGE } from "../../src/core/model.ts";
import type { WebhookEvents } from "../../src/core/webhook-events.ts";
import { createResolve, type Resolve } from "../../src/host/webhook-sender.ts";
import { createSecrets } from "../../src/secrets.ts";
import type { Store } from "../../src/store/contract.ts";
import {
  addCallback,
  addWebhook,
  listWebhooks,
  testWebhook,
  type WebhookDesk,
} from "../../src/team/webhook-list.ts";
import { createWebhookSender, deliverWebhooks, type WebhookRoom } from "../../src/team/webhooks.ts";
import { aTask, notice } from "../support/store-data.ts";
import { sqliteFile, type TestDatabase } from "../support/store-engines.ts";
import {
  isSigned,
  type Receiver,
  startReceiver,
  status,
  testCertificate,
} from "../support/webhook-receiver.ts";

const MINUTE = 60_000;

type Room = WebhookRoom & WebhookDesk;

describe("a webhook", () => {
  let database: TestDatabase;
  let store: Store;
  let receiver: Receiver;
  let problems: unknown[];
  const room = (over: Partial<Room> = {}): Room => {
    const secrets = createSecrets({});
    return {
      store,
      workerId: "me",
      workerIsDead: () => false,
      redact: secrets.redact,
      hide: (values) => secrets.know(secretForms(values)),
      resolve: createResolve(),
      allowPrivate: true,
      tryMs: 10_000,
      now: () => database.clock.now,
      random: () => 0,
      problem: (error) => void problems.push(error),
      ...over,
    };
  };
  beforeEach(async () => {
    [database, receiver, problems] = [await sqliteFile(), await startReceiver(), []];
    store = await database.open();
  });
  afterEach(async () => {
    await receiver[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    expect(problems).toEqual([]);
  });

  const add = async (events: WebhookEvents = "all", url = receiver.url) =>
    (await addWebhook(room(), { url, events, secret: null })).webhook.webhook_id;
  const told = (...words: string[]) => store.append(words.map((word) => notice("t", word)));
  const heard = (from = receiver) => from.received.map(({ body }) => body["message"] ?? body["event"]);
  /** One look of one process, until all it began has ended. */
  const send = async (over: Partial<Room> = {}) => {
    const sender = createWebhookSender(room(over));
    await sender.look();
    await sender.settled();
  };
  const one = async (id: string) => {
    const found = (await listWebhooks(room(), true)).find((each) => each.webhook_id === id);
    if (!found) throw new Error(`no webhook ${id}`);
    return found;
  };
  const later = async (ms: number) => {
    database.clock.now += ms;
    await send();
  };

  it("gets what it asked for, in order, signed by its secret", async () => {
    const { webhook, secret } = await addWebhook(room(), {
      url: receiver.url,
      events: ["notice", "task_finished"],
      secret: null,
    });
    const [first] = await told("one", "two");
    await store.append([
      { event: "task_resumed", task_id: "t" },
      { event: "task_finished", task_id: "t", state: "completed" },
    ]);
    await send();
    expect(heard()).toEqual(["one", "two", "task_finished"]);
    expect(receiver.received[0]?.body).toEqual(first);
    expect(receiver.received[0]?.headers).toMatchObject({
      "content-type": "application/json",
      "webhook-id": `evt_${(await store.webhooks.storeId()).replace("store_", "")}_${first?.id}`,
      "webhook-timestamp": String(Math.floor(database.clock.now / 1000)),
    });
    for (const each of receiver.received) {
      expect(await isSigned(each, secret ?? "")).toBe(true);
      expect(await isSigned({ ...each, text: `${each.text} ` }, secret ?? "")).toBe(false);
    }
    expect(await one(webhook.webhook_id)).toMatchObject({
      delivered: 3,
      waiting: 0,
      url: expect.not.stringContaining("in"),
    });
    await send();
    expect(receiver.received).toHaveLength(3);
  });

  it("is told of a check that failed, by default, and not of one that went well", async () => {
    await add("default");
    const verification = { target: "i", commit: "c", tree: "t", runs: [], branches: [] };
    for (const ok of [true, false])
      await store.append([
        { event: "verify_finished", task_id: "t", verification: { ...verification, ok } },
        {
          event: "turn",
          task_id: "t",
          turn: 1,
          usage: NO_USAGE,
        },
      ]);
    await send();
    expect(receiver.received.map(({ body }) => [body["event"], body["verification"].ok])).toEqual([
      ["verify_finished", false],
    ]);
  });

  it("gets the same id again until it takes it, later and later; what comes after waits", async () => {
    const id = await add();
    await told("one", "two");
    receiver.answers.push(status(500), status(503, { "retry-after": "600" }), (response) =>
      response.destroy(),
    );
    await send();
    await send();
    expect(await one(id)).toMatchObject({
      failed_tries: 1,
      waiting: 2,
      last_status: 500,
      last_error: "status",
    });
    await later(5_000);
    await later(9 * MINUTE);
    expect(receiver.received).toHaveLength(2);
    await later(MINUTE);
    expect(await one(id)).toMatchObject({ failed_tries: 3, last_status: null, last_error: "ECONNRESET" });
    await later(5 * MINUTE);
    expect(heard()).toEqual(["one", "one", "one", "one", "two"]);
    expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
    expect(await one(id)).toMatchObject({ failed_tries: 0, failing_since: null, delivered: 2 });
  });

  it("is not led elsewhere", async () => {
    await using elsewhere = await startReceiver();
    const id = await add();
    await told("one");
    receiver.answers.push(status(307, { location: elsewhere.url }));
    await send();
    expect(elsewhere.received).toEqual([]);
    expect(await one(id)).toMatchObject({ failed_tries: 1, last_status: 307, last_error: "redirect" });
  });

  it("that answers 410 gets nothing more, and the task says so", async () => {
    const id = await add();
    await told("one", "two");
    receiver.answers.push(status(410));
    await send();
    await later(60 * MINUTE);
    expect(await one(id)).toMatchObject({ state: "disabled", waiting: 3 });
    expect((await store.events("t", null, 10)).at(-1)).toMatchObject({ code: "webhook_disabled" });
    expect(receiver.received).toHaveLength(1);
  });

  it("that fails for hours is paused, with a notice, and goes on where it stopped", async () => {
    const id = await add(["notice"]);
    await told("one");
    receiver.answers.push(...Array.from({ length: MAX_TRIES }, () => status(500)));
    for (let i = 0; i < MAX_TRIES + 3; i++) await later(5 * 60 * MINUTE);
    expect(receiver.received).toHaveLength(MAX_TRIES);
    expect(await one(id)).toMatchObject({ state: "paused", failed_tries: MAX_TRIES });
    const [, told2] = await store.events("t", null, 10);
    expect(told2).toMatchObject({
      event: "notice",
      code: "webhook_paused",
      message: expect.stringContaining(id),
    });
    await store.webhooks.resume(id, { skip: false });
    await send();
    expect(heard().slice(MAX_TRIES)).toEqual(["one", told2?.event === "notice" ? told2.message : ""]);
  });

  it("that hangs, drips or floods holds up nobody else and is no burden", async () => {
    await using other = await startReceiver();
    const hanging = await add("all");
    await add("all", other.url);
    await told("one");
    receiver.answers.push(() => undefined);
    const sender = createWebhookSender(room({ tryMs: 300 }));
    await sender.look();
    await other.count(1);
    await sender.settled();
    expect(await one(hanging)).toMatchObject({ failed_tries: 1, last_error: "timed_out" });
    receiver.answers.push((response) => {
      const flood = () => {
        while (response.write("x".repeat(65_536)));
        response.once("drain", flood);
      };
      flood();
    });
    await later(MINUTE);
    expect(await one(hanging)).toMatchObject({ failed_tries: 0, delivered: 1 });
    await told("two");
    receiver.answers.push((response) => void response.writeHead(200, { "content-length": "10" }).write("x"));
    await send({ tryMs: 300 });
    expect(await one(hanging)).toMatchObject({ failed_tries: 0, delivered: 2 });
    receiver.answers.push((response) => void response.socket?.end("220 mail.example.com ESMTP\r\n"));
    await told("three");
    await send();
    expect(await one(hanging)).toMatchObject({ last_error: "HPE_INVALID_CONSTANT" });
  });

  it("is sent for by one of two processes: nothing is missing, nothing twice", async () => {
    await add();
    const second = await database.open();
    const stop = new AbortController();
    const running = [
      deliverWebhooks(room(), stop.signal),
      deliverWebhooks(room({ store: second, workerId: "other" }), stop.signal),
    ];
    const words = Array.from({ length: 60 }, (_, n) => `${n}`);
    for (const word of words) await (Number(word) % 2 === 0 ? store : second).append([notice("t", word)]);
    await receiver.count(words.length);
    stop.abort();
    await Promise.all(running);
    expect(heard()).toEqual(words);
  });

  it("gets what was written while it was sent for, before that ends", async () => {
    await add();
    await told("one");
    const sender = createWebhookSender(room());
    receiver.answers.push((response) => {
      void told("two")
        .then(() => sender.look())
        .then(() => status(204)(response));
    });
    await sender.look();
    await sender.settled();
    expect(heard()).toEqual(["one", "two"]);
  });

  it("that is removed while it fails gets nothing more", async () => {
    const id = await add();
    await told("one");
    receiver.answers.push((response) => void store.webhooks.remove(id).then(() => status(500)(response)));
    await send();
    await later(MINUTE);
    expect([receiver.received.length, await listWebhooks(room(), true)]).toEqual([1, []]);
  });

  it("gets an event again when it was broken off, under the same id", async () => {
    await add();
    await told("one");
    receiver.answers.push(() => undefined);
    const sender = createWebhookSender(room());
    await sender.look();
    await receiver.count(1);
    await sender.leave();
    await send({ workerId: "next" });
    expect(heard()).toEqual(["one", "one"]);
    const [first, again] = receiver.received;
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  });

  it("is taken over at once from a process that died", async () => {
    const id = await add();
    await told("one");
    await store.webhooks.take(id, "dead", 600_000);
    await send();
    expect(receiver.received).toHaveLength(0);
    const sender = createWebhookSender(room({ workerIsDead: (worker) => worker === "dead" }));
    await sender.look();
    await sender.look();
    await sender.settled();
    expect(heard()).toEqual(["one"]);
  });

  it("never leads to this machine or a private network, whatever a name says later", async () => {
    const answers = [["93.184.215.14"], ["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], []];
    const resolve: Resolve = () => Promise.resolve(answers.shift() ?? []);
    const strict = { allowPrivate: false, resolve };
    const url = `https://rebound.example.com:${receiver.port}/in`;
    const { webhook } = await addWebhook(room(strict), { url, events: "all", secret: null });
    await told("one");
    for (const code of ["loopback", "private", "no_address"]) {
      await send(strict);
      expect(await one(webhook.webhook_id)).toMatchObject({ last_error: code, last_status: null });
      database.clock.now += 60 * MINUTE;
    }
    expect(receiver.received).toEqual([]);
    const add = (to: string, over = {}) => addWebhook(room(over), { url: to, events: "all", secret: null });
    await expect(add(receiver.url, { allowPrivate: false })).rejects.toMatchObject({
      code: "webhook_refused",
      details: { code: "not_https" },
    });
    for (const bad of ["https://127.0.0.1/", "https://a:b@example.com/", "https://[::ffff:10.0.0.1]/", "x"])
      await expect(add(bad, { allowPrivate: false })).rejects.toMatchObject({ code: "webhook_refused" });
    await expect(add("http://169.254.169.254:8080/")).rejects.toMatchObject({
      details: { code: "metadata" },
    });
    await expect(add("http://10.0.0.1:8080/")).rejects.toMatchObject({ details: { code: "not_https" } });
  });

  it("goes to the address that was judged, by https, under the name in the URL", async () => {
    await using secure = await startReceiver({ secure: true });
    const resolve: Resolve = () => Promise.resolve(["127.0.0.1"]);
    const before = getCACertificates("default");
    const { webhook, secret } = await addWebhook(room({ resolve }), {
      url: secure.url,
      events: "all",
      secret: null,
    });
    await told("one");
    await send({ resolve });
    expect(await one(webhook.webhook_id)).toMatchObject({ last_error: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    setDefaultCACertificates([...before, testCertificate()]);
    try {
      database.clock.now += MINUTE;
      await send({ resolve });
      const other = secure.url.replace("hooks.", "other.");
      const wrong = await addWebhook(room({ resolve }), { url: other, events: "all", secret: null });
      const tested = await testWebhook(
        room({ resolve }),
        wrong.webhook.webhook_id,
        new AbortController().signal,
      );
      expect(tested).toMatchObject({ ok: false, error: "ERR_TLS_CERT_ALTNAME_INVALID" });
    } finally {
      setDefaultCACertificates(before);
    }
    const [got] = secure.received;
    expect([got?.path, got?.headers["host"]]).toEqual(["/in", `hooks.example.com:${secure.port}`]);
    expect(got && (await isSigned(got, secret ?? ""))).toBe(true);
  });

  it("of a task gets all of its events, also those before it was added, and no other's", async () => {
    await expect(addCallback(room(), "t", receiver.url, "all")).rejects.toMatchObject({
      code: "task_unknown",
    });
    await store.submit(aTask("t"), [], []);
    await told("one");
    const added = await addCallback(room(), "t", receiver.url, ["notice"]);
    expect(await addCallback(room(), "t", receiver.url, "all")).toEqual(added);
    await expect(addCallback(room(), "t", `${receiver.url}/other`, "all")).rejects.toMatchObject({
      code: "task_conflict",
    });
    await store.append([notice("u", "not this"), notice("t", "two")]);
    await send();
    expect(heard()).toEqual(["one", "two"]);
    const [secret = ""] = await store.webhooks.secrets("callbacks");
    for (const each of receiver.received) expect(await isSigned(each, secret)).toBe(true);
  });

  it("is sent no secret, and no event that is too large", async () => {
    const { webhook, secret } = await addWebhook(room(), { url: receiver.url, events: "all", secret: null });
    const bare = secret?.replace("whsec_", "") ?? "";
    await told(`it is ${secret} or ${bare}`, "x".repeat(300_000));
    await send();
    const [first, second] = receiver.received;
    expect(first?.text).not.toContain(bare);
    expect(first?.body["message"]).toContain("[REDACTED]");
    expect(second?.body).toMatchObject({ event: "notice", task_id: "t", truncated: true });
    expect(second?.text.length).toBeLessThan(1_000);
    const { answer, ok } = await testWebhook(room(), webhook.webhook_id, new AbortController().signal);
    expect([ok, answer, receiver.received[2]?.body["event"]]).toEqual([true, "", "webhook_test"]);
  });
});
