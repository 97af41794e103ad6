/** The commands about the ledger: work that is merged nowhere, and what may be let go of. */
import { type Command, InvalidArgumentError } from "commander";

export function salvageCommand(program: Command, done: (code: number) => void): void {
  const salvage = program
    .command("salvage")
    .description("Work of agents that is merged nowhere: list it, look at it, make a branch of it.");
  salvage
    .command("list", { isDefault: true })
    .description("List it, with whose it is and why it is not merged. From the refs alone, if need be.")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow salvage\n  oxbow salvage list --json\n")
    .action(async (options) => done(await (await import("./salvage.ts")).list(options)));
  salvage
    .command("show")
    .argument("<id>", "as the list shows it, or a branch, ref or commit of it")
    .description("Show what it changes, and the command that shows more.")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow salvage show 1f0c9a2b3d\n")
    .action(async (id, options) => done(await (await import("./salvage.ts")).show(id, options)));
  salvage
    .command("restore")
    .argument("<id>", "as the list shows it, or a branch, ref or commit of it")
    .description("Make a branch of it. A branch that is there is never moved.")
    .option("--branch <name>", "the branch (default: salvage/<id>)")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow salvage restore 1f0c9a2b3d --branch fix-login\n")
    .action(async (id, options) => done(await (await import("./salvage.ts")).restore(id, options)));
}

export function gcCommand(program: Command, done: (code: number) => void): void {
  program
    .command("gc")
    .description("Say what Oxbow keeps here, what of it is safe to delete, and why; with --yes delete that.")
    .option("--yes", "delete what is safe (without it nothing is deleted)")
    .option("--older-than <days>", "only what is older; 0 for everything", days)
    .option("--ticket <id>", "only of this ticket")
    .option("--mirror", "what this machine's workers keep in their mirror of repo.url")
    .option("--team <file>", "the team file (default: team.yaml)")
    .option("--force <ids...>", "also these pieces of unmerged work, as `oxbow salvage` names them")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      "\nExamples:\n  oxbow gc\n  oxbow gc --yes --older-than 30\n  oxbow gc --ticket 146 --json\n",
    )
    .action(async (options) => done(await (await import("./gc.ts")).gc(options)));
}

function days(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("Give whole days, such as 30.");
  return Number(text);
}
