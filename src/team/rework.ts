/** A branch that did not land becomes a new subtask: it begins with the target and the branch put together, and is told why. */
import type { AgentSpec } from "../core/team-file.ts";
import type { MergeEntry, MergeReason, Verification } from "../core/merging.ts";
import type { Conflict, Message, Subtask, Task } from "../core/model.ts";
import type { Draft } from "../git/merge-desk.ts";
import type { NewChild } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { ownScope } from "../core/split.ts";
import { type Birth, makeChildren } from "./children.ts";
import { commandOf, runOptions, runtimeOf } from "./engine.ts";

/** Why a branch did not land. */
export interface Setback {
  readonly reason: MergeReason;
  readonly conflicts: readonly Conflict[];
  readonly verification: Verification | null;
}

/** Who does it again; a sentence when nobody can. */
export function reworkerFor(
  engine: Engine,
  task: Task,
  entry: MergeEntry,
  { conflicts }: Setback,
): AgentSpec | string {
  const owners = new Set(conflicts.map(({ owners: [owner] }) => owner ?? null));
  const byOwner = engine.team.merge.conflicts === "owner" && conflicts.length > 0;
  const [owner] = owners;
  if (byOwner && (owners.size > 1 || owner == null))
    return "The files that conflict have no single owner among the agents.";
  const name = byOwner ? (owner ?? entry.agent) : entry.agent;
  const agent = engine.registry.get(name);
  if (agent === null) return `There is no agent ${name} in the team any more.`;
  const options = runOptions(task);
  const told =
    runtimeOf(options, agent) !== "command" ||
    commandOf(options, agent).some((word) => word.includes("{task}"));
  return told ? agent : `The program of ${name} is not told what to do: its command has no {task}.`;
}

export async function makeRework(
  engine: Engine,
  about: {
    readonly task: Task;
    readonly entry: MergeEntry;
    readonly old: Subtask;
    readonly all: readonly Subtask[];
    readonly agent: AgentSpec;
    readonly setback: Setback;
    readonly draft: Draft;
  },
): Promise<NewChild> {
  const { task, entry, old, all, agent, setback, draft } = about;
  const birth: Birth = {
    taskId: task.task_id,
    parent: null,
    root: old.root,
    base: draft.commit,
    siblings: all,
  };
  const part = {
    agent: agent.name,
    brief: briefFor(entry, old, agent.name, setback, draft),
    responsibilities: old.responsibilities,
    allowedPaths: agent.name === old.agent ? old.allowed_paths : ownScope(agent),
    dependsOn: [],
    approval: null,
    budget: old.budget,
  };
  // Whoever works on it begins with a commit that no branch names.
  await engine.repo.remote?.offer([draft.commit]);
  const [made] = makeChildren(engine, [part], birth);
  if (!made) throw new Error("unreachable");
  const { subtask, conversation, message } = made;
  return {
    subtask: {
      ...subtask,
      parent_conversation_id: old.parent_conversation_id,
      depth: old.depth,
      position: old.position,
      supersedes: old.subtask_id,
    },
    conversation: { ...conversation, parent_id: old.parent_conversation_id },
    message: {
      ...message,
      sender: "merge-queue",
      metadata: { ...message.metadata, rework: { of: entry.subtask_id, code: setback.reason.code } },
    },
  };
}

/** True for the opening message of a rework. */
export function isRework({ metadata }: Message): boolean {
  return "rework" in metadata;
}

/** Characters of all conflicting places, or of a command's last words, in a brief. */
const MOST_SHOWN = 12_000;

function briefFor(
  { branch, target }: MergeEntry,
  old: Subtask,
  agent: string,
  { reason, conflicts, verification }: Setback,
  draft: Draft,
): string {
  const whose = agent === old.agent ? "Your branch" : `The branch of ${old.agent}`;
  const parts = [
    // The subject of a commit that nobody wrote a message for.
    `Bring ${branch} into ${target}`,
    `${whose} ${branch} is finished, but it is not in ${target} yet. ${reason.message}`,
    `You begin with both put together: everything of ${target} and of ${branch} is in your files.`,
  ];
  if (draft.conflicts.length > 0) parts.push(conflictWords(target, branch, conflicts, draft));
  if (conflicts.length > 0 || reason.code === "side_dropped") parts.push(rules(target));
  if (verification) {
    const tail = verification.runs.find(({ ok }) => !ok)?.tail ?? "";
    parts.push(`Correct it so that the command succeeds. What it said last:\n\n${tail.slice(-MOST_SHOWN)}`);
  }
  parts.push(`The branch was for this task: ${firstBrief(old)}`);
  return parts.join("\n\n");
}

/** Of a rework of a rework, the task itself. */
function firstBrief({ brief }: Subtask): string {
  return brief.split("The branch was for this task: ").at(-1) ?? brief;
}

function conflictWords(
  target: string,
  branch: string,
  conflicts: readonly Conflict[],
  { hunks }: Draft,
): string {
  const lines = conflicts.map(({ path, kind, agents }) => {
    const by = agents.length > 0 ? ` Changed by ${agents.join(", ")}.` : "";
    return `- ${path}: ${KIND_WORDS[kind] ?? kind}.${by}`;
  });
  let shown = 0;
  const places = hunks.flatMap(({ path, text }) => {
    shown += text.length;
    return shown > MOST_SHOWN ? [] : [`${path}:\n${text}`];
  });
  const more = places.length < hunks.length ? ["(Further places are in the files.)"] : [];
  return [
    `These files conflict; between \`<<<<<<<\` and \`=======\` is what ${target} has, between \`=======\` and \`>>>>>>>\` what ${branch} has:`,
    lines.join("\n"),
    ...places,
    ...more,
  ].join("\n\n");
}

const KIND_WORDS: Partial<Record<Conflict["kind"], string>> = {
  content: "both changed the same lines",
  add_add: "both added it",
  modify_delete: "one changed it, the other deleted it; it is as the target has it",
  binary: "both changed it, and it has no lines; it is as the target has it",
  rename_rename: "both renamed it",
  rename_delete: "one renamed it, the other deleted it",
  directory_file: "a file on one side, a folder on the other",
  mode: "of another kind on each side",
  case: "new beside a name that differs in case only",
};

function rules(target: string): string {
  return [
    "Resolve it: every line that either side added stays, every line that either side removed goes, and no marker is left. This is checked, and a resolution that drops something is refused.",
    `If something has to be left out, say so in your last answer, one line each: \`Waive PATH: the exact line\`, or \`Waive PATH: ours\` to give up what ${target} did in that file, \`Waive PATH: theirs\` to give up what the branch did.`,
  ].join(" ");
}
