/** Any program, run to its end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { plainEnvironment } from "./cli.ts";

export interface ProgramOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What it says on stdout. Rejects with all its words when it fails. */
export async function say(file: string, args: readonly string[], options: ProgramOptions): Promise<string> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: plainEnvironment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}
