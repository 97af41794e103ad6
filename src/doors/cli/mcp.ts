/** `oxbow mcp`: stdout carries the protocol and nothing else; whatever a person should read goes to stderr. */
import { openApp } from "../../app.ts";
import type { Doors } from "./doors.ts";
import { interruption } from "./interruption.ts";

export interface McpFlags {
  repo: string;
  team?: string;
}

/** A client that closes stdin kills what does not end soon: what runs here is handed back at once. */
const DRAIN_MS = 0;

export async function mcp(flags: McpFlags, doors: Doors, version: string): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team, drainMs: DRAIN_MS });
  using stop = interruption();
  const failed = (line: string) => void process.stderr.write(`oxbow mcp: ${line}\n`);
  await (await doors.mcp()).serve(app, { version, failed }, stop.signal);
  return 0;
}
