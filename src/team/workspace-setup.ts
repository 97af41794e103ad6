/** `workspace.setup`: commands of the team file in a new clone of the base commit, with network; their log is kept. */
import { appendFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Workspace } from "../git/contract.ts";
import type { Bind } from "../host/program-files.ts";
import type { Engine } from "./engine.ts";
import { homeVariables, prepareHome } from "../agent/private-home.ts";
import { OxbowError } from "../core/errors.ts";
import { splitWords } from "../core/words.ts";
import { makeFolder } from "../host/folders.ts";
import { programSetting } from "./confinement.ts";

/** With network, as no agent's program is by default; nothing else of the machine. */
const OPEN = { sandbox: { network: true, env: [], home: "private" } } as const;
/** Where the machine reaches the network only through them. */
const PROXIES = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
const MOST_LOG_BYTES = 16 * 1024 * 1024;
const MOST_SAID = 2_000;

/** Throws setup_failed, with the command and the end of what it said; cancelled. */
export async function runSetup(
  engine: Engine,
  place: Pick<Workspace, "dir" | "name" | "sources" | "runs">,
  { command, binds }: { readonly command: string; readonly binds: readonly Bind[] },
  signal: AbortSignal | undefined,
): Promise<void> {
  const [program = "", ...args] = splitWords(command);
  const shown = engine.redact(command);
  const { env, home, confinement } = programSetting(engine, OPEN, place, [program, ...args]);
  if (home !== null) await prepareHome(home, {});
  const proxies = Object.entries(engine.environment).filter(([name]) => PROXIES.includes(name));
  const log = openSetupLog(engine, basename(dirname(place.dir)), shown);
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
  if (why === null) return;
  const end = log.end();
  throw new OxbowError(
    "setup_failed",
    `The set-up command \`${shown}\` ${why}${end === "" ? "." : `: ${end}`}`,
    {
      hint: `Its log is ${log.file}. Correct workspace.setup in the team file, or what it needs.`,
      details: { command: shown, exit_code: result.exitCode, log: log.file },
    },
  );
}

/** One file for each clone; the last set-ups' are in it. */
function openSetupLog({ repo }: Engine, slot: string, command: string) {
  const file = join(repo.stateDir, "logs", `setup-${slot}.log`);
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
