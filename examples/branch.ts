// #region branch
import { allocateBranch } from "oxbow";

const branch = await allocateBranch({ repoRoot: ".", agentName: "DevAgent", ticket: "146" });
console.log(branch.name); // feature/146/DevAgent
// #endregion
