/** Runs the real command line in a process of its own, as a user would. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { checkEvents } from "./event-stream.ts";

export const LAUNCHER = resolve(import.meta.dirname, "../../bin/oxbow.cjs");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout's lines that are JSON objects. */
  readonly lines: readonly Record<string, any>[];
}

export interface Running {
  readonly pid: number;
  /** The first line of JSON on stdout that fits; rejects when the process ends before. */
  line(fits: (line: Record<string, any>) => boolean): Promise<Record<string, any>>;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Only what a process needs; none of the caller's own settings. */
export function plainEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/" };
  return { ...env, GIT_CONFIG_NOSYSTEM: "1", ...extra };
}

export function startOxbow(args: readonly string[], options: CliOptions): Running {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    cwd: options.cwd,
    env: plainEnvironment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const lines: Record<string, any>[] = [];
  const waiting: {
    fits: (line: Record<string, any>) => boolean;
    found: (line: Record<string, any>) => void;
  }[] = [];
  createInterface({ input: child.stdout }).on("line", (text) => {
    stdout += `${text}\n`;
    if (!text.startsWith("{")) return;
    const line: Record<string, any> = JSON.parse(text);
    lines.push(line);
    for (const waiter of waiting) if (waiter.fits(line)) waiter.found(line);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code]): Ended => ({ code, stdout, stderr, lines }));
  return {
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => void child.kill(signal),
    line(fits) {
      const seen = lines.find(fits);
      if (seen) return Promise.resolve(seen);
      return new Promise((found, reject) => {
        waiting.push({ fits, found });
        void ended.then(() => reject(new Error(`ended without it: ${stdout}\n${stderr}`)));
      });
    },
  };
}

export async function oxbow(args: readonly string[], options: CliOptions): Promise<Ended> {
  return startOxbow(args, options).ended;
}

/** The report of a `run --json`, all of whose lines are as the schemas of events say. */
export function reportOf(ended: Ended): Record<string, any> {
  const last = ended.lines.at(-1);
  if (last?.["event"] !== "report") throw new Error(`no report: ${ended.stdout}\n${ended.stderr}`);
  checkEvents(ended.lines);
  return last;
}

/** The typed error of a command with --json. */
export function errorOf(ended: Ended): { code: string; message: string; hint: string } {
  const line = ended.stderr.split("\n").find((text) => text.startsWith('{"error"'));
  if (!line) throw new Error(`no error: ${ended.stdout}\n${ended.stderr}`);
  return JSON.parse(line).error;
}
