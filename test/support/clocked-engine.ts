/** The engine of a worker over a real repository and store, whose store has a clock that a test moves. */
import { join } from "node:path";
import { bindEngine } from "../../src/bind.ts";
import { parseSettings } from "../../src/core/settings.ts";
import { parseTeamFile } from "../../src/core/team-file.ts";
import { openRepository } from "../../src/git/repository.ts";
import { createSecrets } from "../../src/secrets.ts";
import { openStore } from "../../src/store/open.ts";
import type { Engine } from "../../src/team/engine.ts";
import { plainEnvironment } from "./cli.ts";
import type { Shop } from "./shop.ts";

export interface ClockedEngine extends AsyncDisposable {
  readonly engine: Engine;
  /** The same, with another team file. */
  withTeam(text: string): Engine;
}

export async function clockedEngine(
  shop: Shop,
  clock: { now: number },
  env: Readonly<Record<string, string>> = {},
): Promise<ClockedEngine> {
  const given = plainEnvironment({ OXBOW_LOG_LEVEL: "silent", ...env });
  const settings = parseSettings(given);
  const repo = await openRepository({ path: shop.dir, stateDir: undefined });
  const store = await openStore({ url: `sqlite:${join(repo.stateDir, "oxbow.db")}`, now: () => clock.now });
  const rooms = { repo, store, secrets: createSecrets(given) };
  const bound = await bindEngine({ repo: shop.dir }, settings, given, rooms);
  const engine = { ...bound, now: () => clock.now };
  return {
    engine,
    withTeam: (text) => ({ ...engine, team: parseTeamFile(text, "team.yaml") }),
    async [Symbol.asyncDispose]() {
      engine.log.close();
      await store[Symbol.asyncDispose]();
      await repo[Symbol.asyncDispose]();
    },
  };
}
