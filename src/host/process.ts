/**
 * The one place that starts processes. No shell, ever; the environment is exactly what the caller gives.
 *
 * `run` is for a call that ends by itself: its outcome is a value (also when the program is missing, was killed or ran
 * out of time). `startProcess` is for a helper that is kept open and spoken to over its streams.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Readable, type Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { beyondStatus } from "./descriptors.ts";

export interface RunOptions {
  readonly cwd: string;
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes for stdin. Without it stdin is closed from the start. */
  readonly input?: string | Uint8Array | undefined;
  /** Wall time in milliseconds; 0 or undefined means no limit. */
  readonly timeoutMs?: number | undefined;
  /** Bytes kept of each of stdout and stderr; what follows is read and dropped. Default 64 MiB. */
  readonly maxOutputBytes?: number | undefined;
  /** Milliseconds between the polite and the forced stop. Default 3000. */
  readonly killAfterMs?: number | undefined;
  /** Every chunk as it arrives, decoded as UTF-8 (whole characters only), also past `maxOutputBytes`. */
  readonly onStdout?: ((text: string) => void) | undefined;
  readonly onStderr?: ((text: string) => void) | undefined;
  /** The process id, once there is one. */
  readonly onStart?: ((pid: number) => void) | undefined;
  /**
   * Opens file descriptor 3 for the program to write on, and hands over what comes. The program then gets no other
   * descriptor either: what this process was started with, it would inherit.
   */
  readonly onStatus?: ((text: string) => void) | undefined;
}

export interface RunResult {
  /** Null when a signal ended it or it never started. */
  readonly exitCode: number | null;
  readonly signalName: string | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** True when either stream was longer than `maxOutputBytes`. */
  readonly truncated: boolean;
  readonly timedOut: boolean;
  readonly cancelled: boolean;
  /** Why it did not start (`ENOENT`, `EACCES` …), else null. */
  readonly startError: string | null;
  readonly elapsedMs: number;
}

const DEFAULT_OUTPUT_BYTES = 64 * 1024 * 1024;
const DEFAULT_KILL_AFTER_MS = 3000;
/** How long streams may stay open after the program itself has gone (a descendant that left its process group). */
const STREAM_GRACE_MS = 1000;

/** Runs a program to its end. Never throws for what the program did; on time-out or abort its descendants die too. */
export async function run(
  file: string,
  args: readonly string[],
  options: RunOptions,
  signal?: AbortSignal,
): Promise<RunResult> {
  const startedAt = performance.now();
  const { execa } = await import("execa");
  if (signal?.aborted === true) return notStarted(startedAt, true, null);
  const subprocess = execa(file, args, {
    cwd: options.cwd,
    env: { ...options.env },
    extendEnv: false,
    buffer: false,
    reject: false,
    encoding: "buffer",
    stdio: [
      options.input === undefined ? "ignore" : "pipe",
      "pipe",
      "pipe",
      ...(options.onStatus === undefined ? [] : ["pipe" as const, ...beyondStatus()]),
    ],
    stripFinalNewline: false,
    killDescendants: true,
    forceKillAfterDelay: options.killAfterMs ?? DEFAULT_KILL_AFTER_MS,
    timeout: options.timeoutMs ?? 0,
    windowsHide: true,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (subprocess.pid !== undefined) {
    endWithUs(subprocess.pid, subprocess.nodeChildProcess);
    options.onStart?.(subprocess.pid);
  }
  const limit = options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
  const stdout = collect(subprocess.stdout, limit, options.onStdout);
  const stderr = collect(subprocess.stderr, limit, options.onStderr);
  readStatus(subprocess.stdio[3], options.onStatus);
  endWithLeader(subprocess);
  const result = await subprocess;
  return {
    exitCode: result.exitCode ?? null,
    signalName: result.signal ?? null,
    stdout: stdout.bytes(),
    stderr: stderr.bytes(),
    truncated: stdout.truncated() || stderr.truncated(),
    timedOut: result.timedOut,
    cancelled: result.isCanceled,
    startError: subprocess.pid === undefined ? (result.code ?? "ESTART") : null,
    elapsedMs: performance.now() - startedAt,
  };
}

/**
 * Runs a program that has the terminal to itself, such as an editor, until the person ends it: it gets our own streams,
 * and stays in our process group. Null: it could not be started, or a signal ended it.
 */
export async function runAttached(
  file: string,
  args: readonly string[],
  options: Pick<RunOptions, "cwd" | "env">,
): Promise<number | null> {
  const { cwd, env } = options;
  const subprocess = spawn(file, args, { cwd, env: { ...env }, stdio: "inherit" });
  return new Promise((resolve) => {
    subprocess.once("error", () => resolve(null));
    subprocess.once("close", (exitCode) => resolve(exitCode));
  });
}

export interface LongProcess extends AsyncDisposable {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** The last 8 KiB it wrote to stderr. */
  readonly stderrTail: () => string;
  /** Settles when it has ended; never rejects. `exitCode` null: killed, or never started. */
  readonly exited: Promise<{ exitCode: number | null; signalName: string | null }>;
  /** Closes stdin and waits for it to end; kills it after `graceMs` (default 2000). Repeatable. */
  close(graceMs?: number): Promise<void>;
  kill(): void;
}

/** Starts a process that stays open. A program that cannot start shows up as an early `exited`. */
export function startProcess(
  file: string,
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    /**
     * It may start others: whatever is left of its process group when it has ended, or when we end, is ended too, and
     * `close` asks with SIGTERM before it kills.
     */
    readonly group?: boolean | undefined;
  },
): LongProcess {
  // In a group of its own, so that a Ctrl-C on the terminal is ours to answer; without us its stdin ends, and so does it.
  const subprocess = spawn(file, args, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  const { pid } = subprocess;
  if (options.group === true && pid !== undefined) {
    endWithUs(pid, subprocess);
    subprocess.once("exit", () => killGroup(pid));
  }
  let tail = Buffer.alloc(0);
  subprocess.stderr.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-8192);
  });
  // A broken pipe is reported through `exited`; without a listener it would end the whole daemon.
  subprocess.stdin.on("error", () => undefined);
  const exited = new Promise<{ exitCode: number | null; signalName: string | null }>((resolve) => {
    subprocess.once("error", () => resolve({ exitCode: null, signalName: null }));
    subprocess.once("close", (exitCode, signalName) => resolve({ exitCode, signalName }));
  });
  const close = async (graceMs = 2000): Promise<void> => {
    subprocess.stdin.end();
    subprocess.stdout.resume();
    const asked = setTimeout(() => void (options.group === true && subprocess.kill("SIGTERM")), graceMs / 2);
    const timer = setTimeout(() => subprocess.kill("SIGKILL"), graceMs);
    await exited;
    clearTimeout(asked);
    clearTimeout(timer);
  };
  return {
    pid: subprocess.pid,
    stdin: subprocess.stdin,
    stdout: subprocess.stdout,
    stderrTail: () => tail.toString("utf8"),
    exited,
    close,
    kill: () => void subprocess.kill("SIGKILL"),
    [Symbol.asyncDispose]: () => close(),
  };
}

/** A program that was never begun: cancelled before, or it cannot be. */
export function notStarted(startedAt: number, cancelled: boolean, startError: string | null): RunResult {
  return {
    exitCode: null,
    signalName: null,
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    truncated: false,
    timedOut: false,
    cancelled,
    startError,
    elapsedMs: performance.now() - startedAt,
  };
}

function readStatus(stream: unknown, onStatus: ((text: string) => void) | undefined): void {
  if (onStatus === undefined || !(stream instanceof Readable)) return;
  stream.on("data", (chunk: Buffer) => onStatus(chunk.toString("utf8")));
}

function collect(stream: Readable, limit: number, onText: ((text: string) => void) | undefined) {
  const chunks: Buffer[] = [];
  let kept = 0;
  let cut = false;
  const decoder = new StringDecoder("utf8");
  stream.on("data", (chunk: Buffer) => {
    if (onText !== undefined) {
      const text = decoder.write(chunk);
      if (text !== "") onText(text);
    }
    const part = kept + chunk.length <= limit ? chunk : chunk.subarray(0, Math.max(0, limit - kept));
    if (part.length < chunk.length) cut = true;
    if (part.length > 0) chunks.push(part);
    kept += part.length;
  });
  stream.on("end", () => {
    const rest = decoder.end();
    if (rest !== "") onText?.(rest);
  });
  return { bytes: () => Buffer.concat(chunks), truncated: () => cut };
}

interface Leader {
  readonly pid?: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly nodeChildProcess: { once(event: "exit", listener: () => void): unknown };
}

/**
 * When the program has ended, whatever it left running in its process group ends too: nobody would ever collect it, and
 * it would hold our pipes open. What left the group only loses the pipes.
 */
function endWithLeader(subprocess: Leader): void {
  subprocess.nodeChildProcess.once("exit", () => {
    if (subprocess.pid !== undefined) killGroup(subprocess.pid);
    const timer = setTimeout(() => {
      subprocess.stdout.destroy();
      subprocess.stderr.destroy();
    }, STREAM_GRACE_MS);
    timer.unref();
    const done = () => {
      if (subprocess.stdout.readableEnded && subprocess.stderr.readableEnded) clearTimeout(timer);
    };
    subprocess.stdout.once("close", done);
    subprocess.stderr.once("close", done);
  });
}

const running = new Set<number>();

/** A program never outlives this process, also when it leaves at once: each is in a group of its own, out of the terminal's reach. */
function endWithUs(pid: number, subprocess: Leader["nodeChildProcess"]): void {
  if (running.size === 0) process.on("exit", endRunning);
  running.add(pid);
  subprocess.once("exit", () => {
    running.delete(pid);
    if (running.size === 0) process.off("exit", endRunning);
  });
}

function endRunning(): void {
  for (const pid of running) killGroup(pid);
}

/** Ends a process group at once: `leader` and whatever it started and did not put into a group of its own. */
export function killGroup(leader: number): void {
  if (process.platform === "win32") return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    // ESRCH is the usual case: nothing was left. EPERM: what is left is not ours to end.
    if (!(error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM"))) {
      throw error;
    }
  }
}

/**
 * What tells a process from a later one with the same id: its start time in clock ticks since boot (Linux), else "".
 * Null when there is no such process, or only its zombie.
 */
export function processBirth(pid: number): string | null {
  if (process.platform === "linux") {
    const stat = readProcStat(pid);
    if (stat === null) return null;
    // The name, in parentheses, may hold blanks and parentheses; the fields begin after the last one (state is the 3rd).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? "");
  }
  try {
    process.kill(pid, 0);
    return "";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM" ? "" : null;
  }
}

/** True while a process with this id runs (also when it belongs to somebody else). */
export function isAlive(pid: number): boolean {
  return processBirth(pid) !== null;
}

function readProcStat(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) {
      return null;
    }
    throw error;
  }
}
