/** The engine for a URL; each is loaded only when it is asked for. */
import { isAbsolute } from "node:path";
import { OxbowError } from "../core/errors.ts";
import type { Engine } from "./engine.ts";

const POSTGRES = /^postgres(?:ql)?:/i;

/** Throws store_unsupported, store_failed. */
export async function openEngine(url: string, busyMs: number): Promise<Engine> {
  if (POSTGRES.test(url)) {
    const { openPostgres } = await import("./postgres.ts");
    return openPostgres({ url, busyMs });
  }
  const file = sqliteFile(url);
  const { openSqlite } = await import("./sqlite.ts");
  return openSqlite({ file, busyMs });
}

/** Throws store_unsupported. */
function sqliteFile(url: string): string {
  const file = url.startsWith("sqlite:") ? url.slice("sqlite:".length) : "";
  if (file === ":memory:" || (isAbsolute(file) && !file.includes("\0"))) return file;
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? url.slice(0, 40);
  const problem =
    scheme === "sqlite:"
      ? `needs an absolute path after "sqlite:"`
      : `begins with neither "sqlite:" nor "postgres:"`;
  throw new OxbowError("store_unsupported", `The store URL ${problem} (it begins with ${scheme}).`);
}
