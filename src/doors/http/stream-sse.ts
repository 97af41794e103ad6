/**
 * `GET /events` and `GET /tasks/{task_id}/events`: the event stream as server-sent events (docs/service.md, "Streams"). What
 * is sent is asked for when the caller has taken what came before, so who reads slowly costs no memory.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { OxbowError } from "../../core/errors.ts";
import { mayUse } from "../../core/token.ts";
import type { EventStream, StreamItem, StreamRequest } from "../../stream-calls.ts";
import { answersWith, offers, requires } from "./access.ts";
import { type Env, name, routes, type Routes, type Service } from "./contract.ts";
import { toOxbowError } from "./problem.ts";
import { allQuery, eventId, taskQuery, wanted } from "./stream-wanted.ts";
import { STREAM_LIMITS, type StreamLimits } from "./stream-limits.ts";

export const SSE_TYPE = "text/event-stream";

const DESCRIPTION =
  "`id:`, `event:` and `data:` of each event, a comment every 15 seconds, and `event: end` or `event: cut` with a `code` at the end. " +
  "The header Last-Event-ID goes before `after`. Without either it begins at the present; of a task, or with `follow=0`, at the first event.";

const common = {
  method: "get" as const,
  tags: ["events"],
  description: DESCRIPTION,
  middleware: [requires("read"), offers(SSE_TYPE)],
  security: [{ token: ["read"] }],
  responses: answersWith({ [SSE_TYPE]: { schema: z.string() } }, "The events, as they happen."),
};
const headers = z.object({ "last-event-id": eventId.optional() });

const all = createRoute({
  ...common,
  path: "/events",
  summary: "The events of all tasks.",
  request: { query: allQuery, headers },
});

const ofTask = createRoute({
  ...common,
  path: "/tasks/{task_id}/events",
  summary: "The events of a task, to its end.",
  request: { params: z.object({ task_id: name }), query: taskQuery, headers },
  responses: { ...common.responses, 204: { description: "The task has ended; do not connect again." } },
});

export const streamRoutes = (service: Service): Routes =>
  routes()
    .openapi(all, async (c) => {
      const { after, follow, ...filters } = c.req.valid("query");
      const from = c.req.valid("header")["last-event-id"] ?? after ?? null;
      return answer(service, c, wanted(filters, { after: from, follow: follow !== "0", ofTask: false }));
    })
    .openapi(ofTask, async (c) => {
      const { after, follow, ...filters } = c.req.valid("query");
      const { task_id } = c.req.valid("param");
      const last = c.req.valid("header")["last-event-id"];
      const rest = { after: last ?? after ?? null, follow: follow !== "0", ofTask: true };
      return answer(service, c, wanted({ ...filters, task_id }, rest), last !== undefined);
    });

/** `again`: an EventSource that comes back stays away after a 204. */
async function answer(
  service: Service,
  c: Context<Env>,
  request: StreamRequest,
  again = false,
): Promise<Response> {
  if (service.stopping.aborted) throw new OxbowError("service_stopping", "The service is about to stop.");
  const limits = service.streams ?? STREAM_LIMITS;
  const stream = await service.app.events(request);
  if (c.req.method === "HEAD" || (again && stream.over && (await isEmpty(stream)))) {
    stream[Symbol.dispose]();
    return c.body(null, c.req.method === "HEAD" ? 200 : 204, { "content-type": SSE_TYPE });
  }
  const socket = c.env?.incoming?.socket;
  // A peer that is gone without a word is noticed.
  socket?.setKeepAlive(true, limits.beatMs);
  const options = {
    ...limits,
    stopping: service.stopping,
    slow: () => service.log.info({ code: "slow_reader", request_id: c.get("requestId") }, "stream_cut"),
    cut: () => void socket?.destroy(),
    mayStay: () => stays(service, c),
  };
  return c.body(sseBody(stream, options), 200, {
    "content-type": SSE_TYPE,
    // Headers go out at once, and no proxy waits for more.
    "transfer-encoding": "chunked",
    "x-accel-buffering": "no",
    // Nothing comes after it, and a service that stops does not wait for more.
    connection: "close",
  });
}

/** Throws token_rejected once its token opens nothing any more. */
async function stays({ app }: Service, c: Context<Env>): Promise<void> {
  const { token_id, name: caller } = c.get("principal");
  const token = /\S+$/.exec(c.req.header("authorization") ?? "")?.[0];
  if (token_id === null || token === undefined) return;
  const principal = await app.authenticate(token);
  if (principal === null || !mayUse(principal.scopes, "read"))
    throw new OxbowError("token_rejected", `The token ${caller} opens nothing any more.`);
}

/** Of a task that is over: whether it has no event left to give. */
async function isEmpty(stream: EventStream): Promise<boolean> {
  for await (const item of stream.items(new AbortController().signal))
    if (item.kind === "events" && item.events.length > 0) return false;
  return true;
}

interface BodyOptions extends StreamLimits {
  readonly stopping: AbortSignal;
  /** Rejects once who reads may not read any more. */
  mayStay(): Promise<void>;
  /** It waited too long: who reads is told so, if that is taken. */
  slow(): void;
  /** Ends the connection of who does not even take the last words. */
  cut(): void;
}

/** Nothing is read ahead; who goes away ends it. */
export function sseBody(stream: EventStream, options: BodyOptions): ReadableStream<Uint8Array> {
  const left = new AbortController();
  const words = sseWords(stream, options, left.signal);
  const text = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await words.next();
        if (done === true) controller.close();
        else controller.enqueue(text.encode(value));
      },
      async cancel() {
        left.abort();
        await words.return();
        // Where it was never begun, its end does nothing.
        stream[Symbol.dispose]();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* sseWords(
  stream: EventStream,
  { beatMs, slowMs, graceMs, stopping, slow, cut, mayStay }: BodyOptions,
  left: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  using _stream = stream;
  const done = new AbortController();
  const over = AbortSignal.any([left, stopping, done.signal]);
  const items = stream.items(over)[Symbol.asyncIterator]();
  let after = stream.after;
  let isSlow = false;
  let timer: NodeJS.Timeout | undefined;
  /** From here on what is given waits to be taken. */
  const given = (words: string) => {
    timer = setTimeout(() => {
      isSlow = true;
      slow();
      timer = setTimeout(cut, graceMs).unref();
    }, slowMs).unref();
    return words;
  };
  const last = (event: "end" | "cut", code: string, message: string) =>
    `event: ${event}\ndata: ${JSON.stringify({ code, message, after })}\n\n`;
  try {
    yield given(`id: ${after}\n: from here\n\n`);
    let next = nextOf(items);
    let looked = performance.now();
    for (;;) {
      clearTimeout(timer);
      if (performance.now() - looked >= beatMs) {
        looked = performance.now();
        await mayStay();
      }
      if (isSlow) return yield last("cut", "slow_reader", "What was sent was not taken in time.");
      const item = await within(next, beatMs);
      if (item === null) {
        yield given(`id: ${after}\n: still here\n\n`);
        continue;
      }
      if (item.done === true) return;
      after = item.value.after;
      if (item.value.kind === "ended") return yield last("end", item.value.code, ENDS[item.value.code]);
      const words = wordsOf(item.value);
      if (words !== "") yield given(words);
      next = nextOf(items);
    }
  } catch (error) {
    if (left.aborted) return;
    if (stopping.aborted) return yield last("end", "service_stopping", "The service is about to stop.");
    const { code } = toOxbowError(error);
    yield last("cut", code, "The stream broke off.");
  } finally {
    clearTimeout(timer);
    done.abort();
    await items.return?.();
  }
}

/** It may fail while what was given waits to be taken; it is met by the next look. */
function nextOf(items: AsyncIterator<StreamItem>): Promise<IteratorResult<StreamItem>> {
  const next = items.next();
  next.catch(() => undefined);
  return next;
}

const ENDS = { caught_up: "This is the present.", task_ended: "The task has ended." } as const;

function wordsOf(item: StreamItem): string {
  if (item.kind === "caught_up") return ": caught up\n\n";
  if (item.kind === "ended") return "";
  return item.events
    .map(({ position, event, json }) => `id: ${position}\nevent: ${event.event}\ndata: ${json}\n\n`)
    .join("");
}

/** Null when the time is up first. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const time = Promise.withResolvers<null>();
  const timer = setTimeout(time.resolve, ms, null).unref();
  try {
    return await Promise.race([promise, time.promise]);
  } finally {
    clearTimeout(timer);
  }
}
