import { initTeam } from "../../app.ts";

export async function init(options: {
  repo: string;
  force?: boolean;
  fromCodeowners?: boolean;
  json?: boolean;
}): Promise<number> {
  const made = await initTeam(options);
  if (options.json) process.stdout.write(`${JSON.stringify(made)}\n`);
  else {
    process.stdout.write(
      `Wrote ${made.file} with ${made.agents.length} agents: ${made.agents.join(", ")}.\n`,
    );
    for (const { line, text, reason } of made.skipped)
      process.stderr.write(`CODEOWNERS, line ${line} is skipped, as GitHub does: ${reason} (${text}).\n`);
    process.stdout.write('Edit it to fit your team, then try:  oxbow run "…" --by owner --dry-run\n');
  }
  return 0;
}
