/**
 * Opens the repository and the store that the other rooms work with. Where the team file names a `repo.url` and the tasks are
 * in Postgres, the machines of a fleet share both: then the repository is known by that URL, wherever a clone of it lies.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Settings } from "./core/settings.ts";
import type { RemoteOptions, Repository } from "./git/contract.ts";
import type { Store } from "./store/contract.ts";
import type { Secrets } from "./secrets.ts";
import type { AppOptions } from "./app.ts";
import { hasCode, OxbowError } from "./core/errors.ts";

export interface Rooms {
  readonly repo: Repository;
  readonly store: Store;
  readonly secrets: Secrets;
}

export async function openRooms(
  options: AppOptions,
  settings: Settings,
  env: Readonly<Record<string, string>>,
): Promise<Rooms> {
  const fleet = await fleetOf(options, settings);
  // The other rooms are read while git looks at the repository.
  const [repo, { createSecrets }, { openStore }, { storeOwner, storeUrl }] = await Promise.all([
    openOne(options, settings, fleet),
    import("./secrets.ts"),
    import("./store/open.ts"),
    import("./store-url.ts"),
  ]);
  try {
    const { redisUrl, oxbowRedisAllowVolatile: allowVolatile } = settings;
    const redis = redisUrl === undefined ? undefined : { url: redisUrl, allowVolatile };
    const [url, owner] = [storeUrl(settings, repo), storeOwner(settings, repo)];
    const secrets = createSecrets(env);
    return { repo, secrets, store: await openStore({ url, owner, redis, cleanEvent: secrets.event }) };
  } catch (error) {
    await repo[Symbol.asyncDispose]();
    throw error;
  }
}

/** Null where one machine does everything. Throws team_config for a URL that is refused. */
async function fleetOf(options: AppOptions, settings: Settings): Promise<RemoteOptions | null> {
  if (settings.oxbowStoreUrl === undefined || !/^postgres/i.test(settings.oxbowStoreUrl)) return null;
  const { loadTeam } = await import("./load-team.ts");
  const loaded = await loadTeam({ team: options.team, repo: options.repo }).catch((error: unknown) => {
    // Whoever needs the team says so.
    if (hasCode(error, "team_file_missing")) return null;
    throw error;
  });
  const url = loaded?.team.repo.url ?? null;
  if (url === null) return null;
  const { parseRemoteUrl } = await import("./core/remote-url.ts");
  const parsed = parseRemoteUrl(url);
  if ("refused" in parsed)
    throw new OxbowError("team_config", `${loaded?.file}: repo.url ${parsed.refused}.`);
  const { oxbowGitSshCommand: sshCommand, oxbowGitCredentialHelper: credentialHelper } = settings;
  return { ...parsed, sshCommand, credentialHelper };
}

async function openOne(
  options: AppOptions,
  settings: Settings,
  fleet: RemoteOptions | null,
): Promise<Repository> {
  const { openRepository } = await import("./git/repository.ts");
  const path = resolve(options.repo ?? ".");
  const stateDir = settings.oxbowHome;
  if (fleet === null) return openRepository({ path, stateDir });
  const open = (at: string, state: string | undefined) =>
    openRepository({ path: at, stateDir: state, remote: { ...fleet, mirror: options.mirror } });
  if (options.mirror !== true) return open(path, stateDir);
  const home = stateDir === undefined ? await stateOf(path) : resolve(stateDir);
  return open(await mirrorIn(home, fleet), undefined);
}

/** The state directory of a clone that a worker is started in. Throws setting_invalid where there is none. */
async function stateOf(path: string): Promise<string> {
  const { openRepository } = await import("./git/repository.ts");
  try {
    await using clone = await openRepository({ path });
    return clone.stateDir;
  } catch (error) {
    if (!hasCode(error, "not_a_repository")) throw error;
    throw new OxbowError(
      "setting_invalid",
      "OXBOW_HOME is unset, and this is no clone in which a mirror of `repo.url` could be kept.",
      { hint: "Name a directory for it with OXBOW_HOME.", cause: error },
    );
  }
}

/** A bare repository of Oxbow's own, which every worker of this machine shares. What it needs of the remote it fetches. */
async function mirrorIn(home: string, { identity }: RemoteOptions): Promise<string> {
  const { mirrorName } = await import("./store-url.ts");
  const { makeBare } = await import("./git/mirror.ts");
  const mirror = join(home, "mirrors", `${mirrorName(identity)}.git`);
  if (existsSync(mirror)) return mirror;
  await mkdir(join(home, "mirrors"), { recursive: true });
  const draft = `${mirror}.${process.pid}`;
  await makeBare(draft);
  try {
    await rename(draft, mirror);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another worker was faster.
    if (!existsSync(mirror)) throw error;
  }
  return mirror;
}
