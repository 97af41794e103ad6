import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { describeSettings, parseSettings } from "../../src/core/settings.ts";

function refusal(env: Record<string, string>): OxbowError {
  try {
    parseSettings(env);
  } catch (error) {
    if (error instanceof OxbowError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("settings", () => {
  it("has the defaults of the contract", () => {
    expect(parseSettings({})).toMatchObject({
      oxbowHome: undefined,
      oxbowLogLevel: "info",
      autoChildSignalDone: true,
      enableFileTools: true,
      enableSignalTools: true,
      enableTeamTools: true,
      enableOrchestrateTool: undefined,
      agentTools: undefined,
      agentRequireExplicitTools: false,
      signalPayloadMaxBytes: 65536,
      signalTopicPrefix: "",
      scopeReads: "read_paths",
    });
  });

  it.each([
    ["1", true],
    ["true", true],
    ["ON", true],
    ["yes", true],
    ["0", false],
    ["False", false],
    ["off", false],
    ["no", false],
  ])("reads the flag %s", (written, expected) => {
    expect(parseSettings({ ENABLE_FILE_TOOLS: written }).enableFileTools).toBe(expected);
    expect(parseSettings({ ENABLE_ORCHESTRATE_TOOL: written }).enableOrchestrateTool).toBe(expected);
  });

  it("says where a value came from; an empty one is unset", () => {
    const settings = parseSettings({
      AUTO_CHILD_SIGNAL_DONE: "0",
      OPENAI_API_KEY: "",
      AGENT_TOOLS: "read_file, commit",
    });
    expect(settings.sources).toMatchObject({
      AUTO_CHILD_SIGNAL_DONE: "environment",
      OPENAI_API_KEY: "default",
      OXBOW_HOME: "default",
    });
    expect(settings.openaiApiKey).toBeUndefined();
    expect(settings.agentTools).toEqual(["read_file", "commit"]);
  });

  it.each([
    ["ENABLE_FILE_TOOLS", "maybe", "1, 0, true"],
    ["SIGNAL_PAYLOAD_MAX_BYTES", "0", "from 1 to"],
    ["SIGNAL_PAYLOAD_MAX_BYTES", "64k", "from 1 to"],
    ["SIGNAL_PAYLOAD_MAX_BYTES", "-1", "from 1 to"],
    ["OXBOW_LOG_LEVEL", "loud", "debug, info"],
    ["SCOPE_READS", "none", "allowed_paths"],
    ["OPENAI_BASE_URL", "localhost:8080", "http or https"],
    ["OXBOW_STORE_URL", "state.db", "sqlite:FILE"],
    ["OXBOW_HOME", "a\u0000b", "a text"],
    ["AGENT_TOOLS", "read file;rm", "names of tools"],
  ])("refuses %s=%j and says what is allowed", (name, value, allowed) => {
    const error = refusal({ [name]: value });
    expect(error.code).toBe("setting_invalid");
    expect(error.message).toContain(name);
    expect(error.message).toContain(allowed);
  });

  it.each([
    ["OXBOW_HOMES", "OXBOW_HOME"],
    ["ENABLE_FILE_TOOL", "ENABLE_FILE_TOOLS"],
    ["ENABLE_ORCHESTRATE_TOOLS", "ENABLE_ORCHESTRATE_TOOL"],
    ["SIGNAL_PAYLOAD_MAX", "SIGNAL_PAYLOAD_MAX_BYTES"],
    ["AGENT_TOOL", "AGENT_TOOLS"],
    ["AUTO_CHILD_SIGNALDONE", "AUTO_CHILD_SIGNAL_DONE"],
    ["ORCHESTRATE_TARGET", "ORCHESTRATE_TARGET_AGENT"],
  ])("does not know %s, and suggests %s", (name, meant) => {
    const error = refusal({ [name]: "1" });
    expect(error.code).toBe("setting_unknown");
    expect(error.message).toBe(`${name} is not a setting of Oxbow. Did you mean ${meant}?`);
  });

  it("guesses nothing wild", () => {
    expect(refusal({ OXBOW_COLOR: "1" }).message).toBe("OXBOW_COLOR is not a setting of Oxbow.");
  });

  it("leaves the user's other variables alone", () => {
    const env = {
      AGENT_ID: "7",
      SIGNAL_CLI: "x",
      ENABLE_METRICS: "?",
      OPENAI_ORG_ID: "o",
      OXBOW_LAUNCHER_PID: "1",
    };
    expect(() => parseSettings(env)).not.toThrow();
  });

  it("shows every setting, and no secret", () => {
    const env = { OPENAI_API_KEY: "sk-very-secret", OPENAI_BASE_URL: "https://me:pass@models.example/v1" };
    const lines = describeSettings(parseSettings(env));
    const text = JSON.stringify(lines);
    expect(text).not.toContain("very-secret");
    expect(text).not.toContain("me:pass");
    expect(lines.find((line) => line.name === "OPENAI_API_KEY")).toMatchObject({
      value: "set",
      source: "environment",
    });
    expect(lines.map((line) => line.name)).toEqual(Object.keys(parseSettings({}).sources));
    for (const line of lines) expect(line.description).toMatch(/^[^\n]{10,}\.$/);
  });
});
