/** A pull request through GitHub's own program `gh`, with the report as its text. */
import type { PullRequest } from "./handover-calls.ts";
import type { LandingPlan } from "./team/landing.ts";
import type { MergeSource } from "./merge-out.ts";
import { run } from "./host/process.ts";
import { shellWord } from "./git/setup.ts";
import { reportMarkdown } from "./report-markdown.ts";
import { OxbowError, toErrorValue } from "./core/errors.ts";

/** What `gh` needs of the environment to know who asks, and where. */
const KEYS =
  /^(?:PATH|HOME|XDG_CONFIG_HOME|USERPROFILE|APPDATA|SystemRoot|TMPDIR|LANG|GH_\w+|GITHUB_\w+|SSL_CERT_\w+|(?:https?|no|all)_proxy)$/i;
const LIMIT_MS = 60_000;

/** Null where there is no `gh`. Nothing is opened before it is called. */
export async function openPullRequest(
  { repo, env, shown }: MergeSource,
  plan: LandingPlan,
  signal: AbortSignal,
): Promise<(() => Promise<Omit<PullRequest, "command">>) | null> {
  const own = {
    ...Object.fromEntries(Object.entries(env).filter(([key]) => KEYS.test(key))),
    GH_PROMPT_DISABLED: "1",
  };
  const options = { cwd: repo.root, env: own, timeoutMs: LIMIT_MS };
  const found = await run("gh", ["--version"], options, signal);
  if (found.exitCode !== 0) return null;
  return async () => {
    const body = reportMarkdown(shown(plan.history));
    const args = [
      "pr",
      "create",
      "--base",
      plan.into,
      "--head",
      plan.source.branch,
      "--title",
      titleOf(plan, shown),
    ];
    const made = await run("gh", [...args, "--body-file", "-"], { ...options, input: body }, signal);
    const url = /https:\/\/\S+/.exec(made.stdout.toString("utf8"))?.[0] ?? null;
    if (made.exitCode === 0 && url !== null) return { url, error: null };
    // It was opened before: the push has brought it up to date.
    const known = /already exists:?\s*(https:\/\/\S+)/.exec(made.stderr.toString("utf8"))?.[1];
    if (known !== undefined) return { url: known, error: null };
    const words = made.timedOut ? "it took too long" : made.stderr.toString("utf8").trim().slice(0, 1000);
    const error = new OxbowError("command_failed", `gh pr create failed: ${words || "no message"}`, {
      hint: "Correct that, or run the command yourself.",
    });
    return { url: null, error: toErrorValue(error) };
  };
}

const TITLE_CHARS = 100;

function titleOf({ history }: LandingPlan, shown: MergeSource["shown"]): string {
  const title =
    (shown(history.title).split("\n")[0] ?? "").replace(/[\p{Cc}\p{Cf}]/gu, " ").trim() || history.ticket;
  const characters = Array.from(title);
  return characters.length <= TITLE_CHARS ? title : `${characters.slice(0, TITLE_CHARS - 1).join("")}…`;
}

/** One line for a shell. */
export function pullRequestCommand(plan: LandingPlan, remote: string, shown: MergeSource["shown"]): string {
  const { branch } = plan.source;
  const flags = ["--base", plan.into, "--head", branch, "--title", titleOf(plan, shown), "--body-file", "-"];
  return [
    `git push ${shellWord(remote)} ${shellWord(branch)}`,
    `oxbow report ${shellWord(plan.ticket.ticket)} --format markdown | gh pr create ${flags.map(shellWord).join(" ")}`,
  ].join(" && ");
}
