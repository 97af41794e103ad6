/**
 * The engine as one attempt's tools may use it: what changes the world for others (children, signals, cursors) is refused
 * once another worker has taken the conversation over. A process that stood still for long learns it here.
 */
import type { Lease, Store } from "../store/contract.ts";
import type { Engine } from "./engine.ts";

export function fenced(engine: Engine, lease: Lease): Engine {
  return { ...engine, store: fencedStore(engine.store, lease) };
}

function fencedStore(store: Store, lease: Lease): Store {
  const { topics } = store;
  return {
    ...store,
    topics: {
      ...topics,
      async publish(topic, payload) {
        await store.confirm(lease);
        return topics.publish(topic, payload);
      },
      async publishOnce(eventId, topic, payload) {
        await store.confirm(lease);
        return topics.publishOnce(eventId, topic, payload);
      },
    },
    addChildren: (taskId, children, events) => store.addChildren(taskId, children, events, lease),
    setCursors: (conversationId, cursors) => store.setCursors(conversationId, cursors, lease),
  };
}
