/** What SQLite's result codes mean to a person. */
import { hasCode, OxbowError } from "../core/errors.ts";

const BUSY = 5;
const LOCKED = 6;
const SAYS: Readonly<Record<number, string>> = {
  5: "is locked by another program",
  6: "is locked by another program",
  8: "cannot be written",
  10: "could not be read or written (disk error)",
  11: "is damaged",
  13: "could not grow: the disk is full",
  14: "cannot be opened or created",
  19: "refused a row that breaks its rules",
  26: "is not an Oxbow store (not a database)",
};

/** SQLite's primary result code, or null when the error is not SQLite's. */
function resultCode(error: unknown): number | null {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode & 0xff : null;
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === BUSY || code === LOCKED;
}

/** One sentence that names the file and what is wrong with it. */
export function storeError(error: unknown, file: string): OxbowError {
  if (hasCode(error)) return error;
  const code = resultCode(error);
  const says = (code === null ? undefined : SAYS[code]) ?? "could not be used";
  const reason = error instanceof Error ? error.message : String(error);
  return new OxbowError("store_failed", `The store ${file} ${says}: ${reason}.`, {
    details: { file, sqlite: code },
    cause: error,
  });
}
