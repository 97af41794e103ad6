/** What every part of the bench shares: rounds that take turns, medians, git, sizes on disk, and the shape of a result. */
import { spawnSync } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import path from "node:path";
import { environment } from "../src/host/env.ts";

export interface Table {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Section {
  readonly title: string;
  /** What was compared with what. */
  readonly about: string;
  readonly tables: readonly Table[];
  readonly notes: readonly string[];
}

export interface Bench {
  /** A directory of the bench's own, removed at its end. */
  readonly dir: string;
  /** Fewer rounds, and without the largest cases: to see that all works. */
  readonly quick: boolean;
  say(text: string): void;
}

export type Part = (bench: Bench) => Promise<Section>;

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** By the nearest rank; of an even number the lower middle. NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * Runs every contestant once a round, each round beginning with another, so that a slow minute of the machine meets all
 * of them. A contestant gives its own time in milliseconds; `rounds` may be smaller for one that is slow.
 */
export async function takeTurns<K extends string>(
  rounds: number,
  contestants: Readonly<Record<K, (round: number) => Promise<number> | number>>,
  fewer: Partial<Readonly<Record<K, number>>> = {},
): Promise<Record<K, number[]>> {
  const names = Object.keys(contestants) as K[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length] as K;
      if (round < (fewer[name] ?? rounds)) times[name].push(await contestants[name](round));
    }
  }
  return times;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function mediansOf<K extends string>(
  times: Readonly<Record<K, readonly number[]>>,
): Record<K, number> {
  const entries = Object.entries<readonly number[]>(times).map(([name, values]) => [name, median(values)]);
  return Object.fromEntries(entries) as Record<K, number>;
}

/** An environment in which neither the machine's nor the user's Git configuration counts. */
export const PLAIN_ENV: Readonly<Record<string, string>> = {
  PATH: environment()["PATH"] ?? "/usr/bin:/bin",
  HOME: environment()["HOME"] ?? "/",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
};

/** Runs git and gives its stdout, trimmed. Throws with git's words. */
export function git(cwd: string, args: readonly string[], input?: string | Uint8Array): string {
  const { status, stdout, stderr } = spawnSync("git", args, {
    cwd,
    env: PLAIN_ENV,
    input,
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${String(stderr)}`);
  return stdout.toString("utf8").trim();
}

/** Bytes allocated on disk by a directory and all below it. */
export function diskUse(dir: string): number {
  let sum = 0;
  const visit = (file: string): void => {
    const stats = lstatSync(file);
    sum += stats.blocks * 512;
    if (stats.isDirectory()) for (const name of readdirSync(file)) visit(path.join(file, name));
  };
  visit(dir);
  return sum;
}

export function inMs(ms: number): string {
  if (ms >= 10_000) return `${round(ms / 1000)} s`;
  return ms >= 0.5 ? `${round(ms)} ms` : `${round(ms * 1000)} µs`;
}

export function inBytes(bytes: number): string {
  const [value, unit] =
    bytes >= 1e9 ? [bytes / 1e9, "GB"] : bytes >= 1e6 ? [bytes / 1e6, "MB"] : [bytes / 1e3, "kB"];
  return `${round(value)} ${unit}`;
}

export function times(ratio: number): string {
  return `${round(ratio)}×`;
}

/** Three digits that count, and thousands apart. */
function round(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const [whole = "", rest] = value.toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

/** A row of a table of goals: what was wanted, what came out, and whether that is enough. */
export function goalRow(what: string, goal: string, measured: string, met: boolean): string[] {
  return [what, goal, measured, met ? "met" : "**missed**"];
}

export const GOAL_COLUMNS = ["goal", "wanted", "measured", ""] as const;

export function markdown(section: Section): string {
  const parts = [`## ${section.title}`, section.about];
  for (const table of section.tables) {
    if (table.caption !== "") parts.push(table.caption);
    const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
    const rule = table.columns.map((_, i) => (i === 0 ? "---" : "---:"));
    parts.push([line(table.columns), line(rule), ...table.rows.map(line)].join("\n"));
  }
  if (section.notes.length > 0) parts.push(section.notes.map((note) => `- ${note}`).join("\n"));
  return parts.join("\n\n");
}
