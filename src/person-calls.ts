/** Every operation that a person has from Claude Code, Codex, Cursor or REST. */
import type { PersonCall } from "./person-call.ts";
import { AGENT_CALLS } from "./person-agent-calls.ts";
import { ANSWER_CALLS } from "./person-answer-calls.ts";
import { PLAN_CALLS } from "./person-plan-calls.ts";
import { READ_CALLS } from "./person-read-calls.ts";
import { WORK_CALLS } from "./person-work-calls.ts";

export { type CallContext, callAsPerson, type PersonCall } from "./person-call.ts";

export const PERSON_CALLS: readonly PersonCall[] = [
  ...WORK_CALLS,
  ...PLAN_CALLS,
  ...READ_CALLS,
  ...ANSWER_CALLS,
  ...AGENT_CALLS,
];
