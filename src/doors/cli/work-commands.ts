/** The commands with which a person steps into work that is under way. */
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";

type Done = (code: number) => void;

export function workCommands(program: Command, done: Done): void {
  program
    .command("cancel")
    .argument("<what>", "a task id, a ticket, or a subtask id")
    .description(
      "Cancel a task or one of its parts, whichever process works on it. Exit 1 when it had ended.",
    )
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow cancel 146", "oxbow cancel Api::t-01kav4m7j::1 --json"))
    .action(async (what, options) => done(await (await import("./interventions.ts")).cancel(what, options)));
  carrying(
    program
      .command("resume")
      .argument("<task>", "a task id or a ticket")
      .description("Go on with a task whose process ended, as `oxbow run --resume`."),
  )
    .addHelpText("after", examples("oxbow resume 146", "oxbow resume t-01kav4m7j --workers only --json"))
    .action(async (task, options) => done(await (await import("./interventions.ts")).resume(task, options)));
  carrying(
    program
      .command("retry")
      .argument("<what>", "a subtask id, or a task id or ticket for all its parts that did not complete")
      .description(
        "Try again what failed, was cancelled or timed out; then merge and report as `oxbow run`.",
      ),
  )
    .option("--detach", "only make it live again, for workers or a later `oxbow resume`")
    .addHelpText("after", examples("oxbow retry 146", "oxbow retry Api::t-01kav4m7j::1 --detach --json"))
    .action(async (what, options) => done(await (await import("./interventions.ts")).retry(what, options)));
  carrying(
    program
      .command("assign")
      .argument("<subtask>", "a subtask id, as `oxbow status` shows it")
      .argument("<agent>", "the agent that is to do it")
      .description("Give a subtask that has not begun, or did not complete, to another agent."),
  )
    .option("--detach", "only assign it, for workers or a later `oxbow resume`")
    .addHelpText("after", examples("oxbow assign Api::t-01kav4m7j::1 Web"))
    .action(async (subtask, agent, options) =>
      done(await (await import("./interventions.ts")).assign(subtask, agent, options)),
    );
  program
    .command("agents")
    .argument("[task]", "a task id or a ticket; without it, all live tasks")
    .description("Show what each agent is doing: idle, processing, restarting, failed or terminated.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow agents", "oxbow agents 146 --json"))
    .action(async (task, options) => done(await (await import("./interventions.ts")).agents(task, options)));
  budgetCommand(program, done);
}

export function aboveZero(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("It must be a number above 0.");
}

function budgetCommand(program: Command, done: Done): void {
  program
    .command("budget")
    .argument("<task>", "a task id or a ticket")
    .description("Show what a task may use and has used; with a limit, set it, also while it runs.")
    .option("--usd <n>", "US dollars, all its agents together", aboveZero)
    .option("--tokens <n>", "tokens", aboveZero)
    .option("--wall-ms <n>", "milliseconds from now, or from its first start", aboveZero)
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow budget 146", "oxbow budget 146 --usd 10 && oxbow retry 146"))
    .action(async (task, options) => done(await (await import("./budget.ts")).budget(task, options)));
}

/** Options of commands that carry a task to its end here. */
function carrying(command: Command): Command {
  return command
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .addOption(
      new Option("--workers <how>", "as for `oxbow run`").choices(["auto", "none", "only"]).default("auto"),
    )
    .option("--wait", "as for `oxbow run`")
    .option("--no-wait", "as for `oxbow run`")
    .option("--json", "print one event per line, the report last; with --detach one JSON value");
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}
