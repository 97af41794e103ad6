/** Small pieces of text for people. */
export { duration, tokens } from "../../core/amounts.ts";

export const MARKS: Readonly<Record<string, string>> = {
  planned: "·",
  blocked: "·",
  awaiting_approval: "⚑",
  running: "▸",
  completed: "✓",
  failed: "✗",
  cancelled: "–",
  timed_out: "✗",
};

/** Cuts a line to `width` characters; control characters (of a program's output) become blanks. */
export function clip(text: string, width: number): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}]/gu, " ");
  const characters = Array.from(clean);
  return characters.length <= width ? clean : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}

/** Left-aligned columns, two blanks apart; the last is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, Array.from(cell).length)));
  return rows.map((row) =>
    row
      .map((cell, i) =>
        i === row.length - 1 ? cell : cell + " ".repeat((widths[i] ?? 0) - Array.from(cell).length),
      )
      .join("  ")
      .trimEnd(),
  );
}
