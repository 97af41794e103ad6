/** HOME and TMPDIR of a program's own. */
import { mkdir, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Made anew; `links` are symlinks in it to absolute paths, by their names. */
export async function prepareHome(home: string, links: Readonly<Record<string, string>>): Promise<void> {
  await rm(home, { recursive: true, force: true, maxRetries: 3 });
  await mkdir(join(home, "tmp"), { recursive: true, mode: 0o700 });
  for (const [name, target] of Object.entries(links)) {
    await mkdir(dirname(join(home, name)), { recursive: true, mode: 0o700 });
    await symlink(target, join(home, name));
  }
}

/** Null: the user's own, as the environment has it. */
export function homeVariables(home: string | null | undefined): Record<string, string> {
  if (home == null) return {};
  const tmp = join(home, "tmp");
  const own = { HOME: home, TMPDIR: tmp };
  return process.platform === "win32" ? { ...own, USERPROFILE: home, TEMP: tmp, TMP: tmp } : own;
}
