/** Webhooks as a person meets them: the commands, runs that send, and a process that dies between sending and noting it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openApp } from "../../src/app.ts";
import { errorOf, oxbow, plainEnvironment, reportOf } from "../support/cli.ts";
import { makeShop, type Shop } from "../support/shop.ts";
import { isSigned, type Receiver, startReceiver, status } from "../support/webhook-receiver.ts";

const ALLOWED = { OXBOW_WEBHOOK_ALLOW_PRIVATE: "1", TERMINAL_SANDBOX: "off", OXBOW_LOG_LEVEL: "silent" };
/** A proxy that is not there: nothing is sent by it. */
const PROXY = {
  NODE_USE_ENV_PROXY: "1",
  HTTP_PROXY: "http://127.0.0.1:1",
  HTTPS_PROXY: "http://127.0.0.1:1",
};
const TIDY = ["run", "Tidy", "--by", "owner", "--runtime", "command", "--command", "true", "--json"];

describe("oxbow webhook", () => {
  let shop: Shop;
  let receiver: Receiver;
  beforeEach(async () => {
    [shop, receiver] = [makeShop(), await startReceiver()];
  });
  afterEach(async () => {
    await receiver[Symbol.asyncDispose]();
    shop[Symbol.dispose]();
  });
  const cli = (...args: string[]) => oxbow(args, { cwd: shop.dir, env: { ...ALLOWED, ...PROXY } });
  const app = () => openApp({ repo: shop.dir, env: plainEnvironment(ALLOWED) });

  it("is added, listed, tried and removed; its secret is shown once", async () => {
    const refused = await oxbow(["webhook", "add", receiver.url, "--json"], { cwd: shop.dir });
    expect([refused.code, errorOf(refused)]).toMatchObject([2, { code: "webhook_refused" }]);
    const wrong = await cli("webhook", "add", receiver.url, "--events", "task_finishd", "--json");
    expect([wrong.code, errorOf(wrong).message]).toEqual([2, expect.stringContaining("task_finished")]);
    const added = await cli("webhook", "add", receiver.url, "--events", "task_finished,alert");
    const [, id = ""] =
      /^Added (wh_\w+): task_finished,alert to http:\/\/127\.0\.0\.1:\d+\/…, /.exec(added.stdout) ?? [];
    const [, secret = ""] = /shown this once: (whsec_\S+)/.exec(added.stdout) ?? [];
    const tested = await cli("webhook", "test", id);
    expect([tested.code, tested.stdout]).toEqual([0, expect.stringMatching(/^Taken: 204, /)]);
    const [test] = receiver.received;
    expect([test?.body["event"], test && (await isSigned(test, secret))]).toEqual(["webhook_test", true]);
    receiver.answers.push((response) => void response.writeHead(500).end(`no: ${secret}\n`));
    const failed = await cli("webhook", "test", id);
    expect([failed.code, failed.stdout]).toEqual([
      1,
      expect.stringMatching(/^Not taken: 500, status, .*\nno: \[REDACTED\]/),
    ]);
    const listed = await cli("webhook", "list");
    expect(listed.stdout).toMatch(
      /^wh_\w+ {2}http:\S+ {2}active {2}task_finished,alert {2}0 delivered {2}0 waiting$/m,
    );
    expect(`${listed.stdout}${(await cli("webhook", "list", "--json")).stdout}`).not.toContain(
      secret.slice(6),
    );
    expect((await cli("webhook", "remove", id)).code).toBe(0);
    const gone = await cli("webhook", "deliveries", id, "--json");
    expect([gone.code, errorOf(gone).code]).toEqual([2, "webhook_unknown"]);
  });

  it("is told by the run itself, before it ends, of what it asked for", async () => {
    await using opened = app();
    const { webhook } = await opened.webhooks.add({ url: receiver.url });
    const report = reportOf(await cli(...TIDY));
    const events = receiver.received.map(({ body }) => body["event"]);
    expect([events.length, events.at(-1)]).toEqual([4, "task_finished"]);
    expect(receiver.received.at(-1)?.body).toMatchObject({
      task_id: report["task_id"],
      state: report["state"],
    });
    const tries = await opened.webhooks.deliveries(webhook.webhook_id);
    expect(tries.map((each) => [each.event, each.status, each.error])).toEqual(
      events.toReversed().map((event) => [event, 204, null]),
    );
    expect((await cli("webhook", "deliveries", webhook.webhook_id)).stdout).toContain("task_finished");
  });

  it("is told again, under the same id, what a killed process may not have told", async () => {
    await using opened = app();
    await opened.webhooks.add({ url: receiver.url });
    const env = { ...ALLOWED, TEST_FAIL_POINT: "webhook.sent:kill" };
    const killed = await oxbow(TIDY, { cwd: shop.dir, env });
    expect(killed.code).not.toBe(0);
    expect(receiver.received).toHaveLength(1);
    const stop = new AbortController();
    const delivering = opened.webhooks.deliver(stop.signal);
    await receiver.count(2);
    stop.abort();
    await delivering;
    const [first, again] = receiver.received;
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    expect(again?.body).toEqual(first?.body);
  });

  it("holds up no run that ends; what it did not take waits for the next process", async () => {
    await using opened = app();
    const { webhook } = await opened.webhooks.add({ url: receiver.url, events: ["task_finished"] });
    receiver.answers.push(status(500));
    const stop = new AbortController();
    const done = await opened.run({ title: "Tidy", options: TIDY_OPTIONS }, { workers: "none" }, stop.signal);
    expect(done.state).toBe("completed");
    const [left] = await opened.webhooks.list();
    expect(left).toMatchObject({
      waiting: 1,
      failed_tries: 1,
      last_status: 500,
      next_try_at: expect.any(String),
    });
    expect((await cli("webhook", "list")).stdout).toContain("1 waiting  1 failed (500 status), again at ");
    expect(await opened.webhooks.resume(webhook.webhook_id, { skip: true })).toMatchObject({ waiting: 0 });
  });

  it("renews what signs, also of callbacks; the secret before it signs for a day more", async () => {
    await using opened = app();
    const own = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    const { webhook, secret } = await opened.webhooks.add({ url: receiver.url, secret: own });
    expect(secret).toBeNull();
    const renewed = await opened.webhooks.secret(webhook.webhook_id);
    await opened.webhooks.test(webhook.webhook_id, new AbortController().signal);
    const [test] = receiver.received;
    for (const each of [own, renewed.secret]) expect(test && (await isSigned(test, each))).toBe(true);
    const { task_id: task } = reportOf(await cli(...TIDY));
    await opened.webhooks.forTask(task, receiver.url);
    const made = await cli("webhook", "secret", `callback:${task}`, "--json");
    expect(made.lines[0]).toEqual({ secret: expect.stringMatching(/^whsec_/) });
    await opened.webhooks.test(`callback:${task}`, new AbortController().signal);
    const last = receiver.received.at(-1);
    expect(last && (await isSigned(last, String(made.lines[0]?.["secret"])))).toBe(true);
    expect((await opened.webhooks.list()).length).toBe(1);
    expect((await opened.webhooks.list({ ofTasks: true })).length).toBe(2);
  });
});

const TIDY_OPTIONS = {
  by: "owner",
  provider: null,
  model: null,
  runtime: "command",
  command: ["true"],
  script: null,
  maxParallel: null,
} as const;
