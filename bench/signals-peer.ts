/** The other process: publishes the time for every line it is given. `signals-peer.ts STORE_URL [REDIS_URL]`. */
import { createInterface } from "node:readline";
import { openStore } from "../src/store/open.ts";

const [, , url = "", redisUrl] = process.argv;
await using store = await openStore({ url, redis: redisUrl === undefined ? undefined : { url: redisUrl } });
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "publish") await store.topics.publish("bench:two", String(process.hrtime.bigint()));
}
