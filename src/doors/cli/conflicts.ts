/** `oxbow conflicts`: what waits, both sides of it, and a person's choices. */
import { readFileSync } from "node:fs";
import { type ConflictCase, openApp, type SettledConflict, type ShownConflict } from "../../app.ts";
import type { Waiver } from "../../core/resolution.ts";
import { OxbowError } from "../../core/errors.ts";
import { resume } from "./interventions.ts";
import { clip } from "./text.ts";

interface Flags {
  readonly repo: string;
  readonly team?: string;
  readonly json?: boolean;
}

interface SettleFlags extends Flags {
  readonly path: string;
  readonly branch?: string;
  readonly detach?: boolean;
}

export async function list(ticket: string | undefined, flags: Flags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const found = await app.conflicts.list(ticket);
  if (flags.json) process.stdout.write(`${JSON.stringify(found)}\n`);
  else if (found.length === 0) process.stdout.write("No branch waits to be settled.\n");
  else
    process.stdout.write(
      found.map((each) => `${heading(each)}\n${each.conflicts.map(line).join("")}`).join("\n"),
    );
  return 0;
}

export async function show(
  ticket: string,
  flags: Flags & { readonly path?: string; readonly branch?: string },
): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const found = await app.conflicts.list(ticket, { path: flags.path, branch: flags.branch });
  if (flags.json) process.stdout.write(`${JSON.stringify(found)}\n`);
  else if (found.length === 0) process.stdout.write(`Nothing of ${ticket} waits to be settled.\n`);
  else process.stdout.write(found.map((each) => caseText(each)).join("\n"));
  return 0;
}

export async function take(
  ticket: string,
  side: "ours" | "theirs",
  flags: SettleFlags & { readonly as?: string },
): Promise<number> {
  const { path, branch, as } = flags;
  return settled(flags, (app) => app.conflicts.take(ticket, { path, side, as, branch }));
}

export async function resolve(
  ticket: string,
  flags: SettleFlags & { readonly file: string; readonly waive?: readonly string[] },
): Promise<number> {
  const { path, branch, file } = flags;
  const waived = (flags.waive ?? []).map(
    (what): Waiver => (what === "ours" || what === "theirs" ? { path, side: what } : { path, line: what }),
  );
  const content = readContent(file);
  return settled(flags, (app) => app.conflicts.resolve(ticket, { path, content, waived, branch }));
}

function readContent(file: string): Uint8Array {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("usage", `${file} cannot be read: ${why}`, {
      hint: "Name a file with --file, or - for stdin.",
      cause: error,
    });
  }
}

/** With the last path the task goes on here until the branch has landed, unless another process carries it. */
async function settled(
  flags: SettleFlags,
  settle: (app: ReturnType<typeof openApp>) => Promise<SettledConflict>,
): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const done = await settle(app);
  const stays = done.resolution === null || done.carried || flags.detach === true;
  if (!flags.json) process.stdout.write(settledText(done));
  else if (stays) process.stdout.write(`${JSON.stringify(done)}\n`);
  if (!stays) return resume(done.task_id, { repo: flags.repo, ...given(flags) });
  if (done.resolution !== null && !done.carried && !flags.json)
    process.stdout.write(`Land it with:  oxbow resume ${done.task_id}\n`);
  return 0;
}

function given({ team, json }: Flags) {
  return { ...(team === undefined ? {} : { team }), ...(json === undefined ? {} : { json }) };
}

function settledText({ path, how, waived, open, branch }: SettledConflict): string {
  const what = how === "file" ? "by the file" : how === "both" ? "by keeping both" : `by taking ${how}`;
  const left = waived.map(({ side, line: text }) => side ?? JSON.stringify(text));
  const given = left.length === 0 ? "" : `, giving up ${left.join(", ")}`;
  const rest =
    open.length === 0
      ? `${branch} is settled.`
      : `Still open in ${branch}: ${open.slice(0, 10).join(", ")}${open.length > 10 ? ` and ${open.length - 10} more` : ""}.`;
  return `${path} is settled ${what}${given}. ${rest}\n`;
}

function heading({ ticket, branch, target, agent, person, reason }: ConflictCase): string {
  const ask = person === null ? "" : `, asked of ${person}`;
  const why = reason === null ? "" : `\n  ${clip(reason.message, 300)}`;
  return `${ticket}: ${branch} (theirs, ${agent}) into ${target} (ours)${ask}${why}`;
}

function line({ path, kind, agents, owners, settled: how }: ShownConflict): string {
  const whose = [`agents ${agents.join(", ")}`, ...(owners.length > 0 ? [`owner ${owners.join(", ")}`] : [])];
  const state = how === null ? "open" : `settled (${how.how}, by ${how.by})`;
  return `  ${clip(path, 200)}  ${kind.replaceAll("_", "/")}  ${state}  ${whose.join("; ")}\n`;
}

const MOST_LINES = 60;

function caseText(each: ConflictCase): string {
  const paths = each.conflicts.map((conflict) => `${line(conflict)}${sides(conflict)}`);
  const [first] = each.conflicts.filter(({ settled: how }) => how === null);
  const next =
    first === undefined
      ? ""
      : `\n  oxbow conflicts take ${each.ticket} ours|theirs --path ${first.path}   or   oxbow conflicts resolve ${each.ticket} --path ${first.path} --file FILE\n`;
  return `${heading(each)}\n${paths.join("")}${next}`;
}

function sides({ hunks, base, ours, theirs }: ShownConflict): string {
  if (hunks.length === 0) {
    const state = (name: string, side: ShownConflict["ours"]) =>
      `    ${name}: ${side === null ? "no such file" : `${side.mode} ${side.oid.slice(0, 10)}${side.path === undefined ? "" : ` at ${side.path}`}`}\n`;
    return state("base", base) + state("ours", ours) + state("theirs", theirs);
  }
  return hunks
    .map(
      (hunk) =>
        `    ours, line ${hunk.ours_line}\n${quoted("<", hunk.ours)}    theirs, line ${hunk.theirs_line}\n${quoted(">", hunk.theirs)}`,
    )
    .join("");
}

function quoted(mark: string, text: string): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const more = lines.length > MOST_LINES ? [`    ${mark} … and ${lines.length - MOST_LINES} more lines`] : [];
  const shown = [...lines.slice(0, MOST_LINES).map((each) => `    ${mark} ${clip(each, 300)}`), ...more];
  return shown.map((each) => `${each}\n`).join("");
}
