/**
 * The repository as Oxbow sees it: objects and refs, never the user's checkout.
 *
 * Object work happens in a private bare git dir with an empty config that shares the repository's objects; only ref
 * transactions, each with its expected old values, touch the user's git dir. Every method that waits takes an
 * AbortSignal last where it may be long. Errors are OxbowErrors; the codes are named at each method.
 */
import type { Conflict } from "../core/model.ts";
import type { BranchFiles } from "../core/tool.ts";
import type { ConflictDesk } from "./conflict-desk.ts";
import type { Handover } from "./handover.ts";
import type { MergeDesk } from "./merge-desk.ts";
import type { RemoteOptions, SharedRemote } from "./shared-remote.ts";

export type { RemoteOptions, SharedRemote } from "./shared-remote.ts";

/** A full object id, 40 hex digits (64 in a SHA-256 repository). */
export type Oid = string;

export interface Identity {
  readonly name: string;
  readonly email: string;
}

export interface BranchAllocation {
  /** Short name, `feature/<ticket>/<agent>`. */
  readonly name: string;
  /** The commit it starts from (an existing branch: where it points). */
  readonly base: Oid;
  readonly created: boolean;
}

export interface AllocateBranch {
  readonly agentName: string;
  readonly ticket?: string | undefined;
  /** A revision; default HEAD. */
  readonly base?: string | undefined;
  /** Check the branch out in the user's work tree. Refused on a dirty tree. */
  readonly switch?: boolean | undefined;
}

/** A ref change. `old: null` means it must not exist yet; `new: null` deletes; without `new` only `old` is checked. */
export interface RefChange {
  /** Full name, `refs/heads/…`. */
  readonly ref: string;
  readonly old: Oid | null;
  readonly new?: Oid | null;
}

/** Which normalised paths may be read. */
export interface ReadRule {
  allows(path: string): boolean;
  /** Throws out_of_scope. */
  check(path: string): void;
}

export interface BranchOptions {
  /** Short name of the branch, which must exist. */
  readonly branch: string;
  /** What `diff` compares with: where the branch started. */
  readonly base: Oid;
  readonly agent: string;
  readonly taskId: string;
  readonly subtaskId: string;
  readonly conversationId: string;
  /** From 1. Its ref must not exist yet: it is the attempt's fence, and a successor seals it. */
  readonly attempt: number;
  /** The branch was made at `base` for this attempt just now: what its refs say is known. */
  readonly fresh?: boolean | undefined;
  /** Called before each write, move and delete with the normalised path; throws out_of_scope. */
  readonly mayWrite?: ((path: string) => void) | undefined;
  /** What may be read; nothing else is listed, found or shown either. Null: everything. */
  readonly reads?: ReadRule | null | undefined;
  /** Runs over every commit message (redaction). */
  readonly cleanMessage?: ((message: string) => string) | undefined;
}

export interface TreeChange {
  readonly path: string;
  readonly status: "added" | "modified" | "deleted" | "mode";
}

/** One agent's branch, edited without a checkout. Methods may be called concurrently; edits are applied in call order. */
export interface BranchTree extends BranchFiles {
  readonly branch: string;
  /** The branch's tip as this attempt knows it. */
  readonly tip: Oid;
  readonly base: Oid;
  /** True when there are edits that no commit on the branch holds. */
  readonly edited: boolean;
  /** Edits not yet committed to the branch, sorted by path. */
  pending(): Promise<readonly TreeChange[]>;
  /** Puts raw bytes at a path without the mayWrite check (work imported from a workspace); `content: null` removes it. */
  stage(path: string, mode: string, content: Uint8Array | null): Promise<void>;
  /**
   * Writes the edits as a work-in-progress commit on `refs/oxbow/attempts/<subtask>/<n>` (a child of `tip`), so that a
   * dead process loses nothing. The branch does not move. Null when nothing changed since the last save.
   */
  saveWork(signal?: AbortSignal): Promise<{ commit: Oid; files: number } | null>;
  /** The branch with its edits as a commit: its tip, or work in progress on the attempt's ref. */
  snapshot(): Promise<Oid>;
  /** Takes over what an earlier attempt saved: its work-in-progress commit becomes this tree's edits. */
  restoreWork(commit: Oid): Promise<{ files: number }>;
  /** All paths changed between `base` and the branch with its edits. */
  changes(): Promise<readonly TreeChange[]>;
  /**
   * Waits until what was committed and saved is where other machines find it (nothing to do without a remote). A failing
   * connection is tried again while `signal` lives. Throws fenced, branch_moved, remote_refused, remote_unreachable, cancelled.
   */
  published(signal: AbortSignal): Promise<void>;
}

export interface MergeSource {
  readonly branch: string;
  readonly commit: Oid;
  readonly agent: string;
  readonly subtaskId: string;
  readonly taskId: string;
}

export type MergeResult =
  | { readonly kind: "merged"; readonly commit: Oid }
  /** Everything was there already. */
  | { readonly kind: "unchanged"; readonly commit: Oid }
  | { readonly kind: "conflict"; readonly conflicts: readonly Omit<Conflict, "agents" | "owners">[] };

export interface Collection {
  readonly files: number;
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
}

/** Whose work a workspace holds, so that it can be saved after its process died. */
export type WorkOwner = Pick<
  BranchOptions,
  "branch" | "base" | "agent" | "taskId" | "subtaskId" | "conversationId" | "attempt"
>;

/** What a dead process had left in a workspace, now a commit on its attempt ref. */
export interface Salvaged extends WorkOwner {
  readonly commit: Oid;
  readonly files: number;
}

/** A lock file in the repository. `dead`: of a git process of ours that is gone for certain; `sweep` removes it. */
export interface RefLock {
  readonly file: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly dead: boolean;
}

/** A folder of files that no branch could hold, below `<state>/kept/`. */
export interface KeptFolder {
  /** Its name there. */
  readonly name: string;
  readonly path: string;
  /** When it was last changed, Unix milliseconds. */
  readonly at: number;
  /** At most 10,000 are counted. */
  readonly files: number;
  /** Whose it is and which commit its files started as; null when no note was left. */
  readonly owner: (WorkOwner & { readonly from: Oid }) | null;
  /** The commit that holds all of it, once it was restored. */
  readonly restored: Oid | null;
}

/** The changes of a kept folder as a commit (null: there are none that a branch can hold), and what it lacks. */
export interface KeptWork {
  readonly commit: Oid | null;
  readonly base: Oid;
  readonly files: number;
  readonly refused: Collection["refused"];
}

/** What a clone gets besides the branch's files, and where it comes from. */
export interface Preparation {
  /** The same key: what was made stays. Another: it is made anew. */
  readonly key: string;
  /** What the work tree holds while it is made. */
  readonly commit: Oid;
  /** Whatever it leaves there, beside the commit's files, stays and is never a change. Throws what it likes. */
  run(place: Pick<Workspace, "dir" | "name" | "sources" | "runs">, signal?: AbortSignal): Promise<void>;
}

/** A clone of the pool: one that was used before, renewed, or a new one. */
export interface PoolRequest {
  /** Clones of this repository at once, over all processes; null: as many as are asked for. */
  readonly most: number | null;
  /** How many stay for the next process when they are idle. */
  readonly keep: number;
  readonly prepare: Preparation | null;
  /** Paths at which the clone has what is not the branch's. Throws workspace_link where files of the branch are. */
  readonly links: readonly string[];
  /** Those of them that are made for others to mount on; what is there is never a change. */
  readonly places: readonly { readonly path: string; readonly kind: "folder" | "file" }[];
  /** Is given the wait when there is one. */
  waiting<T>(wait: () => Promise<T>): Promise<T>;
  /** Called now and then while it waits: a dead process may have had a clone. */
  clearUp(): Promise<void>;
}

export interface Workspace extends AsyncDisposable {
  /** Absolute path of a private clone with the branch's files, raw, and HEAD on the branch. */
  readonly dir: string;
  /** Of this workspace alone. Programs that carry it as their mark are ended by `sweep` too, wherever they went. */
  readonly name: string;
  /** Absolute folders outside of it that Git reads in it: the repository's objects. */
  readonly sources: readonly string[];
  /** Notes a program that runs in it, so that `sweep` can end it should this process die first. */
  runs(pid: number): void;
  /** Moves the files to `<state>/kept/` instead of removing them, and says where: for changes no branch can hold. */
  keep(): Promise<string>;
  /**
   * Puts the branch with its edits on the disk, where it differs from what the workspace held last: whole files, raw, never
   * through a symlink. What programs left beside it stays. `HEAD` and the index follow the branch's tip. What it holds is
   * noted, so that `sweep` knows a program's changes from others.
   */
  update(tree: BranchTree): Promise<void>;
  /** After `collect`: notes that the branch with its edits now has what is on the disk, so that later changes are told from it. */
  settle(tree: BranchTree): Promise<void>;
  /**
   * Brings every changed file back, raw, into `tree` through `stage`. Ignored new files stay out (rules of the base
   * tree). What no branch can hold (a name, a link out, an unreadable file) is refused by name; the rest is staged.
   */
  collect(tree: Pick<BranchTree, "stage">, signal?: AbortSignal): Promise<Collection>;
}

/** Something about a repository that a person should know: a row of `doctor`. */
export interface RepositoryNote {
  readonly check: string;
  readonly state: "warning" | "error";
  readonly found: string;
  readonly hint: string;
}

export interface Repository extends AsyncDisposable {
  handover(): Promise<Handover>;
  /** Null where no other machine works on the repository. */
  readonly remote: SharedRemote | null;
  /** Top of the work tree; of a bare repository, its git dir. */
  readonly root: string;
  readonly gitDir: string;
  readonly commonDir: string;
  /** `<git common dir>/oxbow`, or OXBOW_HOME. */
  readonly stateDir: string;
  readonly bare: boolean;
  /** The user's own name and address (or Oxbow's): the committer. */
  readonly identity: Identity;

  /** Of the git program in use, such as `2.39.5`. Throws git_too_old. */
  gitVersion(): Promise<string>;
  /**
   * Before work on `commit` begins: may it be written here, and (`files`) is every file of it here, as a workspace needs?
   * Throws git_too_old, repository_read_only, objects_missing (a partial clone).
   */
  checkReady(commit: Oid, needs: { readonly files: boolean }): Promise<void>;
  /** What is special about the repository, for `doctor`. */
  notes(): Promise<readonly RepositoryNote[]>;
  /** The commit a revision names. Throws rev_not_found, unborn_head (for HEAD without a commit). */
  resolve(rev: string): Promise<Oid>;
  head(): Promise<{ readonly ref: string | null; readonly commit: Oid | null }>;
  /** Uncommitted changes in the user's checkout (untracked files count); false when bare. Writes nothing. */
  isDirty(): Promise<boolean>;
  /** Where a full ref is checked out, or null. */
  checkedOutAt(ref: string): Promise<string | null>;
  /** The object a full ref names, or null. Starts no process. */
  readRef(ref: string): Promise<Oid | null>;
  /** Refs below a prefix (`refs/heads/feature/`) with their commits. */
  refs(prefix: string): Promise<ReadonlyMap<string, Oid>>;
  /** One transaction, all or nothing. Throws branch_moved, branch_conflict (directory/file), fenced (a fence ref moved). */
  updateRefs(changes: readonly RefChange[]): Promise<void>;
  /** Throws branch_name_rejected, branch_conflict, rev_not_found, unborn_head, dirty_tree, branch_checked_out (switch). */
  allocateBranch(options: AllocateBranch): Promise<BranchAllocation>;
  /** Takes the first free of `<name>`, `<name>-2`, `<name>-3` … by compare-and-swap; `taken` names are skipped. */
  createFreeBranch(options: {
    agentName: string;
    ticket: string;
    commit: Oid;
    taken?: ReadonlySet<string>;
    /** Asked before a name is taken, so that whoever comes after a crash knows whose the branch is; false: the next name. */
    reserve?: (name: string) => Promise<boolean>;
    /** Refs that come into being with the branch, or not at all. Throws branch_moved when one of them cannot. */
    along?: readonly RefChange[];
  }): Promise<BranchAllocation>;
  /**
   * Seals every attempt before `attempt`: nothing of theirs moves a ref any more, what they saved stays. To be called
   * before the branch or their work is looked at. `base` is a commit, named where nothing was saved.
   */
  sealAttempts(subtaskId: string, attempt: number, base: Oid): Promise<void>;
  /** Opens a branch for editing. Throws rev_not_found, branch_checked_out. */
  openBranch(options: BranchOptions): Promise<BranchTree>;
  /** The newest work that an attempt before `attempt` saved; null when none did. */
  lastAttempt(subtaskId: string, attempt: number): Promise<{ attempt: number; commit: Oid } | null>;
  /** Files of a commit's tree. */
  listFiles(commit: Oid): Promise<readonly { path: string; mode: string; oid: Oid }[]>;
  /** Raw bytes of a file in a commit, or null. */
  readBlob(commit: Oid, path: string): Promise<Uint8Array | null>;
  /** Paths changed between two commits; a rename is a deletion and an addition. */
  changedPaths(from: Oid, to: Oid): Promise<readonly TreeChange[]>;
  isAncestor(ancestor: Oid, descendant: Oid): Promise<boolean>;
  /** What was committed to a branch after `since`, the oldest first. */
  commitsSince(
    since: Oid,
    tip: Oid,
  ): Promise<
    readonly { readonly commit: Oid; readonly subject: string; readonly conversation: string | null }[]
  >;
  /** The newest commit that both have in common, or null. */
  mergeBase(one: Oid, other: Oid): Promise<Oid | null>;
  /**
   * Merges one branch into `target` (short name, created at `start` when missing) without a checkout, as a merge commit
   * with trailers, and moves it by compare-and-swap; somebody else's move is merged onto, never overwritten. A conflict
   * moves nothing. Throws branch_checked_out, branch_conflict.
   */
  merge(
    options: { target: string; start: Oid; source: MergeSource },
    signal?: AbortSignal,
  ): Promise<MergeResult>;
  /**
   * Merges many branches in order, each as `merge` does and with the same results, but the objects arrive as one pack
   * and the target moves once for each clean run of them.
   */
  mergeAll(options: {
    target: string;
    start: Oid;
    sources: readonly MergeSource[];
  }): Promise<readonly MergeResult[]>;
  /** What the merge queue works with. */
  mergeDesk(): Promise<MergeDesk>;
  /** What shows, checks and settles conflicts. */
  conflictDesk(): Promise<ConflictDesk>;
  /** A commit that joins several (dependencies of one child), on no branch; or the conflicts. */
  join(commits: readonly MergeSource[]): Promise<MergeResult>;
  /**
   * A private clone of a commit under `<state>/workspaces/`, removed on disposal; with `pool` one of the pool, given back
   * then. Throws rev_not_found, path_rejected, workspace_link, cancelled, and what its preparation throws.
   */
  workspace(
    options: { commit: Oid; branch: string; owner?: WorkOwner; pool?: PoolRequest },
    signal?: AbortSignal,
  ): Promise<Workspace>;
  /**
   * Clears up after dead processes, never after a live one: ends their programs, saves what their workspaces hold on
   * the attempts' refs (or moves it to `<state>/kept/`), and removes workspaces and scratch files.
   */
  sweep(): Promise<{ removed: number; saved: readonly Salvaged[] }>;
  /** Lock files of refs, index and configuration. */
  locks(): Promise<readonly RefLock[]>;
  /** Folders below `<state>/workspaces/`, the dead ones of which `sweep` takes away. `idle`: a clone of the pool that waits. */
  workspaces(): Promise<readonly { path: string; at: number; inUse: boolean; idle: boolean }[]>;
  /** Removes an idle clone of the pool; false when there is none of this path, or somebody has it. */
  removeWorkspace(path: string): Promise<boolean>;
  readonly kept: {
    list(): Promise<readonly KeptFolder[]>;
    /** A commit of the folder's changes, on no ref; the folder stays. Throws file_not_found (no note), rev_not_found. */
    commit(name: string): Promise<KeptWork>;
    /** Notes that all of it is in a commit which a ref reaches. */
    restored(name: string, commit: Oid): Promise<void>;
    remove(name: string): Promise<void>;
  };
}

export interface OpenRepository {
  /** The remote of a fleet: branches and attempts are pushed to it, and fetched from it. */
  readonly remote?: RemoteOptions | undefined;
  /** A directory inside the repository, or a bare git dir. */
  readonly path: string;
  /** OXBOW_HOME. */
  readonly stateDir?: string | undefined;
  /**
   * Also survive a power cut: refs and loose objects are flushed to the disk, milliseconds each. Without it (the default)
   * the promise is Git's own: a killed process loses nothing.
   */
  readonly durable?: boolean | undefined;
}
