/** When a person must agree before a subtask begins, whoever planned it. */
import { createPreparedMatcher, preparePath } from "./ownership.ts";
import { parsePattern } from "./glob.ts";
import { PLAN_LIMITS } from "./plan.ts";
import { chooseAgents } from "./plan-agents.ts";
import type { Statement } from "./plan-intent.ts";
import { candidates, type FileIndex, filesOf, type NamedPath, pathsIn } from "./plan-paths.ts";
import { isProtected } from "./paths.ts";
import type { AgentSpec } from "./team-file.ts";

const SHOWN = 3;

interface GatedPart {
  readonly agent: AgentSpec;
  /** Positions of the statements that are its own. */
  readonly statements: ReadonlySet<number>;
  readonly allowed: readonly string[];
}

export interface Gates {
  /** Of each part, in their order: why a person must agree first; null: nobody must. */
  readonly reasons: readonly (string | null)[];
  readonly notices: readonly string[];
}

/**
 * What the text asks for, and what everybody obeys. A sentence that names files is about those who may write them, another
 * about the agents that it speaks of, else about all.
 */
export function gatesOf(
  parts: readonly GatedPart[],
  statements: readonly Statement[],
  index: FileIndex,
): Gates {
  const reasons = parts.map((): string[] => []);
  const notices: string[] = [];
  for (const [at, statement] of statements.entries()) {
    if (!statement.gate) continue;
    const paths = gatePaths(statement, index);
    const held = partsHeld(parts, at, statement, paths, index);
    for (const part of held) reasons[part]?.push(statement.text);
    if (held.length > 0 || parts.length === 0) continue;
    const named = [...new Set(paths.map(({ written }) => written))];
    const shown = named.slice(0, SHOWN).join(", ") + (named.length > SHOWN ? ", …" : "");
    notices.push(
      `No part may touch ${shown}, so nobody waits for a yes to that: ${statement.text}`.slice(
        0,
        PLAN_LIMITS.line,
      ),
    );
  }
  return {
    reasons: parts.map(({ allowed }, at) => {
      const guarded = protectedReason(allowed, index);
      const all = [...new Set([...(reasons[at] ?? []), ...(guarded === null ? [] : [guarded])])];
      return all.length === 0 ? null : all.join(" ").slice(0, PLAN_LIMITS.line);
    }),
    notices,
  };
}

/** Positions of the parts that a sentence holds back. */
function partsHeld(
  parts: readonly GatedPart[],
  at: number,
  { text }: Statement,
  paths: readonly NamedPath[],
  index: FileIndex,
): readonly number[] {
  const which = (isHeld: (part: GatedPart) => boolean) =>
    parts.flatMap((part, position) => (isHeld(part) ? [position] : []));
  const own = which((part) => part.statements.has(at));
  if (own.length > 0) return own;
  if (paths.length > 0) {
    const made = paths.flatMap(({ exists, written }) => (exists ? [] : (preparePath(written) ?? [])));
    const files = [
      ...filesOf(
        paths.flatMap(({ patterns }) => patterns),
        index,
      ),
      ...made,
    ];
    return which(({ allowed }) => allowed.length > 0 && files.some(createPreparedMatcher(allowed)));
  }
  const spoken = chooseAgents(
    { text },
    parts.map(({ agent }) => agent),
  )
    .filter(({ score }) => score > 1)
    .map(({ agent }) => agent);
  return which(({ agent }) => spoken.length === 0 || spoken.includes(agent.name));
}

/**
 * The files whose change a person must agree to. "Don't touch A, and ask before B" is about B; where nothing else is named,
 * "don't touch A without approval" is about A.
 */
export function gatePaths({ text }: Pick<Statement, "text">, index: FileIndex): readonly NamedPath[] {
  const named = pathsIn(text, index).filter(({ role }) => role !== "reference");
  const asked = named.filter(({ role }) => role === "target");
  return asked.length > 0 ? asked : named;
}

/** Files that become instructions or code for others are changed only when a person says so; null: it may change none. */
export function protectedReason(allowed: readonly string[], { files }: FileIndex): string | null {
  const named = allowed.filter(namesProtected);
  if (named.length === 0) return null;
  const matches = createPreparedMatcher(allowed);
  const there = candidates(named, files).filter((file) => file.guarded && matches(file));
  const made = named.flatMap((pattern) => preparePath(pattern.replace(/\/\*\*$/, "")) ?? []).filter(matches);
  const paths = [...new Set([...there, ...made].map(({ path }) => path))];
  if (paths.length === 0) return null;
  const more = paths.length > SHOWN ? ", …" : "";
  return `It may change ${paths.slice(0, SHOWN).join(", ")}${more}, which others obey.`;
}

/** A wildcard gives no protected file away, so only a pattern that names one is looked at. */
function namesProtected(pattern: string): boolean {
  return parsePattern(pattern).some(
    ({ negative, named }) => !negative && named !== null && isProtected(named),
  );
}
