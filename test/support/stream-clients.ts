/** Clients of the two kinds of streams, over real sockets. */
import { once } from "node:events";
import { WebSocket } from "ws";

export interface Came {
  /** What it is: `subscribed`, `event`, … of a WebSocket; the name of the event of an SSE stream, "" of a comment. */
  readonly type: string;
  readonly [field: string]: any;
}

/** What came so far, and a wait for what is to come. */
function createInbox() {
  const all: Came[] = [];
  const waiting = new Set<() => void>();
  const ended = Promise.withResolvers<void>();
  return {
    all,
    ended,
    add(came: Came): void {
      all.push(came);
      for (const look of waiting) look();
    },
    /** The first that fits, whether it is there or comes; rejects at the end of all. */
    until(fits: (came: Came) => boolean): Promise<Came> {
      const found = Promise.withResolvers<Came>();
      let seen = 0;
      const look = () => {
        for (; seen < all.length; seen++) {
          const came = all[seen];
          if (came === undefined || !fits(came)) continue;
          waiting.delete(look);
          return found.resolve(came);
        }
      };
      waiting.add(look);
      look();
      void ended.promise.then(() => found.reject(new Error(`ended with ${JSON.stringify(all.at(-1))}`)));
      return found.promise;
    },
  };
}

export interface StreamClient extends AsyncDisposable {
  readonly all: readonly Came[];
  until(fits: (came: Came) => boolean): Promise<Came>;
  /** The ids of the events so far. */
  ids(): string[];
}

export interface SocketClient extends StreamClient {
  readonly socket: WebSocket;
  say(message: unknown): void;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export async function socketClient(
  url: string,
  options: { readonly protocols?: string[]; readonly headers?: Record<string, string> } = {},
): Promise<SocketClient> {
  const { protocols = [], headers = {} } = options;
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws`, protocols, { headers });
  const inbox = createInbox();
  socket.on("message", (data: Buffer) => inbox.add(JSON.parse(data.toString("utf8"))));
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on("close", (code, reason) => {
      inbox.ended.resolve();
      resolve({ code, reason: String(reason) });
    }),
  );
  await once(socket, "open");
  // What goes wrong later shows in how it is closed.
  socket.on("error", () => undefined);
  return {
    socket,
    closed,
    all: inbox.all,
    until: inbox.until,
    ids: () => inbox.all.flatMap(({ type, event }) => (type === "event" ? [event.id] : [])),
    say: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
}

/** Has subscribed: whatever happens from here on comes. */
export async function subscriber(url: string, message: object = {}): Promise<SocketClient> {
  const client = await socketClient(url);
  client.say({ type: "subscribe", ...message });
  await client.until(({ type }) => type === "subscribed");
  return client;
}

/** The status and problem that an upgrade is refused with. */
export async function refusedUpgrade(
  url: string,
  options: { readonly protocols?: string[]; readonly headers?: Record<string, string> } = {},
): Promise<{ readonly status: number | undefined; readonly problem: any }> {
  const { protocols = [], headers = {} } = options;
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws`, protocols, { headers });
  socket.on("error", () => undefined);
  const [request, response] = await once(socket, "unexpected-response");
  let body = "";
  for await (const part of response) body += part;
  request.destroy();
  return { status: response.statusCode, problem: JSON.parse(body) };
}

export interface SseClient extends StreamClient {
  readonly answer: Response;
  /** Resolves when the service has ended it. */
  readonly ended: Promise<void>;
}

/** Begun: what the service said of the beginning has come. */
export async function sseClient(url: string, headers: Record<string, string> = {}): Promise<SseClient> {
  const stop = new AbortController();
  const answer = await fetch(url, { headers, signal: stop.signal });
  const inbox = createInbox();
  const read = async () => {
    let rest = "";
    const text = new TextDecoder();
    try {
      for await (const part of answer.body ?? []) {
        rest += text.decode(part, { stream: true });
        const blocks = rest.split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) inbox.add(cameOf(block));
      }
    } catch (error) {
      if (!stop.signal.aborted) inbox.add({ type: "broken", error: String(error) });
    }
    inbox.ended.resolve();
  };
  const ended = read();
  return {
    answer,
    ended,
    all: inbox.all,
    until: inbox.until,
    ids: () => inbox.all.flatMap(({ type, id }) => (["", "end", "cut", "broken"].includes(type) ? [] : [id])),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

function cameOf(block: string): Came {
  const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s)));
  return {
    type: fields["event"] ?? "",
    id: fields["id"],
    ...(fields["data"] ? JSON.parse(fields["data"]) : {}),
  };
}
