/** A team and a repository's files, as planners get them. */
import { indexFiles } from "../../src/core/plan-paths.ts";
import type { PlannerFacts } from "../../src/core/plan-shares.ts";
import { type NewAgent, TeamRegistry } from "../../src/core/registry.ts";

const AGENTS: Readonly<Record<string, Partial<NewAgent>>> = {
  Lead: { responsibilities: ["plan"], allowedPaths: [] },
  Api: { responsibilities: ["build"], skills: ["typescript", "rest"], allowedPaths: ["src/api/**"] },
  Web: { responsibilities: ["build"], skills: ["css"], allowedPaths: ["src/web/**"] },
  Docs: { responsibilities: ["write"], allowedPaths: ["docs/**", "README.md", "AGENTS.md"] },
  Tests: { responsibilities: ["test"], allowedPaths: ["test/**"] },
};

const FILES = [
  "AGENTS.md",
  "LICENSE",
  "README.md",
  "docs/guide.md",
  "docs/api.md",
  "src/api/orders.js",
  "src/api/users.js",
  "src/lib/http.js",
  "src/web/page.js",
  "test/api.test.js",
];

export interface PlanScene {
  readonly agents?: Readonly<Record<string, Partial<NewAgent>>>;
  readonly files?: readonly string[];
  readonly loads?: PlannerFacts["loads"];
  readonly deadlineMs?: number;
}

export function planFacts(scene: PlanScene = {}): PlannerFacts {
  const registry = new TeamRegistry();
  for (const [name, more] of Object.entries(scene.agents ?? AGENTS))
    registry.register({ name, team: "Shop", ...more });
  return {
    agents: registry.list(),
    ownership: registry.ownership(),
    index: indexFiles(scene.files ?? FILES),
    lead: "Lead",
    loads: scene.loads ?? new Map(),
    deadlineMs: scene.deadlineMs ?? null,
  };
}
