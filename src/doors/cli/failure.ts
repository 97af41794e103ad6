/** How a failure leaves the command line: two lines for people, one JSON value with --json; both on stderr. */
import { ERRORS, type ErrorCode, toErrorValue } from "../../core/errors.ts";

export function showError(error: unknown, json: boolean): void {
  const value = isValue(error) ? error : toErrorValue(error);
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: value })}\n`);
    return;
  }
  process.stderr.write(`oxbow: ${value.message}\n`);
  if (value.hint) process.stderr.write(`       ${value.hint}\n`);
  if (value.code === "internal" && error instanceof Error && error.stack)
    process.stderr.write(`${error.stack}\n`);
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
