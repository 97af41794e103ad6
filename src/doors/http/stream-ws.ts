/**
 * `/ws`: the event stream over WebSocket (docs/service.md, "Streams"). Host, Origin, token and scope are looked at before
 * the protocol changes; what is refused is answered as every other request.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Principal } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";
import { mayUse } from "../../core/token.ts";
import type { Routes, Service } from "./contract.ts";
import { routes } from "./contract.ts";
import { type Gate, type Incoming, incomingFrom } from "./gate.ts";
import { answerOn, type Upgrades } from "./listener.ts";
import { requestId } from "./pipeline.ts";
import { problemOf, toOxbowError } from "./problem.ts";
import { STREAM_LIMITS } from "./stream-limits.ts";
import { serveSocket } from "./stream-socket.ts";

export const SOCKET_PATH = "/ws";
/** The subprotocol; a browser, which cannot set headers, offers its token beside it. */
const PROTOCOL = "oxbow";
const BEARER = /^bearer\.(\S+)$/;

/** Who calls it without a wish to change the protocol is told so. */
export const socketRoute = (): Routes => {
  const plain = routes();
  plain.get(SOCKET_PATH, (c) => {
    c.header("upgrade", "websocket");
    throw new OxbowError("upgrade_required", `${SOCKET_PATH} speaks WebSocket.`);
  });
  return plain;
};

export function serveSockets(service: Service, gate: Gate): Upgrades {
  const limits = service.streams ?? STREAM_LIMITS;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // Answered by `serveSocket`, for those who read.
    autoPong: false,
    maxPayload: limits.messageBytes,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  server.on("wsClientError", (error, socket, request) =>
    refuse(service, request, socket, new OxbowError("request_invalid", error.message)),
  );

  async function admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const incoming = incomingOf(request);
    gate.checkOrigin(incoming, false);
    const { name } = readerOf(await gate.whoIs(incoming));
    if (service.stopping.aborted) throw new OxbowError("service_stopping", "The service is about to stop.");
    server.handleUpgrade(request, socket, head, (socketOf) => {
      service.log.info({ path: SOCKET_PATH, status: 101, caller: name }, "request");
      serveSocket(service, socketOf, async () => void readerOf(await gate.whoIs(incoming)));
    });
  }

  return {
    wants: ({ url, method, headers }) =>
      method === "GET" && pathOf(url) === SOCKET_PATH && /^websocket$/i.test(headers.upgrade ?? ""),
    take(request, socket, head) {
      // Who goes away meanwhile is gone.
      const gone = () => void socket.destroy();
      socket.on("error", gone);
      admit(request, socket, head).catch((error: unknown) => refuse(service, request, socket, error));
    },
  };
}

function refuse({ log, redact }: Service, request: IncomingMessage, socket: Duplex, thrown: unknown): void {
  const error = toOxbowError(thrown);
  const id = requestId(headerOf(request, "x-request-id"));
  const about = { request_id: id, code: error.code, message: error.message };
  if (error.code === "internal") log.error({ ...about, stack: error.stack }, "request_failed");
  else log.info(about, "request_refused");
  answerOn(socket, problemOf(error, id, redact));
}

/** Throws scope_missing. */
function readerOf(principal: Principal): Principal {
  if (mayUse(principal.scopes, "read")) return principal;
  throw new OxbowError("scope_missing", `The token ${principal.name} has not the scope read.`);
}

function incomingOf(request: IncomingMessage): Incoming {
  const incoming = incomingFrom((name) => headerOf(request, name), request.rawHeaders);
  const offered = (headerOf(request, "sec-websocket-protocol") ?? "").split(",").map((word) => word.trim());
  const token = offered.map((word) => BEARER.exec(word)?.[1]).find((word) => word !== undefined);
  if (incoming.authorization !== undefined || token === undefined) return incoming;
  return { ...incoming, authorization: `Bearer ${token}` };
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

function pathOf(url: string | undefined): string {
  return (url ?? "").split("?", 1)[0] ?? "";
}
