/** Money, of which a part may not be known. */
import type { Usage } from "./model.ts";

/** US dollars of all parts together; null as soon as one part that used a model has no known price, or none has one. */
export function totalCost(parts: readonly { cost: number | null; usage: Usage }[]): number | null {
  let total: number | null = null;
  for (const { cost, usage } of parts) {
    if (cost === null && usage.requests > 0) return null;
    if (cost !== null) total = (total ?? 0) + cost;
  }
  return total;
}
