/** Arguments that several of a person's operations have. */
import { z } from "zod";

/** A name that may look like a number: `146` is what models write for a ticket. */
export const named = (most: number) => z.union([z.string().min(1).max(most), z.int()]).transform(String);

export const taskOrTicket = named(500).describe("The id of a task, or a ticket.");

export const waitMs = (most: number, what: string) =>
  z.int().min(0).max(most).optional().describe(`${what}, milliseconds, at most ${most}. Default 0.`);

export const title = z.string().min(1).max(50_000).describe("What is to be done, in plain words.");
export const ticket = named(200).optional().describe("Names the branches. Default: the task's id.");
export const patterns = z.array(z.string().max(4096)).max(5000);

export const limits = z.strictObject({
  usd: z.number().positive().exactOptional().describe("US dollars."),
  tokens: z.int().min(1).exactOptional(),
  wall_ms: z.int().min(1).exactOptional().describe("From the start, milliseconds."),
});
