/** Events of an agent's run: what its model says and does, on its branch and to others. */
import { z } from "zod";
import { evidenceBundle } from "./event-evidence.ts";
import { event } from "./event-form.ts";
import { approvalKind, count, milliseconds, names, usage } from "./event-values.ts";

export const RUN_EVENTS = [
  event("turn", "The model answered.", { turn: count, usage: usage.describe("of this turn alone") }),
  event("text", "What the agent said.", { text: z.string() }),
  event("tool_called", "A tool is about to run.", {
    tool: z.string(),
    call_id: z.string(),
    arguments: z.string().describe("as the model wrote them"),
  }),
  event("tool_result", "It came back.", {
    tool: z.string(),
    call_id: z.string(),
    ok: z.boolean(),
    code: z.string().exactOptional(),
    elapsed_ms: milliseconds,
  }),
  event("command_output", "What a program wrote.", {
    stream: z.enum(["stdout", "stderr"]),
    text: z.string(),
  }),
  event("refused", "A call or a branch that a rule refused.", {
    code: z.string(),
    message: z.string(),
    tool: z.string().exactOptional(),
    path: z.string().exactOptional(),
  }),
  event("retry", "A request is tried again after `delay_ms`.", {
    reason: z.string(),
    attempt: count,
    delay_ms: milliseconds,
  }),
  event(
    "breaker",
    "A provider is held to be down (`open`), tried once for all (`half_open`), or up again (`closed`). Told by the child whose request it was; it holds for all that use the provider in the same process.",
    {
      provider: z.string(),
      state: z.enum(["closed", "open", "half_open"]),
      reason: z.string().nullable(),
    },
  ),
  event("evidence", "What `barrier_run` came back with.", { bundle: evidenceBundle }),
] as const;

export const BRANCH_EVENTS = [
  event("branch_allocated", "A child has its branch.", {
    branch: z.string(),
    base: z.string(),
    created: z.boolean(),
  }),
  event("work_saved", "What it edited is safe, and on no branch yet.", {
    commit: z.string(),
    files: count,
  }),
  event("commit", "A commit is on its branch.", {
    branch: z.string(),
    commit: z.string(),
    message: z.string(),
    files: count,
  }),
  event("overlap_found", "Two branches that are still at work have changed the same places.", {
    agents: names,
    branches: names,
    paths: names,
  }),
] as const;

export const TALK_EVENTS = [
  event("signal_send", "A signal was sent.", {
    topic: z.string(),
    message_id: z.string(),
    payload: z.unknown().describe("any JSON value, without secrets"),
  }),
  event("signal_recv", "A signal was received.", {
    topic: z.string(),
    message_id: z.string(),
    payload: z.unknown().describe("any JSON value, without secrets"),
  }),
  event("message_sent", "An agent wrote to another.", {
    message_id: z.string(),
    recipient: z.string().describe("the agent it is for"),
    to: z.string().describe("the conversation it is on"),
    content: z.string(),
  }),
  event("message_received", "The model of the recipient has it before it from now on.", {
    message_id: z.string(),
    sender: z.string(),
  }),
  event(
    "approval_requested",
    "A request beyond a scope (again when the owner gave no answer, so that the window person is asked), or to begin what waits for a yes.",
    {
      approval_id: z.string(),
      kind: approvalKind,
      agent: z.string(),
      paths: names,
      reason: z.string(),
      owner: z.string().nullable(),
      person: z.string().nullable(),
    },
  ),
  event("approval_decided", "Its answer.", {
    approval_id: z.string(),
    kind: approvalKind,
    agent: z.string(),
    paths: names,
    state: z.enum(["granted", "denied"]),
    decided_by: z.string(),
    answer: z.string(),
  }),
] as const;
