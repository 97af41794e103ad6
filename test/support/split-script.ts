/** What the models of the shop answer when a lead splits a task in three: each child reads, writes, commits and says so. */
import type { ScriptedReply } from "./model-server.ts";

export const SPLIT = {
  calls: [
    {
      name: "orchestrate_split",
      arguments: {
        task: "{{task}}",
        children: [
          { task: "Add a request id to the API", agent: "Api" },
          { task: "Show the request id", agent: "Web" },
          { task: "Explain the request id", agent: "Docs" },
        ],
      },
    },
  ],
} satisfies ScriptedReply;
const FAN_IN: ScriptedReply = {
  calls: [{ name: "signal_wait_all", arguments: { topics: "$last.topics", timeout_ms: 20_000 } }],
};
export const LEAD: ScriptedReply[] = [SPLIT, FAN_IN, { text: "All three parts are done." }];

/** A lead that does not wait: its children go on after it has ended. */
export const HANDS_OUT: ScriptedReply[] = [SPLIT, { text: "Handed out." }];

/** Reads a file, writes another, commits, and says so. */
function child(read: string, write: string): ScriptedReply[] {
  return [
    { calls: [{ name: "read_file", arguments: { path: read } }] },
    { calls: [{ name: "write_file", arguments: { path: write, content: `{{agent}}: {{task}}\n` } }] },
    { calls: [{ name: "commit", arguments: { message: `Add ${write}` } }] },
    { text: `Wrote ${write}.` },
  ];
}

export const CHILDREN = {
  Api: child("src/api/users.js", "src/api/request-id.js"),
  Web: child("src/web/page.js", "src/web/request-id.js"),
  Docs: child("docs/guide.md", "docs/request-id.md"),
};

export const BROKEN: ScriptedReply[] = [{ status: 400, message: "This model is not available to you." }];
