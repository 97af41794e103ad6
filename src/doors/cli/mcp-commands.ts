/** The command with which an MCP client starts Oxbow. */
import type { Command } from "commander";
import type { Doors } from "./doors.ts";

export function mcpCommand(program: Command, doors: Doors, done: (code: number) => void): void {
  program
    .command("mcp")
    .description("Serve the team to one MCP client (Claude Code, Codex, Cursor) over stdin and stdout.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .addHelpText("after", "\nExamples:\n  claude mcp add oxbow -- oxbow mcp\n  oxbow mcp --repo ../shop\n")
    .action(async (options) =>
      done(await (await import("./mcp.ts")).mcp(options, doors, program.version() ?? "")),
    );
}
