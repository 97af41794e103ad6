/** That what whole runs say meets the schemas is checked wherever a test reads a run: test/support/event-stream.ts. */
import { expect, it } from "vitest";
import { EVENT_TOPICS, eventBodySchema } from "../../src/core/event-schemas.ts";
import { checkEvents } from "../support/event-stream.ts";

const STAMP = { id: "1", ts: "2026-11-21T00:00:00.000Z" };
const saved = { event: "work_saved", task_id: "t", commit: "c0ffee", files: 2 };

it("says of each event when it comes, once", () => {
  const names = EVENT_TOPICS.flatMap(({ events }) => events.map(({ shape }) => shape.event.value));
  expect(new Set(names).size).toBe(names.length);
  expect(eventBodySchema.options).toHaveLength(names.length);
  for (const { events } of EVENT_TOPICS)
    for (const each of events) expect(each.description, each.shape.event.value).toMatch(/\.$/);
});

it("takes an event of a run, and refuses one that lacks a field or has one too many", () => {
  checkEvents([{ ...saved, ...STAMP }]);
  const { files: _, ...short } = saved;
  expect(() => checkEvents([{ ...short, ...STAMP }])).toThrow(/files/);
  expect(() => checkEvents([{ ...saved, ...STAMP, colour: "red" }])).toThrow(/schema has not/);
  expect(() => checkEvents([saved])).toThrow(/"ts"/);
});
