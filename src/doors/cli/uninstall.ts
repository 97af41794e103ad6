/** `oxbow uninstall`: shows what would go, asks, removes it. */
import { createInterface } from "node:readline/promises";
import { openUninstall, refuseLoss, type UninstallPlan } from "../../uninstall.ts";
import { counted } from "../../core/amounts.ts";
import { OxbowError } from "../../core/errors.ts";
import { clip } from "./text.ts";

export interface UninstallFlags {
  repo: string;
  yes?: boolean;
  force?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

const SHOWN = 20;

export async function uninstall(flags: UninstallFlags): Promise<number> {
  const asks = process.stdin.isTTY && process.stdout.isTTY && !flags.json;
  if (!flags.yes && !flags.dryRun && !asks)
    throw new OxbowError("usage", "There is no terminal to ask for confirmation on.", {
      hint: "Give --yes to remove it, or --dry-run to see what would go.",
    });
  await using found = await openUninstall({ repo: flags.repo });
  if (!flags.json) process.stdout.write(planText(found.plan));
  if (flags.dryRun) {
    if (flags.json) process.stdout.write(`${JSON.stringify({ removed: false, ...found.plan })}\n`);
    return 0;
  }
  if (!flags.force) refuseLoss(found.plan);
  const sure = flags.yes === true || (await confirmed());
  if (sure) await found.remove({ force: flags.force === true });
  if (flags.json) process.stdout.write(`${JSON.stringify({ removed: sure, ...found.plan })}\n`);
  else process.stdout.write(sure ? "Removed.\n" : "Nothing was removed.\n");
  return sure ? 0 : 130;
}

async function confirmed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(?:es)?$/i.test((await terminal.question("Remove it? [y/N] ")).trim());
  } catch (error) {
    // Ctrl-C or Ctrl-D in place of an answer.
    if (error instanceof Error && error.name === "AbortError") return false;
    throw error;
  } finally {
    terminal.close();
  }
}

function planText(plan: UninstallPlan): string {
  const { state } = plan;
  const lines = [
    `Oxbow in ${plan.repository}:`,
    `  goes   ${state.dir} (${size(state.bytes)}${state.stays.length > 0 ? `; not ${state.stays.join(", ")}` : ""})`,
    `  goes   ${counted(plan.refs, "ref")} below refs/oxbow/`,
    `  stays  ${counted(plan.branches, "branch", "branches")} feature/… and integration/…, your checkout, team.yaml`,
  ];
  for (const place of plan.elsewhere) lines.push(`  stays  what is in ${place}`);
  if (plan.unfinished.length > 0)
    lines.push(`Not finished, and cannot be resumed afterwards: ${plan.unfinished.join(", ")}`);
  if (plan.unmerged.length + plan.kept.length > 0) {
    lines.push("Work that is nowhere else and would be lost (--force):");
    for (const { ref, commit, subject } of plan.unmerged.slice(0, SHOWN))
      lines.push(`  ${ref}  ${commit.slice(0, 10)}  ${clip(subject, 60)}`);
    if (plan.unmerged.length > SHOWN) lines.push(`  … and ${plan.unmerged.length - SHOWN} more`);
    for (const folder of plan.kept) lines.push(`  ${folder}`);
  }
  return `${lines.join("\n")}\n`;
}

function size(bytes: number): string {
  if (bytes < 1_000_000) return `${Math.ceil(bytes / 1_000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
