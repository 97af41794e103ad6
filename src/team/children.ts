/** Turns the planned parts of a split into rows: conversation, envelope, subtask and announcement. */
import type { PlannedChild } from "../core/split.ts";
import { doneTopic, type Gate, type Json, type Subtask, subtaskId } from "../core/model.ts";
import type { EventBody } from "../core/events.ts";
import type { NewChild } from "../store/contract.ts";
import type { Engine } from "./engine.ts";

export interface Birth {
  readonly taskId: string;
  readonly parent: { readonly conversationId: string; readonly agent: string; readonly depth: number } | null;
  readonly root: boolean;
  /** Where the children's branches start, when not at the task's base. */
  readonly base: string | null;
  /** The task's subtasks so far: numbers per agent and positions go on from them. */
  readonly siblings: readonly Subtask[];
  /** A budget is over all of them. */
  readonly budgeted?: boolean;
}

export function makeChildren(engine: Engine, planned: readonly PlannedChild[], birth: Birth): NewChild[] {
  const counts = new Map<string, number>();
  // By the name in the id: a person may have given the subtask to another agent since.
  for (const { subtask_id } of birth.siblings) {
    const agent = subtask_id.slice(0, subtask_id.lastIndexOf(`::${birth.taskId}::`));
    counts.set(agent, (counts.get(agent) ?? 0) + 1);
  }
  const named = planned.map((child) => {
    const n = (counts.get(child.agent) ?? 0) + 1;
    counts.set(child.agent, n);
    return { child, id: subtaskId(child.agent, birth.taskId, n), conversation: engine.newId("c") };
  });
  return named.map(({ child, id, conversation }, position) => {
    const created_at = engine.now();
    const done_topic = doneTopic(conversation);
    const subtask: Subtask = {
      subtask_id: id,
      task_id: birth.taskId,
      conversation_id: conversation,
      parent_conversation_id: birth.parent?.conversationId ?? null,
      agent: child.agent,
      root: birth.root,
      brief: engine.redact(child.brief),
      responsibilities: child.responsibilities.map(engine.redact),
      allowed_paths: child.allowedPaths,
      depends_on: child.dependsOn.map((index) => named[index]?.id ?? ""),
      done_topic,
      depth: birth.parent ? birth.parent.depth + 1 : 0,
      position: birth.siblings.length + position,
      branch: null,
      state: child.dependsOn.length > 0 ? "blocked" : "planned",
      created_at,
      supersedes: null,
      gate: gateOf(engine, child),
      ...(child.budget === undefined && birth.budgeted !== true ? {} : { budget: child.budget ?? {} }),
    };
    const orchestrate: Json = {
      responsibilities: subtask.responsibilities,
      allowed_paths: child.allowedPaths,
      done_topic,
    };
    return {
      subtask,
      conversation: {
        conversation_id: conversation,
        task_id: birth.taskId,
        parent_id: birth.parent?.conversationId ?? null,
        agent: child.agent,
        created_at,
      },
      message: {
        id: engine.newId("m"),
        conversation_id: conversation,
        sender: birth.parent?.agent ?? "user",
        recipients: [child.agent],
        content: subtask.brief,
        timestamp: created_at,
        type: "task",
        topology: "direct",
        metadata: birth.base === null ? { orchestrate } : { orchestrate, base: birth.base },
      },
    };
  });
}

function gateOf({ redact, registry, team }: Engine, { approval }: PlannedChild): Gate | null {
  if (approval === null) return null;
  return { reason: redact(approval), person: registry.windowPerson(team.team) };
}

export function announcements(children: readonly NewChild[], birth: Birth): EventBody[] {
  const announced = children.map(
    ({ subtask }): EventBody => ({
      event: "child_announced",
      task_id: subtask.task_id,
      subtask_id: subtask.subtask_id,
      conversation_id: subtask.conversation_id,
      source: subtask.agent,
      agent: subtask.agent,
      brief: subtask.brief,
      allowed_paths: subtask.allowed_paths,
      depends_on: subtask.depends_on,
    }),
  );
  if (birth.root) return announced;
  const split: EventBody = {
    event: "split",
    task_id: birth.taskId,
    ...(birth.parent ? { conversation_id: birth.parent.conversationId, source: birth.parent.agent } : {}),
    parent: birth.parent?.conversationId ?? null,
    children: children.map(({ conversation }) => conversation.conversation_id),
    topics: children.map(({ subtask }) => subtask.done_topic),
  };
  return [split, ...announced];
}
