/** Crashes are noted by whoever sees them first: the process itself, or another that finds its lease run out. */
import type { EventBody } from "../core/events.ts";
import type { ErrorCode, ErrorValue } from "../core/errors.ts";
import type { Lease } from "../store/contract.ts";
import type { Crash } from "../store/supervision.ts";
import type { Engine } from "./engine.ts";
import type { Finding } from "./outcome.ts";
import { ERRORS, OxbowError } from "../core/errors.ts";
import { freeDeadLeases } from "./fleet.ts";
import { cleanError } from "./outcome.ts";
import { attemptLimit, groupOf, judge, type Judgement } from "./supervisor.ts";

const DIED: ErrorValue = {
  code: "worker_lost",
  message: "The process that worked on it died, or said nothing for longer than its lease.",
  hint: ERRORS.worker_lost.hint,
};

/** Not the work's doing, but what it stands on: another attempt may well succeed. */
const CRASHES: ReadonlySet<string> = new Set<ErrorCode>([
  "internal",
  "git_failed",
  "remote_unreachable",
  "store_failed",
  "redis_failed",
  "agent_stuck",
  "worker_lost",
]);
/** Ends of a subtask that another attempt would only repeat. */
const FINAL: ReadonlySet<string> = new Set<ErrorCode>([
  "attempts_exhausted",
  "agent_disabled",
  "dependency_failed",
  "timed_out",
  "budget_exceeded",
]);

/** Whether the attempt is to be made again: it broke, or it failed and its group restarts what fails. */
export function isCrash(engine: Engine, { subtask }: Lease, found: Finding): boolean {
  if (found.outcome !== "failed" || found.error === null || FINAL.has(found.error.code)) return false;
  return CRASHES.has(found.error.code) || groupOf(engine.team, subtask.agent)?.restart === "permanent";
}

/** `kept`: conversations at work in this very process. */
export async function noteCrashes(engine: Engine, kept: readonly string[]): Promise<void> {
  await freeDeadLeases(engine);
  const judged = judging(engine);
  const options = { team: engine.team.team, except: kept, failure: DIED };
  await engine.store.reap(options, judged.decide);
  await judged.tellChiefs();
}

/** False when another has the conversation already. */
export async function noteCrash(engine: Engine, lease: Lease, error: ErrorValue): Promise<boolean> {
  const judged = judging(engine);
  const ours = await engine.store.crash(lease, cleanError(error, engine.redact), judged.decide);
  if (ours) await judged.tellChiefs();
  return ours;
}

/** The store may ask again for the same crash; what counts is the last answer. */
function judging(engine: Engine) {
  const judgements = new Map<string, { crash: Crash; judgement: Judgement }>();
  return {
    decide(crash: Crash): Judgement {
      const judgement = judge(engine.team, crash);
      judgements.set(crash.subtask.subtask_id, { crash, judgement });
      return judgement;
    },
    async tellChiefs() {
      for (const { crash, judgement } of judgements.values())
        if (judgement.forChief !== null) await tellChief(engine, crash, judgement.forChief);
    },
  };
}

/** The lead at work hears of it as of any message; one that has ended has the event and the report. */
async function tellChief(engine: Engine, { task, subtask }: Crash, content: string): Promise<void> {
  const { store, team } = engine;
  const leads = (await store.chat.addressees(task.task_id)).filter(
    ({ agent, listening, conversation_id }) =>
      listening && agent === team.lead && conversation_id !== subtask.conversation_id,
  );
  const { subtask_id, conversation_id } = subtask;
  await store.chat.send(
    leads.map(({ agent, conversation_id: to }) => {
      const id = engine.newId("m");
      const text = engine.redact(content);
      const event: EventBody = {
        event: "message_sent",
        task_id: task.task_id,
        subtask_id,
        conversation_id,
        source: SUPERVISOR,
        message_id: id,
        recipient: agent,
        to,
        content: text,
      };
      const message = {
        id,
        conversation_id: to,
        sender: SUPERVISOR,
        recipients: [agent],
        content: text,
        timestamp: engine.now(),
        type: "chat",
        topology: "direct",
        metadata: {},
      };
      return { message, event };
    }),
  );
}

const SUPERVISOR = "supervisor";

/** Why a subtask that was just claimed is ended instead of begun; null: it may begin. */
export function endOf(engine: Engine, lease: Lease): OxbowError | null {
  const { subtask, crashes, failure, disabled } = lease;
  if (lease.cancelled) return new OxbowError("cancelled", "A person has cancelled it.");
  if (crashes < attemptLimit(engine.team, subtask.agent))
    return disabled === null ? null : new OxbowError("agent_disabled", disabled);
  const times = crashes === 1 ? "Its attempt" : `All of its ${crashes} attempts`;
  const why = failure === null ? "" : ` The last: ${failure.message}`;
  return new OxbowError("attempts_exhausted", `${times} broke.${why}`);
}
