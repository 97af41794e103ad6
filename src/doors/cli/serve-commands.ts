/** The command that opens the network door. */
import { type Command, InvalidArgumentError } from "commander";
import type { Doors } from "./doors.ts";

export function serveCommand(program: Command, doors: Doors, done: (code: number) => void): void {
  program
    .command("serve")
    .description("Serve the team over HTTP, and work on its tasks, until you end it.")
    .option("--host <address>", "the address to listen on", "127.0.0.1")
    .option("--port <n>", "the port; 0: any free one", port, 8000)
    .option("--metrics-port <n>", "the port of /metrics; 0: any free one", port, 8001)
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value with the addresses once it listens")
    .addHelpText("after", "\nExamples:\n  oxbow serve\n  oxbow serve --port 0 --json\n")
    .action(async (options) => done(await (await import("./serve.ts")).serve(options, doors)));
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError("Give a port from 0 to 65535.");
  return Number(text);
}
