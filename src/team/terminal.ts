/**
 * terminal_run: one conversation's clone of its branch, in which its commands run one after the other. Before a command
 * the branch's edits are put on the disk, afterwards its changes are taken over, raw, and what is on the disk is noted:
 * when this process dies in between, the next one finds what to save (`Repository.sweep`).
 */
import { join, relative } from "node:path";
import type { EventBody } from "../core/events.ts";
import type { CommandRun, Terminal } from "../core/tool.ts";
import type { BranchTree, Workspace } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import type { Slots } from "./slots.ts";
import type { SubtaskScope } from "./scope.ts";
import { homeVariables, prepareHome } from "../agent/private-home.ts";
import { checkCommand, type CommandVerdict } from "../core/check-command.ts";
import { checkPath } from "../core/check-path.ts";
import { OxbowError } from "../core/errors.ts";
import { diskFs } from "../host/disk-fs.ts";
import { findProgram, realOrNull, trustedPath } from "../host/program-files.ts";
import { aboutLease } from "./about.ts";
import { programSetting, type ProgramSetting, withLinks } from "./confinement.ts";
import { agentNamed } from "./engine.ts";
import { createOutput } from "./terminal-output.ts";
import { openAttemptWorkspace } from "./workspaces.ts";

export interface AttemptTerminal extends Terminal, AsyncDisposable {
  /** Runs `wait` without holding one of a limited number of workspaces: others that wait for one go on meanwhile. */
  away<T>(wait: () => Promise<T>): Promise<T>;
}

interface Place extends ProgramSetting {
  readonly workspace: Workspace;
  /** Its real path: what symlinks are judged by. */
  readonly root: string;
}

/** What programs do that would otherwise wait for a person or a pager. */
const QUIET = {
  TERM: "dumb",
  NO_COLOR: "1",
  PAGER: "cat",
  GIT_PAGER: "cat",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
};

export function createTerminal(options: {
  engine: Engine;
  lease: Lease;
  tree: BranchTree;
  scope: SubtaskScope;
  slots: Slots;
  emit: (event: EventBody) => void;
}): AttemptTerminal {
  const { engine, lease, tree, scope, emit } = options;
  const { settings } = engine;
  const programs = new Map<string, string>();
  const told = new Set<string>();
  let place: Promise<Place> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let waits = 0;

  const open = async (signal: AbortSignal): Promise<Place> => {
    await refuseLimitedReader();
    const agent = agentNamed(engine, lease.subtask.agent);
    const { workspace, links } = await openAttemptWorkspace(options, tree, signal);
    const setting = withLinks(programSetting(engine, agent, workspace), links);
    if (setting.home !== null) await prepareHome(setting.home, setting.homeLinks);
    const searched = trustedPath(setting.env["PATH"] ?? "", [engine.repo.root, engine.repo.stateDir]);
    const env = { ...setting.env, ...homeVariables(setting.home), ...QUIET, PATH: searched };
    const { confinement } = setting;
    const gitDir = join(workspace.dir, ".git");
    const readOnly = [...(confinement.readOnly ?? []), gitDir];
    const root = realOrNull(workspace.dir) ?? workspace.dir;
    return { ...setting, env, workspace, root, confinement: { ...confinement, readOnly } };
  };

  /** A failure is not kept: the next command tries again. */
  const opened = async (signal: AbortSignal): Promise<Place> => {
    const mine = (place ??= open(signal));
    try {
      return await mine;
    } catch (error) {
      place = null;
      throw error;
    }
  };

  const refuse = (code: string, error: OxbowError): never => {
    const about = aboutLease(lease);
    emit({ event: "refused", ...about, code, message: engine.redact(error.message), tool: "terminal_run" });
    throw error;
  };

  /** A command reads whatever it likes of the branch, and of its history. */
  const refuseLimitedReader = async (): Promise<void> => {
    const { reads } = scope;
    if (reads === null) return;
    const files = await engine.repo.listFiles(tree.tip);
    if (files.every(({ path }) => reads.allows(path))) return;
    const { agent } = lease.subtask;
    const message = `${agent} may not read every file of its branch, and a command could: it has no terminal.`;
    const hint = `Use the file tools, or widen the read_paths of ${agent} in the team file.`;
    refuse("read_scope", new OxbowError("out_of_scope", message, { hint }));
  };

  const judge = (
    command: string,
    root: string,
    more: { cwd?: string; onDisk: boolean },
  ): readonly [string, ...string[]] => {
    const verdict: CommandVerdict = checkCommand(command, {
      allow: settings.terminalAllowedCommands,
      deny: settings.terminalDenyCommands,
      root,
      ...(more.cwd === undefined ? {} : { cwd: more.cwd }),
      ...(more.onDisk ? { fs: diskFs } : {}),
    });
    const [program, ...args] = verdict.argv ?? [];
    if (verdict.allowed && program !== undefined) return [program, ...args];
    const details = { reason: verdict.code };
    return refuse(verdict.code, new OxbowError("command_rejected", verdict.reason, { details }));
  };

  /** Resolved once: what a later command puts on the PATH is not the program that was allowed. */
  const programFor = (name: string, { env, root }: Place): string => {
    const known = programs.get(name);
    if (known !== undefined) return known;
    const found = findProgram(name, env["PATH"] ?? "", root);
    if ("missing" in found) {
      const message = `There is no program ${name} on the PATH.`;
      return refuse(
        "not_installed",
        new OxbowError("command_rejected", message, { hint: "Use another program." }),
      );
    }
    programs.set(name, found.file);
    return found.file;
  };

  const folderFor = (cwd: string, { root }: Place): string => {
    const verdict = checkPath("list", cwd, { root, fs: diskFs });
    const bad = (code: string, message: string) => refuse(code, new OxbowError("path_rejected", message));
    if (!verdict.allowed) return bad(verdict.code, verdict.reason);
    const real = realOrNull(join(root, cwd));
    if (real === null || diskFs.lstat(real)?.kind !== "directory")
      return bad("not_a_folder", `${cwd} is no folder of the branch.`);
    const below = relative(root, real);
    return below.startsWith("..") ? bad("symlink_outside", `${cwd} leads outside.`) : real;
  };

  const takeOver = async ({ workspace }: Place) => {
    const { files, refused } = await workspace.collect({
      async stage(path, mode, content) {
        scope.check(path);
        await tree.stage(path, mode, content);
      },
    });
    await workspace.settle(tree);
    const left_out = refused.filter(({ path }) => !told.has(path));
    for (const { path } of left_out) told.add(path);
    return { changed: files, left_out: left_out.slice(0, MOST_LEFT_OUT) };
  };

  const run: Terminal["run"] = async ({ command, cwd, timeoutMs }, signal) => {
    if (place === null) judge(command, "/", { onDisk: false });
    const at = await opened(signal);
    signal.throwIfAborted();
    await at.workspace.update(tree);
    const folder = cwd === undefined || cwd === "." || cwd === "" ? at.root : folderFor(cwd, at);
    const [program, ...args] = judge(command, at.root, { cwd: relative(at.root, folder), onDisk: true });
    const file = programFor(program, at);
    const output = createOutput({
      redactor: engine.redactor,
      patterns: settings.terminalRedactPatterns,
      capBytes: settings.terminalOutputCapBytes,
    });
    const most = settings.terminalTimeoutSeconds * 1000;
    const result = await engine.sandbox.run(
      [file, ...args],
      {
        cwd: folder,
        env: at.env,
        confinement: at.confinement,
        mark: at.workspace.name,
        timeoutMs: Math.min(timeoutMs ?? most, most),
        maxOutputBytes: 0,
        onStart: (pid) => at.workspace.runs(pid),
        onStdout: output.stdout,
        onStderr: output.stderr,
      },
      signal,
    );
    const taken = await takeOver(at);
    if (result.cancelled) throw new OxbowError("cancelled", "The run was cancelled.");
    if (result.startError !== null) {
      const why = result.sandboxError ?? result.startError;
      throw new OxbowError("command_failed", `${program} could not be started: ${why}.`);
    }
    const text = output.end(settings.terminalFunctionOutputMaxChars);
    return {
      exit_code: result.exitCode,
      ...text,
      timed_out: result.timedOut,
      elapsed_ms: Math.round(result.elapsedMs),
      sandbox: result.sandbox,
      ...taken,
    } satisfies CommandRun;
  };

  const close = async (): Promise<void> => {
    const mine = place;
    place = null;
    await (await mine)?.workspace[Symbol.asyncDispose]();
  };

  /** What a command left beside the branch's files goes with it. */
  const giveUp = (): Promise<void> => {
    const mine = last.then(async () => {
      if (waits > 0 && engine.team.workspace.pool !== null) await close();
    });
    last = mine.catch(() => undefined);
    return mine;
  };

  return {
    async run(request, signal) {
      const mine = last.then(() => run(request, signal));
      last = mine.catch(() => undefined);
      try {
        return await mine;
      } finally {
        // A model may wait and run a command in one turn.
        if (waits > 0) await giveUp();
      }
    },
    async away(wait) {
      waits += 1;
      try {
        await giveUp();
        return await wait();
      } finally {
        waits -= 1;
      }
    },
    async [Symbol.asyncDispose]() {
      await last;
      await close();
    },
  };
}

const MOST_LEFT_OUT = 20;
