/** The commands, their options and help; each action is imported when it is called. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { conflictsCommand } from "./conflicts-commands.ts";
import type { Doors } from "./doors.ts";
import { gcCommand, salvageCommand } from "./ledger-commands.ts";
import { handoverCommands } from "./handover-commands.ts";
import { mcpCommand } from "./mcp-commands.ts";
import { orchestrateCommands } from "./orchestrate-commands.ts";
import { planCommand } from "./plan-commands.ts";
import { scheduleCommand } from "./schedule-commands.ts";
import { approvalsCommand, ownersCommand, scopeCommand } from "./review-commands.ts";
import { serveCommand } from "./serve-commands.ts";
import { aboveZero, workCommands } from "./work-commands.ts";
import { webhookCommand } from "./webhook-commands.ts";

const VERSION = "0.1.0";

/** Runs one command line and returns the exit code: 0 done, 1 a child failed or a look-up found nothing, 2 usage, 3 conflict, 5 waiting on a person, 130 cancelled. */
export async function main(argv: readonly string[], doors: Doors): Promise<number> {
  const json = argv.includes("--json");
  let code = 0;
  let said = "";
  const program = build(
    doors,
    (result) => {
      code = result;
    },
    (text) => {
      said += text;
    },
  );
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return await usage(error, said, json);
    const { exitCode, showError } = await failing();
    await showError(error, json);
    return exitCode(error);
  }
}

async function usage(error: CommanderError, said: string, json: boolean): Promise<number> {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help" && !json) {
    process.stderr.write(said);
    return 2;
  }
  const message =
    error.code === "commander.help" ? "A command is missing." : error.message.replace(/^error: /, "");
  const { showError } = await failing();
  await showError({ code: "usage", message, hint: "Run the command with --help to see its options." }, json);
  return 2;
}

/** What goes well need not wait for it. */
function failing() {
  return import("./failure.ts");
}

function build(doors: Doors, done: (code: number) => void, said: (text: string) => void): Command {
  const program = new Command("oxbow")
    .description(
      "Runs a team of coding agents on one Git repository: a branch each, merged with nothing lost.",
    )
    .version(VERSION)
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      examples("oxbow init", 'oxbow run "Add request ids to every handler"', "oxbow status"),
    );
  planCommand(program, done);
  orchestrateCommands(program, done);
  runCommand(program, done);
  workerCommand(program, done);
  serveCommand(program, doors, done);
  mcpCommand(program, doors, done);
  workCommands(program, done);
  program
    .command("init")
    .description("Write a team.yaml that fits this repository, for you to edit.")
    .option("--repo <dir>", "the repository", ".")
    .option("--force", "replace a team.yaml that is there")
    .option("--from-codeowners", "an agent for each owner of the CODEOWNERS file, with what they own")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow init", "oxbow init --from-codeowners", "oxbow init --repo ../shop"))
    .action(async (options) => done(await (await import("./init.ts")).init(options)));
  program
    .command("status")
    .argument("[task]", "a task id or a ticket; without it, the newest tasks")
    .description("Show tasks, their children and branches.")
    .option("--agents", "show what each agent is doing instead, as `oxbow agents`")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow status", "oxbow status 146 --json"))
    .action(async (task, options) =>
      done(
        options.agents
          ? await (await import("./interventions.ts")).agents(task, options)
          : await (await import("./status.ts")).status(task, options),
      ),
    );
  program
    .command("owner")
    .argument("<paths...>", "paths from the top of the repository")
    .description("Say which agent owns each path. Exit 1 when one has no owner.")
    .option("--team <file>", "the team file (default: team.yaml here or above)")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      examples("oxbow owner src/api/users.ts", "oxbow owner docs/guide.md README.md --json"),
    )
    .action(async (paths, options) => done(await (await import("./owner.ts")).owner(paths, options)));
  ownersCommand(program, done);
  handoverCommands(program, done);
  branchCommand(program, done);
  scopeCommand(program, done);
  approvalsCommand(program, done);
  conflictsCommand(program, done);
  scheduleCommand(program, done);
  webhookCommand(program, done);
  signalCommand(program, done);
  policyCommand(program, done);
  salvageCommand(program, done);
  gcCommand(program, done);
  program
    .command("env")
    .description("Print every setting, its value and where it came from.")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow env", "ENABLE_FILE_TOOLS=0 oxbow env --json"))
    .action(async (options) => done(await (await import("./env.ts")).env(options)));
  program
    .command("doctor")
    .description(
      "Check what Oxbow needs here: Node, Git, repository, team, provider. Exit 1 when something is wrong.",
    )
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml here or above)")
    .option("--live", "ask the model providers whether they take the keys; costs nothing")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      examples("oxbow doctor", "oxbow doctor --live", "oxbow doctor --repo ../shop --json"),
    )
    .action(async (options) => done(await (await import("./doctor.ts")).doctor(options)));
  program
    .command("uninstall")
    .description("Remove Oxbow's state and refs/oxbow/* from this repository; branches stay.")
    .option("--repo <dir>", "the repository", ".")
    .option("--yes", "do not ask")
    .option("--force", "also lose work that is on no branch")
    .option("--dry-run", "show what would go and remove nothing")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow uninstall", "oxbow uninstall --yes --json"))
    .action(async (options) => done(await (await import("./uninstall.ts")).uninstall(options)));
  for (const command of [program, ...program.commands.flatMap((each) => [each, ...each.commands])])
    command.exitOverride().configureOutput({ writeErr: said });
  return program;
}

function runCommand(program: Command, done: (code: number) => void): void {
  program
    .command("run")
    .argument("[task]", "what is to be done")
    .description(
      "Run a task with the team: split, work on branches, merge into integration/<ticket>, report.",
    )
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option(
      "--ticket <id>",
      "names the branches: feature/<id>/<agent>, integration/<id> (default: the task's id)",
    )
    .addOption(
      new Option("--by <how>", "split along the team's path owners, without a model").choices(["owner"]),
    )
    .option("--provider <name>", "openai, openai_chat (Chat Completions), anthropic, scripted or claude-code")
    .option("--model <name>", "the model of every agent in this run")
    .addOption(new Option("--runtime <name>", "how agents run").choices(["openai_agents", "command"]))
    .option("--command <line>", "the program of --runtime command; {task}, {branch} and {paths} are replaced")
    .option("--max-parallel <n>", "conversations at work at once", count)
    .option("--budget-usd <n>", "US dollars that the task may use, all its agents together", aboveZero)
    .option("--budget-tokens <n>", "tokens that it may use", count)
    .option("--budget-wall-ms <n>", "milliseconds from its first start", count)
    .option("--base <ref>", "where the work starts (default: integration/<ticket> if it exists, else HEAD)")
    .option("--script <file>", "steps of the scripted provider")
    .addOption(
      new Option(
        "--workers <how>",
        "auto: live workers do what they take; none: all here; only: nothing here",
      )
        .choices(["auto", "none", "only"])
        .default("auto"),
    )
    .option("--wait", "wait for a person's answers, though nothing else goes on (default: on a terminal)")
    .option("--no-wait", "hand the task back then, with exit 5; `oxbow resume` goes on with it")
    .option("--plan <file>", "carry out a plan that `oxbow plan` wrote, in place of a task")
    .option("--dry-run", "show the plan and make nothing")
    .option("--resume <task>", "go on with a task whose process ended")
    .option("--json", "print one event per line, the report last")
    .addHelpText(
      "after",
      examples(
        'oxbow run "Add request ids to every handler" --ticket 146',
        'oxbow run "Strip trailing blanks" --by owner --runtime command --command "sed -i s/[[:space:]]*$// {paths}"',
        "oxbow run --resume t-01kav4m7j",
      ),
    )
    .action(async (task, options) => done(await (await import("./run.ts")).run(task, options)));
}

function workerCommand(program: Command, done: (code: number) => void): void {
  program
    .command("worker")
    .description("Work on the tasks of this repository, whoever submitted them, until you end it.")
    .option("--repo <dir>", "the repository", ".")
    .option("--team <file>", "the team file (default: team.yaml of the repository)")
    .option("--agent <names...>", "take only conversations of these agents (default: all of the team)")
    .option("--concurrency <n>", "conversations at work at once (default: limits.max_parallel)", count)
    .option("--list", "show the workers that are live, and work on nothing")
    .option("--json", "print one event per line; with --list one JSON value")
    .addHelpText(
      "after",
      examples("oxbow worker", "oxbow worker --agent Api Web --concurrency 4", "oxbow worker --list"),
    )
    .action(async (options) => done(await (await import("./worker.ts")).worker(options)));
}

function branchCommand(program: Command, done: (code: number) => void): void {
  const branch = program.command("branch").description("Branches of agents.");
  branch
    .command("allocate")
    .description("Make feature/<ticket>/<agent>, or find it; your checkout is not touched.")
    .requiredOption("--agent <name>", "the agent")
    .option("--ticket <id>", "the ticket (default: task)")
    .option("--base <ref>", "where it starts (default: HEAD)")
    .option("--switch", "check it out as well; refused on a dirty tree")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow branch allocate --ticket 146 --agent DevAgent --json"))
    .action(async (options) => done(await (await import("./branch.ts")).allocate(options)));
}

function policyCommand(program: Command, done: (code: number) => void): void {
  const policy = program.command("policy").description("What agents may run.");
  policy
    .command("check")
    .description("Say whether a command line would be allowed, without running it. Exit 1 when it is denied.")
    .requiredOption("--command <line>", "the command line")
    .option(
      "--allow <entries...>",
      "what is allowed: ls, git status, npm test, 'mytool *' (default: TERMINAL_ALLOWED_COMMANDS)",
    )
    .option("--deny <entries...>", "what is denied all the same, besides TERMINAL_DENY_COMMANDS")
    .option("--root <dir>", "where it would run; paths must stay inside", ".")
    .option("--json", "print one JSON value")
    .addHelpText(
      "after",
      examples(
        "oxbow policy check --command 'git log --oneline -5' --allow git",
        "oxbow policy check --command 'npm test' --allow ls 'npm test' --json",
      ),
    )
    .action(async (options) => done(await (await import("./policy.ts")).check(options)));
}

function signalCommand(program: Command, done: (code: number) => void): void {
  const signal = program.command("signal").description("Send and await small durable messages on topics.");
  signal
    .command("send")
    .argument("<topic>")
    .argument("<payload>", "a JSON value")
    .description("Append a message to a topic.")
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples(`oxbow signal send build:done '{"ok":true}'`))
    .action(async (topic, payload, options) =>
      done(await (await import("./signal.ts")).send(topic, payload, options)),
    );
  signal
    .command("wait")
    .argument("<topic>")
    .description("Wait for the next message on a topic. Exit 1 when the time is up.")
    .option("--last-id <id>", "wait for what comes after this message (default: from the first)")
    .option("--timeout-ms <n>", "how long to wait", milliseconds, 30_000)
    .option("--repo <dir>", "the repository", ".")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples("oxbow signal wait build:done --timeout-ms 5000 --json"))
    .action(async (topic, options) => done(await (await import("./signal.ts")).wait(topic, options)));
}

function count(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError("Give a whole number from 1 to 99999.");
  return Number(text);
}

function milliseconds(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("Give whole milliseconds, at most 999999999.");
  return Number(text);
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}
