// One agent by itself, with a tool of yours. OPENAI_API_KEY and OPENAI_BASE_URL say who answers.
// #region runner
import { AgentRunner, registerTool } from "oxbow";
import { z } from "zod";

const weather = {
  name: "weather",
  description: "Says what the weather is in a town.",
  flag: null, // always on; or the name of an ENABLE_… switch
  parameters: z.strictObject({ town: z.string() }),
  run: async ({ town }: { town: string }) => ({ town, sunny: true }),
};
registerTool(weather); // for the agents of every app in this process

const runner = new AgentRunner({ runtime: "openai_agents" });
const result = await runner.run({ agent: "Reporter", input: "How is the weather in Ulm?", tools: [weather] });
if (result.error) console.log(result.error.code, result.error.message);
else console.log(result.output, result.usage.total_tokens, result.cost, result.elapsed_ms);
// #endregion
