/**
 * The runtime `command`: an agent that is any program, run without a shell in a workspace that the caller has prepared.
 *
 * Its environment is exactly what the caller gives, plus TERM=dumb, and a private HOME and TMPDIR that are gone
 * afterwards (the sandbox adds PWD). CI is not set: with it some tools refuse to write what they were asked to write (new snapshots, say);
 * a closed stdin already keeps them from asking questions.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { hasCode, OxbowError, toErrorValue } from "../core/errors.ts";
import { NO_USAGE } from "../core/model.ts";
import type { Redactor, RedactorStream } from "../core/redact.ts";
import type { Confinement, Sandbox } from "../host/sandbox.ts";
import type { RunResult } from "./contract.ts";
import { cannotStart, withHint } from "./command-failure.ts";
import { homeVariables, prepareHome } from "./private-home.ts";

export interface CommandRequest {
  /** Program and arguments; `{task}`, `{branch}` and `{paths}` are filled in, except in the program. */
  readonly argv: readonly string[];
  readonly task: string;
  readonly branch: string;
  /** What `{paths}` stands for; null or empty: nothing. */
  readonly paths: readonly string[] | null;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** A directory that becomes HOME: emptied before, removed after. Null leaves HOME as `env` has it. */
  readonly home?: string | null | undefined;
  /** What lies in that HOME: a symlink to an absolute path each, by its name. */
  readonly homeLinks?: Readonly<Record<string, string>> | undefined;
  /** Where it runs, and what it may see and change there. */
  readonly sandbox: Sandbox;
  readonly confinement: Confinement;
  /** What its processes are known by where no sandbox holds them together. */
  readonly mark?: string | undefined;
  /** Wall time of all invocations together, milliseconds. */
  readonly timeoutMs: number;
  /** The process id of each invocation, as soon as there is one. */
  readonly onStart?: ((pid: number) => void) | undefined;
  /** Whole lines, redacted. */
  readonly onOutput?: ((stream: "stdout" | "stderr", text: string) => void) | undefined;
  readonly redactor?: Redactor | undefined;
}

/** Codes of `error`: command_invalid, command_failed, timed_out, cancelled, internal. */
export type CommandResult = RunResult;

/** Bytes of expanded `{paths}` in one invocation: well below every system's limit on arguments. */
const MAX_PATH_BYTES = 100_000;
const MAX_OUTPUT = 8000;
const MAX_ERROR_LINES = 20;

/** Never rejects. Runs the invocations in order and stops at the first that fails. */
export async function runCommand(request: CommandRequest, signal?: AbortSignal): Promise<CommandResult> {
  const startedAt = performance.now();
  const redactor = request.redactor ?? UNREDACTED;
  const stdout = createTail();
  const stderr = createTail();
  let failure: unknown = null;
  try {
    if (request.home != null) await prepareHome(request.home, request.homeLinks ?? {});
    const env = { ...request.env, TERM: "dumb", ...homeVariables(request.home) };
    for (const argv of expandCommand(request)) {
      const left = request.timeoutMs - (performance.now() - startedAt);
      if (left <= 0) throw timedOut(request);
      await invoke(argv, { request, env, left, stdout, stderr, redactor }, signal);
    }
  } catch (error) {
    failure = error ?? new Error("unknown failure");
  }
  if (request.home != null) {
    try {
      await rm(request.home, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      failure ??= error;
    }
  }
  return {
    output: redactor.redact(stdout.text()),
    usage: NO_USAGE,
    cost: null,
    elapsed_ms: Math.round(performance.now() - startedAt),
    request_id: null,
    trace_id: `trace_${randomBytes(16).toString("hex")}`,
    ...(failure === null ? {} : { error: redactedError(failure, redactor.redact) }),
  };
}

/** The invocations of a command, without running it. Throws command_invalid. */
export function expandCommand(
  request: Pick<CommandRequest, "argv" | "task" | "branch" | "paths">,
): readonly (readonly [string, ...string[]])[] {
  const [program, ...words] = request.argv;
  if (program === undefined || program === "")
    throw new OxbowError("command_invalid", "The command has no program.");
  if (/\{(?:task|branch|paths)\}/.test(program)) {
    throw new OxbowError("command_invalid", `The program cannot be chosen by a placeholder: ${program}`);
  }
  const separate = words.includes("{paths}");
  const paths = (request.paths ?? []).map((path) => (path.startsWith("-") ? `./${path}` : path));
  const rounds = separate ? batches(paths) : [paths];
  return rounds.map((batch) => {
    const inside = batch.join(" ");
    if (
      !separate &&
      words.some((word) => word.includes("{paths}")) &&
      Buffer.byteLength(inside) > MAX_PATH_BYTES
    ) {
      throw new OxbowError("command_invalid", `${batch.length} files are too many for one argument.`, {
        hint: "Give {paths} as a word of its own; it is then run in batches.",
      });
    }
    const values: Record<string, string> = { task: request.task, branch: request.branch, paths: inside };
    const fill = (word: string): string =>
      word.replace(/\{(task|branch|paths)\}/g, (_whole, name: string) => values[name] ?? "");
    const args = words.flatMap((word) => (word === "{paths}" ? batch : [fill(word)]));
    if ([program, ...args].some((word) => word.includes("\0"))) {
      throw new OxbowError("command_invalid", "The command holds a NUL character.");
    }
    return [program, ...args];
  });
}

function batches(paths: readonly string[]): readonly (readonly string[])[] {
  const result: string[][] = [];
  let room = 0;
  for (const path of paths) {
    const bytes = Buffer.byteLength(path) + 1;
    const last = result.at(-1);
    if (last === undefined || bytes > room) {
      result.push([path]);
      room = MAX_PATH_BYTES - bytes;
    } else {
      last.push(path);
      room -= bytes;
    }
  }
  return result.length === 0 ? [[]] : result;
}

interface Invocation {
  readonly request: CommandRequest;
  readonly env: Readonly<Record<string, string>>;
  readonly left: number;
  readonly stdout: Tail;
  readonly stderr: Tail;
  readonly redactor: Redactor;
}

async function invoke(
  [program, ...args]: readonly [string, ...string[]],
  { request, env, left, stdout, stderr, redactor }: Invocation,
  signal?: AbortSignal,
): Promise<void> {
  const show = (stream: "stdout" | "stderr", tail: Tail) =>
    createCleanLines(redactor.stream(), (text) => {
      tail.add(text);
      request.onOutput?.(stream, text);
    });
  const lines = { stdout: show("stdout", stdout), stderr: show("stderr", stderr) };
  const result = await request.sandbox.run(
    [program, ...args],
    {
      confinement: request.confinement,
      mark: request.mark,
      cwd: request.cwd,
      env,
      timeoutMs: Math.max(1, Math.ceil(left)),
      maxOutputBytes: 0,
      onStart: request.onStart,
      onStdout: lines.stdout.push,
      onStderr: lines.stderr.push,
    },
    signal,
  );
  lines.stdout.end();
  lines.stderr.end();
  if (result.cancelled) throw new OxbowError("cancelled", `${program} was cancelled.`);
  if (result.timedOut) throw timedOut(request);
  if (result.startError !== null) throw cannotStart(program, result);
  if (result.exitCode === 0) return;
  const how =
    result.signalName === null ? `exited with code ${result.exitCode}` : `was ended by ${result.signalName}`;
  const said = lastLines(stderr.text()) || lastLines(stdout.text());
  const details = { exit_code: result.exitCode, signal: result.signalName };
  const message = `${program} ${how}${said === "" ? "." : `: ${said}`}`;
  throw withHint(message, details, { text: `${stderr.text()}\n${stdout.text()}`, result, request });
}

function timedOut(request: CommandRequest): OxbowError {
  return new OxbowError("timed_out", `${request.argv[0]} did not finish within ${request.timeoutMs} ms.`, {
    hint: "Raise defaults.timeout_ms, or the agent's timeout_ms, in the team file.",
  });
}

function redactedError(error: unknown, redact: (text: string) => string): ReturnType<typeof toErrorValue> {
  const value = toErrorValue(hasCode(error) ? error : new OxbowError("internal", String(error)));
  return { ...value, message: redact(value.message) };
}

interface Tail {
  add(text: string): void;
  text(): string;
}

/** The last characters of a stream, from the start of a line where there is one. */
function createTail(): Tail {
  let kept = "";
  let cut = false;
  return {
    add(text) {
      kept += text;
      if (kept.length <= MAX_OUTPUT * 2) return;
      kept = kept.slice(-MAX_OUTPUT);
      cut = true;
    },
    text() {
      const last = kept.slice(-MAX_OUTPUT);
      if (!cut && last.length === kept.length) return last;
      const start = last.indexOf("\n") + 1;
      return `…\n${start < last.length ? last.slice(start) : last}`;
    },
  };
}

/** Whole lines at a time, without secrets, also those that came in pieces. */
function createCleanLines(clean: RedactorStream, give: (text: string) => void) {
  const limit = 16_384;
  let open = "";
  const add = (text: string) => {
    open += text;
    const end = open.lastIndexOf("\n") + 1;
    if (end > 0) give(open.slice(0, end));
    open = open.slice(end);
    if (open.length <= limit) return;
    give(open);
    open = "";
  };
  return {
    push: (text: string) => add(clean.push(text)),
    end() {
      add(clean.end());
      if (open !== "") give(open);
      open = "";
    },
  };
}

const UNREDACTED: Redactor = {
  redact: (text) => text,
  stream: () => ({ push: (text) => text, end: () => "" }),
};

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-MAX_ERROR_LINES).join("\n").trim();
}
