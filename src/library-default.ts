/**
 * The app behind the package's free functions: opened by the first call (working directory, environment, team.yaml), kept
 * for the calls that follow, and closed when none has come for a moment, so that a program that is done can end.
 */
import type { AllocateBranchOptions, Calls, OxbowApp } from "./library.ts";
import { environment } from "./host/env.ts";
import { openApp } from "./library.ts";

const IDLE_MS = 100;

interface Shared {
  /** What it was opened for: another directory or environment is another app. */
  readonly key: string;
  readonly app: OxbowApp;
  calls: number;
  idle: NodeJS.Timeout | null;
}

let current: Shared | null = null;

export const orchestrateSplit: Calls["orchestrateSplit"] = (...given) =>
  call((app) => app.orchestrateSplit(...given));
export const signalSend: Calls["signalSend"] = (...given) => call((app) => app.signalSend(...given));
export const signalWait: Calls["signalWait"] = (...given) => call((app) => app.signalWait(...given));
export const signalWaitAny: Calls["signalWaitAny"] = (...given) => call((app) => app.signalWaitAny(...given));
export const signalWaitAll: Calls["signalWaitAll"] = (...given) => call((app) => app.signalWaitAll(...given));

/** As the app's method, in the repository of `repoRoot` (default: the working directory). */
export async function allocateBranch(
  options: AllocateBranchOptions & { readonly repoRoot?: string | undefined },
): ReturnType<Calls["allocateBranch"]> {
  const { repoRoot, ...request } = options;
  if (repoRoot === undefined) return call((app) => app.allocateBranch(request));
  await using app = openApp({ repo: repoRoot });
  return await app.allocateBranch(request);
}

async function call<T>(work: (app: OxbowApp) => Promise<T>): Promise<T> {
  const shared = borrow();
  try {
    return await work(shared.app);
  } finally {
    giveBack(shared);
  }
}

function borrow(): Shared {
  const env = environment();
  const key = JSON.stringify([process.cwd(), env]);
  if (current?.key !== key) {
    const left = current;
    current = { key, app: openApp({ repo: process.cwd(), env }), calls: 0, idle: null };
    if (left !== null && left.calls === 0) retire(left);
  }
  if (current.idle !== null) clearTimeout(current.idle);
  current.idle = null;
  current.calls++;
  return current;
}

function giveBack(shared: Shared): void {
  if (--shared.calls > 0) return;
  if (shared === current) shared.idle = setTimeout(() => retire(shared), IDLE_MS);
  else retire(shared);
}

function retire(shared: Shared): void {
  if (shared.idle !== null) clearTimeout(shared.idle);
  if (shared === current) current = null;
  void shared.app.close();
}
