/**
 * The one event stream, as schemas: what docs/orchestration lists, what a reader may check against. A new event is one row in
 * the file of its topic; events.ts has the types, which cost nobody a schema library.
 */
import { z } from "zod";
import { MERGE_EVENTS } from "./event-schemas-merge.ts";
import { PEOPLE_EVENTS } from "./event-schemas-people.ts";
import { BRANCH_EVENTS, RUN_EVENTS, TALK_EVENTS } from "./event-schemas-run.ts";
import { CHILD_EVENTS, CRASH_EVENTS, SCHEDULE_EVENTS, TASK_EVENTS } from "./event-schemas-task.ts";

export const EVENT_TOPICS = [
  { topic: "The task", events: TASK_EVENTS },
  { topic: "Its children", events: CHILD_EVENTS },
  { topic: "A run, turn by turn", events: RUN_EVENTS },
  { topic: "Branches", events: BRANCH_EVENTS },
  { topic: "What agents say to each other and to people", events: TALK_EVENTS },
  { topic: "Agents and people outside of tasks", events: PEOPLE_EVENTS },
  { topic: "Merging", events: MERGE_EVENTS },
  { topic: "Crashes", events: CRASH_EVENTS },
  { topic: "Schedules", events: SCHEDULE_EVENTS },
] as const;

/** An event as it is made. */
export const eventBodySchema = z.discriminatedUnion("event", [
  ...TASK_EVENTS,
  ...CHILD_EVENTS,
  ...RUN_EVENTS,
  ...BRANCH_EVENTS,
  ...TALK_EVENTS,
  ...PEOPLE_EVENTS,
  ...MERGE_EVENTS,
  ...CRASH_EVENTS,
  ...SCHEDULE_EVENTS,
]);

/** What the store adds: `id` is opaque, unique and increasing within a store. */
const stamp = z.object({ id: z.string(), ts: z.string().describe("ISO 8601 in UTC") });

/** An event as everybody reads it. */
export const oxbowEventSchema = eventBodySchema.and(stamp);
