/** The commands with which a person sees what `schedule:` comes to, and fires it. */
import type { Command } from "commander";

export function scheduleCommand(program: Command, done: (code: number) => void): void {
  const schedule = program
    .command("schedule")
    .description("When agents are woken (`schedule:` of team.yaml).");
  schedule
    .command("list")
    .description("Show the next and the last firing of each, and what was missed.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow schedule list\n  oxbow schedule list --json\n")
    .action(async (options) => done(await (await import("./schedule.ts")).list(options)));
  schedule
    .command("run")
    .argument("<agent>", "an agent that has a schedule")
    .description(
      "Fire it now, besides its times. Exit 1 when its task is left out because the last one still runs.",
    )
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow schedule run Format\n")
    .action(async (agent, options) => done(await (await import("./schedule.ts")).run(agent, options)));
}
