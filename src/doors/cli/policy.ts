import { realpathSync } from "node:fs";
import { OxbowError } from "../../core/errors.ts";
import { checkCommand } from "../../library-paths.ts";

export interface PolicyOptions {
  command: string;
  allow?: string[];
  deny?: string[];
  root: string;
  json?: boolean;
}

/** Says whether the terminal tool would run the line. Exit 0 allowed, 1 denied; nothing is run. */
export async function check(options: PolicyOptions): Promise<number> {
  const { allowed, reason, code } = checkCommand(options.command, {
    allow: entries(options.allow),
    deny: entries(options.deny),
    root: directory(options.root),
  });
  if (options.json) process.stdout.write(`${JSON.stringify({ allowed, reason, code })}\n`);
  else process.stdout.write(`${allowed ? "allowed" : "denied"} (${code}): ${reason}\n`);
  return allowed ? 0 : 1;
}

/** `--allow ls --allow "git status, npm test"`. */
function entries(written: readonly string[] = []): string[] {
  return written.flatMap((text) => text.split(/[,\n]/)).map((text) => text.trim());
}

function directory(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new OxbowError("usage", `There is no directory ${path}.`, { cause });
  }
}
