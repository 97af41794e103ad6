import { describeWorkers } from "../support/worker-suite.ts";

describeWorkers("SQLite", () => Promise.resolve({ env: {}, [Symbol.asyncDispose]: () => Promise.resolve() }));
