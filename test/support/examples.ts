/** The programs in examples/: their text for the README, and a repository in which they run. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { plainEnvironment } from "./cli.ts";
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

/** Runs a file with a Node and gives what it says; rejects when it fails. */
export async function runFile(
  node: string,
  file: string,
  options: { cwd: string; env?: Readonly<Record<string, string>> },
): Promise<string> {
  const child = spawn(node, [file], {
    cwd: options.cwd,
    env: plainEnvironment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${file} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}
