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
  /** Names that may be listed though no tool here has them: what a server offers is known only when it is asked. */
  readonly mayExist?: ((name: string) => boolean) | undefined;
}

export interface ToolRegistry {
  /** Throws usage for a name that is taken or that a model could not call. */
  register(tool: ToolDef): void;
  get(name: string): ToolDef | undefined;
  /** Every tool, those below first, in the order of registration. */
  all(): readonly ToolDef[];
  /**
   * The tools an agent sees, in the order of registration. A list never turns on a group that its flag has turned off.
   * Throws setting_invalid when AGENT_TOOLS names a tool that does not exist, team_config when `agentTools` does.
   */
  select(selection: ToolSelection): readonly ToolDef[];
}

/** What the vendors accept as a function's name, without capitals and dashes so that names read alike. */
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** `below`: also has its tools, those too that are registered there later; what is registered here stays out of it. */
export function createToolRegistry(tools: readonly ToolDef[] = [], below?: ToolRegistry): ToolRegistry {
  const own = new Map<string, ToolDef>();
  const every = () => new Map([...(below?.all() ?? []).map((tool) => [tool.name, tool] as const), ...own]);

  const register = (tool: ToolDef): void => {
    if (!NAME.test(tool.name)) {
      throw new OxbowError("usage", `${JSON.stringify(tool.name)} cannot be the name of a tool.`, {
        hint: "Use small letters, digits and underscores, at most 64, beginning with a letter.",
      });
    }
    if (own.has(tool.name) || below?.get(tool.name) !== undefined) {
      throw new OxbowError("usage", `There is a tool named ${tool.name} already.`, {
        hint: "Give the new tool another name.",
      });
    }
    own.set(tool.name, tool);
  };
  for (const tool of tools) register(tool);

  const named = (
    names: readonly string[],
    code: "setting_invalid" | "team_config",
    where: string,
    mayExist: ((name: string) => boolean) | undefined,
  ) => {
    const known = every();
    const missing = names.filter((name) => !known.has(name) && mayExist?.(name) !== true);
    if (missing.length > 0) {
      throw new OxbowError(code, `${where} names tools that do not exist: ${missing.join(", ")}`, {
        hint: `The tools are: ${[...known.keys()].join(", ")}.`,
      });
    }
    return new Set(names);
  };

  return {
    register,
    get: (name) => own.get(name) ?? below?.get(name),
    all: () => [...every().values()],
    select({ flags, allow, requireExplicit, agentTools, mayExist }) {
      const everywhere = allow == null ? null : named(allow, "setting_invalid", "AGENT_TOOLS", mayExist);
      const listed =
        agentTools == null ? null : named(agentTools, "team_config", "The agent's list of tools", mayExist);
      if (requireExplicit === true && everywhere === null && listed === null) return [];
      return [...every().values()].filter(
        ({ name, flag }) =>
          (flag === null || flags[flag] === true) &&
          everywhere?.has(name) !== false &&
          listed?.has(name) !== false,
      );
    },
  };
}
