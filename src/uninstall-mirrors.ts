/** What would be lost with the mirrors that this machine's workers keep: commits that the team's remote does not have. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { AppOptions } from "./app.ts";
import type { OnlyHere } from "./git/only-here.ts";
import type { Settings } from "./core/settings.ts";
import { hasCode } from "./core/errors.ts";
import { openRepository } from "./git/repository.ts";
import { openRooms } from "./rooms.ts";
import { mirrorName } from "./store-url.ts";

const OURS = ["refs/heads/", "refs/oxbow/"];

/** Of a mirror whose remote cannot be asked, everything. */
export async function onlyInMirrors(
  stateDir: string,
  fleet: { readonly identity: string | null; readonly options: AppOptions; readonly settings: Settings },
): Promise<readonly OnlyHere[]> {
  const folder = join(stateDir, "mirrors");
  const found: OnlyHere[] = [];
  for (const name of (await readdir(folder)).filter((each) => each.endsWith(".git")).sort()) {
    const current = fleet.identity !== null && name === `${mirrorName(fleet.identity)}.git`;
    const lost =
      (current ? await asked(fleet.options, fleet.settings) : null) ?? (await all(join(folder, name)));
    for (const { ref, commit } of lost)
      found.push({ ref: join(folder, name, ref), commit, subject: "not on the team's remote" });
  }
  return found;
}

/** Null when the remote gives no answer. */
async function asked(options: AppOptions, settings: Settings) {
  const { repo, store } = await openRooms({ ...options, mirror: true }, settings, options.env ?? {});
  try {
    return (await repo.remote?.survey.onlyHere()) ?? null;
  } catch (error) {
    if (hasCode(error, "remote_unreachable") || hasCode(error, "remote_refused")) return null;
    throw error;
  } finally {
    await store[Symbol.asyncDispose]();
    await repo[Symbol.asyncDispose]();
  }
}

async function all(path: string) {
  await using repo = await openRepository({ path });
  const found = await Promise.all(OURS.map((below) => repo.refs(below)));
  return found.flatMap((refs) => [...refs].map(([ref, commit]) => ({ ref, commit })));
}
