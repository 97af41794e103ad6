/** The settings of the terminal tool, and of the sandbox in which every program of an agent runs. */
import { choice, flag, jsonTexts, readList, type Row, whole } from "./setting-rows.ts";

export type SandboxSetting = "auto" | "required" | "off";

function list(name: string, description: string): Row<readonly string[]> {
  const allowed = "commands separated by commas, or a JSON list of them";
  return { name, group: "tools", description, allowed, fallback: [], secret: false, parse: readList };
}

/** One regular expression, or a JSON list of them: a comma means something in a pattern. */
function readPatterns(text: string): readonly string[] | undefined {
  const patterns = text.startsWith("[") ? (jsonTexts(text) ?? [text]) : [text];
  return patterns.every(isPattern) ? patterns : undefined;
}

function isPattern(text: string): boolean {
  try {
    return text !== "" && new RegExp(text, "g").source !== "";
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

const PATTERNS: Row<readonly string[]> = {
  ...list("TERMINAL_REDACT_PATTERNS", "What else is taken out of commands' output, besides secrets."),
  allowed: "a regular expression, or a JSON list of them",
  parse: readPatterns,
};

export const TERMINAL_ROWS = {
  enableTerminalTool: flag(
    "ENABLE_TERMINAL_TOOL",
    "tools",
    false,
    "The tool terminal_run: commands in a clone of the agent's branch.",
  ),
  terminalAllowedCommands: list(
    "TERMINAL_ALLOWED_COMMANDS",
    "What terminal_run may run: `ls` (its safe part), `npm test` (these words), `mytool *` (anything). Empty: nothing.",
  ),
  terminalDenyCommands: list("TERMINAL_DENY_COMMANDS", "What it may not run, whatever else allows it."),
  terminalTimeoutSeconds: whole(
    "TERMINAL_TIMEOUT_SECONDS",
    "tools",
    [1, 86_400],
    120,
    "How long one command may take, seconds.",
  ),
  terminalOutputCapBytes: whole(
    "TERMINAL_OUTPUT_CAP_BYTES",
    "tools",
    [1, 67_108_864],
    1_048_576,
    "How much of a command's output is kept at all, in bytes; what follows is read and dropped.",
  ),
  terminalFunctionOutputMaxChars: whole(
    "TERMINAL_FUNCTION_OUTPUT_MAX_CHARS",
    "tools",
    [1, 1_000_000],
    20_000,
    "How much of it the model is given, in characters: the beginning and the end.",
  ),
  terminalRedactPatterns: PATTERNS,
  terminalSandbox: choice<SandboxSetting>(
    "TERMINAL_SANDBOX",
    "tools",
    ["auto", "required", "off"],
    "auto",
    "Runs agents' programs in bubblewrap: where it works, always (else nothing runs), or never.",
  ),
} as const;

/** Their values; `value` reads one. */
export function terminalValues(value: <T>(row: Row<T>) => T) {
  const rows = TERMINAL_ROWS;
  return {
    enableTerminalTool: value(rows.enableTerminalTool),
    terminalAllowedCommands: value(rows.terminalAllowedCommands),
    terminalDenyCommands: value(rows.terminalDenyCommands),
    terminalTimeoutSeconds: value(rows.terminalTimeoutSeconds),
    terminalOutputCapBytes: value(rows.terminalOutputCapBytes),
    terminalFunctionOutputMaxChars: value(rows.terminalFunctionOutputMaxChars),
    terminalRedactPatterns: value(rows.terminalRedactPatterns),
    terminalSandbox: value(rows.terminalSandbox),
  };
}
