/** I9: how much there is of what a run makes, for so many parts and attempts; and what its processes held. */
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Rows, TABLES, type Sql } from "./rows.ts";
import { refsOf, type Scene } from "./seen.ts";

const KIB = 1024;
/** Of a signal's payload (SIGNAL_PAYLOAD_MAX_BYTES), and with room around it of any other value. */
const MOST_PAYLOAD = 64 * KIB;
const MOST_VALUE = 96 * KIB;
/** Of a process, however many parts the task has. */
export const MOST_HANDLES = 256;
export const MOST_RESIDENT = 768 * KIB * KIB;
/** Rows for each attempt, and for the task. */
const MOST_ROWS: Partial<Record<(typeof TABLES)[number], readonly [attempt: number, task: number]>> = {
  events: [40, 200],
  topic_entries: [4, 50],
  messages: [2, 50],
  workers: [0, 20],
};

export async function checkBounds(scene: Scene, rows: Rows, sql: Sql, found: string[]): Promise<void> {
  const attempts = rows.attempts.length;
  const over = (what: string, is: number, most: number) => {
    if (is > most) found.push(`I9: ${what}: ${is}, and ${most} would be many`);
  };
  for (const table of TABLES) {
    const [each, once] = MOST_ROWS[table] ?? [1, 20];
    over(`rows of ${table} after ${attempts} attempts`, rows[table].length, each * attempts + once);
    for (const row of rows[table])
      for (const [column, value] of Object.entries(row))
        if (typeof value === "string") over(`characters in ${table}.${column}`, value.length, MOST_VALUE);
  }
  for (const { payload } of rows.topic_entries)
    over("bytes of a signal", Buffer.byteLength(String(payload)), MOST_PAYLOAD);
  const turns = (await sql("select count(*) as n from transcripts"))[0]?.["n"];
  over("rows of transcripts", Number(turns), 12 * attempts + 50);
  const own = [...refsOf(scene.shop).keys()].filter((ref) => ref.startsWith("refs/oxbow/"));
  over(`refs/oxbow after ${attempts} attempts`, own.length, 3 * attempts + 20);
  const state = filesBelow(join(scene.shop.dir, ".git", "oxbow"));
  over("files of state", state.length, 4 * attempts + 300);
  const bytes = state.reduce((sum, { size }) => sum + size, 0);
  over("KiB of state", Math.ceil(bytes / KIB), 32 * KIB + 256 * attempts);
  for (const { path, size } of state)
    if (/\/logs\//.test(path)) over(`KiB of ${path}`, Math.ceil(size / KIB), 512 + 8 * attempts);
  const { handles, resident } = scene.most ?? { handles: 0, resident: 0 };
  over("open files of a process", handles, MOST_HANDLES);
  over("MiB of a process", Math.ceil(resident / KIB / KIB), MOST_RESIDENT / KIB / KIB);
}

function filesBelow(dir: string): { path: string; size: number }[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    const path = join(dir, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats?.isFile() ? [{ path, size: stats.size }] : [];
  });
}
