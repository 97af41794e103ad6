/** The commands that open the network door, and say who may come in. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Doors } from "./doors.ts";

/** As in core/token.ts, which help need not load. */
const SCOPES = ["read", "submit", "approve", "admin"];

export function serveCommand(program: Command, doors: Doors, done: (code: number) => void): void {
  program
    .command("serve")
    .description("Serve the team over HTTP, and work on its tasks, until you end it.")
    .option("--host <address>", "the address to listen on; beyond this machine needs tokens", "127.0.0.1")
    .option("--port <n>", "the port; 0: any free one", port, 8000)
    .option("--metrics-port <n>", "the port of /metrics; 0: any free one", port, 8001)
    .option("--metrics-open", "answer /metrics without a token, also beyond this machine")
    .option("--require-token", "ask for a token on this machine too")
    .option("--allow-origin <origins...>", "pages of these sites may call, such as https://ui.example.com")
    .option("--no-work", "only serve; leave the work to `oxbow worker`")
    .option("--concurrency <n>", "conversations at work at once (default: limits.max_parallel)", count)
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value with the addresses once it listens")
    .addHelpText(
      "after",
      "\nExamples:\n  oxbow serve\n  oxbow serve --port 0 --metrics-port 0 --json\n  oxbow serve --host 0.0.0.0 --allow-origin https://ui.example.com\n",
    )
    .action(async (options) =>
      done(await (await import("./serve.ts")).serve({ ...options, version: program.version() }, doors)),
    );
  tokenCommand(program, done);
}

function tokenCommand(program: Command, done: (code: number) => void): void {
  const token = program.command("token").description("Tokens with which `oxbow serve` lets callers in.");
  token
    .command("create")
    .description("Make one and print it, this once; only its hash is kept.")
    .requiredOption("--name <name>", "who or what it is for")
    .addOption(
      new Option("--scope <scopes...>", "what it may do; admin: everything")
        .choices(SCOPES)
        .default(["read"]),
    )
    .option("--expires <time>", "when it ends, such as 12h or 30d (default: never)", life)
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow token create --name ci --scope read submit --expires 30d\n")
    .action(async (options) => done(await (await import("./token.ts")).create(options)));
  token
    .command("list")
    .description("Show the tokens there are, without what opens.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow token list --json\n")
    .action(async (options) => done(await (await import("./token.ts")).list(options)));
  token
    .command("revoke")
    .argument("<token>", "its id or its name")
    .description("Make it open nothing any more.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow token revoke ci\n")
    .action(async (id, options) => done(await (await import("./token.ts")).revoke(id, options)));
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError("Give a port from 0 to 65535.");
  return Number(text);
}

function count(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError("Give a whole number from 1 to 99999.");
  return Number(text);
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds. */
function life(text: string): number {
  const [, digits, unit = ""] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  if (digits === undefined)
    throw new InvalidArgumentError("Give a number of minutes, hours or days, such as 45m, 12h or 30d.");
  return Number(digits) * (UNITS[unit] ?? 0);
}
