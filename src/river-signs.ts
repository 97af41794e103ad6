/** What stands beside the river: the time, the tasks, what happened to all of it, and where it comes from and goes to. */
import type { TicketHistory } from "./team/handover-results.ts";
import type { RiverLayout } from "./river-layout.ts";
import { duration } from "./core/amounts.ts";
import { escaped, oneLine } from "./markup.ts";
import { f, type Line } from "./river-pen.ts";

const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5,
  72e5, 216e5, 432e5, 864e5,
];
const TICK_APART = 84;

/** Time since each task began, where there is room to say so. */
export function axis(layout: RiverLayout, { tasks, generated_at }: TicketHistory): string {
  const { axisY, bed } = layout;
  const ticks: { x: number; text: string }[] = [];
  const free = (x: number) => x < bed.to - 10 && ticks.every((tick) => Math.abs(tick.x - x) >= TICK_APART);
  for (const { created_at: from } of tasks) {
    const x = layout.x(from);
    if (free(x)) ticks.push({ x, text: clock(from, tasks.length > 1) });
  }
  for (const { created_at: from, ended_at } of tasks) {
    const to = ended_at ?? generated_at;
    for (const step of STEPS_MS.toReversed())
      for (let at = from + step, n = 0; at <= to && n < 12; at += step, n++) {
        const x = layout.x(at);
        if (free(x)) ticks.push({ x, text: `+${tickText(at - from)}` });
      }
  }
  const marks = ticks.map(
    ({ x, text }) =>
      `<path d="M${f(x)} 14V${f(axisY - 16)}"/><text x="${f(x)}" y="${f(axisY)}" text-anchor="middle">${escaped(text)}</text>`,
  );
  const breaks = layout.breaks.map(
    (x) => `<path class="break" d="M${f(x - 4)} ${f(axisY - 16)}l4 -11M${f(x + 2)} ${f(axisY - 16)}l4 -11"/>`,
  );
  return `<g class="axis">${marks.join("")}${breaks.join("")}</g>`;
}

function tickText(ms: number): string {
  return duration(ms)
    .replace(/\.0 s$/, " s")
    .replace(/ 0 (?:s|min)$/, "");
}

/** In UTC: whoever reads it may be anywhere. */
function clock(at: number, withDay: boolean): string {
  const iso = new Date(at).toISOString();
  return `${withDay ? `${iso.slice(5, 10)} ` : ""}${iso.slice(11, 16)} UTC`;
}

/** Where a ticket has several tasks, each says where it begins. */
export function taskLines(layout: RiverLayout, { tasks }: TicketHistory): string {
  if (tasks.length < 2) return "";
  const lines = tasks.map(({ created_at, title }, i) => {
    const x = layout.x(created_at);
    const next = tasks[i + 1];
    const room = (next === undefined ? layout.bed.to : layout.x(next.created_at)) - x;
    const text = oneLine(`${i + 1}. ${title}`, Math.max(4, Math.floor(room / 6.6)));
    return `<path d="M${f(x)} 6V${f(layout.axisY - 16)}"/><text x="${f(x + 6)}" y="16">${escaped(text)}</text>`;
  });
  return `<g class="tasks">${lines.join("")}</g>`;
}

const SHOWN: Readonly<Record<string, string>> = {
  verified: "✓",
  resumed: "↻",
  reopened: "↻",
  cancelled: "–",
};
const MOMENT_APART = 20;

/** On the bed itself. */
export function moments(layout: RiverLayout, { tasks }: TicketHistory, bedY: Line): string {
  const shown: string[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const { kind, at, text, ok } of tasks
    .flatMap((task) => task.moments)
    .toSorted((a, b) => a.at - b.at)) {
    const glyph = SHOWN[kind];
    const x = layout.x(at);
    if (glyph === undefined || x < last + MOMENT_APART) continue;
    last = x;
    const y = bedY(x);
    shown.push(
      `<g class="moment ${ok ? "good" : "bad"}"><title>${escaped(text)}</title><circle cx="${f(x)}" cy="${f(y)}" r="8"/><text x="${f(x)}" y="${f(y + 3.6)}">${ok ? glyph : "✕"}</text></g>`,
    );
  }
  return `<g class="moments">${shown.join("")}</g>`;
}

const END_CHARS = 20;

export function bedLabels(layout: RiverLayout, history: TicketHistory, bedY: Line): string {
  const { bed } = layout;
  const [first] = history.tasks;
  if (first === undefined) return "";
  const base = first.base;
  const landed = history.tasks.flatMap((task) => task.moments).findLast(({ kind }) => kind === "landed");
  const { integration, live } = history;
  const end = integration?.branch ?? (live ? "still flowing" : "nothing merged");
  const lines: [string, string][] = [["mouth", oneLine(end, END_CHARS)]];
  if (integration) lines.push(["oid", integration.commit.slice(0, 10)]);
  if (landed) lines.push(["landed", oneLine(`→ ${landed.text.replace(/^Landed in /, "")}`, END_CHARS)]);
  const y = bedY(bed.to);
  const right = lines.map(
    ([kind, text], i) =>
      `<text class="${kind}" x="${f(bed.to + 12)}" y="${f(y + 5 + (i - (lines.length - 1) / 2) * 17)}">${escaped(text)}</text>`,
  );
  const source = oneLine(/^[0-9a-f]{40,64}$/.test(base.ref) ? base.ref.slice(0, 10) : base.ref, 12);
  return [
    `<g class="ends"><text class="source" x="${f(bed.from)}" y="${f(bedY(bed.from) - 16)}">${escaped(source)}</text>`,
    `<text class="oid" x="${f(bed.from)}" y="${f(bedY(bed.from) + 24)}">${escaped(base.commit.slice(0, 10))}</text>`,
    ...right,
    "</g>",
  ].join("");
}
