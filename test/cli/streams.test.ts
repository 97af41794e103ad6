/** A service that is killed while a task runs elsewhere: who read its streams goes on where he was, with no gap and no double. */
import { once } from "node:events";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openStore } from "../../src/store/open.ts";
import { type Running, startOxbow } from "../support/cli.ts";
import { SERVICE_TEAM } from "../support/service.ts";
import { makeShop } from "../support/shop.ts";
import { aTask, someChildren } from "../support/store-data.ts";
import { runStoreProcess, startStoreProcess } from "../support/store-processes.ts";
import { sseClient, subscriber } from "../support/stream-clients.ts";

it("after kill -9 and a restart, streams go on after the last event that came", async () => {
  using shop = makeShop({ team: SERVICE_TEAM });
  const services: Running[] = [];
  const serve = async (port: string) => {
    const args = ["serve", "--no-work", "--port", port, "--metrics-port", "0", "--json"];
    const running = startOxbow(args, { cwd: shop.dir });
    services.push(running);
    const { url } = await running.line((line) => line["url"] !== undefined);
    return { ...running, url: String(url) };
  };
  const place = { url: `sqlite:${join(shop.dir, ".git/oxbow/oxbow.db")}` };
  const first = await serve("0");
  const { url } = first;
  await using store = await openStore(place);
  await store.submit(aTask("t1"), someChildren("t1", 1), []);
  await using socket = await subscriber(url, { after: "0" });
  await using sse = await sseClient(`${url}/events?after=0`);
  const writer = startStoreProcess(place, { do: "claim and write", taskId: "t1", workerId: "w" });
  const written = once(writer.child, "close");
  try {
    const isEvent = (came: { type: string }) => ["event", "notice"].includes(came.type);
    await Promise.all([socket.until(isEvent), sse.until(isEvent)]);
    first.kill("SIGKILL");
    await Promise.all([first.ended, socket.closed, sse.ended]);
    // Meanwhile it has gone on.
    writer.child.kill("SIGKILL");
    await written;
    const second = await serve(new URL(url).port);
    await using socketAgain = await subscriber(url, { after: socket.ids().at(-1) });
    await using sseAgain = await sseClient(`${url}/events`, { "last-event-id": sse.ids().at(-1) ?? "" });
    await runStoreProcess(place, { do: "append", taskId: "last", count: 1 });
    const isLast = (came: any) => (came.event?.task_id ?? came.task_id) === "last";
    await Promise.all([socketAgain.until(isLast), sseAgain.until(isLast)]);
    const kept = (await store.log.page({ taskId: null, names: null }, 0, 1_000_000)).events;
    const ids = kept.map(({ id }) => id);
    expect([...socket.ids(), ...socketAgain.ids()]).toEqual(ids);
    expect([...sse.ids(), ...sseAgain.ids()]).toEqual(ids);
    second.kill("SIGTERM");
    expect((await second.ended).code).toBe(0);
    expect(socketAgain.all.at(-1)).toMatchObject({ type: "end", code: "service_stopping" });
  } finally {
    writer.child.kill("SIGKILL");
    for (const each of services) each.kill("SIGKILL");
  }
});
