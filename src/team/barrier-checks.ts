/** The commands that find out what a field of the answers really is, run in the caller's terminal under its policy. */
import type { CheckResult, Evidence } from "../core/evidence.ts";
import type { EvidenceCheck } from "../core/evidence-bundle.ts";
import type { ToolContext } from "../core/tool.ts";
import type { BarrierPlan } from "./barrier-plan.ts";
import type { Engine } from "./engine.ts";
import { inOrder } from "../../tools/order.ts";

const MAX_OUTPUT = 2_000;

export interface MadeCheck {
  readonly shown: EvidenceCheck;
  readonly result: CheckResult;
}

/** One after the other, before the runs: a command that is refused costs nothing else. Throws command_rejected, cancelled. */
export async function makeChecks(
  engine: Engine,
  { checks }: BarrierPlan,
  context: ToolContext,
): Promise<readonly MadeCheck[]> {
  const made: MadeCheck[] = [];
  for (const { path, command, pass, fail } of checks) {
    const ran = await inOrder(context.files, context.signal, () =>
      context.terminal.run({ command }, context.signal),
    );
    const ended = ran.exit_code !== null && !ran.timed_out;
    const value = ran.exit_code === 0 ? pass : fail;
    made.push({
      shown: {
        path,
        command: engine.redact(command),
        found: ended ? value : null,
        exit_code: ran.exit_code,
        output: ran.output.slice(-MAX_OUTPUT),
        note: ended ? null : ran.timed_out ? "It did not end in time." : "It was ended.",
      },
      result: { path, found: ended ? { value } : null },
    });
  }
  return made;
}

/** Without those for fields that no answer has, and those whose field has a check already: they are noted. */
export function withoutIdle(
  made: readonly MadeCheck[],
  { fields }: Pick<Evidence, "fields">,
): { checks: readonly EvidenceCheck[]; results: readonly CheckResult[] } {
  const seen = new Set<string>();
  const judged = made.map(({ shown, result }) => {
    const note = seen.has(shown.path)
      ? "Another check has settled this field."
      : fields.some(({ path }) => path === shown.path)
        ? null
        : "No answer has this field.";
    seen.add(shown.path);
    if (note === null) return { shown, result };
    return { shown: { ...shown, found: null, note }, result: null };
  });
  return {
    checks: judged.map(({ shown }) => shown),
    results: judged.flatMap(({ result }) => (result === null ? [] : [result])),
  };
}
