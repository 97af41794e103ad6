/** `oxbow merge`: what moved, what did not, and what to do next. */
import { type Merged, openApp } from "../../app.ts";
import { exitCode, showError } from "./failure.ts";
import { clip, columns } from "./text.ts";

interface Flags {
  readonly repo: string;
  readonly into?: string;
  readonly squash?: boolean;
  readonly partial?: boolean;
  readonly push?: string;
  readonly pr?: boolean;
  readonly json?: boolean;
}

const CONFLICT = 3;

export async function merge(wanted: string, flags: Flags): Promise<number> {
  await using app = openApp({ repo: flags.repo });
  const { into, squash, partial, push, pr: pullRequest } = flags;
  const merged = await app.merge(wanted, { into, squash, partial, push, pullRequest });
  if (flags.json) process.stdout.write(`${JSON.stringify(merged)}\n`);
  else process.stdout.write(mergedText(merged));
  if (merged.state === "conflict") return CONFLICT;
  const error = merged.push?.error ?? merged.pull_request?.error ?? null;
  if (error !== null) {
    if (!flags.json) await showError(error, false);
    return exitCode(error);
  }
  return merged.ok ? 0 : 1;
}

const HOW = { fast_forward: "fast-forward", merge: "a merge commit", squash: "one commit" } as const;

export function mergedText(merged: Merged): string {
  const {
    into,
    source,
    state,
    how,
    before,
    after,
    checkout,
    left_out: left,
    push,
    pull_request: pr,
  } = merged;
  const from = `${source.branch} (${source.commit.slice(0, 10)})`;
  const lines: string[] = [];
  if (state === "landed" && how !== null) {
    lines.push(
      `${into} is at ${after.slice(0, 10)}, it was at ${before.slice(0, 10)}: ${HOW[how]} of ${from}.`,
    );
    if (checkout !== null) lines.push(`The files in ${checkout} followed.`);
  } else if (state === "unchanged") lines.push(`${into} has all of ${from} already.`);
  else if (state === "conflict") lines.push(...conflictLines(merged));
  if (left.length > 0)
    lines.push(
      `Not in it: ${left.map(({ subtask_id, reason }) => `${subtask_id} (${reason.replace("_", " ")})`).join(", ")}.`,
    );
  if (push?.state === "pushed") lines.push(`Pushed ${push.branch} to ${push.remote}.`);
  if (push?.state === "same") lines.push(`${push.remote} had ${push.branch} so already.`);
  if (push?.state === "failed") lines.push(`Not pushed; later:  ${push.command}`);
  if (pr !== null && pr.url !== null) lines.push(`Pull request: ${pr.url}`);
  else if (pr !== null)
    lines.push(
      `Open the pull request yourself${pr.error ? "" : ", for there is no `gh` here"}:  ${pr.command}`,
    );
  return `${lines.join("\n")}\n`;
}

const MOST = 20;

function conflictLines({ into, source, conflicts }: Merged): string[] {
  const rows = conflicts
    .slice(0, MOST)
    .map(({ path, kind, agents }) => [
      `  ${clip(path, 120)}`,
      kind.replaceAll("_", "/"),
      agents.length > 0 ? `changed by ${agents.join(", ")}` : "",
    ]);
  const more = conflicts.length - rows.length;
  return [
    `${into} and ${source.branch} conflict; nothing was moved:`,
    ...columns(rows),
    ...(more > 0 ? [`  … and ${more} more, in \`--json\``] : []),
    `Settle it by hand:  git switch ${into} && git merge ${source.branch}`,
  ];
}
