/** Starts other processes at a store and listens to what they say. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import type { StorePlace } from "./store-engines.ts";
import type { StoreCommand } from "./store-process.ts";

export interface StoreProcess {
  readonly child: ChildProcessByStdio<null, Readable, null>;
  readonly lines: Interface;
}

export function startStoreProcess({ url, redis }: StorePlace, command: StoreCommand): StoreProcess {
  const script = join(import.meta.dirname, "store-process.ts");
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", script, JSON.stringify({ url, redis, ...command })],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  return { child, lines: createInterface({ input: child.stdout }) };
}

/** Everything a process says until it ends. Rejects when it ends with another code than 0. */
export async function runStoreProcess(
  place: StorePlace,
  command: StoreCommand,
): Promise<Record<string, unknown>[]> {
  const { child, lines } = startStoreProcess(place, command);
  const closed = once(child, "close");
  const said: Record<string, unknown>[] = [];
  for await (const line of lines) said.push(JSON.parse(line) as Record<string, unknown>);
  const [code] = (await closed) as [number | null];
  if (code !== 0) throw new Error(`the store process ended with ${code}: ${JSON.stringify(said.at(-1))}`);
  return said;
}
