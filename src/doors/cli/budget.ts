/** `oxbow budget`: what a task may use and has used, and how a person gives it more. */
import { openApp } from "../../app.ts";
import { budgetWords } from "../../core/budget-saved.ts";

export interface BudgetFlags {
  repo: string;
  usd?: number;
  tokens?: number;
  wallMs?: number;
  json?: boolean;
}

export async function budget(task: string, flags: BudgetFlags): Promise<number> {
  await using app = openApp({ repo: flags.repo });
  const found = await app.budget(task, {
    ...(flags.usd === undefined ? {} : { usd: flags.usd }),
    ...(flags.tokens === undefined ? {} : { tokens: flags.tokens }),
    ...(flags.wallMs === undefined ? {} : { wall_ms: flags.wallMs }),
  });
  if (flags.json) process.stdout.write(`${JSON.stringify(found)}\n`);
  else
    process.stdout.write(
      found ? `Budget of ${found.task_id}: ${budgetWords(found)}.\n` : `${task} has no budget.\n`,
    );
  return found ? 0 : 1;
}
