/** What an agent's commit says of itself: its trailers. */
import type { Oid } from "./contract.ts";

export interface AgentCommit {
  readonly commit: Oid;
  readonly tree: Oid;
  readonly parents: readonly Oid[];
  /** Unix milliseconds. */
  readonly at: number;
  readonly subject: string;
  /** From the trailers; null where there is none. */
  readonly task: string | null;
  readonly subtask: string | null;
  readonly agent: string | null;
  readonly conversation: string | null;
  readonly attempt: number | null;
  readonly step: number | null;
}

/** Of `--format=%H%x00%T%x00%ct%x00%P%x00%B%x00`, one after the other. */
export function parseCommits(text: string): ReadonlyMap<Oid, AgentCommit> {
  const found = new Map<Oid, AgentCommit>();
  const fields = text.split("\0");
  for (let i = 0; i + 4 < fields.length; i += 5) {
    const [commit = "", tree = "", seconds = "0", parents = "", body = ""] = fields.slice(i, i + 5);
    const oid = commit.trim();
    const trailers = trailersOf(body);
    const number = (name: string) => {
      const value = trailers.get(name);
      return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : null;
    };
    found.set(oid, {
      commit: oid,
      tree,
      parents: parents === "" ? [] : parents.split(" "),
      at: Number(seconds) * 1000,
      subject: body.split("\n", 1)[0] ?? "",
      task: trailers.get("Task") ?? null,
      subtask: trailers.get("Subtask") ?? null,
      agent: trailers.get("Agent") ?? null,
      conversation: trailers.get("Conversation") ?? null,
      attempt: number("Attempt"),
      step: number("Step"),
    });
  }
  return found;
}

/** Of the last paragraph; Oxbow writes each once. */
function trailersOf(body: string): ReadonlyMap<string, string> {
  const last = body.trimEnd().split("\n\n").at(-1) ?? "";
  return new Map(
    [...last.matchAll(/^Oxbow-([A-Za-z]+): (.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}
