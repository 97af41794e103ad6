import { examine, shown } from "../../app.ts";
import { columns } from "./text.ts";

export async function doctor(options: {
  repo: string;
  team?: string;
  live?: boolean;
  json?: boolean;
}): Promise<number> {
  const rows = await shown(await examine(options));
  if (options.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
  else {
    const marks = { ok: "✓", warning: "!", error: "✗" } as const;
    process.stdout.write(
      `${columns(rows.map((row) => [marks[row.state], row.check, row.found])).join("\n")}\n`,
    );
    for (const row of rows) if (row.hint) process.stdout.write(`  ${row.check}: ${row.hint}\n`);
  }
  return rows.some((row) => row.state === "error") ? 1 : 0;
}
