import { describe, expect, it } from "vitest";
import * as oxbow from "oxbow";

describe("the package", () => {
  it("exports these names and no others", () => {
    expect(Object.keys(oxbow).sort()).toEqual([
      "AgentRunner",
      "OxbowError",
      "TeamRegistry",
      "allocateBranch",
      "branchName",
      "checkCommand",
      "checkOrigin",
      "checkPath",
      "checkResolution",
      "checkWebhookUrl",
      "createBudget",
      "createOwnership",
      "createRedactor",
      "createSubAgents",
      "createSupervision",
      "evidenceMovement",
      "openApp",
      "orchestrateSplit",
      "rankAgents",
      "registerMergeStrategy",
      "registerTool",
      "signalSend",
      "signalWait",
      "signalWaitAll",
      "signalWaitAny",
      "weighEvidence",
    ]);
  });
});
