/** The tools there are, and which of them an agent is given. */
import { OxbowError } from "../src/core/errors.ts";
import type { ToolDef, ToolFlag } from "../src/core/tool.ts";

export interface ToolSelection {
  /** The groups' switches; a group that is not named is off. */
  readonly flags: Readonly<Partial<Record<Exclude<ToolFlag, null>, boolean>>>;
  /** AGENT_TOOLS: only these names, for every agent. Undefined or null: no such list. */
  readonly allow?: readonly string[] | null | undefined;
  /** AGENT_REQUIRE_EXPLICIT_TOOLS: a tool must be named by `allow` or `agentTools`. */
  readonly requireExplicit?: boolean | undefined;
  /** The agent's own `tools:` in the team file: only these names. */
  readonly agentTools?: readonly string[] | null | undefined;
}

export interface ToolRegistry {
  /** Throws usage for a name that is taken or that a model could not call. */
  register(tool: ToolDef): void;
  get(name: string): ToolDef | undefined;
  /** Every tool, in the order of registration. */
  all(): readonly ToolDef[];
  /**
   * The tools an agent sees, in the order of registration. A list never turns on a group that its flag has turned off.
   * Throws setting_invalid when AGENT_TOOLS names a tool that does not exist, team_config when `agentTools` does.
   */
  select(selection: ToolSelection): readonly ToolDef[];
}

/** What the vendors accept as a function's name, without capitals and dashes so that names read alike. */
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

export function createToolRegistry(tools: readonly ToolDef[] = []): ToolRegistry {
  const known = new Map<string, ToolDef>();

  const register = (tool: ToolDef): void => {
    if (!NAME.test(tool.name)) {
      throw new OxbowError("usage", `${JSON.stringify(tool.name)} cannot be the name of a tool.`, {
        hint: "Use small letters, digits and underscores, at most 64, beginning with a letter.",
      });
    }
    if (known.has(tool.name)) {
      throw new OxbowError("usage", `There is a tool named ${tool.name} already.`, {
        hint: "Give the new tool another name.",
      });
    }
    known.set(tool.name, tool);
  };
  for (const tool of tools) register(tool);

  const named = (names: readonly string[], code: "setting_invalid" | "team_config", where: string) => {
    const missing = names.filter((name) => !known.has(name));
    if (missing.length > 0) {
      throw new OxbowError(code, `${where} names tools that do not exist: ${missing.join(", ")}`, {
        hint: `The tools are: ${[...known.keys()].join(", ")}.`,
      });
    }
    return new Set(names);
  };

  return {
    register,
    get: (name) => known.get(name),
    all: () => [...known.values()],
    select({ flags, allow, requireExplicit, agentTools }) {
      const everywhere = allow == null ? null : named(allow, "setting_invalid", "AGENT_TOOLS");
      const own = agentTools == null ? null : named(agentTools, "team_config", "The agent's list of tools");
      if (requireExplicit === true && everywhere === null && own === null) return [];
      return [...known.values()].filter(
        ({ name, flag }) =>
          (flag === null || flags[flag] === true) &&
          everywhere?.has(name) !== false &&
          own?.has(name) !== false,
      );
    },
  };
}
