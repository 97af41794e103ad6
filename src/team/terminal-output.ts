/** A command's output: redacted as it comes, kept up to a cap, and cut in the middle for the model. */
import { createRedactor, type Redactor } from "../core/redact.ts";

export interface Output {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** What is shown of it, in at most `maxChars` characters and a line that says how much is missing. */
  end(maxChars: number): { readonly output: string; readonly truncated: boolean };
}

export function createOutput(options: {
  /** With what is known to be secret here, also when it comes in pieces. */
  redactor: Redactor;
  /** Regular expressions of the user's. */
  patterns: readonly string[];
  capBytes: number;
}): Output {
  const own = createRedactor({ patterns: options.patterns.map((pattern) => new RegExp(pattern, "g")) });
  const streams = { stdout: options.redactor.stream(), stderr: options.redactor.stream() };
  const kept: string[] = [];
  let bytes = 0;
  let cut = false;

  const keep = (redacted: string): void => {
    const text = own.redact(redacted);
    const room = options.capBytes - bytes;
    const size = Buffer.byteLength(text);
    bytes += Math.min(size, room);
    if (size <= room) kept.push(text);
    else {
      cut = true;
      kept.push(beginningOf(text, room));
    }
  };
  // Past the cap nothing is looked at any more: it is read and dropped.
  const take = (stream: "stdout" | "stderr") => (text: string) => {
    if (bytes >= options.capBytes) cut = true;
    else keep(streams[stream].push(text));
  };

  return {
    stdout: take("stdout"),
    stderr: take("stderr"),
    end(maxChars) {
      for (const stream of [streams.stdout, streams.stderr]) {
        const rest = stream.end();
        if (rest !== "") keep(rest);
      }
      const all = kept.join("");
      const characters = Array.from(all);
      if (characters.length <= maxChars) return { output: all, truncated: cut };
      const first = Math.ceil(maxChars / 2);
      const head = characters.slice(0, first).join("");
      const tail = characters.slice(characters.length - (maxChars - first)).join("");
      const missing = characters.length - maxChars;
      return { output: `${head}\n… ${missing} characters left out …\n${tail}`, truncated: true };
    },
  };
}

/** At most so many bytes, and no half character. */
function beginningOf(text: string, bytes: number): string {
  return Buffer.from(text)
    .subarray(0, bytes)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
}
