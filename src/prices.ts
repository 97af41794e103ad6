/** The prices in use: those of OXBOW_PRICES before the ones that Oxbow comes with. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Settings } from "./core/settings.ts";
import { parsePrices, type PriceTable } from "./agent/price-file.ts";
import { OxbowError } from "./core/errors.ts";

/** Undefined without such a file. Throws setting_invalid for one that cannot be read. */
export function pricesOf({ oxbowPrices }: Pick<Settings, "oxbowPrices">): PriceTable | undefined {
  if (oxbowPrices === undefined) return undefined;
  const file = resolve(oxbowPrices);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("setting_invalid", `The prices in ${file} cannot be read: ${why}`, {
      hint: "Correct OXBOW_PRICES, or leave it unset.",
      cause: error,
    });
  }
  return parsePrices(text, file);
}
