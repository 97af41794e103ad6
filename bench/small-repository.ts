/** A repository with two files and a team of two, for what does not depend on its size. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { git } from "./measure.ts";

const TEAM = `team: Bench
agents:
  - { name: Api, allowed_paths: ["src/**"] }
  - { name: Docs, allowed_paths: ["docs/**"] }
`;

export function makeRepository(home: string, name: string): string {
  const dir = path.join(home, name);
  for (const folder of ["src", "docs"]) mkdirSync(path.join(dir, folder), { recursive: true });
  writeFileSync(path.join(dir, "team.yaml"), TEAM);
  writeFileSync(path.join(dir, "src", "main.ts"), "export const port = 8000;\n");
  writeFileSync(path.join(dir, "docs", "guide.md"), "# Guide\n");
  git(dir, ["init", "-q", "-b", "main"]);
  git(dir, ["config", "user.name", "Bench"]);
  git(dir, ["config", "user.email", "bench@example.com"]);
  git(dir, ["add", "."]);
  git(dir, ["commit", "-q", "-m", "Start"]);
  return dir;
}
