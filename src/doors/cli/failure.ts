/** How a failure leaves the command line: two lines for people, one JSON value with --json; both on stderr, without secrets. */
import { ERRORS, type ErrorCode, toErrorValue } from "../../core/errors.ts";

export async function showError(error: unknown, json: boolean): Promise<void> {
  const value = isValue(error) ? error : toErrorValue(error);
  const stack = value.code === "internal" && error instanceof Error ? error.stack : undefined;
  // Only now: the commands that go well need not wait for it.
  const { shown } = await import("../../app.ts");
  const clean = await shown({ value, stack });
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: clean.value })}\n`);
    return;
  }
  process.stderr.write(`oxbow: ${clean.value.message}\n`);
  if (clean.value.hint) process.stderr.write(`       ${clean.value.hint}\n`);
  if (clean.stack !== undefined) process.stderr.write(`${clean.stack}\n`);
}

export function exitCode(error: unknown): number {
  const { code } = isValue(error) ? error : toErrorValue(error);
  return isErrorCode(code) ? ERRORS[code].exit : 70;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function isValue(error: unknown): error is { code: string; message: string; hint: string } {
  return typeof error === "object" && error !== null && !(error instanceof Error) && "code" in error;
}
