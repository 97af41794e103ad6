import { openApp } from "../../app.ts";

const SHOWN = 200;

export async function check(
  branch: string,
  options: { agent?: string; base?: string; repo: string; team?: string; json?: boolean },
): Promise<number> {
  await using app = openApp({ repo: options.repo, team: options.team });
  const found = await app.checkScope(branch, {
    ...(options.agent === undefined ? {} : { agent: options.agent }),
    ...(options.base === undefined ? {} : { base: options.base }),
  });
  if (options.json) process.stdout.write(`${JSON.stringify(found)}\n`);
  else {
    const { agent, changed, outside, base } = found;
    const files = `${changed.length} file${changed.length === 1 ? "" : "s"}`;
    const verdict =
      outside.length === 0
        ? `all in the scope of ${agent}`
        : `${outside.length} outside the scope of ${agent}`;
    process.stdout.write(`${found.branch} changes ${files} since ${base.slice(0, 12)}: ${verdict}.\n`);
    for (const { path, status, owner } of outside.slice(0, SHOWN))
      process.stdout.write(`  ${status}\t${path}\t${owner === null ? "no owner" : `owner ${owner}`}\n`);
    if (outside.length > SHOWN)
      process.stdout.write(`  … and ${outside.length - SHOWN} more, in \`--json\`\n`);
  }
  return found.ok ? 0 : 1;
}
