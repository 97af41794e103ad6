/** Which branch flows above the bed and which below, and how far out: so that streams cross as seldom as can be had. */
import type { Spot } from "./river-layout.ts";

export interface Placed {
  readonly spot: Spot;
  readonly side: -1 | 1;
  /** 0 next to the bed. */
  readonly row: number;
}

/** A stream that crosses another on its way out may flow through a name. */
const OUT_COST = 2;
/** A drawing that is one lane higher is as bad as so many crossings. */
const ROW_COST = 14;

/** Several ways are tried, the best is taken; the same input always gives the same drawing. */
export function orderLanes(spots: readonly Spot[]): readonly Placed[] {
  const byStart = spots.toSorted((a, b) => b.forkX - a.forkX || (a.mergeX ?? 0) - (b.mergeX ?? 0));
  const ways = [
    [...outward(shared(spots)[0], -1), ...outward(shared(spots)[1], 1)],
    [...outward(settle(shared(spots)[0]), -1), ...outward(settle(shared(spots)[1]), 1)],
    [...outward(shared(byStart)[0], -1), ...outward(shared(byStart)[1], 1)],
    nearest(byStart.toReversed()),
  ];
  const costs = ways.map(costOf);
  const best = ways[costs.indexOf(Math.min(...costs))] ?? [];
  return best.toSorted((a, b) => a.row - b.row || a.side - b.side || a.spot.forkX - b.spot.forkX);
}

/** By turns above and below. */
function shared(spots: readonly Spot[]): [Spot[], Spot[]] {
  return [spots.filter((_, i) => i % 2 === 0), spots.filter((_, i) => i % 2 === 1)];
}

const MAX_ROUNDS = 60;

/** Neighbours change places while that saves a crossing. */
function settle(lanes: Spot[]): Spot[] {
  for (let round = 0, moved = true; moved && round < MAX_ROUNDS; round++) {
    moved = false;
    for (let i = 0; i + 1 < lanes.length; i++) {
      const [inner, outer] = [lanes[i], lanes[i + 1]];
      if (!inner || !outer || crossings(outer, inner) >= crossings(inner, outer)) continue;
      lanes[i] = outer;
      lanes[i + 1] = inner;
      moved = true;
    }
  }
  return lanes;
}

const meet = (a: Spot, b: Spot) => a.forkX <= b.until && b.forkX <= a.until;

/** In this order from the bed, each as near to it as it can be and still be outside of all it meets before. */
function outward(lanes: readonly Spot[], side: -1 | 1): Placed[] {
  const placed: Placed[] = [];
  for (const spot of lanes) {
    const inside = placed.filter((each) => meet(each.spot, spot));
    placed.push({ spot, side, row: inside.reduce((row, each) => Math.max(row, each.row + 1), 0) });
  }
  return placed;
}

/** In the order in which they begin, each in the first lane that is free, on either side. */
function nearest(lanes: readonly Spot[]): Placed[] {
  const placed: Placed[] = [];
  for (const spot of lanes) {
    const taken = placed.filter((each) => meet(each.spot, spot));
    const free = (side: -1 | 1) => {
      const rows = new Set(taken.filter((each) => each.side === side).map((each) => each.row));
      let row = 0;
      while (rows.has(row)) row++;
      return row;
    };
    const [above, below] = [free(-1), free(1)];
    placed.push(above <= below ? { spot, side: -1, row: above } : { spot, side: 1, row: below });
  }
  return placed;
}

function costOf(placed: readonly Placed[]): number {
  let cost = 0;
  const heights = [0, 0];
  for (const outer of placed) {
    const i = outer.side < 0 ? 0 : 1;
    heights[i] = Math.max(heights[i] ?? 0, outer.row + 1);
    for (const inner of placed)
      if (inner.side === outer.side && inner.row < outer.row) cost += crossings(inner.spot, outer.spot);
  }
  return cost + ROW_COST * ((heights[0] ?? 0) + (heights[1] ?? 0));
}

/** What it costs that `outer` flows through `inner` on its way out and back. */
function crossings(inner: Spot, outer: Spot): number {
  const gone = inner.turnX ?? inner.bodyTo;
  const out = outer.forkX > inner.forkX && outer.forkX < gone ? OUT_COST : 0;
  const { mergeX, turnX } = outer;
  const back =
    mergeX !== null && turnX !== null && mergeX < (inner.mergeX ?? inner.bodyTo) && turnX > inner.forkX
      ? 1
      : 0;
  return out + back;
}
