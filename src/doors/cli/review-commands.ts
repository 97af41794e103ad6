/** The commands with which a person checks what agents may write, and answers what they ask. */
import type { Command } from "commander";

export function scopeCommand(program: Command, done: (code: number) => void): void {
  const scope = program.command("scope").description("What agents may write.");
  scope
    .command("check")
    .argument("<branch>", "the branch to look at")
    .description(
      "Say what a branch changes and what of it is outside of its agent's paths. Exit 1 when something is.",
    )
    .option("--agent <name>", "the agent (default: the one whose branch it is)")
    .option("--base <ref>", "where the branch started (default: known for a task's branch, else HEAD)")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      "\nExamples:\n  oxbow scope check feature/146/Api\n  oxbow scope check fix-login --agent Api --base main --json\n",
    )
    .action(async (branch, options) => done(await (await import("./scope.ts")).check(branch, options)));
}

export function ownersCommand(program: Command, done: (code: number) => void): void {
  const owners = program.command("owners").description("Who owns what, for others to read.");
  owners
    .command("export")
    .description(
      "Print a CODEOWNERS file that says what the team file says. Exit 1 when it differs for a file of HEAD.",
    )
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--output <file>", "write it there instead")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      "\nExamples:\n  oxbow owners export\n  oxbow owners export --output .github/CODEOWNERS\n",
    )
    .action(async (options) => done(await (await import("./owners.ts")).exportOwners(options)));
}

export function approvalsCommand(program: Command, done: (code: number) => void): void {
  const approvals = program
    .command("approvals")
    .description("What waits for a person: agents that ask to write elsewhere, subtasks before they begin.");
  approvals
    .command("list")
    .description("Show the requests that wait for an answer.")
    .option("--task <id>", "only of this task")
    .option("--all", "also those that are decided")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", "\nExamples:\n  oxbow approvals list\n  oxbow approvals list --all --json\n")
    .action(async (options) => done(await (await import("./approvals.ts")).list(options)));
  for (const verb of ["grant", "deny"] as const)
    approvals
      .command(verb)
      .argument("<id>", "the request, as `oxbow approvals list` shows it")
      .description(
        verb === "grant"
          ? "Let the agent write there, or the subtask begin. Exit 1 when somebody was first."
          : "Refuse it. Exit 1 when somebody was first.",
      )
      .option("--reason <text>", "what the agent is to know about it")
      .option("--repo <dir>", "the repository", ".")
      .option("--json", "print one JSON value")
      .addHelpText(
        "after",
        `\nExamples:\n  oxbow approvals ${verb} a_01kav4m7j --reason "for this ticket only"\n`,
      )
      .action(async (id, options) =>
        done(await (await import("./approvals.ts")).decide(id, verb === "grant", options)),
      );
}
