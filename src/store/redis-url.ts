/** Where a Redis is, from its URL. No text made here holds a password. */
import { OxbowError } from "../core/errors.ts";

export interface RedisPlace {
  /** What the client connects to. */
  readonly to:
    | { readonly host: string; readonly port: number; readonly tls?: { readonly servername: string } }
    | { readonly path: string };
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  /** For messages: host and port, or the socket's path. */
  readonly shown: string;
}

function refused(why: string): OxbowError {
  return new OxbowError("setting_invalid", `REDIS_URL ${why}.`, {
    hint: "Use redis://HOST:PORT/DB, rediss://… for TLS, or unix:///path/to/redis.sock.",
    details: { name: "REDIS_URL" },
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new OxbowError("setting_invalid", "REDIS_URL holds a % that is not followed by two hex digits.", {
      cause,
      details: { name: "REDIS_URL" },
    });
  }
}

function credentials(username: string, password: string) {
  return { ...(username === "" ? {} : { username }), ...(password === "" ? {} : { password }) };
}

function number(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw refused("names a database that is not a number");
  return Number(text);
}

/** `redis://user:password@host:port/db`, `rediss://…`, `unix:///file?db=0&password=…`. Throws setting_invalid. */
export function parseRedisUrl(text: string): RedisPlace {
  if (!URL.canParse(text)) throw refused("is not a URL");
  const url = new URL(text);
  const query = url.searchParams;
  if (url.protocol === "unix:") {
    const path = decoded(url.pathname);
    if (url.host !== "" || path.length < 2) throw refused("names no socket (unix:///path/to/redis.sock)");
    return {
      to: { path },
      ...credentials(query.get("username") ?? "", query.get("password") ?? ""),
      db: number(query.get("db") ?? "0"),
      shown: path,
    };
  }
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") throw refused("is no address of a Redis");
  if (url.hostname === "") throw refused("names no host");
  if ([...query.keys()].length > 0) throw refused("has a part after `?`, which Oxbow does not know");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? 6379 : Number(url.port);
  return {
    to: { host, port, ...(url.protocol === "rediss:" ? { tls: { servername: host } } : {}) },
    ...credentials(decoded(url.username), decoded(url.password)),
    db: number(url.pathname.replace(/^\//, "") || "0"),
    shown: `${url.hostname}:${port}`,
  };
}
