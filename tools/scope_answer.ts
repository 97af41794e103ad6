import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export interface OwnersAnswer {
  readonly grant: boolean;
  readonly reason: string;
}

/** What an owner answers a `scope_request` with. It exists in that short conversation only. */
export function scopeAnswer(answered: (answer: OwnersAnswer) => void) {
  return defineTool({
    name: "scope_answer",
    description: "Answer the request: may the other agent write these files of yours?",
    parameters: z.strictObject({
      grant: z.boolean().describe("true: it may write them. false: it may not."),
      reason: z.string().optional().describe("Why, or what to mind; the other agent reads it."),
    }),
    flag: null,
    run: async ({ grant, reason = "" }) => {
      answered({ grant, reason });
      return { ok: true };
    },
  });
}
