/** What a schema finds wrong in a plan, as problems like those that `checkPlan` finds. */
import type { z } from "zod";
import type { PlanProblem } from "./plan.ts";
import { dotted } from "./yaml-source.ts";

const MOST = 20;

export function problemsOf({ issues }: z.ZodError): readonly PlanProblem[] {
  return issues.slice(0, MOST).map(({ path, message }) => {
    const place = path.map((step) => (typeof step === "number" ? step : String(step)));
    return { path: place, message: place.length === 0 ? message : `${dotted(place)}: ${message}` };
  });
}
