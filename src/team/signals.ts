/** Signals as an agent, the command line and the library use them: topics with a policy, cursors and events. */
import { failPoint } from "../host/fail-point.ts";
import type { Json } from "../core/model.ts";
import type { Settings } from "../core/settings.ts";
import type { SignalMessage, Signals } from "../core/tool.ts";
import type { Position, Store, TopicEntry } from "../store/contract.ts";
import { OxbowError } from "../core/errors.ts";

const TOPIC_BYTES = 512;

/** Throws topic_rejected. */
export function checkTopic(topic: string, settings: Settings): void {
  const problem =
    topic === ""
      ? "is empty"
      : Buffer.byteLength(topic) > TOPIC_BYTES
        ? `is longer than ${TOPIC_BYTES} bytes`
        : /[\s\p{C}]/u.test(topic)
          ? "holds a blank or a control character"
          : settings.signalTopicPrefix !== "" && !topic.startsWith(settings.signalTopicPrefix)
            ? `does not begin with ${settings.signalTopicPrefix}`
            : null;
  if (problem)
    throw new OxbowError("topic_rejected", `The topic ${JSON.stringify(topic.slice(0, 80))} ${problem}.`);
}

/** Throws payload_invalid, payload_too_large. */
export function checkPayload(payload: unknown, settings: Settings): void {
  const text = JSON.stringify(payload);
  if (text === undefined) throw new OxbowError("payload_invalid", "The payload is not a JSON value.");
  const bytes = Buffer.byteLength(text);
  if (bytes > settings.signalPayloadMaxBytes)
    throw new OxbowError(
      "payload_too_large",
      `The payload has ${bytes} bytes; at most ${settings.signalPayloadMaxBytes} are allowed.`,
    );
}

export interface SignalsOptions {
  readonly store: Store;
  readonly settings: Settings;
  /** The conversation whose saved cursors a wait without `lastId` goes on from. */
  readonly conversationId?: string;
  /** Its own done topic: reserved to the engine unless `ownDone`, then its first send there is the terminal signal. */
  readonly doneTopic?: string;
  readonly ownDone?: boolean;
  readonly sent?: (topic: string, messageId: string, payload: Json) => void;
  readonly received?: (topic: string, messageId: string, payload: Json) => void;
  /** What is sent is kept, and shown to others: secrets stay out of it. */
  readonly redact: (text: string) => string;
  /** Runs a wait without holding a working place. */
  readonly parked?: <T>(wait: () => Promise<T>, signal: AbortSignal) => Promise<T>;
}

function withoutSecrets(payload: Json, redact: (text: string) => string): Json {
  const text = JSON.stringify(payload);
  const clean = redact(text);
  return clean === text ? payload : JSON.parse(clean);
}

export interface SavedSignals extends Signals {
  /** Makes the positions reached since the last call durable: cursors advance with the turn, not with the read. */
  saveCursors(): Promise<void>;
  /** Hands these positions over to be made durable elsewhere, and counts them as saved. */
  takeCursors(): Readonly<Record<string, string>>;
}

function positionsOf(after: ReadonlyMap<string, string | null>): Position[] {
  return [...after].map(([topic, position]) => ({ topic, after: position }));
}

export function createSignals(options: SignalsOptions): SavedSignals {
  const { store, settings, conversationId } = options;
  const positions = new Map<string, string>();
  let unsaved: Record<string, string> = {};

  async function start(topic: string, lastId: string | undefined): Promise<string | null> {
    checkTopic(topic, settings);
    if (lastId !== undefined) return lastId;
    const known = positions.get(topic);
    if (known !== undefined || conversationId === undefined) return known ?? null;
    return store.cursor(conversationId, topic);
  }

  function take(entry: TopicEntry): SignalMessage {
    failPoint("read.found");
    if (conversationId !== undefined) {
      positions.set(entry.topic, entry.message_id);
      unsaved[entry.topic] = entry.message_id;
    }
    options.received?.(entry.topic, entry.message_id, entry.payload);
    const { topic, message_id, event_id } = entry;
    return { ok: true, topic, message: entry.payload, message_id, event_id };
  }

  const park = <T>(wait: () => Promise<T>, signal: AbortSignal) =>
    options.parked ? options.parked(wait, signal) : wait();

  /** The first entry of each topic in `after` that has one, waiting for at least one. */
  async function first(after: ReadonlyMap<string, string | null>, timeoutMs: number, signal: AbortSignal) {
    const entries = await park(() => store.topics.wait(positionsOf(after), timeoutMs, signal), signal);
    const firsts = new Map<string, TopicEntry>();
    for (const entry of entries) if (!firsts.has(entry.topic)) firsts.set(entry.topic, entry);
    return [...firsts.values()];
  }

  async function starts(topics: readonly string[], lastIds: Readonly<Record<string, string>>) {
    const begin = async (topic: string) =>
      [topic, await start(topic, Object.hasOwn(lastIds, topic) ? lastIds[topic] : undefined)] as const;
    return new Map(await Promise.all(topics.map(begin)));
  }

  return {
    async send(topic, given) {
      checkTopic(topic, settings);
      checkPayload(given, settings);
      if (options.redact(topic) !== topic)
        throw new OxbowError("topic_rejected", "The topic's name holds what looks like a secret.");
      const payload = withoutSecrets(given, options.redact);
      failPoint("signal.before");
      const entry = await publish(topic, payload);
      failPoint("signal.sent");
      options.sent?.(topic, entry.message_id, payload);
      return { ok: true, topic, message_id: entry.message_id };
    },

    async wait(topic, lastId, timeoutMs, signal) {
      const after = await start(topic, lastId);
      const [entry] = await first(new Map([[topic, after]]), timeoutMs, signal);
      return entry ? take(entry) : { ok: false, topic, timeout_ms: timeoutMs, last_id: after };
    },

    async waitAny(topics, lastIds, timeoutMs, signal) {
      const after = await starts(topics, lastIds);
      const [entry] = await first(after, timeoutMs, signal);
      if (entry) return take(entry);
      return { ok: false, topics, timeout_ms: timeoutMs, last_ids: Object.fromEntries(after) };
    },

    async waitAll(topics, lastIds, timeoutMs, signal) {
      const missing = await starts(topics, lastIds);
      const messages: Record<string, SignalMessage> = {};
      const end = performance.now() + timeoutMs;
      using following = store.topics.follow(positionsOf(missing));
      const listen = async () => {
        while (missing.size > 0) {
          const entries = await following.next(Math.max(0, end - performance.now()), signal);
          if (entries.length === 0) return;
          for (const entry of entries) {
            if (!missing.delete(entry.topic)) continue;
            messages[entry.topic] = take(entry);
            following.drop(entry.topic);
          }
        }
      };
      await park(listen, signal);
      return { ok: missing.size === 0, messages, missing: [...missing.keys()], timeout_ms: timeoutMs };
    },

    takeCursors() {
      const taken = unsaved;
      unsaved = {};
      return taken;
    },

    async saveCursors() {
      if (conversationId === undefined || Object.keys(unsaved).length === 0) return;
      const saving = unsaved;
      unsaved = {};
      await store.setCursors(conversationId, saving);
    },
  };

  async function publish(topic: string, payload: Json): Promise<TopicEntry> {
    const child = /^signal:(.+):done$/.exec(topic)?.[1];
    if (child === undefined) return store.topics.publish(topic, payload);
    if (conversationId === undefined) {
      // A person, or a program: theirs are all topics but those on which somebody waits for the end of a child.
      if (!(await store.isChild(child))) return store.topics.publish(topic, payload);
      if (!settings.autoChildSignalDone) return store.topics.publishOnce(`done:${child}`, topic, payload);
    }
    if (topic === options.doneTopic && options.ownDone)
      return store.topics.publishOnce(`done:${conversationId}`, topic, payload);
    throw new OxbowError(
      "topic_reserved",
      `${topic} is a done topic: Oxbow sends the signal there when that conversation has ended.`,
    );
  }
}
