/** A bare repository of Oxbow's own, for a machine without a clone. */
import { runGitOrThrow } from "./command.ts";

export async function makeBare(dir: string): Promise<void> {
  await runGitOrThrow({ cwd: "/" }, ["init", "--bare", "--quiet", "--template=", dir]);
}
