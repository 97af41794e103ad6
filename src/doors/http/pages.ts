/** Lists are given in pages: `limit` entries, and a `next_cursor` to go on with, null at the end. */
import { z } from "@hono/zod-openapi";
import { invalidField } from "./problem.ts";

const [USUAL, MOST] = [50, 200];

/** For the query of a list. */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MOST)
    .default(USUAL)
    .openapi({ description: "How many at most." }),
  cursor: z
    .string()
    .min(1)
    .max(2_000)
    .optional()
    .openapi({ description: "The `next_cursor` of the page before." }),
};

export const nextCursor = z
  .string()
  .nullable()
  .openapi({ description: "Gives the next page; null: this is the last." });

/** Opaque to callers. */
export function writeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** Throws request_invalid for what `writeCursor` has not made. */
export function readCursor<T>(cursor: string, shape: z.ZodType<T>): T {
  const wrong = () => invalidField("cursor", "This is no next_cursor of this list.");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    // Whatever is wrong with it.
    throw wrong();
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw wrong();
  return parsed.data;
}

/** A page of a list that is at hand as a whole, in an order that stays; `key` tells its entries apart. */
export function pageOf<T>(
  all: readonly T[],
  key: (entry: T) => string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): { readonly entries: T[]; readonly next_cursor: string | null } {
  const after = cursor === undefined ? null : readCursor(cursor, z.tuple([z.string()]))[0];
  const start = after === null ? 0 : all.findIndex((entry) => key(entry) === after) + 1;
  const entries = after !== null && start === 0 ? [] : all.slice(start, start + limit);
  const last = entries.at(-1);
  const isMore = last !== undefined && start + entries.length < all.length;
  return { entries, next_cursor: isMore ? writeCursor([key(last)]) : null };
}
