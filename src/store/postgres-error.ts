/** What Postgres's error codes mean to a person, and which of them pass. */
import { hasCode, OxbowError } from "../core/errors.ts";

const SAYS: Readonly<Record<string, string>> = {
  "08": "lost its connection",
  "25006": "takes no changes (it is read-only, perhaps a replica)",
  "28": "refused the user or the password",
  "3D000": "has no such database",
  "3F000": "has no such schema",
  "42501": "does not allow this user what Oxbow needs",
  "42883": "is too old (Oxbow needs Postgres 13 or newer)",
  "42P01": "lacks a table of Oxbow's",
  "42P07": "holds other tables under the names of Oxbow's",
  "53100": "is full: no disk space is left on the server",
  "53300": "has no connection left for Oxbow",
  "55P03": "is held by another process that did not let go in time",
  "57P01": "was shut down",
  "57P03": "takes no connections just now",
  "22": "refused a value",
  "23": "refused a row that breaks its rules",
  XX001: "is damaged",
};
const REACH =
  "Start the server, or correct OXBOW_STORE_URL; `oxbow doctor` tries it. Nothing that was committed is lost.";
const CERTIFICATE =
  "Add sslrootcert=FILE (the authority's certificate) to OXBOW_STORE_URL, or sslmode=no-verify where the network is trusted.";
const HINTS: Readonly<Record<string, string>> = {
  "28": "Correct the user and the password in OXBOW_STORE_URL (percent-encode special characters), or give PGPASSWORD.",
  "3D000": "Make it with `createdb`, or name another in OXBOW_STORE_URL.",
  "42501":
    "Grant the user CREATE on the database, or make the schema for it: CREATE SCHEMA … AUTHORIZATION ….",
  "42P07": "Name a schema of Oxbow's own in OXBOW_STORE_URL: postgres://…?schema=NAME.",
  "53300": "Raise max_connections on the server, or run fewer processes: each takes up to 9 connections.",
};
/** Codes of Node's sockets and resolver, and the driver's own words, for a server that is not or no longer there. */
const UNREACHABLE =
  /^(?:ECONN|EPIPE|ENOENT|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|EACCES)|terminat|timeout|not queryable|Connection ended/i;
/** The connection is gone, or the server is just going down or coming up. */
const LOST = /^(?:08...|57P0[1-5]|25P03)$/;
/** Refused for the sake of other transactions. */
const CONTENDED = new Set(["40001", "40P01"]);

interface Failure {
  readonly sqlstate: string | null;
  readonly lost: boolean;
}

function look(error: unknown): Failure {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  const text = typeof code === "string" ? code : "";
  const sqlstate = /^[0-9A-Z]{5}$/.test(text) && !text.startsWith("E") ? text : null;
  const message = error instanceof Error ? error.message : "";
  const lost = sqlstate === null ? UNREACHABLE.test(text) || UNREACHABLE.test(message) : LOST.test(sqlstate);
  return { sqlstate, lost };
}

/** The most exact entry for a code: its own, else its class's. */
function of(table: Readonly<Record<string, string>>, { sqlstate }: Failure): string | undefined {
  return sqlstate === null ? undefined : (table[sqlstate] ?? table[sqlstate.slice(0, 2)]);
}

function reason(error: unknown): string {
  // A host with several addresses fails with one error for each, and no words of its own.
  if (error instanceof AggregateError && error.message === "") return reason(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

interface Words {
  readonly says: string;
  readonly hint: string | undefined;
}

function wordsFor(error: unknown, failure: Failure): Words {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (failure.sqlstate === null && /CERT|SIGNATURE/.test(code))
    return { says: "shows a certificate that cannot be verified", hint: CERTIFICATE };
  const says = of(SAYS, failure) ?? (failure.lost ? "cannot be reached" : "could not be used");
  return { says, hint: of(HINTS, failure) ?? (failure.lost ? REACH : undefined) };
}

/** One sentence that names the store and what is wrong with it. */
export function postgresError(error: unknown, shown: string): OxbowError {
  if (hasCode(error)) return error;
  const failure = look(error);
  const { says, hint = "Correct OXBOW_STORE_URL; `oxbow doctor` tries it." } = wordsFor(error, failure);
  return new OxbowError("store_failed", `The store ${shown} ${says}: ${reason(error)}.`, {
    hint,
    details: { ...failure },
    cause: error,
  });
}

function details(error: unknown): Readonly<Record<string, unknown>> {
  return hasCode(error) && error.code === "store_failed" ? error.details : {};
}

/** The connection cannot be used any more; another may. */
export function isLost(error: unknown): boolean {
  return details(error)["lost"] === true;
}

/** The same transaction, run again, may well succeed. */
export function isContended(error: unknown): boolean {
  return CONTENDED.has(String(details(error)["sqlstate"]));
}

/** The server is there and will take connections soon. */
export function isComing(error: unknown): boolean {
  return ["57P03", "53300"].includes(String(details(error)["sqlstate"]));
}

/** A table or the schema is not there (yet). */
export function isUnmade(error: unknown): boolean {
  return ["42P01", "3F000"].includes(String(details(error)["sqlstate"]));
}

/** The server has not given out a number so high. */
export function isUnknownTransaction(error: unknown): boolean {
  return details(error)["sqlstate"] === "22023";
}
