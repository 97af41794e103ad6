/** Webhooks by the library: what a program adds is sent while it works, and ends with its app. */
import { expect, it } from "vitest";
import { openApp } from "../../src/index.ts";
import { plainEnvironment } from "../support/cli.ts";
import { makeShop } from "../support/shop.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

it("sends what the app's own runs tell, and what is delivered beside them, until the app is closed", async () => {
  using shop = makeShop();
  await using receiver = await startReceiver();
  const env = plainEnvironment({
    OXBOW_WEBHOOK_ALLOW_PRIVATE: "1",
    TERMINAL_SANDBOX: "off",
    OXBOW_LOG_LEVEL: "silent",
  });
  await using app = openApp({ repo: shop.dir, env });
  const { webhook } = await app.webhooks.add({ url: receiver.url, events: ["task_finished"] });
  const delivering = app.webhooks.deliver(new AbortController().signal);
  const tidy = (ticket: string) =>
    app.run("Tidy", { ticket, by: "owner", runtime: "command", command: ["true"], workers: "none" });
  const [one, two] = await Promise.all([tidy("1"), tidy("2")]);
  await receiver.count(2);
  expect(receiver.received.map(({ body }) => body["task_id"]).sort()).toEqual(
    [one.task_id, two.task_id].sort(),
  );
  await expect(app.webhooks.remove("nobody")).rejects.toMatchObject({ code: "webhook_unknown" });
  await app.webhooks.remove(webhook.webhook_id);
  expect(await app.webhooks.list()).toEqual([]);
  await app.close();
  await delivering;
});
