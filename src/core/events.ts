/**
 * The one event stream. The command line, the report and the servers all fold it. Events are wire values:
 * `{ event, id, ts, task_id, subtask_id?, conversation_id?, source?, … }`. The schemas, one file a topic, say which there
 * are and what each carries; here are only their types, so that nobody loads a schema library for them.
 */
import type { z } from "zod";
import type { eventBodySchema } from "./event-schemas.ts";
import type { reportState } from "./event-schemas-task.ts";
import type { reportChildSchema, reportSchema } from "./report-schema.ts";

export type EventBody = z.infer<typeof eventBodySchema>;

/** `id` is opaque, unique and increasing within a store; `ts` is ISO 8601 in UTC. */
export type OxbowEvent = EventBody & { readonly id: string; readonly ts: string };

export type ReportState = z.infer<typeof reportState>;
export type ReportChild = z.infer<typeof reportChildSchema>;
/** The last line of `oxbow run --json`. */
export type Report = z.infer<typeof reportSchema>;
