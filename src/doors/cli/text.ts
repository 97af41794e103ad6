/** Small pieces of text for people. */
export const MARKS: Readonly<Record<string, string>> = {
  planned: "·",
  blocked: "·",
  running: "▸",
  completed: "✓",
  failed: "✗",
  cancelled: "–",
  timed_out: "✗",
};

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

export function tokens(count: number): string {
  return count < 10_000 ? String(count) : `${(count / 1_000).toFixed(1)}k`;
}

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
