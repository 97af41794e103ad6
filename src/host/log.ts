/** The log: one JSON object per line, redacted as it is written, in a file and where wanted on stderr too. */
import { dirname } from "node:path";
import { destination, multistream, pino } from "pino";
import { OxbowError } from "../core/errors.ts";
import { makeFolder } from "./folders.ts";

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
  /** On stderr too. */
  readonly stderr?: boolean;
  /** Runs over every finished line: pino's own redaction looks one level deep only. */
  readonly redact: (line: string) => string;
}

/** Lines that wait for room on the disk, in characters; what comes beyond is left out. */
const MOST_WAITING = 1_048_576;

/** Throws setting_invalid when the file cannot be opened. One that cannot be written later is said once, as a warning. */
export function openLog(options: LogOptions): Log {
  if (options.level === "silent")
    return { info: () => undefined, error: () => undefined, close: () => undefined };
  const file = openFile(options.file);
  let closed = false;
  const log = pino(
    { level: options.level, base: { pid: process.pid }, hooks: { streamWrite: options.redact } },
    options.stderr === true ? both(file, options.level) : file,
  );
  return {
    // Who was cut off when all was closed may end later, and has something to say.
    info: (about, message) => void (closed || log.info(about, message)),
    error: (about, message) => void (closed || log.error(about, message)),
    close: () => {
      if (!closed) file.end();
      closed = true;
    },
  };
}

function openFile(file: string) {
  try {
    makeFolder(dirname(file));
    const opened = destination({ dest: file, sync: true, append: true, maxLength: MOST_WAITING });
    let said = false;
    // Without a listener the error would be thrown at whoever logs. What was not written is tried again with the next line.
    return opened.on("error", (error: Error) => {
      if (!said)
        process.emitWarning(`The log file ${file} cannot be written: ${error.message}`, "OxbowWarning");
      said = true;
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("setting_invalid", `The log file ${file} cannot be written: ${why}`, {
      hint: "Give another file with OXBOW_LOG_FILE, or set OXBOW_LOG_LEVEL=silent.",
      cause: error,
    });
  }
}

/** Whoever reads stderr may go away: the file has everything. */
function both(file: ReturnType<typeof openFile>, level: "debug" | "info" | "warn" | "error") {
  const stderr = destination({ fd: 2, sync: true, maxLength: MOST_WAITING }).on("error", () => undefined);
  return multistream([
    { level, stream: file },
    { level, stream: stderr },
  ]);
}
