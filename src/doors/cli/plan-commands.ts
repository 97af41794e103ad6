/** `oxbow plan`, its options and help. */
import { type Command, InvalidArgumentError, Option } from "commander";

export function planCommand(program: Command, done: (code: number) => void): void {
  program
    .command("plan")
    .argument("[task]", "what is to be done: a sentence, a paragraph, or an issue in Markdown")
    .description("Show who would do which part of a task, in which order, and what a person must agree to.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--file <file>", "read the task from a file; - is stdin")
    .option("--from <plan>", "take a plan from a file and check it, in place of making one")
    .addOption(
      new Option(
        "--planner <how>",
        "rules: no model; llm: a model plans all; hybrid: a model only for what the rules leave (default where there is one)",
      ).choices(["rules", "llm", "hybrid"]),
    )
    .option("--planner-agent <name>", "whose model is asked (default: the lead's)")
    .option("--provider <name>", "as for `oxbow run`")
    .option("--model <name>", "as for `oxbow run`")
    .option("--script <file>", "steps of the scripted provider")
    .option(
      "--within <ms>",
      "it must be done in so many milliseconds; slower agents are avoided",
      milliseconds,
    )
    .option("--base <ref>", "where the work would start (default: as for `oxbow run`)")
    .option("--ticket <id>", "the ticket whose work goes on")
    .option("--output <file>", "write the plan there: JSON for .json, else YAML")
    .option("--edit", "open VISUAL or EDITOR on it, and check what comes out")
    .option("--json", "print the plan as one JSON value")
    .addHelpText("after", `\nExamples:\n${EXAMPLES.map((line) => `  ${line}`).join("\n")}\n`)
    .action(async (task, options) => done(await (await import("./plan.ts")).plan(task, options)));
}

const EXAMPLES = [
  'oxbow plan "Add a limit to src/api, then describe it in docs/api.md"',
  "oxbow plan --file issue.md --planner rules --output plan.yaml",
  "oxbow plan --from plan.yaml --edit",
  "oxbow run --plan plan.yaml",
];

function milliseconds(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError("Give whole milliseconds from 1 to 9999999999.");
  return Number(text);
}
