/** The streams of a service that listens: WebSocket and server-sent events over the one event stream. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/contract.ts";
import type { Shop } from "../support/shop.ts";
import { aTask, notice, someChildren } from "../support/store-data.ts";
import { type ListeningService, startService } from "../support/service.ts";
import { sseClient, subscriber } from "../support/stream-clients.ts";

const storeUrl = (shop: Shop) => `sqlite:${join(shop.dir, ".git/oxbow/oxbow.db")}`;

/** Another process's place at the service's store. */
async function storeOf(service: ListeningService): Promise<Store> {
  await service.app.taskPage({ limit: 1 });
  return openStore({ url: storeUrl(service.shop) });
}

describe("a stream", () => {
  it("gives every event once, in order, as the store has it, over both", async () => {
    await using service = await startService();
    await using store = await storeOf(service);
    await store.submit(aTask("t1"), someChildren("t1", 1), []);
    await store.append([notice("t1", "before")]);
    await using socket = await subscriber(service.url, { after: "0" });
    await using sse = await sseClient(`${service.url}/events?after=0`);
    for (let n = 0; n < 30; n++) await store.append([notice("t1", `${n}`), notice("t2", `${n}`)]);
    await store.append([notice("t1", "last")]);
    const isLast = (came: any) => (came.event?.message ?? came.message) === "last";
    await Promise.all([socket.until(isLast), sse.until(isLast)]);
    const kept = (await store.log.page({ taskId: null, names: null }, 0, 1000)).events;
    expect(kept.length).toBeGreaterThan(61);
    expect(socket.ids()).toEqual(kept.map(({ id }) => id));
    expect(sse.ids()).toEqual(kept.map(({ id }) => id));
    expect(socket.all.filter(({ type }) => type === "event").map(({ event }) => event)).toEqual(kept);
    expect(sse.answer.headers.get("content-type")).toBe("text/event-stream");
  });
});
