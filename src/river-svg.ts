/** The river as SVG, coloured by the classes of the page around it. Everything written in it is escaped here. */
import type { TicketHistory, Verdict } from "./team/handover-results.ts";
import { counted, dollars, duration, tokens } from "./core/amounts.ts";
import { escaped, oneLine } from "./markup.ts";
import { isDrawn, riverInput } from "./river-input.ts";
import { type Lane, layOutRiver, markRadius, type RiverLayout } from "./river-layout.ts";
import { bend, f, flow, type Line } from "./river-pen.ts";
import { axis, bedLabels, moments, taskLines } from "./river-signs.ts";

export const GLYPHS: Readonly<Record<Verdict, string>> = {
  merged: "✓",
  completed: "✓",
  conflict: "◆",
  escalated: "⚑",
  reworked: "↻",
  refused: "!",
  failed: "✕",
  timed_out: "⏱",
  cancelled: "–",
  running: "▸",
  awaiting_approval: "⚑",
  planned: "·",
};

/** Water with as much contrast as it needs comes in so many shades; neighbours differ. */
const SHADES = 4;
/** Beyond this many branches a lane is a straight line, and the ways out and back are thin. */
const WAVY = 24;

/** `id` begins the ids of its definitions, so that two rivers fit in one page. */
export function riverSvg(history: TicketHistory, id = "river"): string {
  const layout = layOutRiver(riverInput(history));
  const verdicts = new Map(
    history.tasks.flatMap(({ parts }) =>
      parts.filter(isDrawn).map((part) => [part.subtask_id, part] as const),
    ),
  );
  const bedY = bedLine(layout);
  const byId = new Map(layout.lanes.map((lane) => [lane.id, lane]));
  // The outer ones first: whoever is nearer to the bed flows over them.
  const lanes = layout.lanes.toReversed().map((lane) => {
    const part = verdicts.get(lane.id);
    return part ? laneSvg(lane, part.verdict, layout, bedY, titleOf(part)) : "";
  });
  const springs = layout.lanes.flatMap((lane) =>
    lane.from.flatMap((from) => {
      const source = byId.get(from);
      return source ? [springSvg(source, lane)] : [];
    }),
  );
  const { width, height } = layout;
  return [
    `<svg class="river${layout.lanes.length > WAVY ? " crowd" : ""}" viewBox="0 0 ${f(width)} ${f(height)}" role="img" aria-labelledby="${id}-title ${id}-desc" xmlns="http://www.w3.org/2000/svg">`,
    `<title id="${id}-title">The river of ${escaped(history.ticket)}</title>`,
    `<desc id="${id}-desc">${escaped(describe(history))}</desc>`,
    `<defs><linearGradient id="${id}-bed" x1="0" x2="1" y1="0" y2="0"><stop offset="0" class="bed-from"/><stop offset="1" class="bed-to"/></linearGradient></defs>`,
    axis(layout, history),
    taskLines(layout, history),
    `<g class="springs">${springs.join("")}</g>`,
    `<g class="lanes">${lanes.join("")}</g>`,
    bedSvg(layout, bedY, id, history.live),
    confluences(layout, bedY),
    `<g class="labels" style="font-size:${layout.fontSize}px">${layout.lanes.map(labelSvg).join("")}</g>`,
    moments(layout, history, bedY),
    bedLabels(layout, history, bedY),
    "</svg>",
  ].join("\n");
}

/** The bed meanders a little. */
function bedLine({ bed, lanes }: RiverLayout): Line {
  const swing = lanes.length > WAVY ? 5 : 7;
  return (x) => bed.y + swing * Math.sin(((x - bed.from) / 270) * 2 * Math.PI);
}

function halfAt({ bed }: RiverLayout, x: number): number {
  const EASE = 46;
  let half = bed.swells[0]?.half ?? 5;
  for (const swell of bed.swells.slice(1)) {
    if (x <= swell.x - EASE) break;
    const share = Math.min(1, (x - swell.x + EASE) / EASE);
    half += (swell.half - half) * share * share * (3 - 2 * share);
  }
  return half;
}

function bedSvg(layout: RiverLayout, bedY: Line, id: string, live: boolean): string {
  const { from, to } = layout.bed;
  const steps = Math.ceil((to - from) / 9);
  const xs = Array.from({ length: steps + 1 }, (_, i) => from + ((to - from) * i) / steps);
  const edge = (sign: number) => xs.map((x) => `${f(x)} ${f(bedY(x) + sign * halfAt(layout, x))}`);
  const outline = `M${edge(-1).join("L")}L${edge(1).toReversed().join("L")}Z`;
  const stream = (share: number) =>
    `M${xs.map((x) => `${f(x)} ${f(bedY(x) + share * halfAt(layout, x))}`).join("L")}`;
  return [
    `<g class="bed${live ? " live" : ""}">`,
    `<path class="shore" d="${outline}"/><path class="water" fill="url(#${id}-bed)" d="${outline}"/>`,
    `<path class="glint" d="${stream(-0.38)}"/><path class="glint far" d="${stream(0.34)}"/>`,
    "</g>",
  ].join("");
}

function confluences(layout: RiverLayout, bedY: Line): string {
  const rings = layout.lanes.flatMap(({ mergeX, width }) =>
    mergeX === null
      ? []
      : [`<circle cx="${f(mergeX)}" cy="${f(bedY(mergeX))}" r="${f(Math.max(1.2, width * 0.34))}"/>`],
  );
  return `<g class="confluences">${rings.join("")}</g>`;
}

const DRIES_UP: ReadonlySet<Verdict> = new Set<Verdict>(["failed", "timed_out", "cancelled"]);
const HELD_UP: ReadonlySet<Verdict> = new Set<Verdict>(["conflict", "escalated", "refused", "reworked"]);

function laneSvg(lane: Lane, verdict: Verdict, layout: RiverLayout, bedY: Line, title: string): string {
  const { forkX, bodyFrom, bodyTo, turnX, mergeX, y, width, side } = lane;
  const waves = layout.lanes.length <= WAVY;
  const out = `M${f(forkX)} ${f(bedY(forkX))}${bend(forkX, bedY(forkX), bodyFrom, y)}`;
  const body = flow(bodyFrom, bodyTo, y, waves);
  const back =
    turnX === null || mergeX === null
      ? ""
      : `${flow(bodyTo, turnX, y, waves)}${bend(turnX, y, mergeX, bedY(mergeX))}`;
  const commits = lane.commits.map(
    (x) => `<circle class="commit" cx="${f(x)}" cy="${f(y)}" r="${f(Math.max(1.6, width * 0.3))}"/>`,
  );
  const size = markRadius(layout.fontSize);
  const rest = verdict === "merged" ? "" : endSvg({ x: bodyTo, y, side }, verdict, width, size);
  return [
    `<g class="lane v-${verdict} s${(lane.row * 2 + (side > 0 ? 1 : 0)) % SHADES}"><title>${escaped(title)}</title>`,
    `<path class="casing" stroke-width="${f(width + 5)}" d="${waves ? `${out}${body}${back}` : `M${f(bodyFrom)} ${f(y)}${body}`}"/>`,
    back === ""
      ? ""
      : `<path class="stream back" stroke-width="${f(width)}" d="M${f(bodyTo)} ${f(y)}${back}"/>`,
    // In one stroke where both are as wide: what is translucent would be twice as dark where they meet.
    waves
      ? `<path class="stream" stroke-width="${f(width)}" d="${out}${body}"/>`
      : `<path class="stream out" d="${out}"/><path class="stream" stroke-width="${f(width)}" d="M${f(bodyFrom)} ${f(y)}${body}"/>`,
    verdict === "running" ? `<path class="current" d="${out}${body}"/>` : "",
    ...commits,
    rest,
    "</g>",
  ].join("");
}

/** A branch that does not come back: it dries up, is held up before the bed, or still flows. */
function endSvg(
  { x, y, side }: { x: number; y: number; side: number },
  verdict: Verdict,
  width: number,
  size: number,
): string {
  const mark = (cx: number, cy: number) =>
    `<g class="mark"><circle cx="${f(cx)}" cy="${f(cy)}" r="${f(size)}"/><text x="${f(cx)}" y="${f(cy + size * 0.42)}" font-size="${f(size * 1.2)}">${GLYPHS[verdict]}</text></g>`;
  if (DRIES_UP.has(verdict))
    return `<path class="puddles" stroke-width="${f(width * 0.8)}" d="M${f(x + size + 6)} ${f(y)}h34"/>${mark(x, y)}`;
  if (!HELD_UP.has(verdict)) return mark(x, y);
  const down = -side * size * 1.5;
  return `<path class="stream" stroke-width="${f(width)}" d="M${f(x)} ${f(y)}${bend(x, y, x + 40, y + down)}"/>${mark(x + 40, y + down)}`;
}

function springSvg(from: Lane, to: Lane): string {
  const x = Math.min(from.bodyTo, to.bodyFrom - 24);
  return `<path class="spring" d="M${f(x)} ${f(from.y)}${bend(x, from.y, to.bodyFrom, to.y)}"/>`;
}

function labelSvg({ label, id }: Lane): string {
  const { x, y, anchor, name, note } = label;
  const rest = note === "" ? "" : `<tspan class="note" dx="0.6em">${escaped(note)}</tspan>`;
  return `<text x="${f(x)}" y="${f(y)}" text-anchor="${anchor}" data-part="${escaped(id)}"><tspan class="name">${escaped(name)}</tspan>${rest}</text>`;
}

const TITLE_CHARS = 400;

function titleOf(part: TicketHistory["tasks"][number]["parts"][number]): string {
  const { agent, verdict, branch, commits, usage, cost, elapsed_ms, summary, error } = part;
  const facts = [
    verdict.replace("_", " "),
    ...(branch === null ? [] : [branch]),
    counted(commits.length, "commit"),
    ...(usage.total_tokens > 0 ? [`${tokens(usage.total_tokens)} tokens`] : []),
    ...(cost === null ? [] : [dollars(cost)]),
    ...(elapsed_ms === null ? [] : [duration(elapsed_ms)]),
  ];
  const said = error?.message ?? summary;
  return `${agent}: ${facts.join(", ")}${said === "" ? "" : `\n${oneLine(said, TITLE_CHARS)}`}`;
}

/** The picture in words. */
function describe({ tasks, title, live }: TicketHistory): string {
  const parts = tasks.flatMap((task) => task.parts.filter(isDrawn));
  const byVerdict = Map.groupBy(parts, (part) => part.verdict);
  const counts = [...byVerdict].map(([verdict, all]) => `${all.length} ${verdict.replace("_", " ")}`);
  return `${oneLine(title, 200)}. ${counted(parts.length, "branch", "branches")} left the bed: ${counts.join(", ")}.${live ? " Work is still going on." : ""} The table below says the same in words.`;
}
