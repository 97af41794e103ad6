/** `oxbow webhook`: where events are sent to. Only `add` and `secret` print a secret, once. */
import { openApp, type ShownTry, type ShownWebhook, shown } from "../../app.ts";
import { interruption } from "./interruption.ts";
import { clip, columns, duration } from "./text.ts";

interface WebhookFlags {
  repo: string;
  team?: string;
  json?: boolean;
}

/** As a worker does: a machine of a fleet need not have a clone. */
function open({ repo, team }: WebhookFlags) {
  return openApp({ repo, team, mirror: true });
}

export async function add(
  url: string,
  flags: WebhookFlags & { events: string; secretEnv?: string },
): Promise<number> {
  await using app = open(flags);
  const names = flags.events.split(",").map((name) => name.trim());
  const [first] = names;
  const events = names.length === 1 && (first === "all" || first === "default") ? first : names;
  const { webhook, secret } = await app.webhooks.add({ url, events, secretEnv: flags.secretEnv });
  const text = [
    `Added ${webhook.webhook_id}: ${eventsText(webhook)} to ${webhook.url}, sent by workers, \`oxbow serve\` and runs.`,
    ...(secret === null ? [] : [`Its secret, shown this once: ${secret}`]),
    `Try it: oxbow webhook test ${webhook.webhook_id}`,
  ];
  return print(flags, { webhook, secret }, text);
}

export async function list(flags: WebhookFlags & { all?: boolean }): Promise<number> {
  await using app = open(flags);
  const all = await app.webhooks.list({ ofTasks: flags.all });
  return print(flags, all, all.length === 0 ? ["There is no webhook."] : columns(all.map(row)));
}

export async function remove(id: string, flags: WebhookFlags): Promise<number> {
  await using app = open(flags);
  await app.webhooks.remove(id);
  return print(flags, { webhook_id: id, removed: true }, [`Removed ${clip(id, 200)}.`]);
}

export async function resume(id: string, flags: WebhookFlags & { skip?: boolean }): Promise<number> {
  await using app = open(flags);
  const webhook = await app.webhooks.resume(id, { skip: flags.skip });
  return print(flags, webhook, [`${webhook.webhook_id} goes on; ${waitingText(webhook)}.`]);
}

export async function test(id: string, flags: WebhookFlags): Promise<number> {
  await using app = open(flags);
  using stop = interruption(() => undefined);
  const tested = await app.webhooks.test(id, stop.signal);
  const { ok, status, error, elapsed_ms, answer } = tested;
  const what = ok ? `Taken: ${status}` : `Not taken: ${[status, error].filter(Boolean).join(", ")}`;
  const said = answer === "" ? [] : [clip(answer, 300)];
  print(flags, await shown(tested), [`${what}, ${duration(elapsed_ms)}`, ...said]);
  return ok ? 0 : 1;
}

export async function deliveries(id: string, flags: WebhookFlags): Promise<number> {
  await using app = open(flags);
  const tries = await app.webhooks.deliveries(id);
  return print(flags, tries, tries.length === 0 ? ["Nothing was sent yet."] : columns(tries.map(tryRow)));
}

export async function secret(id: string | undefined, flags: WebhookFlags): Promise<number> {
  await using app = open(flags);
  const made = await app.webhooks.secret(id ?? null);
  const owner = id === undefined ? "the callbacks of tasks" : clip(id, 200);
  return print(flags, made, [
    `The secret of ${owner} from now on, shown this once: ${made.secret}`,
    "The one before it signs too, for 24 hours.",
  ]);
}

function print(flags: WebhookFlags, value: unknown, lines: readonly string[]): number {
  process.stdout.write(flags.json ? `${JSON.stringify(value)}\n` : `${lines.join("\n")}\n`);
  return 0;
}

function row(webhook: ShownWebhook): string[] {
  const { webhook_id, url, state, delivered, failed_tries, last_status, last_error, next_try_at } = webhook;
  const why = [last_status, last_error].filter((part) => part !== null).join(" ");
  const next = next_try_at === null ? "" : `, again at ${next_try_at}`;
  const trouble = failed_tries === 0 ? "" : `${failed_tries} failed (${why})${next}`;
  return [
    webhook_id,
    clip(url, 80),
    state,
    eventsText(webhook),
    `${delivered} delivered`,
    waitingText(webhook),
    trouble,
  ];
}

function eventsText({ events }: ShownWebhook): string {
  if (events === "all") return "every event";
  return events === "default" ? "the default events" : clip(events.join(","), 60);
}

function waitingText({ waiting }: ShownWebhook): string {
  return `${waiting === 1_000 ? "1,000 or more" : waiting} waiting`;
}

function tryRow({ at, event, task_id, status, error, elapsed_ms }: ShownTry): string[] {
  const answer =
    error === null ? `${status ?? ""}` : [status, error].filter((part) => part !== null).join(" ");
  return [at, event, clip(task_id, 60), answer, duration(elapsed_ms)];
}
