/**
 * The remote that a fleet's machines share: the only place that fetches and pushes. It works in a git dir of its own, with
 * an empty configuration and the repository's objects, so that nothing of the repository's configuration has a say; what is
 * here already it learns from a copy of the repository's refs.
 */
import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { OxbowError } from "../core/errors.ts";
import { cancelled, type GitSite, runGit, runGitOrThrow } from "./command.ts";
import type { Oid, RemoteOptions } from "./contract.ts";
import type { Setup } from "./setup.ts";
import { newId } from "../host/ids.ts";

/** A ref there: `old: null` says that it must not exist, `new: null` deletes. */
export interface RemoteChange {
  readonly ref: string;
  readonly old: Oid | null;
  readonly new: Oid | null;
}

export type PushResult =
  /** `same`: refs that were so before, which no lease was looked at for: somebody else's push may have made them so. */
  | { readonly kind: "pushed"; readonly same: readonly string[] }
  /** Nothing was changed: these refs are not what was expected. Empty when the server does not say which. */
  | { readonly kind: "moved"; readonly refs: readonly string[] };

/** How long a failing connection is tried again: while `signal` lives, and at most `forMs`. */
export interface Patience {
  readonly signal?: AbortSignal | undefined;
  readonly forMs?: number | undefined;
}

export interface Remote {
  /** Brings these refs with their objects; what is not there is not in the answer. Throws remote_unreachable, remote_refused. */
  fetch(refs: readonly string[], patience?: Patience): Promise<ReadonlyMap<string, Oid>>;
  /** All of them or none. Throws remote_unreachable, remote_refused. */
  push(changes: readonly RemoteChange[], patience?: Patience): Promise<PushResult>;
  /** What a push would meet, but for the objects and the change itself; `new: null` looks at the connection alone. */
  rehearse(change: RemoteChange, patience?: Patience): Promise<void>;
  close(): Promise<void>;
}

const TRIES_MS = { first: 250, last: 15_000 };
/** One fetch or push; a connection that stands still is ended. */
const LIMIT_MS = 600_000;
const PATIENCE_MS = 60_000;
const INCOMING = "refs/incoming/";

export function createRemote(setup: Setup, options: RemoteOptions): Remote {
  const home = path.join(setup.stateDir, "remote");
  const dir = path.join(home, newId(String(process.pid)));
  const site: GitSite = {
    ...setup.objectSite,
    cwd: dir,
    gitDir: dir,
    remote: options,
    settings: [
      ...(setup.objectSite.settings ?? []),
      ["credential.helper", ""],
      ...(options.credentialHelper === undefined
        ? []
        : [["credential.helper", options.credentialHelper] as const]),
      ["http.lowSpeedLimit", "1"],
      ["http.lowSpeedTime", "30"],
      ["http.followRedirects", "false"],
      ["submodule.recurse", "false"],
      ["push.recurseSubmodules", "no"],
    ],
  };
  let made: Promise<void> | null = null;
  const ready = () => (made ??= makeDir(setup, home, dir));
  const inTurn = turns();

  const once = async (verb: string, args: readonly string[], input: string, signal?: AbortSignal) => {
    const result = await runGit(site, args, { input, timeoutMs: LIMIT_MS }, signal);
    const words = result.timedOut ? "timed out" : result.stderr.toString("utf8").trim();
    return { ok: result.exitCode === 0, out: result.stdout.toString("utf8"), words, verb };
  };

  const fetchOnce = async (refs: readonly string[], signal?: AbortSignal) => {
    await ready();
    await rm(path.join(dir, "refs", "incoming"), { recursive: true, force: true });
    const have = await runGitOrThrow(setup.refSite, ["for-each-ref", "--format=%(objectname) %(refname)"]);
    await writeFile(path.join(dir, "packed-refs"), have);
    // A pattern may match nothing; a name that is missing would end the fetch.
    const specs = refs.map((ref) => `+${ref}*:${INCOMING}${ref.slice("refs/".length)}*\n`).join("");
    const flags = ["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"];
    const answer = await once("fetch", ["fetch", ...flags, "--quiet", "--stdin", options.url], specs, signal);
    if (!answer.ok) return answer;
    const text = await runGitOrThrow(site, [
      "for-each-ref",
      "--format=%(objectname) %(refname)",
      INCOMING.slice(0, -1),
    ]);
    const found = new Map<string, Oid>();
    const wanted = new Set(refs);
    for (const line of text.toString("utf8").split("\n")) {
      const ref = `refs/${line.slice(line.indexOf(" ") + 1 + INCOMING.length)}`;
      const below = refs.some((each) => each.endsWith("/") && ref.startsWith(each));
      if (wanted.has(ref) || below) found.set(ref, line.slice(0, line.indexOf(" ")));
    }
    return { ...answer, found };
  };

  const pushOnce = async (changes: readonly RemoteChange[], signal?: AbortSignal, rehearsal = false) => {
    await ready();
    const leases = changes.map(({ ref, old }) => `--force-with-lease=${ref}:${old ?? ""}`);
    const specs = changes.map(({ ref, new: next }) => `${next ?? ""}:${ref}`);
    const flags = ["--porcelain", "--atomic", "--no-verify", "--no-recurse-submodules"];
    if (rehearsal) flags.push("--dry-run");
    const answer = await once("push", ["push", ...flags, ...leases, options.url, ...specs], "", signal);
    return { ...answer, verdict: answer.ok ? null : verdictOf(answer.out, answer.words) };
  };

  /** Again and again with longer waits, while it is the connection that fails. */
  const persist = async <T extends { ok: boolean; words: string }>(
    attempt: () => Promise<T>,
    settled: (answer: T) => boolean,
    { signal, forMs = PATIENCE_MS }: Patience,
  ): Promise<T> => {
    const until = performance.now() + forMs;
    for (let wait = TRIES_MS.first; ; wait = Math.min(wait * 2, TRIES_MS.last)) {
      const answer = await inTurn(attempt);
      if (answer.ok || settled(answer)) return answer;
      const words = shown(answer.words, options.url);
      if (REFUSED.test(answer.words) && !AWAY.test(answer.words))
        throw new OxbowError("remote_refused", `The remote of the team refuses: ${words}`);
      if (performance.now() + wait > until)
        throw new OxbowError("remote_unreachable", `The remote of the team cannot be used: ${words}`);
      await delay(wait, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw cancelled();
      });
    }
  };

  return {
    async fetch(refs, patience = {}) {
      if (refs.length === 0) return new Map();
      const answer = await persist(
        () => fetchOnce(refs, patience.signal),
        () => false,
        patience,
      );
      return "found" in answer ? answer.found : new Map();
    },
    async push(changes, patience = {}) {
      const [first] = changes;
      if (first === undefined) return { kind: "pushed", same: [] };
      const answer = await persist(
        () => pushOnce(changes, patience.signal),
        ({ verdict }) => verdict !== null,
        patience,
      );
      const { verdict } = answer;
      if (verdict === null) return { kind: "pushed", same: statuses(answer.out, "=").map(({ ref }) => ref) };
      if (verdict.kind === "moved") return verdict;
      throw new OxbowError(
        "remote_refused",
        `The remote of the team refuses to move ${first.ref}: ${shown(verdict.words, options.url)}`,
      );
    },
    async rehearse(change, patience = {}) {
      const { verdict } = await persist(
        () => pushOnce([change], patience.signal, true),
        (answer) => answer.verdict !== null,
        patience,
      );
      // Whatever is said of the ref itself, the server has let this machine in to push.
      if (verdict?.kind !== "refused" || change.new === null) return;
      throw new OxbowError(
        "remote_refused",
        `The remote of the team refuses a push: ${shown(verdict.words, options.url)}`,
      );
    },
    async close() {
      await made;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

type Verdict =
  | { readonly kind: "moved"; readonly refs: readonly string[] }
  | { readonly kind: "refused"; readonly words: string };

/** What the server, or the comparison before it, said of each ref; null when it never came to that. */
function verdictOf(out: string, words: string): Verdict | null {
  const lines = statuses(out, "!");
  if (lines.length === 0) return null;
  const moved = lines.filter(({ why }) => /stale info|fetch first|non-fast-forward|already exists/.test(why));
  if (moved.length > 0) return { kind: "moved", refs: moved.map(({ ref }) => ref) };
  // Somebody was faster between the comparison and the server's own.
  if (FASTER.test(out) || FASTER.test(words)) return { kind: "moved", refs: [] };
  if (lines.every(({ why }) => /remote end hung up|unpacker error|no report|atomic push fail/.test(why)))
    return null;
  const said = words
    .split("\n")
    .filter((line) => line.startsWith("remote:"))
    .join("\n");
  return {
    kind: "refused",
    words: [...lines.map(({ ref, why }) => `${ref} ${why}`), said].join("\n").trim(),
  };
}

const FASTER =
  /cannot lock ref '[^']*': (?:reference already exists|is at |reference is missing|unable to resolve|Unable to create '[^']*\.lock')|incorrect old value/;

/** The refs with that flag in the answer of `push --porcelain`: `flag TAB from:to TAB why`. */
function statuses(out: string, wanted: "!" | "="): { ref: string; why: string }[] {
  return out.split("\n").flatMap((line) => {
    const [flag, names = "", why = ""] = line.split("\t");
    return flag === wanted ? [{ ref: names.slice(names.indexOf(":") + 1), why }] : [];
  });
}

const REFUSED =
  /Authentication failed|Permission denied|could not read (?:Username|Password)|returned error: 40[13]|access denied|Host key verification failed|transport '[^']*' not allowed|insufficient permission/i;
const AWAY =
  /Could not resolve|Connection (?:refused|timed out|reset|closed)|unreachable|timed out|early EOF|returned error: 5\d\d/i;

/** Git's own words, without what a URL may hide. */
function shown(words: string, url: string): string {
  return words
    .replaceAll(url, "repo.url")
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, "$1")
    .split("\n")
    .slice(0, 6)
    .join("\n")
    .slice(0, 1000);
}

/** The git dir of this process: those of processes that are gone are removed. */
async function makeDir(setup: Setup, home: string, dir: string): Promise<void> {
  await mkdir(home, { recursive: true });
  for (const name of await readdir(home)) {
    const pid = /^(\d+)_/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(path.join(home, name), { recursive: true, force: true });
  }
  await rm(dir, { recursive: true, force: true });
  await mkdir(path.join(dir, "refs"), { recursive: true });
  await mkdir(path.join(dir, "objects"));
  await copyFile(path.join(setup.objectSite.cwd, "config"), path.join(dir, "config"));
  await writeFile(path.join(dir, "HEAD"), "ref: refs/heads/none\n");
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** One fetch or push at a time: they share a git dir. */
function turns() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
