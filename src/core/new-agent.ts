/** An agent that is registered at run time, in the words of the team file and by its rules. */
import type { Json } from "./model.ts";
import { OxbowError, hasCode } from "./errors.ts";
import type { AgentSpec, TeamFile } from "./team-file.ts";
import { parseTeamFile } from "./team-file.ts";

/** What of an agent may be said at run time: nothing that opens this machine to it. */
export interface AgentWords {
  readonly name: string;
  readonly instructions?: string | undefined;
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly runtime?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly skills?: readonly string[] | undefined;
  readonly responsibilities?: readonly string[] | undefined;
  readonly allowed_paths?: readonly string[] | undefined;
  readonly read_paths?: readonly string[] | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  readonly sla_ms?: number | undefined;
  readonly timeout_ms?: number | undefined;
  readonly max_turns?: number | undefined;
}

/** Throws team_config, runtime_not_available, as the team file's own agents do. */
export function readAgent(words: Json | AgentWords, { team, defaults }: TeamFile): AgentSpec {
  const { provider, model } = defaults;
  const file = {
    team,
    defaults: { ...(provider === null ? {} : { provider }), ...(model === null ? {} : { model }) },
    agents: [words],
  };
  try {
    // JSON is YAML.
    const [agent] = parseTeamFile(JSON.stringify(file), PLACE).agents;
    if (agent) return agent;
  } catch (error) {
    if (!hasCode(error)) throw error;
    const code = error.code === "team_file_invalid" ? "team_config" : error.code;
    throw new OxbowError(code, told(error.message), {
      hint: "Correct the agent's fields; docs/team-yaml.md says what each may hold.",
      details: error.details,
      cause: error,
    });
  }
  throw new OxbowError("internal", "An agent vanished.");
}

const PLACE = "agent";

/** Without the place in the text that was made of it. */
function told(message: string): string {
  return message.replace(/^agent:\d+:\d+: /gm, "").replaceAll(/agents\[0\](?:\.|: )/g, "");
}
