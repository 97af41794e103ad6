// #region registry
import { TeamRegistry } from "oxbow";

const registry = TeamRegistry.load("team.yaml");
registry.register({ name: "Ops", team: "Operations", allowedPaths: ["deploy/**"] });
registry.setWindowPerson("Operations", "ops@example.com");

console.log(registry.findOwner("src/app/main.ts")); // { agent: "AgentX", team: "Example", pattern: "src/app/**" }
console.log(registry.windowPerson("Operations")); // ops@example.com
// #endregion
