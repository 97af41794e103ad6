/** `oxbow owners export`: the team's ownership as a CODEOWNERS file. */
import { writeFileSync } from "node:fs";
import { exportOwners as exported } from "../../codeowners.ts";
import { clip } from "./text.ts";

const SHOWN = 10;

export async function exportOwners(options: {
  repo: string;
  team?: string;
  output?: string;
  json?: boolean;
}): Promise<number> {
  const made = await exported(options);
  if (options.output !== undefined) writeFileSync(options.output, made.text);
  if (options.json) process.stdout.write(`${JSON.stringify(made)}\n`);
  else if (options.output === undefined) process.stdout.write(made.text);
  else process.stdout.write(`Wrote ${options.output}.\n`);
  if (made.differs.length > 0 && !options.json) {
    const lines = made.differs.slice(0, SHOWN).map(({ path, agent, owners }) => {
      const there = owners.length === 0 ? "nobody" : owners.join(" ");
      return `  ${clip(path, 200)}: ${agent ?? "nobody"} by the team file, ${there} by CODEOWNERS\n`;
    });
    const more =
      made.differs.length > SHOWN ? `  … and ${made.differs.length - SHOWN} more, in \`--json\`\n` : "";
    process.stderr.write(`CODEOWNERS cannot say it for these files:\n${lines.join("")}${more}`);
  }
  return made.differs.length === 0 ? 0 : 1;
}
