/** May this subtask write there, and read? The answer names the owner, so that an agent knows whom to ask. */
import type { Approval, Subtask } from "../core/model.ts";
import type { ReadRule } from "../git/contract.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { createMatcher, createReadMatcher } from "../core/ownership.ts";
import { ownScope } from "../core/split.ts";
import { lineOf } from "./lines.ts";

export interface Scope {
  allows(path: string): boolean;
  /** Throws out_of_scope. */
  check(path: string): void;
}

export interface SubtaskScope extends Scope {
  /** Null: everything may be read. */
  readonly reads: ReadRule | null;
  /** What a split gave, and what the agent has: each list holds all that may be written without a grant. */
  readonly patterns: readonly (readonly string[])[];
  /** Patterns that an owner or the window person granted. */
  readonly granted: readonly string[];
  /** From here on these patterns may be written, and read, too. */
  widen(patterns: readonly string[]): void;
}

/**
 * What its split gave it, and never more than its agent's own paths: a split narrows, it does not widen. A grant does.
 * It may read its agent's read_paths (everything without any), and with SCOPE_READS=allowed_paths of those only what it
 * may write.
 */
export function scopeOf(
  engine: Engine,
  subtask: Pick<Subtask, "agent" | "allowed_paths">,
  grants: readonly string[] = [],
): SubtaskScope {
  const agent = engine.registry.get(subtask.agent);
  const patterns = [subtask.allowed_paths, ...(agent === null ? [] : [ownScope(agent)])];
  const limited = engine.settings.scopeReads === "allowed_paths";
  const readable = [...(agent?.readPaths ? [agent.readPaths] : []), ...(limited ? patterns : [])];
  const writes = patterns.map(createMatcher);
  const reads = readable.map(createReadMatcher);
  let granted = [...grants];
  let extra = { write: createMatcher(granted), read: createReadMatcher(granted) };

  const mayWrite = (path: string) => writes.every((matches) => matches(path)) || extra.write(path);
  const mayRead = (path: string) => reads.every((matches) => matches(path)) || extra.read(path);
  const rule = (allows: (path: string) => boolean, what: string): Scope => ({
    allows,
    check(path) {
      if (allows(path)) return;
      throw new OxbowError("out_of_scope", `${path} is outside ${what}; ${belongs(engine, path)}.`, {
        details: { path, owner: ownerName(engine, path) },
      });
    },
  });
  return {
    ...rule(mayWrite, `the paths of ${subtask.agent}`),
    reads: reads.length === 0 ? null : rule(mayRead, `what ${subtask.agent} may read`),
    patterns,
    get granted() {
      return granted;
    },
    widen(more) {
      granted = [...new Set([...granted, ...more])];
      extra = { write: createMatcher(granted), read: createReadMatcher(granted) };
    },
  };
}

/** With what was granted so far. The file tools and the merge gate go by the same rows. */
export async function openScope(engine: Engine, subtask: Subtask): Promise<SubtaskScope> {
  const { store } = engine;
  const { task_id, subtask_id, supersedes } = subtask;
  const first = supersedes === null;
  const line = first ? [subtask] : lineOf(await store.subtasks(task_id), subtask);
  const filter = first ? { subtaskId: subtask_id } : { taskId: task_id };
  const granted = await store.approvals.list({ ...filter, state: "granted" });
  return scopeOf(engine, subtask, grantsOf(granted, line));
}

/** What was granted to a subtask, or to its agent in one whose place it has taken; `line` begins with the subtask. */
export function grantsOf(
  granted: readonly Pick<Approval, "subtask_id" | "paths">[],
  line: readonly Subtask[],
): readonly string[] {
  const [self] = line;
  const own = new Set(line.flatMap((each) => (each.agent === self?.agent ? [each.subtask_id] : [])));
  return granted.flatMap(({ subtask_id, paths }) => (own.has(subtask_id) ? paths : []));
}

export function outOfScope(engine: Engine, subtask: Subtask, paths: readonly string[]): OxbowError {
  const owners = paths.map((path) => ({ path, owner: ownerName(engine, path) }));
  const listed = owners
    .slice(0, 20)
    .map(({ path, owner }) => `${path} (${owner ? `owner ${owner}` : "no owner"})`);
  const more = owners.length > listed.length ? `, and ${owners.length - listed.length} more` : "";
  return new OxbowError(
    "out_of_scope",
    `${subtask.agent} changed files outside its paths: ${listed.join(", ")}${more}.`,
    {
      details: { files: owners },
    },
  );
}

function ownerName(engine: Engine, path: string): string | null {
  return engine.registry.ownerIfAny(path)?.agent ?? null;
}

function belongs(engine: Engine, path: string): string {
  const owner = engine.registry.ownerIfAny(path);
  if (!owner) return "no agent owns it";
  const person = engine.registry.windowPerson(owner.team);
  return `it belongs to ${owner.agent}${person ? ` (ask ${person} if in doubt)` : ""}`;
}
