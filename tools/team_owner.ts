import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export const teamOwner = defineTool({
  name: "team_owner",
  description: "Which agent of the team owns a path. owner is null when nobody does.",
  parameters: z.strictObject({
    path: z.string().describe("Relative to the root of the repository."),
  }),
  flag: "ENABLE_TEAM_TOOLS",
  standalone: true,
  run: async ({ path }, ctx) => ({ ...ctx.owner(path) }),
});
