/** The commands with which a person says where events are sent to. */
import type { Command } from "commander";

export function webhookCommand(program: Command, done: (code: number) => void): void {
  const webhook = program.command("webhook").description("Send events to programs elsewhere, signed.");
  const add = webhook
    .command("add")
    .argument("<url>", "an https URL")
    .description("Send events to a URL from now on; prints the secret that signs, once.")
    .option("--events <names>", "`default`, `all`, or names with commas between them", "default")
    .option("--secret-env <name>", "the variable that holds the secret (default: one is made)");
  const list = webhook
    .command("list")
    .description("Show where events are sent to, and what waits.")
    .option("--all", "also the callback_url of each task");
  const remove = webhook
    .command("remove")
    .argument("<id>", "a webhook")
    .description("Send nothing more there; what waits is dropped.");
  const resume = webhook
    .command("resume")
    .argument("<id>", "a webhook that is paused or disabled")
    .description("Go on with the event it stopped at.")
    .option("--skip", "drop what waits, and go on with what comes from now on");
  const test = webhook
    .command("test")
    .argument("<id>", "a webhook")
    .description("Send a test event now. Exit 1 when it was not taken.");
  const deliveries = webhook
    .command("deliveries")
    .argument("<id>", "a webhook")
    .description("Show its last tries.");
  const secret = webhook
    .command("secret")
    .argument("[id]", "a webhook (default: what the callbacks of tasks are signed with)")
    .description("Make a new secret and print it, once; the one before it also signs for a day.");
  for (const each of [add, list, remove, resume, test, deliveries, secret])
    each
      .option("--repo <dir>", "the repository", ".")
      .option("--team <file>", "the team file (default: team.yaml of the repository)")
      .option("--json", "print one JSON value");
  const page = () => import("./webhook.ts");
  add
    .addHelpText(
      "after",
      "\nExamples:\n  oxbow webhook add https://hooks.example.com/oxbow\n  oxbow webhook add https://hooks.example.com/oxbow --events task_finished,alert\n",
    )
    .action(async (url, options) => done(await (await page()).add(url, options)));
  list
    .addHelpText("after", "\nExamples:\n  oxbow webhook list\n  oxbow webhook list --all --json\n")
    .action(async (options) => done(await (await page()).list(options)));
  remove
    .addHelpText("after", "\nExamples:\n  oxbow webhook remove wh_01kav4m7j\n")
    .action(async (id, options) => done(await (await page()).remove(id, options)));
  resume
    .addHelpText("after", "\nExamples:\n  oxbow webhook resume wh_01kav4m7j --skip\n")
    .action(async (id, options) => done(await (await page()).resume(id, options)));
  test
    .addHelpText("after", "\nExamples:\n  oxbow webhook test wh_01kav4m7j\n")
    .action(async (id, options) => done(await (await page()).test(id, options)));
  deliveries
    .addHelpText("after", "\nExamples:\n  oxbow webhook deliveries wh_01kav4m7j --json\n")
    .action(async (id, options) => done(await (await page()).deliveries(id, options)));
  secret
    .addHelpText("after", "\nExamples:\n  oxbow webhook secret\n  oxbow webhook secret wh_01kav4m7j\n")
    .action(async (id, options) => done(await (await page()).secret(id, options)));
}
