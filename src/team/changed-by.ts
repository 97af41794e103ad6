/** Which agents changed a path on the branches of a ticket that were merged. */
import type { Engine } from "./engine.ts";
import type { TicketHistory } from "./handover-results.ts";

export async function changedBy(
  { repo }: Pick<Engine, "repo">,
  history: TicketHistory,
): Promise<(path: string) => readonly string[]> {
  const agents = new Map<string, Set<string>>();
  for (const { base, parts } of history.tasks)
    for (const { verdict, commit, agent } of parts) {
      if (verdict !== "merged" || commit === null) continue;
      for (const { path } of await repo.changedPaths(base.commit, commit))
        agents.set(path, (agents.get(path) ?? new Set()).add(agent));
    }
  return (path) => [...(agents.get(path) ?? [])].sort();
}
