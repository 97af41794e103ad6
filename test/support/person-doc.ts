/** What docs/mcp.md says of a person's operations, from their definitions. */
import { PERSON_CALLS } from "../../src/person-calls.ts";

export function operationsTable(): string {
  const rows = PERSON_CALLS.map(
    ({ name, scope, description }) => `| \`${name}\` | ${scope} | ${description.replaceAll("|", "\\|")} |`,
  );
  return ["| tool | scope | what it does |", "|---|---|---|", ...rows].join("\n");
}
