/** May this subtask write there? The answer names the owner, so that an agent knows whom to ask. */
import type { Subtask } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { createMatcher, createReadMatcher } from "../core/ownership.ts";
import { ownScope } from "../core/split.ts";

export interface Scope {
  allows(path: string): boolean;
  /** Throws out_of_scope. */
  check(path: string): void;
}

/** What its split gave it, and never more than its agent's own paths: a split narrows, it does not widen. */
export function scopeOf(engine: Engine, subtask: Subtask): Scope {
  const given = createMatcher(subtask.allowed_paths);
  const agent = engine.registry.get(subtask.agent);
  const own = agent === null ? () => true : createMatcher(ownScope(agent));
  const matches = (path: string) => given(path) && own(path);
  return {
    allows: matches,
    check(path) {
      if (matches(path)) return;
      throw new OxbowError(
        "out_of_scope",
        `${path} is outside the paths of ${subtask.agent}; ${belongs(engine, path)}.`,
        {
          details: { path, owner: ownerName(engine, path) },
        },
      );
    },
  };
}

/** What it may read: its agent's read_paths (everything without any), or with SCOPE_READS=allowed_paths only what it may write. */
export function readScopeOf(engine: Engine, subtask: Subtask): ((path: string) => void) | undefined {
  const limits = engine.settings.scopeReads === "allowed_paths";
  const patterns = limits ? subtask.allowed_paths : engine.registry.get(subtask.agent)?.readPaths;
  if (!patterns) return undefined;
  const matches = createReadMatcher(patterns);
  return (path) => {
    if (matches(path)) return;
    throw new OxbowError(
      "out_of_scope",
      `${path} is outside what ${subtask.agent} may read; ${belongs(engine, path)}.`,
      {
        details: { path, owner: ownerName(engine, path) },
      },
    );
  };
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
