/**
 * Where everything of the river goes. Main is the bed, across the middle; each branch leaves it when its agent began and
 * comes back where it was merged. Pure: numbers in, numbers out, in pixels of a drawing that is scaled as a whole.
 */
import { createWarp, type Warp } from "./river-time.ts";
import { orderLanes, type Placed } from "./river-order.ts";

export interface RiverBranch {
  readonly id: string;
  /** What is written along it. */
  readonly name: string;
  readonly note: string;
  /** Unix milliseconds. */
  readonly start: number;
  readonly end: number;
  /** When it was merged; null: it does not come back. */
  readonly merged: number | null;
  readonly commits: readonly number[];
  /** How much water it carries: its commits, say. */
  readonly weight: number;
  /** Branches whose work it goes on with. */
  readonly from: readonly string[];
}

export interface RiverInput {
  /** Stretches of time in which something happened (a task each), in order. What lies between is drawn short. */
  readonly spans: readonly { readonly from: number; readonly to: number }[];
  readonly branches: readonly RiverBranch[];
}

export interface Label {
  readonly x: number;
  /** Its base line. */
  readonly y: number;
  readonly anchor: "start" | "end";
  readonly name: string;
  readonly note: string;
}

export interface Lane extends Omit<Spot, "branch"> {
  readonly id: string;
  /** Above the bed or below. */
  readonly side: -1 | 1;
  /** 0 next to the bed. */
  readonly row: number;
  readonly y: number;
  readonly width: number;
  readonly label: Label;
  /** Lanes from whose end a thin stream leads to its beginning. */
  readonly from: readonly string[];
}

export interface RiverLayout {
  readonly width: number;
  readonly height: number;
  readonly fontSize: number;
  readonly bed: {
    readonly y: number;
    readonly from: number;
    readonly to: number;
    /** Half its width from each x on; it grows with what comes back. */
    readonly swells: readonly { readonly x: number; readonly half: number }[];
  };
  /** Of the input, the inner ones first. */
  readonly lanes: readonly Lane[];
  /** Where time was left out. */
  readonly breaks: readonly number[];
  readonly axisY: number;
  x(at: number): number;
}

interface Scale {
  readonly font: number;
  readonly bend: number;
  readonly least: number;
  readonly most: number;
  /** Of the whole drawing. */
  readonly width: number;
}

/** Few branches have room to breathe, many keep close. */
function scaleFor(count: number): Scale {
  if (count <= 6) return { font: 15, bend: 120, least: 4, most: 10, width: 1200 };
  if (count <= 16) return { font: 13.5, bend: 120, least: 3.5, most: 8, width: 1200 };
  if (count <= 40) return { font: 13, bend: 120, least: 3, most: 6, width: 1300 };
  return { font: 12.5, bend: 84, least: 3, most: 5, width: 1480 };
}

/** From one lane to the next, and from the bed to the first. */
function spacing(rows: number, font: number): { readonly row: number; readonly gap: number } {
  if (rows <= 3) return { row: 54, gap: 62 };
  if (rows <= 9) return { row: 42, gap: 54 };
  return rows <= 18 ? { row: 31, gap: 48 } : { row: font * 2, gap: 44 };
}

const LEFT = 96;
const RIGHT = 150;
const TOP = 30;
const BOTTOM = 46;
const SHORTEST_BODY = 26;
const BED_LEAST = 5;
const BED_MOST = 15;

export function layOutRiver(input: RiverInput): RiverLayout {
  const scale = scaleFor(input.branches.length);
  const warp = createWarp(input);
  const right = scale.width - RIGHT;
  let room = right - LEFT;
  let placed = place(input, warp, room, scale);
  // What was too short to be drawn pushed the end out: everything moves closer together.
  for (let tries = 0; tries < 4 && placed.end > right; tries++) {
    room = Math.max(room * 0.35, room - (placed.end - right));
    placed = place(input, warp, room, scale);
  }
  const { spots, x } = placed;
  const rows = orderLanes(spots);
  const count = (side: -1 | 1) =>
    rows.reduce((most, each) => (each.side === side ? Math.max(most, each.row + 1) : most), 0);
  const [above, below] = [count(-1), count(1)];
  const { row, gap } = spacing(Math.max(above, below), scale.font);
  const reach = (lanes: number) =>
    lanes === 0 ? 34 : gap + (lanes - 1) * row + Math.max(row * 0.7, scale.font * 1.6);
  const bedY = TOP + reach(above);
  const height = bedY + reach(below) + BOTTOM;
  const to = Math.max(right, placed.end) + 24;
  const width = to + RIGHT - 24;
  const lanes = rows.map((each) => laneOf(each, bedY + each.side * (gap + each.row * row), scale, width));
  const fromX = LEFT - 70;
  return {
    width,
    height,
    fontSize: scale.font,
    bed: { y: bedY, from: fromX, to, swells: swells(lanes, fromX) },
    lanes,
    breaks: warp.breaks.map(x),
    axisY: height - BOTTOM + 24,
    x,
  };
}

export interface Spot {
  readonly branch: RiverBranch;
  /** Leaves the bed here, and flows along its own lane from `bodyFrom` to `bodyTo`. */
  readonly forkX: number;
  readonly bodyFrom: number;
  readonly bodyTo: number;
  /** Turns back from `turnX` to the bed at `mergeX`; null: it never does. */
  readonly turnX: number | null;
  readonly mergeX: number | null;
  readonly commits: readonly number[];
  /** Where the last of it is drawn, its name included. */
  readonly until: number;
}

const between = (low: number, value: number, high: number) => Math.min(Math.max(value, low), high);

/** Along x. Merges keep their order, and a little distance. */
function place(input: RiverInput, warp: Warp, room: number, { bend, font }: Scale) {
  const x = (at: number) => LEFT + warp.at(at) * room;
  const many = input.branches.length;
  const apart = between(2.4, (room * 0.25) / Math.max(1, many), 20);
  const spots: Spot[] = [];
  let last = Number.NEGATIVE_INFINITY;
  let end = LEFT + room;
  const inOrder = [...input.branches.keys()].sort((a, b) => mergeOf(input, a) - mergeOf(input, b) || a - b);
  for (const i of inOrder) {
    const branch = input.branches[i];
    if (branch === undefined) continue;
    const forkX = x(branch.start);
    const bodyFrom = forkX + bend;
    const bodyTo = Math.max(x(branch.end), bodyFrom + SHORTEST_BODY);
    const turnX =
      branch.merged === null ? null : Math.max(x(branch.merged) - bend, bodyTo, last + apart - bend);
    const mergeX = turnX === null ? null : turnX + bend;
    if (mergeX !== null) last = mergeX;
    end = Math.max(end, mergeX ?? bodyTo);
    const commits = branch.commits.map((at) => between(bodyFrom, x(at), bodyTo));
    const until = Math.max(mergeX ?? bodyTo + TAIL, bodyFrom + labelWidth(branch, font));
    spots.push({ branch, forkX, bodyFrom, bodyTo, mergeX, turnX, commits, until });
  }
  return { spots, x, end };
}

function mergeOf({ branches }: RiverInput, i: number): number {
  const branch = branches[i];
  return branch?.merged ?? branch?.end ?? 0;
}

/** A branch that does not come back ends in a mark, and a little more. */
const TAIL = 56;

export function markRadius(font: number): number {
  return Math.max(6.5, font * 0.62);
}

function labelWidth({ name, note }: RiverBranch, font: number): number {
  return textWidth(name, font) + textWidth(note, font * 0.8) + font * 1.5;
}

function laneOf({ spot, side, row }: Placed, y: number, { font, least, most }: Scale, width: number): Lane {
  const { branch, until, ...along } = spot;
  const flow = between(least, least + Math.log2(1 + branch.weight) * 1.6, most);
  // Towards the outside, so that a branch that turns back turns away from its name.
  const clear = branch.merged === null ? Math.max(markRadius(font) + 1 - font * 0.2, flow / 2) : flow / 2;
  const labelY = side < 0 ? y - clear - font * 0.45 : y + clear + font * 1.05;
  const tooFar = spot.bodyFrom + labelWidth(branch, font) > width - 10;
  return {
    ...along,
    id: branch.id,
    side,
    row,
    y,
    width: flow,
    from: branch.from,
    until,
    label: {
      x: tooFar
        ? Math.min(width - 10, Math.max(spot.bodyTo, labelWidth(branch, font) + 10))
        : spot.bodyFrom - 4,
      y: labelY,
      anchor: tooFar ? "end" : "start",
      name: branch.name,
      note: branch.note,
    },
  };
}

/** About: a drawing has no fonts to measure. */
export function textWidth(text: string, font: number): number {
  return Array.from(text).length * font * 0.54;
}

function swells(lanes: readonly Lane[], from: number): { x: number; half: number }[] {
  const merged = lanes
    .filter((each) => each.mergeX !== null)
    .toSorted((a, b) => (a.mergeX ?? 0) - (b.mergeX ?? 0));
  const all = merged.reduce((sum, { width }) => sum + width, 0);
  const most = Math.min(BED_MOST, BED_LEAST + all * 0.35);
  let got = 0;
  return [
    { x: from, half: BED_LEAST },
    ...merged.map(({ mergeX, width }) => {
      got += width;
      return { x: mergeX ?? from, half: BED_LEAST + ((most - BED_LEAST) * got) / all };
    }),
  ];
}
