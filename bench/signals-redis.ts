/** The same over a Redis of the bench's own, on a unix socket: against the rawest round trip that such a server allows. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { setImmediate as turn } from "node:timers/promises";
import { PLAIN_ENV } from "./measure.ts";

const PAYLOAD = JSON.stringify({ event: "done", outcome: "completed", branch: "feature/bench/agent-001" });

export interface BenchRedis extends AsyncDisposable {
  readonly socket: string;
  readonly url: string;
}

/** Null when the machine has no redis-server. It keeps an append-only file, as Oxbow wants it. */
export async function startRedis(dir: string): Promise<BenchRedis | null> {
  const socket = path.join(dir, "redis.sock");
  const args = ["--port", "0", "--unixsocket", socket, "--dir", dir, "--appendonly", "yes", "--save", ""];
  const child = spawn("redis-server", args, { env: PLAIN_ENV, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close").catch(() => undefined);
  if (!(await isReady(child))) return null;
  return {
    socket,
    url: `unix://${socket}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function isReady(child: ChildProcess): Promise<boolean> {
  if (!child.stdout) return false;
  child.on("error", () => child.stdout?.destroy());
  for await (const line of createInterface({ input: child.stdout }))
    if (line.includes("eady to accept connections")) return true;
  return false;
}

function request(...words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join("")}`;
}

async function dial(socket: string): Promise<Socket> {
  const connection = connect(socket);
  await once(connection, "connect");
  return connection;
}

export interface RawPair extends Disposable {
  /** From an XADD over one bare socket until the blocked XREAD of another has its answer, milliseconds. */
  wake(): Promise<number>;
}

/** The floor: nothing but sockets and text. */
export async function rawPair(socket: string): Promise<RawPair> {
  const [sender, reader] = [await dial(socket), await dial(socket)];
  sender.resume();
  let last = "0-0";
  return {
    async wake() {
      const heard = new Promise<[number, string]>((resolve) => {
        reader.once("data", (data: Buffer) => resolve([performance.now(), data.toString()]));
      });
      reader.write(request("XREAD", "BLOCK", "0", "STREAMS", "raw", last));
      for (let turns = 0; turns < 5; turns++) await turn();
      const started = performance.now();
      sender.write(request("XADD", "raw", "*", "p", PAYLOAD));
      const [at, answer] = await heard;
      last = /\d{10,}-\d+/.exec(answer)?.[0] ?? last;
      return at - started;
    },
    [Symbol.dispose]() {
      sender.destroy();
      reader.destroy();
    },
  };
}
