// Fan out, and come back together. Run `oxbow worker` in the same repository, or the children stay planned.
// #region split
import { orchestrateSplit, signalWait } from "oxbow";

// Fan out into two child conversations of one agent.
const res = await orchestrateSplit({
  task: "Implement feature X",
  numChildren: 2,
  responsibilities: ["build"],
  allowedPaths: ["src/app/**"],
  wait: false, // do not block; use signals for fan-in
  targetAgent: "AgentX",
  timeoutMs: 2_000,
});
console.log(res.ok); // true
console.log(res.children); // the children's conversation ids
console.log(res.topics); // the topics on which each signals that it is done
// #endregion

// #region fan-in
for (const topic of res.topics) {
  for (;;) {
    const out = await signalWait(topic, null, 1_000);
    if (!out.ok) continue; // the child is still at work
    console.log(out.message); // { outcome: "completed", branch, commit, summary, … }
    break;
  }
}
// #endregion
