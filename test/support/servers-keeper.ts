/**
 * Holds one server as long as whoever started it lives: `servers-keeper.ts '{"kind":"postgres","options":[]}'`.
 * Says its URL (or why there is none) in a line of JSON, does what the lines on stdin say (`stop`, `kill`, `start`),
 * and when stdin ends, also because its parent was killed, stops the server and removes its folder.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Missing, type ServerKind, type StartedServer, startIn } from "./servers-start.ts";

/** Where the system keeps temporary files for everybody, since the server may run as somebody else. */
const folder = mkdtempSync(join(tmpdir(), "oxbow-server-"));
let server: StartedServer | null = null;

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function end(): Promise<never> {
  await server?.end();
  rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
  process.exit(0);
}

const { kind, options } = JSON.parse(process.argv[2] ?? "{}") as { kind: ServerKind; options: string[] };
const orders = createInterface({ input: process.stdin });
let work: Promise<void> = (async () => {
  try {
    server = await startIn(kind, folder, options);
    say({ url: server.url, folder });
  } catch (error) {
    say(error instanceof Missing ? { missing: error.message } : { failed: String(error) });
  }
})();
orders.on("line", (order) => {
  work = work.then(async () => {
    if (order === "start") await server?.start();
    else await server?.stop(order === "kill" ? "kill" : "stop");
    say({ done: order });
  });
});
orders.on("close", () => void work.then(end, end));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => orders.close());
// Nobody reads any more; stdin has ended or is about to.
process.stdout.on("error", () => orders.close());
