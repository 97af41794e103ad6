/** Who did what to a task, and when: its event stream without what only tells how far the work is. */
import type { OxbowEvent } from "../core/events.ts";
import type { TaskView } from "../core/task-view.ts";

export const MOST_AUDIT = 500;

/** The events that are told of. */
export const AUDITED = [
  "task_submitted",
  "planned",
  "task_started",
  "task_resumed",
  "task_reopened",
  "assigned",
  "approval_requested",
  "approval_decided",
  "cancel_requested",
  "child_started",
  "child_finished",
  "commit",
  "refused",
  "alert",
  "merged",
  "merge_escalated",
  "conflict_settled",
  "landed",
  "pull_request",
  "task_finished",
] as const satisfies readonly OxbowEvent["event"][];

type Entry = TaskView["audit"][number];

const PERSON = "a person";
const OXBOW = "oxbow";

export function auditOf(events: readonly OxbowEvent[], requester: string | null): Entry[] {
  return events.flatMap((event) => {
    const told = tell(event, requester ?? PERSON);
    if (told === null) return [];
    const [who, text] = told;
    return [
      {
        at: event.ts,
        who,
        what: event.event,
        subtask_id: event.subtask_id ?? null,
        text: text.slice(0, 500),
      },
    ];
  });
}

function tell(event: OxbowEvent, requester: string): readonly [who: string, text: string] | null {
  const agent = event.source ?? OXBOW;
  switch (event.event) {
    case "task_submitted":
      return [requester, `submitted it, from ${event.base} at ${event.base_commit}`];
    case "planned":
      return [OXBOW, `planned it (${event.plan.planner}): ${event.parts.length} subtasks`];
    case "task_started":
      return [event.by, `began it (${event.mode}); ${event.gates.length} subtasks wait for a person first`];
    case "task_resumed":
      return [PERSON, "went on with it"];
    case "task_reopened":
      return [PERSON, `had ${event.parts.length} parts tried again`];
    case "assigned":
      return [PERSON, `gave it to ${event.agent}, from ${event.from}`];
    case "approval_requested":
      return [
        event.agent,
        event.kind === "gate"
          ? `asked to begin: ${event.reason}`
          : `asked for ${event.paths.join(", ")}: ${event.reason}`,
      ];
    case "approval_decided":
      return [event.decided_by, `${event.state}${event.answer === "" ? "" : `: ${event.answer}`}`];
    case "cancel_requested":
      return [PERSON, event.reason];
    case "child_started":
      return [agent, `began attempt ${event.attempt}`];
    case "child_finished":
      return [agent, event.outcome];
    case "commit":
      return [agent, `committed ${event.commit} on ${event.branch}: ${event.message}`];
    case "refused":
    case "alert":
      return [agent, `${event.code}: ${event.message}`];
    case "merged":
      return [OXBOW, `merged ${event.branch} into ${event.into} as ${event.merge_commit}`];
    case "merge_escalated":
      return [OXBOW, `could not merge ${event.branch}: ${event.reason.message}`];
    case "conflict_settled":
      return [event.by, `settled ${event.path} of ${event.branch}`];
    case "landed":
      return [PERSON, `brought it into ${event.into} at ${event.commit}`];
    case "pull_request":
      return [PERSON, `proposed ${event.branch} for ${event.into}: ${event.url}`];
    case "task_finished":
      return [OXBOW, `ended: ${event.state}`];
    default:
      return null;
  }
}
