/**
 * A model's conversation as rows, a turn at a time: what it has said becomes durable before its calls are made, and what
 * came of them before it is asked again. An attempt that goes on with it asks the model nothing twice.
 */
import type { AnswerRecord, HistoryItem, ModelOutput, RunHistory } from "../agent/contract.ts";
import type { BranchTree } from "../git/contract.ts";
import type { Json } from "../core/model.ts";
import type { Attempt } from "./attempt.ts";
import type { SavedInbox } from "./chat.ts";
import type { SavedSignals } from "./signals.ts";
import { OxbowError } from "../core/errors.ts";
import { addUsage, NO_USAGE } from "../core/model.ts";
import { currentOf } from "./lines.ts";

type Entry =
  | (AnswerRecord & {
      readonly kind: "answer";
      /** The branch's tip before any of the answer's calls. */
      readonly tip: string;
      /** How far the messages of others were read. */
      readonly inbox: string | null;
      /** Calls whose arguments hold what is not kept: they cannot be made again. */
      readonly hidden: readonly string[];
    })
  | { readonly kind: "turn"; readonly items: readonly HistoryItem[]; readonly wip: string };

export interface Begun {
  readonly history: Omit<RunHistory, "settled">;
  /** How the conversation began. */
  readonly opening: string;
  readonly inbox: string | null;
  readonly tip: string;
  readonly hidden: readonly string[];
}

/** What earlier attempts left; null when there is nothing to go on with, or the agent begins anew. */
export async function begun({ engine, lease }: Attempt, recovery: "resume" | "clean"): Promise<Begun | null> {
  const { transcripts } = engine.store;
  if (lease.attempt === 1) return null;
  if (recovery === "clean") {
    await transcripts.clear(lease);
    return null;
  }
  const entries = (await transcripts.read(lease.conversation_id)).map(parse);
  const answers = entries.filter((entry) => entry.kind === "answer");
  const last = answers.at(-1);
  if (!last) return null;
  const items = entries.flatMap((entry) => entry.items);
  const costs = answers.map(({ cost }) => cost);
  const first = items[0];
  return {
    history: {
      items,
      pending: entries.at(-1)?.kind === "answer" ? last.output : null,
      turns: last.turn,
      usage: answers.map(({ usage }) => usage).reduce(addUsage, NO_USAGE),
      cost: costs.includes(null) ? null : costs.reduce((sum: number, cost) => sum + (cost ?? 0), 0),
    },
    opening: first === undefined ? "" : textOf(first),
    inbox: last.inbox,
    tip: last.tip,
    hidden: last.hidden,
  };
}

function textOf(item: HistoryItem): string {
  if (!("content" in item)) return "";
  if (typeof item.content === "string") return item.content;
  return (item.content ?? []).map((part) => ("text" in part ? part.text : "")).join("");
}

/** The one place that trusts what these rows hold. */
function parse(entry: string): Entry {
  return JSON.parse(entry) as Entry;
}

export interface Recorder {
  answer(answer: AnswerRecord): Promise<void>;
  /** With the cursors that the turn's waits have reached. `wip`: the commit that holds its edits. */
  turn(items: readonly HistoryItem[], wip: string): Promise<void>;
}

export function recorder(
  { engine, lease }: Attempt,
  { tree, inbox, signals }: { tree: BranchTree; inbox: SavedInbox; signals: SavedSignals },
): Recorder {
  const { store, redact } = engine;
  const add = (entry: Entry, cursors: Readonly<Record<string, string>>) =>
    store.transcripts.add(lease, redact(JSON.stringify(entry)), cursors);
  return {
    answer: (answer) =>
      add(
        {
          kind: "answer",
          ...answer,
          tip: tree.tip,
          inbox: inbox.position(),
          hidden: callsOf(answer.output).flatMap(({ callId, arguments: text }) =>
            redact(text) === text ? [] : [callId],
          ),
        },
        {},
      ),
    turn: (items, wip) => add({ kind: "turn", items, wip }, signals.takeCursors()),
  };
}

function callsOf(output: ModelOutput) {
  return output.filter((item) => item.type === "function_call");
}

/** Tools that may be called again: they only look, or change what was lost with the process, or change it to the same. */
const REPEATABLE = new Set([
  "list_files",
  "read_file",
  "search_files",
  "diff",
  "write_file",
  "edit_file",
  "apply_patch",
  "move_file",
  "delete_file",
  "signal_wait",
  "signal_wait_any",
  "signal_wait_all",
  "team_owner",
  "todo_get",
  "todo_list",
  "todo_update",
  "scope_request",
]);

/** What the calls of the pending answer came to in the process that died: known, nothing, or not known. */
export function settling({ engine, lease }: Attempt, tree: BranchTree, before: Begun): RunHistory["settled"] {
  const tipNow = tree.tip;
  let looked: ReturnType<typeof engine.repo.commitsSince> | null = null;
  const used = new Set<string>();

  const committed = async (message: unknown): Promise<Json | null> => {
    if (typeof message !== "string") return null;
    const subject = engine.redact(message).trim().split("\n", 1)[0]?.trim();
    const commits = await (looked ??= engine.repo.commitsSince(before.tip, tipNow));
    const own = commits.filter(({ conversation }) => conversation === lease.conversation_id);
    const made = own.find((each) => each.subject === subject && !used.has(each.commit));
    if (!made) return null;
    used.add(made.commit);
    return { committed: true, commit: made.commit, branch: tree.branch, note: DONE_BEFORE };
  };

  const split = async (): Promise<Json | null> => {
    const told = JSON.stringify(before.history.items);
    const all = currentOf(await engine.store.subtasks(lease.task.task_id));
    const made = all.filter(
      (child) =>
        child.parent_conversation_id === lease.conversation_id &&
        child.supersedes === null &&
        !told.includes(child.conversation_id),
    );
    if (made.length === 0) return null;
    return {
      ok: true,
      children: made.map(({ conversation_id }) => conversation_id),
      topics: made.map(({ done_topic }) => done_topic),
      note: `${DONE_BEFORE} Wait for the topics with signal_wait_all.`,
    };
  };

  return async (tool, input, callId) => {
    if (before.hidden.includes(callId)) throw interrupted(tool);
    if (REPEATABLE.has(tool)) return null;
    if (tool === "commit") return committed(input["message"]);
    if (tool === "orchestrate_split") return split();
    throw interrupted(tool);
  };
}

const DONE_BEFORE = "This was done before the process that ran you ended.";

function interrupted(tool: string): OxbowError {
  const message = `The process that ran you ended while ${tool} was at work: whether it took effect is not known.`;
  return new OxbowError("interrupted", message);
}
