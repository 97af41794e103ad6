import { readSettings, settingRows } from "../../app.ts";
import { columns } from "./text.ts";

export async function env(options: { json?: boolean }): Promise<number> {
  const rows = settingRows(readSettings());
  if (options.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
  else
    process.stdout.write(
      `${columns([["setting", "value", "from", ""], ...rows.map((row) => [row.name, row.value, row.source, row.description])]).join("\n")}\n`,
    );
  return 0;
}
