import { owners } from "../../app.ts";

export async function owner(
  paths: readonly string[],
  options: { team?: string; json?: boolean },
): Promise<number> {
  const answers = await owners(paths, options);
  if (options.json) process.stdout.write(`${JSON.stringify(answers)}\n`);
  else
    for (const { path, owner: found } of answers) {
      const person = found?.window_person ? `, ask ${found.window_person}` : "";
      process.stdout.write(
        found ? `${path}\t${found.agent} (${found.pattern}${person})\n` : `${path}\tno owner\n`,
      );
    }
  return answers.every((answer) => answer.owner) ? 0 : 1;
}
