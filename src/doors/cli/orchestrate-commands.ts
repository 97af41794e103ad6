/** `oxbow orchestrate` and `oxbow execute`: a task that is planned first, and begun later. */
import { type Command, Option } from "commander";

export function orchestrateCommands(program: Command, done: (code: number) => void): void {
  program
    .command("orchestrate")
    .argument("<file>", "the submission as JSON, as for POST /orchestrate; - is stdin")
    .description("Plan a task and keep it, for `oxbow execute` to begin. The same again gives the same task.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print the task as one JSON value, as GET /tasks/{task_id}")
    .addHelpText(
      "after",
      examples("oxbow orchestrate feature-1087.json", "oxbow orchestrate - --json < task.json"),
    )
    .action(async (file, options) =>
      done(await (await import("./orchestrate.ts")).orchestrate(file, options)),
    );
  program
    .command("execute")
    .argument("<task>", "the id of a task that is planned")
    .description("Begin a planned task; workers, or `oxbow resume`, carry it out. Again: show how it stands.")
    .addOption(
      new Option(
        "--mode <how>",
        "auto: only what the plan says waits for a person; manual: each subtask does",
      )
        .choices(["auto", "manual"])
        .default("auto"),
    )
    .option(
      "--checkpoint <subtasks...>",
      "these wait for a person before they start, and with --mode manual no others",
    )
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print the task as one JSON value, as GET /tasks/{task_id}")
    .addHelpText(
      "after",
      examples("oxbow execute feature-1087", "oxbow execute feature-1087 --checkpoint Docs::feature-1087::1"),
    )
    .action(async (task, options) => done(await (await import("./orchestrate.ts")).execute(task, options)));
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}
