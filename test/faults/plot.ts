/** What a scene is made of, and how it ends. */
import type { Ended, Running } from "../support/cli.ts";
import { notEnded, type Servers, type Stage, type StageOptions, type Verdict } from "./scene.ts";
import type { KeptServers } from "./server-faults.ts";

export interface SceneSetting {
  readonly servers: Servers | null;
  readonly kept: KeptServers;
  readonly seed: number;
}

export type Played = Pick<Verdict, "kills" | "violations" | "note">;

export interface Plot {
  readonly options: StageOptions;
  /** `folder`: of its place. */
  play(stage: Stage, setting: SceneSetting, folder: string): Promise<Played>;
  /** Only where there are servers. */
  readonly needsServers?: boolean;
  /** Where the repository is to be; null: this machine has no such place, which is `without`. */
  place?(): (Disposable & { readonly folder: string }) | null;
  readonly without?: string;
}

/** Ends workers in order; says of which that was not so. */
export async function stop(workers: readonly Running[]): Promise<string[]> {
  for (const each of workers) each.kill("SIGTERM");
  const left = await Promise.all(workers.map((each) => each.ended));
  return left.flatMap(({ code, stderr }) =>
    code === 0 ? [] : [`a worker ends with ${code}: ${stderr.slice(-300)}`],
  );
}

export async function endOf(
  stage: Stage,
  printed: readonly Ended[],
  how: Parameters<Stage["check"]>[1] = {},
): Promise<string[]> {
  return [...notEnded(printed.at(-1)), ...(await stage.check(printed, how))];
}

export function leftBy(stage: Stage, when: string): string[] {
  const left = stage.endAll();
  return left === 0 ? [] : [`I7: ${left} processes are left ${when}`];
}
