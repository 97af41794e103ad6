/** Commands of the team file (`workspace.setup`, `verify`) in a clone: confined, within a time limit, with their output in a log. */
import { appendFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Workspace } from "../git/contract.ts";
import type { Bind } from "../host/program-files.ts";
import type { Engine } from "./engine.ts";
import { homeVariables, prepareHome } from "../agent/private-home.ts";
import { OxbowError } from "../core/errors.ts";
import { splitWords } from "../core/words.ts";
import { makeFolder } from "../host/folders.ts";
import { programSetting } from "./confinement.ts";

/** Where the machine reaches the network only through them. */
const PROXIES = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
const MOST_LOG_BYTES = 16 * 1024 * 1024;
const MOST_SAID = 2_000;

export interface TeamCommand {
  /** Words, some in quotes; no shell. */
  readonly command: string;
  /** What is mounted in the clone. */
  readonly binds: readonly Bind[];
  /** With network, as no agent's program has by default; nothing else of the machine. */
  readonly network: boolean;
  /** Its log's name, below `<state>/logs/`. What is there stays, up to 16 MiB. */
  readonly log: string;
}

export interface TeamCommandResult {
  /** Without secrets. */
  readonly shown: string;
  /** Why it did not succeed, as the end of a sentence; null: it did. */
  readonly why: string | null;
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  readonly elapsedMs: number;
  readonly log: string;
  /** The end of what it said, without secrets. */
  readonly tail: string;
}

/** Throws cancelled, sandbox_missing, command_invalid. */
export async function runTeamCommand(
  engine: Engine,
  place: Pick<Workspace, "dir" | "name" | "sources" | "runs">,
  { command, binds, network, log: name }: TeamCommand,
  signal: AbortSignal | undefined,
): Promise<TeamCommandResult> {
  const [program = "", ...args] = splitWords(command);
  const shown = engine.redact(command);
  const opened = { sandbox: { network, env: [], home: "private" } } as const;
  const { env, home, confinement } = programSetting(engine, opened, place, [program, ...args]);
  if (home !== null) await prepareHome(home, {});
  const proxies = network ? Object.entries(engine.environment).filter(([key]) => PROXIES.includes(key)) : [];
  const log = openLog(join(engine.repo.stateDir, "logs", name), shown);
  const clean = engine.redactor.stream();
  const timeoutMs = engine.team.defaults.timeoutMs;
  const said = (text: string) => log.add(clean.push(text));
  const result = await engine.sandbox.run(
    [program, ...args],
    {
      cwd: place.dir,
      env: { ...Object.fromEntries(proxies), ...env, ...homeVariables(home), TERM: "dumb", NO_COLOR: "1" },
      confinement: { ...confinement, readOnly: [...(confinement.readOnly ?? []), ...binds] },
      mark: place.name,
      timeoutMs,
      maxOutputBytes: 0,
      onStart: (pid) => place.runs(pid),
      onStdout: said,
      onStderr: said,
    },
    signal,
  );
  log.add(clean.end());
  if (result.cancelled) throw new OxbowError("cancelled", "The run was cancelled.");
  const why = result.timedOut
    ? `did not finish within ${timeoutMs} ms`
    : result.startError !== null
      ? `could not be started (${result.sandboxError ?? result.startError})`
      : result.exitCode !== 0
        ? `ended with ${result.exitCode === null ? result.signalName : `code ${result.exitCode}`}`
        : null;
  return {
    shown,
    why,
    exitCode: result.timedOut || result.startError !== null ? null : result.exitCode,
    timedOut: result.timedOut,
    elapsedMs: Math.round(result.elapsedMs),
    log: log.file,
    tail: log.end(),
  };
}

function openLog(file: string, command: string) {
  makeFolder(dirname(file));
  if (existsSync(file) && statSync(file).size > MOST_LOG_BYTES) writeFileSync(file, "");
  let bytes = 0;
  let last = "";
  const add = (text: string): void => {
    last = (last + text).slice(-MOST_SAID);
    bytes += text.length;
    if (bytes < MOST_LOG_BYTES && text !== "") appendFileSync(file, text);
  };
  appendFileSync(file, `\n== ${new Date().toISOString()} ${command}\n`);
  return { file, add, end: () => last.trim() };
}
