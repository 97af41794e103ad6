/**
 * `scope_request`: the right to write outside of a subtask's scope, asked of the owner or of the window person. The request
 * and its answer are rows, so they outlive this process; what is granted holds for this subtask, in the file tools and at
 * the merge gate alike.
 */
import type { Approval, Usage } from "../core/model.ts";
import type { ScopeAnswer, ToolContext } from "../core/tool.ts";
import type { RunResult } from "../agent/contract.ts";
import type { BranchTree } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import type { SubtaskScope } from "./scope.ts";
import type { Slots } from "./slots.ts";
import { OxbowError } from "../core/errors.ts";
import { decidedEvent, requestedEvent } from "../core/gates.ts";
import { addUsage, NO_USAGE } from "../core/model.ts";
import { scopeQuestions } from "../core/scope-request.ts";

import { askOwner, canAnswer } from "./ask-owner.ts";

export interface ScopeRequests {
  ask(paths: readonly string[], reason: string, context: ToolContext): Promise<ScopeAnswer>;
  /** What asking the owners has cost so far; `cost` is null when that is not known, or nothing was asked. */
  spent(): { readonly usage: Usage; readonly cost: number | null };
}

export interface RequestOptions {
  readonly engine: Engine;
  readonly lease: Lease;
  readonly tree: BranchTree;
  readonly scope: SubtaskScope;
  readonly slots: Slots;
  /** By when an answer must have come, milliseconds of the monotonic clock: there must be time left to go on without. */
  readonly deadline: number;
}

const MAX_REASON_BYTES = 4_096;
/** A look at the rows without being woken, milliseconds. */
const LOOK_MS = 5_000;

export function createScopeRequests(options: RequestOptions): ScopeRequests {
  const { engine, lease, tree, scope, slots, deadline } = options;
  const { approvals } = engine.store;
  const { subtask } = lease;
  const requested = (approval: Approval) => requestedEvent(approval, subtask.conversation_id);
  let usage = NO_USAGE;
  let cost: number | null = null;
  const left = () => Math.max(0, deadline - performance.now());

  const spend = (result: RunResult) => {
    usage = addUsage(usage, result.usage);
    if (result.cost !== null) cost = (cost ?? 0) + result.cost;
  };

  /** The owner's answer, or the request put to the window person. */
  const byOwner = async (approval: Approval, context: ToolContext): Promise<void> => {
    const { owner } = approval;
    if (owner === null) return;
    const { answer, result } = await askOwner(engine, lease, { ...approval, owner }, left(), context);
    spend(result);
    context.signal.throwIfAborted();
    if (answer === null) return approvals.escalate(approval.approval_id, requested);
    const state = answer.grant ? "granted" : "denied";
    const said = engine.redact(answer.reason);
    await approvals.decide(
      approval.approval_id,
      { state, decidedBy: owner, answer: said },
      decidedEvent,
      neverEnds,
    );
  };

  const settled = async (ids: readonly string[]): Promise<readonly Approval[]> =>
    (await Promise.all(ids.map((id) => approvals.get(id)))).filter((each) => each !== null);

  /** Until all are decided, or the time is up. The place is free for others meanwhile. */
  const wait = async (ids: readonly string[], signal: AbortSignal): Promise<readonly Approval[]> => {
    using feed = await engine.store.openFeed(["approval_decided"]);
    for (;;) {
      const now = await settled(ids);
      if (now.every(({ state }) => state !== "open") || left() === 0) return now;
      await feed.next(Math.min(left(), LOOK_MS), signal);
    }
  };

  return {
    spent: () => ({ usage, cost }),
    async ask(paths, reason, context) {
      const said = checkReason(reason);
      if (paths.some((path) => engine.redact(path) !== path))
        throw new OxbowError("tool_input", "A path holds what looks like a secret.");
      // Also what it may not read: the answer to whom to ask must not depend on that.
      const files = await engine.repo.listFiles(tree.tip);
      const { inScope, questions } = scopeQuestions(paths, {
        agent: subtask.agent,
        allows: scope.allows,
        scopes: scope.patterns,
        agents: engine.registry.list(),
        ownerOf: (path) => engine.registry.ownerIfAny(path)?.agent ?? null,
        files: files.map((file) => file.path),
        answers: (agent) => canAnswer(engine, lease, agent),
      });
      const asked: Approval[] = [];
      for (const { owner, patterns } of questions)
        asked.push(
          await approvals.request(
            lease,
            {
              approval_id: engine.newId("a"),
              paths: patterns,
              reason: engine.redact(said),
              owner,
              person: engine.registry.windowPerson(engine.team.team),
            },
            requested,
          ),
        );
      for (const approval of asked) if (approval.state === "open") await byOwner(approval, context);
      const ids = asked.map(({ approval_id }) => approval_id);
      const now = await settled(ids);
      const waiting = now.some(({ state }) => state === "open");
      const ended = waiting ? await slots.parked(() => wait(ids, context.signal), context.signal) : now;
      for (const { state, paths: granted } of ended) if (state === "granted") scope.widen(granted);
      return answerOf(inScope, ended);
    },
  };
}

/** A no to a request beyond a scope ends nothing. */
function neverEnds(): never {
  throw new OxbowError("internal", "A request beyond a scope ended a subtask.");
}

function checkReason(reason: string): string {
  const said = reason.trim();
  if (said === "") throw new OxbowError("tool_input", "Say why you want to write there.");
  if (Buffer.byteLength(said) <= MAX_REASON_BYTES) return said;
  throw new OxbowError("payload_too_large", `The reason may have ${MAX_REASON_BYTES} bytes.`, {
    hint: "Say it shorter.",
  });
}

function answerOf(inScope: readonly string[], approvals: readonly Approval[]): ScopeAnswer {
  const none = { approval_id: null, decided_by: null, answer: null };
  const free = inScope.length > 0 ? [{ ...none, paths: inScope, state: "in_scope" as const }] : [];
  const answers = approvals.map(({ approval_id, paths, state, decided_by, answer }) => ({
    approval_id,
    paths,
    state: state === "granted" || state === "denied" ? state : ("no_answer" as const),
    decided_by,
    answer,
  }));
  return { ok: approvals.every(({ state }) => state === "granted"), answers: [...free, ...answers] };
}
