/** The tools of this process: Oxbow's own and what the program around the library registers. Every app offers them. */
import type { ToolDef } from "./core/tool.ts";
import { OxbowError } from "./core/errors.ts";
import { builtinTools } from "../tools/index.ts";
import { createToolRegistry, type ToolRegistry } from "../tools/registry.ts";

export const toolbox = createToolRegistry(builtinTools);

/** A tool as a program writes it; without a `flag` no environment variable can turn it off. */
export type NewTool<P extends ToolDef["parameters"]> = Omit<ToolDef<P>, "flag"> &
  Partial<Pick<ToolDef<P>, "flag">>;

/**
 * Adds a tool to what the agents of this process's apps are given. `parameters` is an object schema of zod 4; `run` gets
 * the checked arguments and returns a JSON value. Throws usage for a name that is taken or that no model could call.
 */
export function registerTool<P extends ToolDef["parameters"]>(tool: NewTool<P>): void {
  addTool(toolbox, tool);
}

/** The same, for one registry. */
export function addTool<P extends ToolDef["parameters"]>(registry: ToolRegistry, tool: NewTool<P>): void {
  if (!isObjectSchema(tool.parameters))
    throw new OxbowError("usage", `The parameters of the tool ${tool.name} are no object schema of zod 4.`, {
      hint: 'Write `parameters: z.object({ … })`, with z from "zod".',
    });
  if (typeof tool.description !== "string" || typeof tool.run !== "function")
    throw new OxbowError("usage", `The tool ${tool.name} needs a \`description\` and a \`run\`.`);
  registry.register({ ...tool, flag: tool.flag ?? null });
}

function isObjectSchema(schema: unknown): boolean {
  return typeof schema === "object" && schema !== null && "_zod" in schema && "shape" in schema;
}
