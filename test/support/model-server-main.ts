/**
 * The model server as a process of its own, for tests that run the real command line:
 * `node model-server-main.ts SCRIPT.json`, where the file holds the replies of each agent as `scriptByAgent` takes them.
 * Prints `{"url": "http://127.0.0.1:PORT/v1"}` and serves until its stdin ends or it is told to stop.
 */
import { readFileSync } from "node:fs";
import { type ModelReply, scriptByAgent, startModelServer } from "./model-server.ts";

const file = process.argv[2];
if (file === undefined) throw new Error("Name the script: model-server-main.ts SCRIPT.json");
const scripts = JSON.parse(readFileSync(file, "utf8")) as Record<string, ModelReply[]>;
const server = await startModelServer(scriptByAgent(scripts));
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);

const stop = (): void => void server.close().then(() => process.exit(0));
process.stdin.on("end", stop).resume();
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
