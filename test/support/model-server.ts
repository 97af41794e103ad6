/**
 * A model provider on loopback: real HTTP, the vendors' wire formats (POST /v1/responses, /v1/chat/completions
 * and /v1/messages, streamed or not), and answers that a test decides from the conversation so far. GET /requests returns what came in.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import {
  type Answer,
  type Conversation,
  readChatRequest,
  readResponsesRequest,
  writeChat,
  writeResponses,
} from "./model-wire.ts";
import { readMessagesRequest, writeMessages } from "./model-wire-messages.ts";
import { fillValue } from "../../src/agent/scripted.ts";

export type Wire = "responses" | "chat" | "messages";

const READERS = { responses: readResponsesRequest, chat: readChatRequest, messages: readMessagesRequest };
const WRITERS = { responses: writeResponses, chat: writeChat, messages: writeMessages };
const PATHS: Readonly<Record<string, Wire>> = {
  "/v1/responses": "responses",
  "/v1/chat/completions": "chat",
  "/v1/messages": "messages",
};

/** What GET /v1/models lists. */
const MODELS = ["gpt-5-mini", "claude-sonnet-5-5", "test-model"];
/** The one key that the server refuses, where it is asked for its models. */
export const REFUSED_KEY = "sk-refused-0123456789abcdef";

export interface ModelCall extends Conversation {
  readonly wire: Wire;
  readonly model: string;
  /** From instructions that begin with `You are <agent>`. */
  readonly agent: string | null;
  readonly headers: IncomingHttpHeaders;
  /** The request's body as it was sent. */
  readonly raw: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export type ModelReply =
  | Answer
  /** An HTTP error. */
  | {
      readonly status: number;
      readonly message: string;
      readonly headers?: Record<string, string>;
      readonly code?: string;
    }
  /** The stream opens, and says that the provider gave up; not Chat Completions. */
  | { readonly failed: { readonly code: string; readonly message: string } }
  /** The body as it stands, in place of what the vendor would send. */
  | { readonly body: string | readonly string[]; readonly type?: string }
  /** Nothing ever comes. */
  | { readonly hang: true }
  /**
   * The answer breaks off half-way through its events: `hang_up` closes the socket, `end` ends the body as if all were
   * well, `stall` sends nothing more.
   */
  | (Answer & { readonly cut: "hang_up" | "end" | "stall" });

export type ModelHandler = (call: ModelCall) => ModelReply | Promise<ModelReply>;

export interface ModelServer extends AsyncDisposable {
  /** The base URL, with `/v1`. */
  readonly url: string;
  /** The same without it, as Anthropic's is written. */
  readonly origin: string;
  readonly requests: readonly ModelCall[];
  /** Resolves when `count` requests have come in. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startModelServer(handler: ModelHandler): Promise<ModelServer> {
  const requests: ModelCall[] = [];
  const waiting = new Set<{ count: number; resolve: () => void }>();
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: `The test's handler failed: ${String(error)}` } }));
    });
  });

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const raw = await bodyOf(request);
    if (request.method === "GET" && request.url === "/requests") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(requests.map(({ raw: _raw, ...call }) => call)));
      return;
    }
    if (request.method === "GET" && /^\/v1\/models(\?|$)/.test(request.url ?? "")) {
      const key = request.headers["x-api-key"] ?? request.headers.authorization?.replace("Bearer ", "");
      if (key === REFUSED_KEY) return sendError(response, 401, `Incorrect key provided: ${key}`);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ data: MODELS.map((id) => ({ id })) }));
      return;
    }
    const wire = PATHS[request.url ?? ""];
    if (request.method !== "POST" || wire === undefined) return sendError(response, 404, "No such endpoint.");
    const body = JSON.parse(raw) as Record<string, unknown>;
    const read = READERS[wire](body);
    const call: ModelCall = {
      ...read,
      wire,
      raw,
      body,
      model: String(body.model),
      agent: /^You are ([^\s,.;:]+)/.exec(read.instructions)?.[1] ?? null,
      headers: request.headers,
    };
    requests.push(call);
    for (const each of waiting) if (requests.length >= each.count) each.resolve();
    await send(response, await handler(call), call);
  };

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    url: `http://127.0.0.1:${port}/v1`,
    origin: `http://127.0.0.1:${port}`,
    requests,
    received: async (count) => {
      if (requests.length >= count) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const entry = { count, resolve };
      waiting.add(entry);
      await promise;
      waiting.delete(entry);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  headers = {},
  code?: string,
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error: { message, type: "test", code: code ?? null, param: null } }));
}

async function send(response: ServerResponse, reply: ModelReply, call: ModelCall): Promise<void> {
  if ("hang" in reply) return;
  if ("body" in reply) {
    response.writeHead(200, { "content-type": reply.type ?? "text/event-stream" });
    for (const part of [reply.body].flat()) response.write(part);
    response.end();
    return;
  }
  if ("failed" in reply) {
    const { code, message } = reply.failed;
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (call.wire === "messages") {
      const error = { type: "error", error: { type: code, message } };
      response.end(`event: error\ndata: ${JSON.stringify(error)}\n\n`);
      return;
    }
    const failed = {
      id: "resp_failed",
      object: "response",
      status: "failed",
      output: [],
      error: reply.failed,
    };
    response.end(
      `event: response.failed\ndata: ${JSON.stringify({ type: "response.failed", response: failed })}\n\n`,
    );
    return;
  }
  if ("status" in reply) return sendError(response, reply.status, reply.message, reply.headers, reply.code);
  const { body, events } = WRITERS[call.wire](reply, call.model);
  if (call.body.stream !== true) {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": `req_${call.turn}` });
  const cut = "cut" in reply ? reply.cut : null;
  // Half-way: after the first half of the last call's arguments (or of the text), before anything is complete.
  const kept = cut === null ? events.length : firstDelta(events) + 1;
  for (const event of events.slice(0, kept)) {
    const name = typeof event.type === "string" ? `event: ${event.type}\n` : "";
    await new Promise<void>((resolve) =>
      response.write(`${name}data: ${JSON.stringify(event)}\n\n`, () => resolve()),
    );
  }
  if (cut === "stall") return;
  if (cut === "hang_up") response.destroy();
  else if (cut === "end") response.end();
  else response.end(call.wire === "chat" ? "data: [DONE]\n\n" : "");
}

function firstDelta(events: readonly Readonly<Record<string, unknown>>[]): number {
  const found = events.findIndex((event) => {
    const text = JSON.stringify(event);
    return (
      text.includes("arguments.delta") ||
      text.includes("text.delta") ||
      /"partial_json":"[^"]|"text_delta"/.test(text) ||
      /"(?:arguments|content)":"[^"]/.test(text)
    );
  });
  return found === -1 ? events.length - 2 : found;
}

/** A reply, or a function of the conversation; an HTTP error with `times` is met that often and then passed over. */
export type ScriptedReply =
  | ModelReply
  | (ModelReply & { readonly times: number })
  | ((call: ModelCall) => ModelReply | Promise<ModelReply>);

/**
 * A handler from one list of replies per agent; `default` is for all others. The n-th answer in a conversation is the
 * n-th reply, whatever else goes on at the same time. In arguments and text `$last.path`, `$results[0].path`, `{{task}}`
 * and `{{agent}}` are filled in as in a script file.
 */
export function scriptByAgent(scripts: Readonly<Record<string, readonly ScriptedReply[]>>): ModelHandler {
  const met = new Map<string, number>();
  return async (call) => {
    const names = Object.keys(scripts).filter((name) => begins(call.instructions, name));
    const name = names.sort((a, b) => b.length - a.length)[0] ?? "default";
    let before = call.turn - 1;
    for (const [index, step] of (scripts[name] ?? []).entries()) {
      if (typeof step !== "function" && "times" in step) {
        const key = JSON.stringify([name, call.task, index]);
        const count = met.get(key) ?? 0;
        if (before > 0 || count >= step.times) continue;
        met.set(key, count + 1);
        return step;
      }
      if (before-- > 0) continue;
      return typeof step === "function" ? step(call) : filled(step, name, call);
    }
    return { status: 400, message: `The test has no reply for turn ${call.turn} of ${name}.` };
  };
}

function begins(instructions: string, name: string): boolean {
  const start = `You are ${name}`;
  return instructions.startsWith(start) && !/^[\p{L}\p{N}_-]/u.test(instructions.slice(start.length));
}

function filled(reply: ModelReply, agent: string, call: ModelCall): ModelReply {
  if ("status" in reply || "hang" in reply || "failed" in reply || "body" in reply) return reply;
  const run = { agent, task: call.task };
  return {
    ...reply,
    ...(reply.text === undefined ? {} : { text: String(fillValue(reply.text, run, call.outputs)) }),
    ...(reply.calls === undefined
      ? {}
      : {
          calls: reply.calls.map((each) => ({
            ...each,
            arguments: fillValue(each.arguments ?? {}, run, call.outputs),
          })),
        }),
  };
}
