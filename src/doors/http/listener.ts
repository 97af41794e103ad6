/**
 * The sockets: bounded in number, size and time, so that who sends slowly, too much or nonsense costs little and is told
 * so; and a way to stop that lets what is under way end first.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { Log } from "../../app.ts";
import { hasCode, OxbowError } from "../../core/errors.ts";
import type { Routes } from "./contract.ts";
import { requestId } from "./pipeline.ts";
import { PROBLEM_TYPE, type Problem, problemOf } from "./problem.ts";

/** Times in milliseconds. */
export interface Limits {
  /** All headers of a request must be there by then. */
  readonly headersMs: number;
  /** All of a request. */
  readonly requestMs: number;
  /** How long a connection without a request stays open. */
  readonly idleMs: number;
  /** How often these are looked at. */
  readonly lookMs: number;
  readonly headerBytes: number;
  readonly connections: number;
}

export const LIMITS: Limits = {
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 5_000,
  lookMs: 1_000,
  headerBytes: 16_384,
  connections: 4_096,
};

export interface Listener {
  /** Without a path. */
  readonly url: string;
  readonly port: number;
  /** Accepts nothing more, and resolves when all connections are closed; after `graceMs` they are cut. */
  drain(graceMs: number): Promise<void>;
  /** Requests to change the protocol go there where they are wanted; else they are answered as plain requests. */
  onUpgrade(upgrades: Upgrades): void;
}

export interface Upgrades {
  wants(request: IncomingMessage): boolean;
  /** From here on the socket is its own. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** `api` is asked for each request: it may not be there before the port is known. Throws address_in_use, setting_invalid. */
export async function listen(
  at: { readonly host: string; readonly port: number; readonly limits?: Limits | undefined },
  api: () => Routes,
  log: Log,
): Promise<Listener> {
  const limits = at.limits ?? LIMITS;
  const answer = getRequestListener((request, env) => api().fetch(request, env), {
    errorHandler: (error) => unreadable(error, log),
  });
  let upgrades: Upgrades | null = null;
  const server = createServer(
    {
      shouldUpgradeCallback: (request) => upgrades?.wants(request) ?? false,
      maxHeaderSize: limits.headerBytes,
      // Its absence is answered as every other problem is.
      requireHostHeader: false,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.lookMs,
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  );
  server.maxConnections = limits.connections;
  server.on("clientError", (error: Error & { code?: string }, socket) => refuse(error, socket, log));
  const { address, family, port } = await bound(server, at);
  const url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  return {
    url,
    port,
    drain: (graceMs) => drain(server, graceMs),
    onUpgrade(given) {
      upgrades = given;
      server.on("upgrade", (request, socket, head) => {
        if (given.wants(request)) return given.take(request, socket, head);
        // Only before Node 24.9, which cannot answer it as a plain request any more.
        const told = new OxbowError("request_invalid", "Nothing here changes the protocol to that.");
        answerOn(socket, problemOf(told, requestId(undefined)));
      });
    },
  };
}

async function bound(server: Server, { host, port }: { readonly host: string; readonly port: number }) {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (systemCode(error) === "EADDRINUSE")
      throw new OxbowError("address_in_use", `Something listens on ${host}:${port} already.`, {
        cause: error,
      });
    throw new OxbowError("setting_invalid", `Nothing can listen on ${host}:${port}: ${why}`, {
      hint: "Give an address of this machine with --host, and a port that you may use.",
      cause: error,
    });
  }
  const address = server.address();
  if (address === null || typeof address === "string")
    throw new OxbowError("internal", "The server has no address.");
  return address;
}

function systemCode(error: unknown): string | null {
  return error instanceof Error && "code" in error ? String(error.code) : null;
}

async function drain(server: Server, graceMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise((closed) => server.close(closed));
  clearTimeout(cut);
}

/** A request that never became one: its target or Host is no URL. */
function unreadable(error: unknown, log: Log): Response {
  const id = requestId(undefined);
  const known = hasCode(error) ? error.code : "request_invalid";
  const message = error instanceof Error ? error.message : "The request cannot be read.";
  const problem = problemOf(new OxbowError(known, message), id);
  log.info({ request_id: id, code: known, message }, "request_refused");
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": PROBLEM_TYPE, "x-request-id": id, connection: "close" },
  });
}

/** Bytes that are no HTTP, or that did not come in time. */
function refuse(error: Error & { code?: string }, socket: Duplex, log: Log): void {
  const id = requestId(undefined);
  const told = refusal(error.code ?? "");
  log.info({ request_id: id, code: told.code, message: error.message }, "request_refused");
  if (error.code === "ECONNRESET") return void socket.destroy();
  answerOn(socket, problemOf(told, id));
}

/** A problem on a socket that no request is served on, which it closes. */
export function answerOn(socket: Duplex, problem: Problem): void {
  if (!socket.writable) return void socket.destroy();
  const body = JSON.stringify(problem);
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ""}`,
      `content-type: ${PROBLEM_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${problem.request_id}`,
      ...(problem.status === 401 ? ['www-authenticate: Bearer realm="oxbow"'] : []),
      "connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}

function refusal(code: string): OxbowError {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new OxbowError("request_timeout", "The request did not come in time.");
    case "HPE_HEADER_OVERFLOW":
      return new OxbowError("headers_too_large", "The headers are too large.");
    default:
      return new OxbowError("request_invalid", "This is not HTTP/1.1.");
  }
}
