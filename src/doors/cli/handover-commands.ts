/** The commands that bring work out to people: look at it, report on it, merge it. */
import { type Command, Option } from "commander";
import type { ReportFormat } from "../../app.ts";

const FORMATS: readonly ReportFormat[] = ["text", "json", "markdown", "html"];

type Done = (code: number) => void;

export function handoverCommands(program: Command, done: Done): void {
  program
    .command("diff")
    .argument("<ticket>", "a ticket or a task id")
    .description("Show what integration/<ticket> changes against where its work began.")
    .option("--agent <name>", "the branches of this agent instead")
    .option("--stat", "only which files, and how much")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow diff 146", "oxbow diff 146 --agent Api --stat"))
    .action(async (ticket, options) => done(await (await import("./diff.ts")).diff(ticket, options)));
  program
    .command("report")
    .argument("<ticket>", "a ticket or a task id")
    .description("Tell the whole story of a ticket: who did what, what was merged, what it cost.")
    .addOption(new Option("--format <name>", "how (default: as FILE ends, else text)").choices(FORMATS))
    .option("--output <file>", "write it there; html is one file with everything in it")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "the same as --format json")
    .addHelpText("after", examples("oxbow report 146", "oxbow report 146 --output river.html"))
    .action(async (ticket, options) => done(await (await import("./report.ts")).report(ticket, options)));
  program
    .command("merge")
    .argument("<ticket>", "a ticket or a task id")
    .description(
      "Bring integration/<ticket> into a branch of yours, without a checkout. Exit 3 when it conflicts; nothing moves then.",
    )
    .option("--into <branch>", "the branch (default: the one the work began with)")
    .option("--squash", "as one commit, with the agents as co-authors")
    .option("--partial", "also while parts of the ticket failed, conflict or are at work")
    .option("--push <remote>", "push the result there, never by force")
    .option("--pr", "open a pull request with `gh` instead, from integration/<ticket> (remote: origin)")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      examples(
        "oxbow merge 146",
        "oxbow merge 146 --into release --squash",
        "oxbow merge 146 --pr --push origin",
      ),
    )
    .action(async (ticket, options) => done(await (await import("./merge.ts")).merge(ticket, options)));
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}
