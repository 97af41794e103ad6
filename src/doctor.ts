/** `oxbow doctor`: what Oxbow needs here, found or not, each with what to do. It changes nothing but the state directory. */
import { type App, type AppOptions, openApp, readSettings } from "./app.ts";
import { hasCode, toErrorValue } from "./core/errors.ts";
import type { Settings } from "./core/settings.ts";
import { environment } from "./host/env.ts";
import { createSandbox } from "./host/sandbox.ts";
import { loadTeam } from "./load-team.ts";
import { withoutSandbox } from "./team/confinement.ts";

export interface DoctorRow {
  readonly check: string;
  readonly state: "ok" | "warning" | "error";
  readonly found: string;
  readonly hint?: string;
}

export interface DoctorOptions extends Pick<AppOptions, "repo" | "team" | "env"> {
  /** Also asks the model providers whether they take the keys. */
  readonly live?: boolean | undefined;
}

export async function examine(options: DoctorOptions): Promise<DoctorRow[]> {
  const rows: DoctorRow[] = [{ check: "node", state: "ok", found: process.versions.node }];
  const settings = await attempt(
    rows,
    "settings",
    () => Promise.resolve(readSettings(options.env)),
    () => "all valid",
  );
  const team = await attempt(
    rows,
    "team",
    () => loadTeam(options),
    ({ file, team }) => `${team.team}, ${team.agents.length} agents (${file})`,
  );
  for (const notice of team?.team.notices ?? [])
    rows.push({ check: "team", state: "warning", found: `line ${notice.line}: ${notice.message}` });
  if (!settings) return rows;
  await using app = openApp(options);
  const facts = await attempt(
    rows,
    "repository",
    () => app.facts(),
    (facts) => `${facts.root} (Git ${facts.git}, state in ${facts.stateDir})`,
  );
  if (facts) {
    const { bare, identity, store, signals } = facts;
    if (bare && team === null) await teamOfHead(rows, app);
    rows.push(committerRow(identity));
    rows.push(...(await app.notes()));
    await attempt(
      rows,
      "store",
      () => app.status(),
      (tasks) => `${tasks.length} recent task${tasks.length === 1 ? "" : "s"} in ${store}`,
    );
    rows.push({ check: "signals", state: "ok", found: signals });
    await remoteRow(rows, app, team?.team.repo.url ?? null);
    rows.push(workspacesRow(facts.workspaces, team?.team.workspace.pool ?? null));
    await attempt(
      rows,
      "workers",
      () => app.workers(),
      (workers) => `${workers.length === 0 ? "none" : workers.length} live`,
    );
  }
  rows.push(await sandboxRow(settings, options.env ?? environment(), facts?.stateDir ?? null));
  if (facts && team && team.team.plugins.length + team.team.mcpServers.length > 0) {
    const { extensionRows } = await import("./doctor-extensions.ts");
    const env = options.env ?? environment();
    rows.push(...(await extensionRows(app, team.team, settings, env, options.live === true)));
  }
  const { providerRows } = await import("./doctor-providers.ts");
  rows.push(
    ...(await providerRows(
      settings,
      team?.team ?? null,
      options.env ?? environment(),
      options.live === true,
    )),
  );
  return rows;
}

/** Of a fleet: asked as a fetch and a push would, without changing anything there. */
async function remoteRow(rows: DoctorRow[], app: App, url: string | null): Promise<void> {
  if (url === null) return;
  await attempt(
    rows,
    "remote",
    () => app.remote(),
    (remote) => `${remote?.identity ?? "not used"}, fetched from and may be pushed to`,
  );
  const last = rows.at(-1);
  if (last?.state !== "ok" || !last.found.startsWith("not used")) return;
  rows.splice(-1, 1, {
    check: "remote",
    state: "warning",
    found: "repo.url is not used, because the tasks are on this machine alone",
    hint: "Set OXBOW_STORE_URL=postgres://… on every machine of the fleet (docs/fleet.md).",
  });
}

/** A bare repository has no files: runs take the team.yaml of HEAD. */
async function teamOfHead(rows: DoctorRow[], app: App): Promise<void> {
  const at = rows.findIndex((row) => row.check === "team");
  const found: DoctorRow[] = [];
  await attempt(
    found,
    "team",
    () => app.registry(),
    (registry) => `${registry.list().length} agents (HEAD:team.yaml)`,
  );
  rows.splice(at, 1, ...found);
}

async function attempt<T>(
  rows: DoctorRow[],
  check: string,
  look: () => Promise<T>,
  say: (value: T) => string,
): Promise<T | null> {
  try {
    const value = await look();
    rows.push({ check, state: "ok", found: say(value) });
    return value;
  } catch (error) {
    const { message, hint } = toErrorValue(error);
    const state = hasCode(error, "team_file_missing") ? "warning" : "error";
    // The repository is opened together with its store and what carries its signals.
    const about = hasCode(error) && error.code.startsWith("redis_") ? "signals" : check;
    rows.push({ check: about, state, found: message, ...(hint === undefined ? {} : { hint }) });
    return null;
  }
}

function workspacesRow({ all, idle }: { all: number; idle: number }, most: number | null): DoctorRow {
  const clones = all === 0 ? "none" : `${all} clone${all === 1 ? "" : "s"}, ${idle} of them idle`;
  const found = most === null ? clones : `${clones}; at most ${most} at once`;
  return {
    check: "workspaces",
    state: "ok",
    found,
    ...(idle > 0 ? { hint: "`oxbow gc` shows them, `oxbow gc --yes` removes those that nobody uses." } : {}),
  };
}

function committerRow({ name, email }: { name: string; email: string }): DoctorRow {
  const found = `${name} <${email}>`;
  if (email !== "oxbow@localhost") return { check: "committer", state: "ok", found };
  return {
    check: "committer",
    state: "warning",
    found: `${found}, because no name and address are configured`,
    hint: 'git config user.name "Your Name" && git config user.email you@example.com',
  };
}

async function sandboxRow(
  { terminalSandbox }: Settings,
  env: Readonly<Record<string, string>>,
  folder: string | null,
): Promise<DoctorRow> {
  const mode = terminalSandbox === "required" ? "auto" : terminalSandbox;
  const state = await createSandbox({ mode, searchPath: env["PATH"] ?? "", folder }).state();
  if (state.kind === "bubblewrap")
    return {
      check: "sandbox",
      state: "ok",
      found: `bubblewrap ${state.version}, for every program of an agent`,
    };
  return {
    check: "sandbox",
    state: terminalSandbox === "required" ? "error" : "warning",
    found: withoutSandbox(state.reason),
    hint: "Install bubblewrap (apt install bubblewrap) and allow user namespaces; TERMINAL_SANDBOX=required refuses to run without it.",
  };
}
