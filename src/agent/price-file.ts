/** Prices of one's own (docs/providers.md): a dated YAML or JSON file in place of the table that Oxbow comes with. */
import { z } from "zod";
import { explainIssues, type FileKind } from "../core/team-issues.ts";
import { OxbowError } from "../core/errors.ts";
import { readYaml } from "../core/yaml-source.ts";
import type { ModelPrice } from "./prices.ts";

const dollars = z.number().min(0).max(1e6);
const priceSchema = z.strictObject({
  input: dollars,
  cached_input: dollars.optional(),
  cache_write: dollars.optional(),
  output: dollars,
});
const fileSchema = z.strictObject({
  date: z.iso.date("must be a date such as 2026-11-21"),
  prices: z.record(z.string(), z.record(z.string(), priceSchema)),
});

export interface PriceTable {
  readonly file: string;
  /** `2026-11-21` */
  readonly date: string;
  /** How many models it has. */
  readonly models: number;
  of(provider: string, model: string): ModelPrice | null;
}

const KIND: FileKind = {
  code: "setting_invalid",
  keysAt: (path) =>
    path.length === 0
      ? Object.keys(fileSchema.shape)
      : path.length === 3
        ? Object.keys(priceSchema.shape)
        : [],
};

/** Throws setting_invalid with `{ file, line, column }`. */
export function parsePrices(text: string, file: string): PriceTable {
  const read = readYaml(text);
  if (!read.ok) {
    const { line, column, message } = read.problem;
    throw new OxbowError("setting_invalid", `${file}:${line}:${column}: ${message}`, {
      details: { file, line, column },
    });
  }
  const result = fileSchema.safeParse(read.source.value);
  if (!result.success) throw explainIssues(result.error.issues, read.source, file, KIND);
  const { date, prices } = result.data;
  const table = new Map(
    Object.entries(prices).flatMap(([provider, models]) =>
      Object.entries(models).map(([model, price]) => [keyOf(provider, model), priceOf(price)] as const),
    ),
  );
  return {
    file,
    date,
    models: table.size,
    // A dated snapshot costs what its model does, unless it is listed itself.
    of: (provider, model) =>
      table.get(keyOf(provider, model)) ?? table.get(keyOf(provider, undated(model))) ?? null,
  };
}

function keyOf(provider: string, model: string): string {
  return JSON.stringify([provider, model]);
}

function undated(model: string): string {
  return model.replace(/-(?:\d{4}-\d{2}-\d{2}|\d{8})$/, "");
}

function priceOf({
  input,
  cached_input = input,
  cache_write,
  output,
}: z.infer<typeof priceSchema>): ModelPrice {
  return { input, cached_input, output, ...(cache_write === undefined ? {} : { cache_write }) };
}
