/** The programs in examples/: their text for the README, and a repository in which they run. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeShop, type Shop } from "./shop.ts";

export const EXAMPLES = resolve(import.meta.dirname, "../../examples");

/** The lines between `#region <name>` and `#endregion`. */
export function region(file: string, name: string): string {
  const text = readFileSync(join(EXAMPLES, file), "utf8");
  const found = new RegExp(`// #region ${name}\\n([\\s\\S]*?)// #endregion`).exec(text)?.[1];
  if (found === undefined) throw new Error(`${file} has no region ${name}`);
  return found.trim();
}

/** A repository with the examples' team.yaml and the files it speaks of. */
export function exampleShop(): Shop {
  return makeShop({
    team: readFileSync(join(EXAMPLES, "team.yaml"), "utf8"),
    files: { "src/app/main.ts": "export const main = 1;\n" },
  });
}
