/** `oxbow merge`: lands a ticket's work in a branch, pushes that to a remote, or opens a pull request for it. */
import type { Merged, MergeOptions, Pushed } from "./handover-calls.ts";
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { RemoteOptions } from "./git/contract.ts";
import type { Remote } from "./git/remote.ts";
import type { Settings } from "./core/settings.ts";
import { hasCode, OxbowError, toErrorValue } from "./core/errors.ts";
import { parseRemoteUrl } from "./core/remote-url.ts";
import { shellWord } from "./git/setup.ts";
import {
  combine,
  keepPullRequest,
  land,
  type LandingPlan,
  type LandingSource,
  planLanding,
} from "./team/landing.ts";
import { openPullRequest, pullRequestCommand } from "./pull-request.ts";

export interface MergeSource extends LandingSource {
  readonly settings: Settings;
  readonly env: Readonly<Record<string, string>>;
  /** The value without secrets. */
  shown<T>(value: T): T;
}

const DEFAULT_REMOTE = "origin";

export async function mergeOut(
  source: MergeSource,
  wanted: string,
  options: MergeOptions,
  signal: AbortSignal,
): Promise<Merged> {
  const { squash = false, pullRequest = false, push } = options;
  if (squash && pullRequest)
    throw new OxbowError("usage", "A pull request is squashed when it is merged.", {
      hint: "Leave --squash out.",
    });
  const plan = await planLanding(source, { wanted, ...options });
  const remoteName = push ?? (pullRequest ? DEFAULT_REMOTE : null);
  const remote = remoteName === null ? null : await openRemote(source, remoteName);
  try {
    return pullRequest && remote !== null
      ? await propose(source, plan, remote, options, signal)
      : await landAndPush(source, plan, remote, squash, signal);
  } finally {
    await remote?.connection.close();
  }
}

async function landAndPush(
  source: MergeSource,
  plan: LandingPlan,
  remote: OpenedRemote | null,
  squash: boolean,
  signal: AbortSignal,
): Promise<Merged> {
  const there = remote === null ? null : await tipThere(source, remote, plan.into, signal);
  const landing = await land(source, plan, squash, signal);
  const told = { ...about(plan), before: landing.before, pull_request: null };
  if (landing.kind === "conflict")
    return {
      ...told,
      ...NOTHING,
      ok: false,
      state: "conflict",
      after: landing.before,
      conflicts: landing.conflicts,
    };
  const { after } = landing;
  const push = remote === null ? null : await pushTo(remote, plan.into, there, after, signal);
  const ok = push?.state !== "failed";
  if (landing.kind === "unchanged") return { ...told, ...NOTHING, ok, state: "unchanged", after, push };
  const { how, checkout } = landing;
  return { ...told, ...NOTHING, ok, state: "landed", how, after, checkout, push };
}

const NOTHING = { how: null, checkout: null, conflicts: [], push: null } as const;

function about({ ticket, source, into, left_out }: LandingPlan) {
  return { ticket: ticket.ticket, source, into, left_out };
}

/** Nothing here moves: the integration branch goes to the remote, and `gh` opens the pull request. */
async function propose(
  source: MergeSource,
  plan: LandingPlan,
  remote: OpenedRemote,
  options: MergeOptions,
  signal: AbortSignal,
): Promise<Merged> {
  const { branch, commit } = plan.source;
  const before = (await source.repo.readRef(`refs/heads/${plan.into}`)) ?? "";
  const told = { ...about(plan), ...NOTHING, before, after: before, pull_request: null };
  const would = await combine(source, await source.repo.handover(), plan, before, false, signal);
  if (would.kind === "conflict") return { ...told, ok: false, state: "conflict", conflicts: would.conflicts };
  if (would.kind === "unchanged") return { ...told, ok: true, state: "unchanged" };
  const command = pullRequestCommand(plan, remote.name, source.shown);
  const opener = await openPullRequest(source, plan, signal);
  if (opener === null && options.push === undefined)
    return { ...told, ok: false, state: "proposed", pull_request: { url: null, error: null, command } };
  const there = await tipThere(source, remote, branch, signal);
  const push = await pushTo(remote, branch, there, commit, signal);
  if (push.state === "failed" || opener === null)
    return { ...told, ok: false, state: "proposed", push, pull_request: { url: null, error: null, command } };
  const made = await opener();
  if (made.url !== null) await keepPullRequest(source, plan, source.shown(made.url));
  return { ...told, ok: made.url !== null, state: "proposed", push, pull_request: { ...made, command } };
}

interface OpenedRemote {
  readonly name: string;
  readonly connection: Remote;
}

/** Throws usage. */
async function openRemote({ repo, settings }: MergeSource, name: string): Promise<OpenedRemote> {
  const configured = await (await repo.handover()).pushUrl(name);
  const given = configured ?? name;
  const isPath = isAbsolute(given) || /^\.\.?\//.test(given);
  if (configured === null && !isPath && !/[:/]/.test(name))
    throw new OxbowError("usage", `There is no remote ${JSON.stringify(name)} here.`, {
      hint: "Look at `git remote -v`; add one with `git remote add origin URL`.",
    });
  const parsed = parseRemoteUrl(isPath ? pathToFileURL(resolve(repo.root, given)).href : given);
  if ("refused" in parsed)
    throw new OxbowError(
      "usage",
      `The URL of the remote ${configured === null ? "" : `${name} `}${parsed.refused}.`,
      {
        hint: "Leave --push out, and push it yourself.",
      },
    );
  const { oxbowGitSshCommand: sshCommand, oxbowGitCredentialHelper: credentialHelper } = settings;
  const connection = (await repo.handover()).connect({
    ...parsed,
    sshCommand,
    credentialHelper,
  } satisfies RemoteOptions);
  return { name, connection };
}

const PATIENCE_MS = 5_000;

/** Where the branch is there. Throws branch_moved when it has what is not here, remote_unreachable, remote_refused. */
async function tipThere(
  { repo }: MergeSource,
  { name, connection }: OpenedRemote,
  branch: string,
  signal: AbortSignal,
): Promise<string | null> {
  const ref = `refs/heads/${branch}`;
  const there = await named(name, branch, async () => {
    const found = await connection.fetch([ref], { signal, forMs: PATIENCE_MS });
    return found.get(ref) ?? null;
  });
  const here = await repo.readRef(ref);
  if (there === null || (here !== null && (await repo.isAncestor(there, here)))) return there;
  throw new OxbowError(
    "branch_moved",
    `${branch} has commits on ${name} that are not here; nothing was moved.`,
    {
      hint: `Bring them first: git fetch ${shellWord(name)} ${shellWord(branch)}, and merge them into ${branch}`,
      details: { remote: name, branch, there },
    },
  );
}

/** Never by force: only from where it was seen to be. */
async function pushTo(
  { name, connection }: OpenedRemote,
  branch: string,
  there: string | null,
  commit: string,
  signal: AbortSignal,
): Promise<Pushed> {
  const command = `git push ${shellWord(name)} ${shellWord(branch)}`;
  const told = { remote: name, branch, commit, error: null, command };
  if (there === commit) return { ...told, state: "same" };
  try {
    const ref = `refs/heads/${branch}`;
    const result = await named(name, branch, () =>
      connection.push([{ ref, old: there, new: commit }], { signal, forMs: PATIENCE_MS }),
    );
    if (result.kind === "pushed") return { ...told, state: "pushed" };
    throw new OxbowError("branch_moved", `Somebody else moved ${branch} on ${name}.`);
  } catch (error) {
    if (!hasCode(error)) throw error;
    return { ...told, state: "failed", error: toErrorValue(error) };
  }
}

/** The errors of a connection, about this remote. */
async function named<T>(name: string, branch: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasCode(error, "remote_refused") && !hasCode(error, "remote_unreachable")) throw error;
    const message = error.message
      .replace(/^The remote of the team/, `The remote ${name}`)
      .replaceAll("repo.url", name);
    throw new OxbowError(error.code, message, {
      hint: `Name your key or helper with OXBOW_GIT_SSH_COMMAND or OXBOW_GIT_CREDENTIAL_HELPER, or push it yourself: git push ${shellWord(name)} ${shellWord(branch)}`,
      cause: error,
    });
  }
}
