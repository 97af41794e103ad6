// The same in one call, with a worker in this very process.
// #region wait
import { openApp } from "oxbow";

const app = openApp({ repo: ".", team: "team.yaml" });
const working = app.work(); // takes conversations until the app is closed
const { ok, wait } = await app.orchestrateSplit({
  task: "Tidy up",
  children: [
    { task: "Tidy the application", agent: "AgentX" },
    { task: "Write it down", agent: "DevAgent", depends_on: [0] },
  ],
  wait: true,
  timeoutMs: 60_000, // bounds the wait; the children go on after it
});
console.log(ok, wait?.results);
await app.close();
await working;
// #endregion
