/** The log file: one JSON object per line, redacted as it is written. Nothing is logged elsewhere. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { destination, pino } from "pino";

export interface Log {
  /** `about` carries the correlation ids `task_id` and `subtask_id` where there are any. */
  info(about: Readonly<Record<string, unknown>>, message: string): void;
  error(about: Readonly<Record<string, unknown>>, message: string): void;
  close(): void;
}

export interface LogOptions {
  /** Absolute path; its folder is made. */
  readonly file: string;
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** Runs over every finished line: pino's own redaction looks one level deep only. */
  readonly redact: (line: string) => string;
}

export function openLog(options: LogOptions): Log {
  if (options.level === "silent")
    return { info: () => undefined, error: () => undefined, close: () => undefined };
  mkdirSync(dirname(options.file), { recursive: true });
  const file = destination({ dest: options.file, sync: true, append: true });
  const log = pino(
    { level: options.level, base: { pid: process.pid }, hooks: { streamWrite: options.redact } },
    file,
  );
  return {
    info: (about, message) => log.info(about, message),
    error: (about, message) => log.error(about, message),
    close: () => file.end(),
  };
}
