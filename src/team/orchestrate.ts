/**
 * A task that is planned first and begun later (`execute.ts`): durable, with its subtasks, while nobody works on it. The
 * same submission gives the same task, however often and by however many it is sent.
 */
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import type { Json, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { canonicalJson } from "../core/canonical-json.ts";
import { OxbowError } from "../core/errors.ts";
import { isServed } from "../core/served-repository.ts";
import { deadlineOf, type Submission, submissionSchema, taskText } from "../core/submission.ts";
import { runOptions } from "./engine.ts";
import { makePlan } from "./plan.ts";
import { planTask, submitTask, type TaskPlan } from "./submit.ts";

/**
 * Throws task_conflict (another body under this id), repository_unknown, ticket_in_use, and what `makePlan` throws; then nothing
 * was made.
 */
export async function orchestrate(
  engine: Engine,
  submission: Submission,
  signal: AbortSignal,
): Promise<{ readonly task: Task; readonly created: boolean }> {
  const body_hash = hashOf(submission);
  const known = await engine.store.task(submission.task_id);
  // Planning may cost a model's time: what is there already is not planned again.
  if (known) return { task: same(known, body_hash), created: false };
  await refuseOtherRepository(engine, submission.metadata.repository);
  const plan = await planSubmission(engine, submission, signal);
  const options = {
    ...plan.task.options,
    priority: submission.priority,
    submission: kept(engine, submission),
  };
  const task: Task = { ...plan.task, state: "planned", body_hash, options };
  return submitTask(engine, { ...plan, task });
}

function same(known: Task, bodyHash: string): Task {
  if (known.body_hash === bodyHash) return known;
  const { task_id } = known;
  throw new OxbowError("task_conflict", `Task ${task_id} exists already with another body.`, {
    details: { task_id },
  });
}

function hashOf(submission: Submission): string {
  return createHash("sha256")
    .update(canonicalJson(asJson(submission)))
    .digest("hex");
}

function asJson(submission: Submission): Json {
  return JSON.parse(JSON.stringify(submission)) as Json;
}

/** Without its secrets; a `callback_url` is kept with the webhooks. */
function kept({ redact }: Engine, { callback_url: _, ...submission }: Submission): Json {
  return JSON.parse(redact(JSON.stringify(submission))) as Json;
}

/** What a task was submitted with; null for one that was begun in another way. */
export function submissionOf({ options }: Pick<Task, "options">): Submission | null {
  const parsed = submissionSchema.safeParse(options["submission"]);
  return parsed.success ? parsed.data : null;
}

async function refuseOtherRepository({ repo }: Engine, wanted: string | undefined): Promise<void> {
  if (wanted === undefined) return;
  const urls = await (await repo.handover()).remoteUrls();
  if ([repo.root, realpathSync(repo.root)].some((root) => isServed(wanted, { root, urls }))) return;
  throw new OxbowError(
    "repository_unknown",
    "`metadata.repository` is not the repository that is served here.",
    {
      details: {
        fields: [{ field: "metadata.repository", issue: "is not the repository that is served here" }],
      },
    },
  );
}

/** On the files of its base, within its limits of time. */
async function planSubmission(
  engine: Engine,
  submission: Submission,
  signal: AbortSignal,
): Promise<TaskPlan> {
  const { task_id: taskId, title, metadata, budget } = submission;
  const { ticket = taskId, base } = metadata;
  const options = { ...runOptions({ options: {} }), budget };
  const now = engine.now();
  const deadline = deadlineOf(metadata, now);
  const deadlineMs = deadline === null ? undefined : Math.max(1, deadline - now);
  const plan = await makePlan(
    engine,
    { task: taskText(submission), base, ticket, options, deadlineMs },
    signal,
  );
  return planTask(engine, { taskId, title, ticket, base, options, plan, elsewhere: true });
}
