import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: "forks",
    // One a core, not one fewer: most tests wait for processes that they started.
    maxWorkers: "100%",
    globalSetup: ["test/support/servers-setup.ts"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
  },
});
