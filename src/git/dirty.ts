/** Whether the user's checkout has changes that no commit holds. It is only looked at. */
import { gitTextOrThrow } from "./command.ts";
import type { Setup } from "./setup.ts";

const STATUS = ["status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"];

/**
 * Git compares a file whose time has changed by its content, through the user's filters. `filters: false` switches each off by
 * name: then none of them runs, and such a file that goes through one may be taken for changed.
 */
export async function isDirty(setup: Setup, { filters }: { filters: boolean }): Promise<boolean> {
  if (setup.bare) return false;
  const off = setup.filters.flatMap((name): [string, string][] => [
    [`filter.${name}.clean`, ""],
    [`filter.${name}.process`, ""],
    [`filter.${name}.required`, "false"],
  ]);
  const site = filters ? setup.checkoutSite : { ...setup.checkoutSite, settings: off };
  return (await gitTextOrThrow(site, STATUS)) !== "";
}
