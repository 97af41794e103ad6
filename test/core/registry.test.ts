import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { TeamRegistry } from "../../src/core/registry.ts";
import { parseTeamFile } from "../../src/core/team-file.ts";

function code(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof OxbowError) return error.code;
    throw error;
  }
  return "nothing was refused";
}

const file = parseTeamFile(
  `team: Pay
window_person: lead@example.com
agents:
  - { name: Api, allowed_paths: ["src/api/**"] }
  - { name: Docs, allowed_paths: [docs] }
`,
  "team.yaml",
);

describe("TeamRegistry", () => {
  it("answers who owns a path, with team and pattern", () => {
    const registry = TeamRegistry.fromTeamFile(file);
    expect(registry.findOwner("./docs/a.md")).toEqual({ agent: "Docs", team: "Pay", pattern: "docs" });
    expect(registry.findOwner("README.md")).toBeNull();
    expect(code(() => registry.findOwner("../x"))).toBe("path_rejected");
    expect(registry.ownerIfAny("../x")).toBeNull();
    expect(registry.ownerIfAny("docs/a.md")?.agent).toBe("Docs");
    expect(registry.windowPerson("Pay")).toBe("lead@example.com");
    expect(registry.windowPerson("Web")).toBeNull();
  });

  it("takes agents at run time", () => {
    const registry = TeamRegistry.fromTeamFile(file);
    registry.register({ name: "Web", team: "Front", allowedPaths: ["src/web/**"] });
    registry.setWindowPerson("Front", "ann@example.com");
    expect(registry.list("Front").map((agent) => agent.name)).toEqual(["Web"]);
    expect(registry.list()).toHaveLength(3);
    expect(registry.findOwner("src/web/a.ts")?.team).toBe("Front");
    registry.update("Web", { allowedPaths: ["web/**"], team: "Pay" });
    expect(registry.findOwner("src/web/a.ts")).toBeNull();
    expect(registry.findOwner("web/a.ts")).toEqual({ agent: "Web", team: "Pay", pattern: "web/**" });
    expect(registry.get("Web")?.runtime).toBe("openai_agents");
    expect(registry.get("Nobody")).toBeNull();
  });

  it("refuses a pattern that another agent has, and stays as it was", () => {
    const registry = TeamRegistry.fromTeamFile(file);
    expect(code(() => registry.register({ name: "Web", team: "Pay", allowedPaths: ["docs/"] }))).toBe(
      "team_config",
    );
    expect(code(() => registry.update("Api", { allowedPaths: ["docs/**"] }))).toBe("team_config");
    expect(registry.list().map((agent) => agent.name)).toEqual(["Api", "Docs"]);
    expect(registry.findOwner("src/api/a.ts")?.agent).toBe("Api");
  });

  it("refuses names that are taken, unknown or cannot become a branch", () => {
    const registry = TeamRegistry.fromTeamFile(file);
    expect(code(() => registry.register({ name: "API", team: "Pay" }))).toBe("team_config");
    expect(code(() => registry.register({ name: "-x", team: "Pay" }))).toBe("branch_name_rejected");
    expect(code(() => registry.update("Web", {}))).toBe("agent_unknown");
  });
});
