/** Which store a repository's tasks are in: one of its own, whatever else shares the place it is kept in. */
import { createHash, randomBytes } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { hasCode, OxbowError } from "./core/errors.ts";
import type { Settings } from "./core/settings.ts";
import type { Repository } from "./git/contract.ts";
import type { StoreOwner } from "./store/owner.ts";

type Place = Pick<Repository, "commonDir" | "stateDir" | "remote">;

const POSTGRES = /^postgres(?:ql)?:/i;
/** In the state directory, beside the work it names. */
export const STORE_ID = "store-id";

function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 12);
}

/**
 * One database a repository, also where several share an OXBOW_HOME; a relative `sqlite:FILE` is from here. In Postgres
 * it is a schema, unless the URL names one. Throws store_failed when the state directory cannot be written.
 */
export function storeUrl(settings: Settings, repo: Place): string {
  const given = settings.oxbowStoreUrl;
  if (given?.startsWith("sqlite:") && given !== "sqlite::memory:") return `sqlite:${resolve(given.slice(7))}`;
  if (given !== undefined && POSTGRES.test(given)) return withSchema(given, repo);
  if (given !== undefined) return given;
  const shared = settings.oxbowHome !== undefined;
  const name = shared ? `oxbow-${digest(repo.commonDir)}` : "oxbow";
  return `sqlite:${join(repo.stateDir, `${name}.db`)}`;
}

/**
 * The path alone would not do (every container has its /workspace), nor would the id alone (a copy of the directory has
 * it too). What has moved on purpose is found again with `?schema=`, which `oxbow doctor` shows. What a fleet shares is known
 * by its remote, wherever its clones are.
 */
function withSchema(given: string, repo: Place): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  if (!url || url.searchParams.has("schema")) return given;
  const name =
    repo.remote === null ? digest(storeId(repo.stateDir), repo.commonDir) : digest(repo.remote.identity);
  url.searchParams.set("schema", `oxbow_${name}`);
  return url.href;
}

/**
 * Whose a store is that OXBOW_STORE_URL names. A repository that has moved keeps its id, and a copy has it too; with an
 * OXBOW_HOME, which may be that of several, its path is part of it. Throws store_failed.
 */
export function storeOwner(settings: Settings, repo: Place): StoreOwner | undefined {
  if (settings.oxbowStoreUrl === undefined || settings.oxbowStoreUrl === "sqlite::memory:") return undefined;
  if (repo.remote !== null) return { id: digest(repo.remote.identity), path: repo.remote.identity };
  const id = storeId(repo.stateDir);
  const shared = settings.oxbowHome !== undefined;
  return { id: shared ? digest(id, repo.commonDir) : digest(id), path: repo.commonDir };
}

/** Made once; of several processes that make it at once, one does. */
function storeId(stateDir: string): string {
  const file = join(stateDir, STORE_ID);
  const made = join(stateDir, `${STORE_ID}.${process.pid}`);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (!is(error, "ENOENT")) throw unwritable(file, error);
  }
  try {
    writeFileSync(made, `${randomBytes(16).toString("hex")}\n`);
    linkSync(made, file);
  } catch (error) {
    if (!is(error, "EEXIST")) throw unwritable(file, error);
  } finally {
    rmSync(made, { force: true });
  }
  return readFileSync(file, "utf8");
}

function is(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function unwritable(file: string, cause: unknown): OxbowError {
  if (hasCode(cause)) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new OxbowError(
    "store_failed",
    `The repository's name in the store, ${file}, cannot be kept: ${why}.`,
    {
      cause,
    },
  );
}

/** The folder of a fleet's mirror on one machine. */
export function mirrorName(identity: string): string {
  return digest(identity);
}

/** The store for people, without a password. */
export async function shownStore(url: string): Promise<string> {
  if (!POSTGRES.test(url)) return url.replace(/^sqlite:/, "");
  const { parsePostgresUrl } = await import("./store/postgres-url.ts");
  return parsePostgresUrl(url).shown;
}
