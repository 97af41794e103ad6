/**
 * Where programs of agents run: in bubblewrap where it works, else with what the system alone can do. The caller says
 * what a program may change, read and reach; the system's own programs and those on the PATH are added here.
 *
 * In bubblewrap every descendant dies with the program, whatever it did to get away. Without it, on Linux, those that
 * left the process group are found by a mark in their environment; one that also cleared its environment gets away.
 */
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { OxbowError } from "../core/errors.ts";
import { type Bubblewrap, probeBubblewrap } from "./bubblewrap-probe.ts";
import { bubblewrapArgs, isVisible, readStatus, type Walls } from "./bubblewrap.ts";
import { type Bind, findProgram, programFiles } from "./program-files.ts";
import { notStarted, processBirth, run, type RunOptions, type RunResult } from "./process.ts";
import { endStrays, strayMark } from "./strays.ts";

export type SandboxMode = "auto" | "required" | "off";

export type SandboxState =
  | { readonly kind: "bubblewrap"; readonly version: string }
  /** Programs run as the user: they can read and write whatever the user can. */
  | { readonly kind: "none"; readonly reason: string };

export interface Confinement {
  /** Absolute folders or files the program may change, each at its own place. */
  readonly writable: readonly string[];
  /** What it may read besides the system's programs and those on its PATH. */
  readonly readOnly?: readonly (string | Bind)[] | undefined;
  /** Folders of which it sees nothing, also where a folder above is shown. `writable` and `readOnly` below them stay. */
  readonly hidden?: readonly string[] | undefined;
  /** Default: none, not even the machine's own loopback. */
  readonly network?: boolean | undefined;
  /** The user's home, which is never shown for a program in it. */
  readonly home?: string | undefined;
  /** Absolute paths a person named on the command line: shown with what they need. */
  readonly named?: readonly string[] | undefined;
}

/** `onStatus` is taken; HOME and TMPDIR in `env` must be among the writable. */
export type ConfinedOptions = Omit<RunOptions, "onStatus"> & {
  readonly confinement: Confinement;
  /** What its processes are known by where no sandbox holds them together. Default: one of its own. */
  readonly mark?: string | undefined;
};

/** In bubblewrap a program that a signal ended has an `exitCode` too, 128 and the signal's number, as in a shell. */
export interface ConfinedResult extends RunResult {
  readonly sandbox: SandboxState["kind"];
  /** Why bubblewrap itself could not start it, else null. */
  readonly sandboxError: string | null;
  /** Could the program see this absolute path? True without a sandbox. */
  sees(file: string): boolean;
}

export interface Sandbox {
  readonly mode: SandboxMode;
  /** What is in force; looked at once. Throws sandbox_missing when it is required and does not work. */
  state(): Promise<SandboxState>;
  /** As `run` of process.ts: what the program did is a value. Throws sandbox_missing before anything starts. */
  run(
    argv: readonly [string, ...string[]],
    options: ConfinedOptions,
    signal?: AbortSignal,
  ): Promise<ConfinedResult>;
}

export interface SandboxOptions {
  readonly mode: SandboxMode;
  /** The PATH on which bubblewrap is looked for, after the system's own folders. */
  readonly searchPath: string;
  /** Where programs will work: where bubblewrap cannot show it, it does not work here. Null: nowhere in particular. */
  readonly folder: string | null;
}

export function createSandbox(options: SandboxOptions): Sandbox {
  const state = async (): Promise<SandboxState> => {
    const found = await look(options);
    return found.kind === "none" ? found : { kind: "bubblewrap", version: found.version };
  };
  return {
    mode: options.mode,
    state,
    async run(argv, given, signal) {
      const found = await look(options);
      return found.kind === "none" ? runFree(argv, given, signal) : runConfined(found, argv, given, signal);
    },
  };
}

async function look({ mode, searchPath, folder }: SandboxOptions): Promise<Bubblewrap> {
  if (mode === "off") return { kind: "none", reason: "TERMINAL_SANDBOX is off" };
  const found = await probeBubblewrap(searchPath, folder);
  if (found.kind === "none" && mode === "required")
    throw new OxbowError("sandbox_missing", `TERMINAL_SANDBOX is required, but ${found.reason}.`);
  return found;
}

const STATUS = 3;
const MOST_SAID = 4_000;
/** How long the last processes of a sandbox may take to be gone once it has ended. */
const GONE_MS = 10_000;

async function runConfined(
  { file }: Extract<Bubblewrap, { kind: "bubblewrap" }>,
  [program, ...args]: readonly [string, ...string[]],
  options: ConfinedOptions,
  signal: AbortSignal | undefined,
): Promise<ConfinedResult> {
  const { confinement, mark: _, ...plain } = options;
  const searched = options.env["PATH"] ?? "";
  const found = findProgram(program, searched, options.cwd);
  const walls = wallsOf(confinement, searched, options.cwd);
  const outcome = (result: RunResult, sandboxError: string | null): ConfinedResult => ({
    ...result,
    sandbox: "bubblewrap",
    sandboxError,
    sees: (one) => isVisible(one, walls),
  });
  if ("missing" in found) return outcome(notStarted(performance.now(), false, found.missing), null);
  const { loader, rest } = partEnvironment(options.env);
  const words = loader.flatMap(([name, value]) => ["--setenv", name, value]);
  let status = "";
  let said = "";
  const listening: RunOptions = {
    ...plain,
    env: rest,
    onStatus: (text) => (status += text),
    onStderr: (text) => {
      if (said.length < MOST_SAID) said += text;
      plain.onStderr?.(text);
    },
  };
  const confined = [...words, ...bubblewrapArgs(walls, [found.file, ...args], STATUS)];
  const result = await run(file, confined, listening, signal);
  const { pid, ended } = readStatus(status);
  await allGone(pid);
  if (ended) return outcome({ ...result, signalName: result.signalName ?? signalOf(result.exitCode) }, null);
  if (result.timedOut || result.cancelled || result.startError !== null || result.exitCode === null)
    return outcome(result, null);
  return outcome(...neverBegan(result, said, pid));
}

function wallsOf(confinement: Confinement, searched: string, cwd: string): Walls {
  const { writable, readOnly = [], hidden = [], network = false, home, named = [] } = confinement;
  const given = readOnly.map((one) => (typeof one === "string" ? { from: one, to: one } : one));
  const programs = programFiles({ path: searched, home, apart: hidden, named });
  return { cwd, writable, hidden, network, readOnly: [...programs, ...given] };
}

/** What the dynamic loader obeys must not reach bubblewrap itself, which is outside. */
function partEnvironment(env: Readonly<Record<string, string>>) {
  const isLoader = (name: string) => /^(?:LD_|GLIBC_|GCONV_|MALLOC_)/.test(name);
  const all = Object.entries(env);
  return {
    loader: all.filter(([name]) => isLoader(name)),
    rest: Object.fromEntries(all.filter(([name]) => !isLoader(name))),
  };
}

/** bubblewrap tells of the program's end before its descendants' end. */
async function allGone(pid: number | null): Promise<void> {
  if (pid === null) return;
  for (const until = performance.now() + GONE_MS; processBirth(pid) !== null; await pause(2))
    if (performance.now() > until) return;
}

const { signals } = constants;
/** Those that end a program by its own fault or somebody else's force. */
const ENDING = [
  "SIGKILL",
  "SIGTERM",
  "SIGSEGV",
  "SIGABRT",
  "SIGBUS",
  "SIGILL",
  "SIGFPE",
  "SIGSYS",
  "SIGXCPU",
] as const;

function signalOf(exitCode: number | null): string | null {
  return ENDING.find((name) => exitCode === 128 + signals[name]) ?? null;
}

/** Bubblewrap ended without having run the program: either that cannot be started, or the walls cannot be built. */
function neverBegan(result: RunResult, said: string, pid: number | null): [RunResult, string] {
  const message = said.trim().replace(/^bwrap: /, "") || `bubblewrap ended with code ${result.exitCode}`;
  const why = /^execvp .*: No such file/.test(message)
    ? "ENOENT"
    : /^execvp .*denied/.test(message)
      ? "EACCES"
      : "";
  const startError = pid === null || why === "" ? "ESANDBOX" : why;
  return [{ ...result, exitCode: null, startError }, message];
}

async function runFree(
  [program, ...args]: readonly [string, ...string[]],
  { confinement: _, mark: known, ...options }: ConfinedOptions,
  signal: AbortSignal | undefined,
): Promise<ConfinedResult> {
  const mark = strayMark(known);
  try {
    const env = { ...options.env, [mark.name]: mark.value };
    const result = await run(program, args, { ...options, env }, signal);
    return { ...result, sandbox: "none", sandboxError: null, sees: () => true };
  } finally {
    await endStrays(mark);
  }
}
