/** The app's stream of the events of all tasks, for its network doors. */
import { toErrorValue } from "./core/errors.ts";
import type { Rooms } from "./rooms.ts";
import type { EventStream, StreamRequest } from "./stream-feed.ts";
import type { StreamHub } from "./stream-hub.ts";
import type { Engine } from "./team/engine.ts";

export type { EventFilter, EventStream, StreamItem, StreamRequest } from "./stream-feed.ts";
export type { StreamedEvent } from "./stream-hub.ts";

export interface StreamCalls {
  /**
   * Follows the events of the store. However many follow, the store is read once; what is not taken is not kept. Its
   * `items` have to be begun, and end on abort. Throws event_unknown: `after` is not there (any more); task_unknown.
   */
  events(request: StreamRequest): Promise<EventStream>;
}

export function createStreamCalls(
  opened: () => Promise<Rooms>,
  engine: () => Promise<Pick<Engine, "log">>,
): StreamCalls & { readonly close: () => Promise<void> } {
  const tickets = new Map<string, string>();
  let made: Promise<StreamHub> | null = null;
  const make = async (): Promise<StreamHub> => {
    const [{ createStreamHub }, { store, secrets }, { log }] = await Promise.all([
      import("./stream-hub.ts"),
      opened(),
      engine(),
    ]);
    return createStreamHub(store.log, {
      redact: secrets.redact,
      failed: (error) => log.error({ error: toErrorValue(error) }, "streams_wait"),
    });
  };
  return {
    async events(request) {
      const { openFeed } = await import("./stream-feed.ts");
      return openFeed(await (made ??= make()), (await opened()).store, tickets, request);
    },
    close: async () => (await made?.catch(() => null))?.close(),
  };
}
