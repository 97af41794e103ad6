/** Connections to a Redis that may be relied on: reachable, new enough, writable, keeping what it is given. */
import { Redis } from "ioredis";
import { OxbowError } from "../core/errors.ts";
import type { RedisPlace } from "./redis-url.ts";

const CONNECT_MS = 5_000;
const RECONNECT_AT_MOST_MS = 1_000;
/** `XADD`'s id with a part left out, and `CONFIG GET` of several. */
const OLDEST_VERSION = 7;

export interface RedisChecks {
  /** Uses a server that evicts or forgets too. */
  readonly allowVolatile: boolean;
}

export interface Link {
  readonly redis: Redis;
  /** From now on the connection does not keep the process alive. */
  rest(): void;
}

/** A failure in the words of the server, never with the password. */
export function redisFailed(place: RedisPlace, problem: string, cause: unknown): OxbowError {
  const said = cause instanceof Error ? cause.message || String(Reflect.get(cause, "code")) : String(cause);
  const clean = place.password === undefined ? said : said.replaceAll(place.password, "***");
  return new OxbowError("redis_failed", `The Redis at ${place.shown} ${problem}: ${clean}`);
}

/**
 * Connects once; a connection that is cut later comes back by itself. Commands that were under way then are rejected, and
 * so are later ones for as long as each try to connect fails. Throws redis_failed. `silenceMs`: a connection on which nothing moves for so long is dead.
 */
export async function dial(
  place: RedisPlace,
  more: { readonly silenceMs?: number; readonly commandTimeout?: number } = {},
): Promise<Link> {
  const { silenceMs, ...options } = more;
  let opened = false;
  let resting = false;
  let last: unknown = null;
  const redis = new Redis({
    ...place.to,
    ...(place.username === undefined ? {} : { username: place.username }),
    ...(place.password === undefined ? {} : { password: place.password }),
    ...options,
    db: place.db,
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    keepAlive: 10_000,
    // What was under way when the connection broke is rejected at once; who sent it knows what to do about it.
    maxRetriesPerRequest: 0,
    // A server that was made a replica: its successor is at the same address.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
    retryStrategy: (times) => (opened ? Math.min(20 * 2 ** times, RECONNECT_AT_MOST_MS) : null),
  });
  redis.on("error", (error: unknown) => {
    last ??= error;
  });
  redis.on("ready", () => {
    if (resting) redis.stream.unref();
    // The library's own watch over silence would keep the process alive.
    if (silenceMs !== undefined) redis.stream.setTimeout(silenceMs, () => redis.disconnect(true));
  });
  const deadline = AbortSignal.timeout(CONNECT_MS);
  try {
    await Promise.race([redis.connect(), rejectedBy(deadline)]);
  } catch (error) {
    redis.disconnect();
    throw redisFailed(place, "cannot be used", last ?? error);
  }
  opened = true;
  const rest = () => {
    resting = true;
    redis.stream.unref();
  };
  return { redis, rest };
}

function rejectedBy(deadline: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    deadline.addEventListener("abort", () => reject(new Error(`no answer within ${CONNECT_MS / 1000} s`)), {
      once: true,
    });
  });
}

/** `name:value` lines. */
function facts(info: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0) found.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return found;
}

/** Null where the server keeps its configuration to itself, as managed ones do. */
async function snapshots(redis: Redis): Promise<boolean | null> {
  try {
    const reply: unknown = await redis.config("GET", "save");
    return Array.isArray(reply) && typeof reply[1] === "string" && reply[1].trim() !== "";
  } catch (error) {
    if (error instanceof Error && error.name === "ReplyError") return null;
    throw error;
  }
}

function unsuitable(place: RedisPlace, problem: string, hint: string): OxbowError {
  return new OxbowError("redis_unsuitable", `The Redis at ${place.shown} ${problem}.`, { hint });
}

const ANYWAY = "or set OXBOW_REDIS_ALLOW_VOLATILE=1 to use it as it is";

/** What there is, in words. Throws redis_unsuitable, redis_failed. */
export async function examineServer(redis: Redis, place: RedisPlace, checks: RedisChecks): Promise<string> {
  let info: Map<string, string>;
  let saves: boolean | null;
  try {
    info = facts(await redis.info());
    saves = info.get("aof_enabled") === "1" ? true : await snapshots(redis);
  } catch (error) {
    throw redisFailed(place, "does not say what it is", error);
  }
  const version = info.get("redis_version") ?? "0";
  if (Number.parseInt(version, 10) < OLDEST_VERSION)
    throw unsuitable(place, `is version ${version}`, `Use Redis ${OLDEST_VERSION} or newer, or a Valkey.`);
  if (info.get("role") === "slave")
    throw unsuitable(place, "is a read-only replica", "Name its primary in REDIS_URL.");
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  const evicts = Number(info.get("maxmemory") ?? "0") > 0 && policy !== "noeviction";
  if (evicts && !checks.allowVolatile)
    throw unsuitable(
      place,
      `throws entries away when its memory is full (maxmemory-policy ${policy})`,
      `Set its maxmemory-policy to noeviction, ${ANYWAY}.`,
    );
  if (saves === false && !checks.allowVolatile)
    throw unsuitable(
      place,
      "keeps nothing on disk (no append-only file, no snapshots)",
      `Set \`appendonly yes\` there, ${ANYWAY}.`,
    );
  const doubt =
    saves === null ? ", cannot see whether it saves" : saves ? "" : ", keeps nothing on disk (allowed)";
  return `Redis ${version} at ${place.shown}${doubt}${evicts ? `, ${policy} (allowed)` : ""}`;
}
