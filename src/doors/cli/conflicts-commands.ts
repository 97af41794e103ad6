/** The commands with which a person settles conflicts that wait. */
import { Argument, type Command } from "commander";

type Done = (code: number) => void;

export function conflictsCommand(program: Command, done: Done): void {
  const conflicts = program
    .command("conflicts")
    .description("Branches that wait for a person to settle them with their target.");
  conflicts
    .command("list")
    .argument("[ticket]", "only of this ticket or task")
    .description("Show which branches wait, and at which paths.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow conflicts list", "oxbow conflicts list 146 --json"))
    .action(async (ticket, options) => done(await (await import("./conflicts.ts")).list(ticket, options)));
  conflicts
    .command("show")
    .argument("<ticket>", "a ticket or a task id")
    .description("Show both sides of each path, whose they are, and what is settled.")
    .option("--path <path>", "only this path")
    .option("--branch <name>", "only this branch")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      examples("oxbow conflicts show 146", "oxbow conflicts show 146 --path src/api.ts --json"),
    )
    .action(async (ticket, options) => done(await (await import("./conflicts.ts")).show(ticket, options)));
  settling(
    conflicts
      .command("take")
      .argument("<ticket>", "a ticket or a task id")
      .addArgument(new Argument("<side>", "ours: the target; theirs: the branch").choices(["ours", "theirs"]))
      .description(
        "Settle a path with one side; the other is given up by name. The last path lands the branch.",
      )
      .option("--as <path>", "give that side's version this name instead, and leave the other where it is"),
  )
    .addHelpText(
      "after",
      examples(
        "oxbow conflicts take 146 theirs --path src/api.ts",
        "oxbow conflicts take 146 theirs --path logo.png --as logo-new.png",
      ),
    )
    .action(async (ticket, side, options) =>
      done(await (await import("./conflicts.ts")).take(ticket, side, options)),
    );
  settling(
    conflicts
      .command("resolve")
      .argument("<ticket>", "a ticket or a task id")
      .description("Settle a path with a file that has what both sides did. The last path lands the branch.")
      .requiredOption("--file <file>", "the resolved content; - reads it from stdin")
      .option(
        "--waive <what...>",
        "what it leaves out on purpose: ours, theirs, or the exact text of a line",
      ),
  )
    .addHelpText(
      "after",
      examples(
        "oxbow conflicts resolve 146 --path src/api.ts --file merged.ts",
        "oxbow conflicts resolve 146 --path src/api.ts --file merged.ts --waive 'const retries = 3;'",
      ),
    )
    .action(async (ticket, options) => done(await (await import("./conflicts.ts")).resolve(ticket, options)));
}

function settling(command: Command): Command {
  return command
    .requiredOption("--path <path>", "the path, as `oxbow conflicts show` has it")
    .option("--branch <name>", "where several branches wait at this path")
    .option("--detach", "do not land it here; `oxbow resume` does")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print JSON: the choice; with the last path the events and the report as `run` does");
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}
