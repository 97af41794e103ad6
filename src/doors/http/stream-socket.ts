/** One WebSocket: a subscription, the events it wants as fast as they are taken, and an end that is told. */
import { setTimeout as delay } from "node:timers/promises";
import type { RawData, WebSocket } from "ws";
import { hasCode, OxbowError } from "../../core/errors.ts";
import type { StreamedEvent, StreamItem } from "../../stream-calls.ts";
import type { Service } from "./contract.ts";
import { requestInvalid } from "../../core/request-invalid.ts";
import { toOxbowError } from "./problem.ts";
import { STREAM_LIMITS } from "./stream-limits.ts";
import { clientMessage, wanted } from "./stream-wanted.ts";

/** Why a socket is closed, in RFC 6455's numbers; those from 4000 on are ours. */
const CLOSE = { restart: 1012, policy: 1008, broken: 1011, slow: 4008 } as const;
/** So many messages that are not understood are answered. */
const FORGIVEN = 3;
/** So many pings without an answer are a peer that is gone. */
const UNANSWERED = 2;

type ClientMessage = ReturnType<typeof clientMessage.parse>;

/** `mayStay` rejects once who reads may not read any more. */
export function serveSocket(service: Service, socket: WebSocket, mayStay: () => Promise<void>): void {
  const limits = service.streams ?? STREAM_LIMITS;
  const left = new AbortController();
  const state = { unanswered: 0, wrong: 0, after: "0" };
  let hearing: Promise<void> = Promise.resolve();
  let subscription: { readonly ended: Promise<void>; stop(): void } | null = null;

  const say = (message: object) => socket.send(service.redact(JSON.stringify(message)));
  const farewell = (kind: "end" | "error", close: number, error: OxbowError) => {
    if (socket.readyState !== socket.OPEN) return;
    subscription?.stop();
    service.log.info({ code: error.code }, kind === "end" ? "stream_ended" : "stream_cut");
    say({ type: kind, code: error.code, message: error.message, after: state.after });
    socket.close(close, error.code);
    // Who does not take it in time is cut off without.
    setTimeout(() => socket.terminate(), limits.graceMs).unref();
  };
  const slow = () =>
    farewell("error", CLOSE.slow, new OxbowError("slow_reader", "What was sent was not taken in time."));
  const stop = () =>
    farewell("end", CLOSE.restart, new OxbowError("service_stopping", "The service is about to stop."));

  /** Rejects with slow_reader. */
  async function taken(): Promise<void> {
    if (socket.bufferedAmount <= limits.buffered) return;
    const over = new AbortController();
    const late = delay(limits.slowMs, "late" as const, { signal: over.signal, ref: false });
    late.catch(() => undefined);
    const flushed = new Promise<"taken">((resolve) => socket.ping("", false, () => resolve("taken")));
    const first = await Promise.race([flushed, late]);
    over.abort();
    if (first === "late") throw new OxbowError("slow_reader", "What was sent was not taken in time.");
  }

  async function give(item: StreamItem): Promise<void> {
    if (item.kind === "caught_up") say({ type: "caught_up", after: item.after });
    if (item.kind !== "events") return;
    for (const entry of item.events) {
      socket.send(frameOf(entry), { binary: false });
      state.after = String(entry.position);
    }
    state.after = item.after;
    await taken();
  }

  /** Begins, and resolves once it is known where. */
  async function subscribe({ after, filters = {} }: Extract<ClientMessage, { type: "subscribe" }>) {
    const request = wanted(filters, { after: after ?? null, follow: true, ofTask: false });
    const stream = await service.app.events(request);
    subscription?.stop();
    await subscription?.ended;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, left.signal]);
    state.after = stream.after;
    say({ type: "subscribed", after: stream.after });
    const run = async () => {
      using _stream = stream;
      try {
        for await (const item of stream.items(signal)) {
          if (signal.aborted) return;
          await give(item);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (hasCode(error, "slow_reader")) return slow();
        service.log.error({ error: String(error) }, "stream_broken");
        farewell("error", CLOSE.broken, new OxbowError(toOxbowError(error).code, "The stream broke off."));
      }
    };
    subscription = { ended: run(), stop: () => over.abort() };
  }

  function refused(error: OxbowError): void {
    state.wrong += 1;
    if (state.wrong > FORGIVEN) return farewell("error", CLOSE.policy, error);
    const { fields } = error.details;
    say({
      type: "error",
      code: error.code,
      message: error.message,
      ...(fields === undefined ? {} : { fields }),
    });
  }

  async function hear(data: RawData, isBinary: boolean): Promise<void> {
    try {
      const message = understood(data, isBinary);
      if (message.type === "ping") return say({ type: "pong", after: state.after });
      await subscribe(message);
    } catch (error) {
      const told = toOxbowError(error);
      if (told.code === "internal" || told.code === "store_failed")
        farewell("error", CLOSE.broken, new OxbowError(told.code, "The stream broke off."));
      else refused(told);
    }
  }

  const beat = setInterval(() => {
    // With much to take it is for `taken` to judge.
    if (socket.bufferedAmount <= limits.buffered) {
      state.unanswered += 1;
      if (state.unanswered > UNANSWERED) return socket.terminate();
      socket.ping();
    }
    mayStay().catch((error: unknown) => {
      if (REFUSALS.has(toOxbowError(error).code)) farewell("error", CLOSE.policy, toOxbowError(error));
    });
  }, limits.beatMs).unref();

  socket.on("message", (data, isBinary) => {
    state.unanswered = 0;
    if (socket.bufferedAmount > 2 * limits.buffered) return slow();
    // One at a time, in order: what comes meanwhile waits with the one who sends it.
    socket.pause();
    hearing = hearing.then(() => hear(data, isBinary)).finally(() => socket.resume());
  });
  socket.on("ping", (data) => {
    state.unanswered = 0;
    if (socket.bufferedAmount > 2 * limits.buffered) slow();
    else socket.pong(data);
  });
  socket.on("pong", () => (state.unanswered = 0));
  // A frame that breaks the protocol: the reason goes out with the close.
  socket.on("error", (error) =>
    service.log.info({ code: "request_invalid", message: error.message }, "socket"),
  );
  socket.on("close", () => {
    clearInterval(beat);
    service.stopping.removeEventListener("abort", stop);
    left.abort();
  });
  service.stopping.addEventListener("abort", stop);
  if (service.stopping.aborted) stop();
}

const REFUSALS: ReadonlySet<string> = new Set(["token_missing", "token_rejected", "scope_missing"]);

/** Throws request_invalid. */
function understood(data: RawData, isBinary: boolean): ClientMessage {
  const wrong = (message: string) => new OxbowError("request_invalid", message);
  if (isBinary || !Buffer.isBuffer(data)) throw wrong("A message is text.");
  let value: unknown;
  try {
    value = JSON.parse(data.toString("utf8"));
  } catch {
    // Whatever is wrong with it.
    throw wrong("A message is a JSON object.");
  }
  const parsed = clientMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  throw requestInvalid("The message", parsed.error.issues);
}

/** An event goes to many, as the same bytes. */
const frames = new WeakMap<StreamedEvent, Buffer>();

function frameOf(entry: StreamedEvent): Buffer {
  const known = frames.get(entry);
  if (known !== undefined) return known;
  const made = Buffer.from(`{"type":"event","event":${entry.json}}`);
  frames.set(entry, made);
  return made;
}
