/** One reader's part of the stream of events: from where it was, filtered, to the present, and on as things happen. */
import { isLive } from "./core/model.ts";
import { OxbowError } from "./core/errors.ts";
import type { EventLog, WantedEvents } from "./store/event-log.ts";
import type { Store } from "./store/contract.ts";
import type { Follower, StreamedEvent, StreamHub } from "./stream-hub.ts";

/** Null: whatever it is. */
export interface EventFilter {
  readonly events: readonly string[] | null;
  readonly agent: string | null;
  readonly taskId: string | null;
  readonly ticket: string | null;
  readonly conversation: string | null;
}

export interface StreamRequest extends EventFilter {
  /** The id of the event after which it begins; "0": the first; null: the present, but the first where it ends (there, or with its task). */
  readonly after: string | null;
  /** False: it ends at the present. */
  readonly follow: boolean;
  /** `taskId` is to be a task's, and what follows ends with the task. */
  readonly ofTask: boolean;
}

export type StreamItem =
  /** In order. `after`: all before it has been given, also where none of it was wanted. */
  | { readonly kind: "events"; readonly events: readonly StreamedEvent[]; readonly after: string }
  /** Once: this is the present. */
  | { readonly kind: "caught_up"; readonly after: string }
  | { readonly kind: "ended"; readonly code: "caught_up" | "task_ended"; readonly after: string };

export interface EventStream extends Disposable {
  /** Where it begins. */
  readonly after: string;
  /** Whether its task has ended, so that nothing comes any more. */
  readonly over: boolean;
  /** Once. Ends after `ended`, rejects with `cancelled` on abort. */
  items(signal: AbortSignal): AsyncIterable<StreamItem>;
}

export interface FeedStore {
  readonly log: Pick<EventLog, "has">;
  task: Store["task"];
}

/** Events in one item, and about how many characters of them. */
const LIMIT = 256;
const CHARACTERS = 262_144;
/** Of how many tasks the ticket is remembered. */
const REMEMBERED = 10_000;

/** Throws event_unknown, task_unknown. `tickets` remembers, for all who ask. */
export async function openFeed(
  hub: StreamHub,
  store: FeedStore,
  tickets: Map<string, string>,
  request: StreamRequest,
): Promise<EventStream> {
  const position = await positionOf(store, request);
  const over = request.ofTask && !(await goesOn(store, request.taskId));
  const isWanted = createFilter(request, ticketsOf(store, tickets));
  const follower = await hub.join();
  const from = position ?? follower.newest();
  return {
    after: String(from),
    over,
    items: (signal) => feed({ follower, store, request, isWanted, from }, signal),
    [Symbol.dispose]: () => follower[Symbol.dispose](),
  };
}

async function positionOf(
  store: FeedStore,
  { after, follow, ofTask }: StreamRequest,
): Promise<number | null> {
  if (after === null) return ofTask || !follow ? 0 : null;
  if (after === "0") return 0;
  if (/^[1-9]\d{0,15}$/.test(after) && (await store.log.has(Number(after)))) return Number(after);
  throw new OxbowError("event_unknown", `There is no event "${after.slice(0, 80)}" any more, or never was.`);
}

/** Throws task_unknown. */
async function goesOn(store: FeedStore, taskId: string | null): Promise<boolean> {
  const task = await store.task(taskId ?? "");
  if (task === null) throw new OxbowError("task_unknown", `There is no task ${taskId ?? ""}.`);
  return isLive(task);
}

interface Feeding {
  readonly follower: Follower;
  readonly store: FeedStore;
  readonly request: StreamRequest;
  readonly from: number;
  isWanted(entry: StreamedEvent): boolean | Promise<boolean>;
}

async function* feed(
  { follower, store, request, from, isWanted }: Feeding,
  signal: AbortSignal,
): AsyncGenerator<StreamItem, void, undefined> {
  const wanted: WantedEvents = { taskId: request.taskId, names: namesOf(request) };
  let [position, caughtUp, last] = [from, false, false];
  for (;;) {
    if (signal.aborted) throw new OxbowError("cancelled", "The stream was ended.");
    const { events, until } = await follower.after(wanted, position, LIMIT);
    const taken = bounded(events);
    const isAll = taken.length === events.length && events.length < LIMIT;
    const reached = isAll ? until : (taken.at(-1)?.position ?? position);
    const given: StreamedEvent[] = [];
    let finished = false;
    for (const entry of taken) {
      if (entry.event.task_id === request.taskId && entry.event.event === "task_finished") finished = true;
      const answer = isWanted(entry);
      if (answer === true || (answer !== false && (await answer))) given.push(entry);
    }
    const after = String(reached);
    if (reached > position) yield { kind: "events", events: given, after };
    position = reached;
    if (!isAll) continue;
    if (!request.follow || last)
      return yield { kind: "ended", code: last ? "task_ended" : "caught_up", after };
    // What came between the last look and the end of the task is still given.
    if (request.ofTask && (finished || !caughtUp)) last = !(await goesOn(store, request.taskId));
    if (!caughtUp && !last) yield { kind: "caught_up", after };
    caughtUp = true;
    if (!last) await follower.past(position, signal);
  }
}

/** Whether a task has ended is seen from its events, whichever are wanted. */
function namesOf({ events, ofTask }: StreamRequest): readonly string[] | null {
  return events === null || !ofTask ? events : [...events, "task_finished"];
}

/** The first of them, one at least, that are not too much together. */
function bounded(events: readonly StreamedEvent[]): readonly StreamedEvent[] {
  let characters = 0;
  const end = events.findIndex(({ json }, i) => (characters += json.length) > CHARACTERS && i > 0);
  return end === -1 ? events : events.slice(0, end);
}

type TicketOf = (taskId: string) => string | null | Promise<string | null>;

function createFilter({ events, agent, taskId, ticket, conversation }: EventFilter, ticketOf: TicketOf) {
  const names = events && new Set(events);
  return ({ event }: StreamedEvent): boolean | Promise<boolean> => {
    if (names !== null && !names.has(event.event)) return false;
    if (taskId !== null && event.task_id !== taskId) return false;
    if (conversation !== null && event.conversation_id !== conversation) return false;
    if (agent !== null && event.source !== agent && !("agent" in event && event.agent === agent))
      return false;
    if (ticket === null) return true;
    const known = ticketOf(event.task_id);
    return known instanceof Promise ? known.then((found) => found === ticket) : known === ticket;
  };
}

function ticketsOf(store: FeedStore, known: Map<string, string>): TicketOf {
  return (taskId) =>
    known.get(taskId) ??
    store.task(taskId).then((task) => {
      if (task === null) return null;
      if (known.size >= REMEMBERED) known.clear();
      known.set(taskId, task.ticket);
      return task.ticket;
    });
}
