/**
 * One HTTP request to a stranger's server: to one of the very addresses that were judged, past any proxy, without following
 * a redirect, and reading no more of the answer than a person could use (SAFETY "Network").
 */
import { lookup } from "node:dns/promises";
import * as http from "node:http";
import * as https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Of an answer's body, bytes. */
const MAX_ANSWER = 1_024;
/** How long an answer's body is waited for once its status is known, milliseconds. */
const ANSWER_MS = 1_000;
const MAX_HEADERS = 16_384;
/** The system's look-ups share few threads with the files of this process: strangers' slow name servers get two of them. */
const LOOKUPS = 2;

export interface Post {
  readonly url: string;
  /** Where the host is: it is not looked up again. */
  readonly addresses: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Posted {
  readonly status: number;
  readonly retryAfter: string | null;
  /** The beginning of the body. */
  readonly text: string;
}

/** Every address of a URL's host; none when it has none, or could not be asked for. Rejects when `signal` aborts. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

export function createResolve(): Resolve {
  let busy = 0;
  const waiting: (() => void)[] = [];
  const ask = async (host: string) => {
    if (busy >= LOOKUPS) await new Promise<void>((next) => void waiting.push(next));
    else busy++;
    try {
      return (await lookup(host, { all: true })).map(({ address }) => address);
    } catch (error) {
      if (error instanceof Error && "syscall" in error) return [];
      throw error;
    } finally {
      const next = waiting.shift();
      if (next) next();
      else busy--;
    }
  };
  return async (host, signal) => {
    signal.throwIfAborted();
    const bare = host.replace(/^\[(.*)\]$/, "$1");
    if (isIP(bare) !== 0) return [bare];
    const stop = new AbortController();
    try {
      const aborted = delay(2 ** 31 - 1, [], { signal: AbortSignal.any([signal, stop.signal]), ref: false });
      return await Promise.race([ask(bare), aborted]);
    } finally {
      stop.abort();
    }
  };
}

/** Rejects with what Node says of a connection that failed, and with the signal's reason when it aborts before the status. */
export function post({ url, addresses, headers, body }: Post, signal: AbortSignal): Promise<Posted> {
  const target = new URL(url);
  const secure = target.protocol === "https:";
  const host = target.hostname.replace(/\.$/, "");
  const bytes = Buffer.from(body);
  const options = {
    method: "POST",
    headers: { ...headers, "content-length": String(bytes.length), connection: "close" },
    lookup: fixed(addresses),
    maxHeaderSize: MAX_HEADERS,
    signal,
  };
  return new Promise((resolve, reject) => {
    const request = secure
      ? https.request(target, {
          ...options,
          agent: new https.Agent(),
          servername: isIP(host.replace(/^\[(.*)\]$/, "$1")) === 0 ? host : "",
        })
      : http.request(target, { ...options, agent: new http.Agent() });
    request.on("error", reject);
    request.once("response", (response) => {
      const { statusCode = 0, headers: said } = response;
      const done = (text: string) => {
        request.destroy();
        resolve({ status: statusCode, retryAfter: said["retry-after"] ?? null, text });
      };
      const end = readSome(response, done);
      // From here on the status counts, however the rest ends.
      request.off("error", reject).on("error", end);
    });
    request.end(bytes);
  });
}

/** The beginning of a body, as far as it comes in time or until the returned function is called. */
function readSome(response: http.IncomingMessage, done: (text: string) => void): () => void {
  const chunks: Buffer[] = [];
  let length = 0;
  const end = () => {
    clearTimeout(timer);
    done(Buffer.concat(chunks).subarray(0, MAX_ANSWER).toString("utf8"));
  };
  const timer = setTimeout(end, ANSWER_MS);
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MAX_ANSWER) end();
  });
  response.once("end", end);
  response.on("error", end);
  return end;
}

function fixed(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, options, callback) => {
    const [first] = all;
    if (options.all === true || first === undefined) callback(null, all);
    else callback(null, first.address, first.family);
  };
}
