/**
 * Where the fault suite kills a process: `TEST_FAIL_POINT=name[:n]:kill` ends it, as `kill -9` does, when it comes to that
 * point for the n-th time. Without the variable a point costs one comparison.
 */
import { environment } from "./env.ts";

/** Every step from split to merge, in that order; `test/faults` goes through all of them. */
export const FAIL_POINTS = [
  "announce.before",
  "announce.inside",
  "announce.after",
  "lease.inside",
  "lease.after",
  "branch.before",
  "branch.reserved",
  "branch.made",
  "branch.named",
  "model.before",
  "model.after",
  "tool.before",
  "tool.after",
  "objects.before",
  "objects.draft",
  "objects.after",
  "work.saved",
  "commit.before",
  "commit.written",
  "commit.moved",
  "ref.sent",
  "ref.moved",
  "turn.before",
  "turn.saved",
  "outcome.before",
  "ack.inside",
  "outcome.inside",
  "outcome.after",
  "outbox.read",
  "outbox.published",
  "outbox.emptied",
  "signal.before",
  "signal.sent",
  "read.found",
  "cleanup.before",
  "cleanup.after",
  "queue.filled",
  "merge.before",
  "merge.written",
  "land.planned",
  "target.moved",
  "settle.inside",
  "settle.after",
  "merge.after",
  "end.before",
  "end.after",
] as const;

/** Only where the team file has `verify:`. */
export const VERIFY_POINTS = ["verify.before", "verify.after"] as const;

/** Only where there is a webhook. */
export const WEBHOOK_POINTS = ["webhook.sent"] as const;

export type FailPoint = (typeof FAIL_POINTS | typeof VERIFY_POINTS | typeof WEBHOOK_POINTS)[number];

const armed = /^([a-z.]+)(?::(\d{1,6}))?:kill$/.exec(environment()["TEST_FAIL_POINT"] ?? "");
const isArmed = armed !== null;
const at = armed?.[1];
let left = Number(armed?.[2] ?? 1);

export function failPoint(name: FailPoint): void {
  if (isArmed && name === at && --left === 0) process.kill(process.pid, "SIGKILL");
}
