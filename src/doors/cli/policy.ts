import { realpathSync } from "node:fs";
import { readSettings } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";
import { readList } from "../../core/setting-rows.ts";
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
  const settings = readSettings();
  const { allowed, reason, code } = checkCommand(options.command, {
    allow: entries(options.allow) ?? settings.terminalAllowedCommands,
    deny: [...settings.terminalDenyCommands, ...(entries(options.deny) ?? [])],
    root: directory(options.root),
  });
  if (options.json) process.stdout.write(`${JSON.stringify({ allowed, reason, code })}\n`);
  else process.stdout.write(`${allowed ? "allowed" : "denied"} (${code}): ${reason}\n`);
  return allowed ? 0 : 1;
}

/** `--allow ls --allow "git status, npm test"`, written as in TERMINAL_ALLOWED_COMMANDS. */
function entries(written: readonly string[] | undefined): readonly string[] | undefined {
  return written?.flatMap((text) => readList(text) ?? []);
}

function directory(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new OxbowError("usage", `There is no directory ${path}.`, { cause });
  }
}
