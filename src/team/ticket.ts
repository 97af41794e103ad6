/** What a person means by a task id or a ticket: its tasks, and the branch where their work meets. */
import type { Task } from "../core/model.ts";
import type { Store } from "../store/contract.ts";
import { integrationBranch } from "../core/branch-name.ts";
import { OxbowError } from "../core/errors.ts";

export interface Ticket {
  readonly ticket: string;
  /** The oldest first: the one that was named, or all of the ticket. */
  readonly tasks: readonly [Task, ...Task[]];
  /** All of the ticket, whichever was named. */
  readonly whole: readonly Task[];
  readonly branch: string;
}

/** Throws task_unknown. */
export async function findTicket(
  store: Pick<Store, "task" | "tasksByTicket">,
  wanted: string,
): Promise<Ticket> {
  const byId = await store.task(wanted);
  const ticket = byId?.ticket ?? wanted;
  const whole = (await store.tasksByTicket(ticket)).toReversed();
  const [first, ...others] = byId ? [byId] : whole;
  if (first === undefined)
    throw new OxbowError("task_unknown", `No task or ticket here is called ${wanted}.`);
  return { ticket, tasks: [first, ...others], whole, branch: integrationBranch(ticket) };
}
