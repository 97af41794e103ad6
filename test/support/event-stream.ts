/** Whatever a run says must be what the schemas say it may: nothing missing, and nothing that they do not know. */
import { deepStrictEqual } from "node:assert";
import { oxbowEventSchema } from "../../src/core/event-schemas.ts";
import { reportSchema } from "../../src/core/report-schema.ts";

export function checkEvents(lines: readonly unknown[]): void {
  for (const line of lines) checkLine(line);
}

function checkLine(line: unknown): void {
  const isReport = typeof line === "object" && line !== null && "event" in line && line.event === "report";
  const parsed = (isReport ? reportSchema : oxbowEventSchema).safeParse(line);
  if (!parsed.success) throw new Error(`${parsed.error.message} in ${JSON.stringify(line)}`);
  // Parsing leaves out what the schema does not have.
  deepStrictEqual(line, parsed.data, "an event has a field that its schema has not");
}
