/** The remote that the machines of a fleet share, as the other rooms see it. */
import type { Oid } from "./contract.ts";

export interface RemoteOptions {
  /** As `parseRemoteUrl` gives both. */
  readonly url: string;
  readonly identity: string;
  /** Of a GIT_SSH_COMMAND, and of a `credential.helper`. */
  readonly sshCommand: string | undefined;
  readonly credentialHelper: string | undefined;
  /** The repository is a mirror of Oxbow's own: what a revision names, the remote's branches say. */
  readonly mirror?: boolean | undefined;
}

/** A ref on the remote that Oxbow made, or that keeps what Oxbow's hold. */
export interface RemoteRef {
  readonly ref: string;
  readonly oid: Oid;
  /** The commit it holds; null: an attempt's ref that saved nothing. */
  readonly work: Oid | null;
  /** The base, or an integration branch, reaches it there. */
  readonly merged: boolean;
  /** Or a branch or tag of this repository that no agent made does. */
  readonly here: boolean;
}

/** For those who tidy up, or look whether the remote can be used. All throw remote_unreachable, remote_refused. */
export interface RemoteSurvey {
  /** `feature/…`, `integration/…` and `refs/oxbow/…`, and the base where there is one. */
  refs(base: string | null): Promise<readonly RemoteRef[]>;
  /** All of them, where each is as it was seen, or none. Throws branch_moved. */
  remove(refs: readonly Pick<RemoteRef, "ref" | "oid">[]): Promise<void>;
  /** In a mirror: its remote branches are the base and the integration branches as they are there now. */
  follow(base: string | null): Promise<void>;
  /** In a mirror: branches and refs of Oxbow's whose commits nothing there reaches. */
  onlyHere(): Promise<readonly { readonly ref: string; readonly commit: Oid }[]>;
  /** Fetches, and rehearses a push that changes nothing there. */
  probe(): Promise<void>;
}

/** The remote that the machines of a fleet share. All throw remote_unreachable, remote_refused. */
export interface SharedRemote {
  readonly survey: RemoteSurvey;
  /** The same on every machine: host and path. */
  readonly identity: string;
  /** From now on others can fetch these commits. */
  offer(commits: readonly Oid[]): Promise<void>;
  /**
   * Brings what work begins with, or is merged from: commits that were offered, branches (never below what is ahead here,
   * nor where one is checked out), where branches began, and what attempts saved. Throws objects_missing.
   */
  bring(wanted: {
    readonly commits?: readonly Oid[];
    readonly branches?: readonly string[];
    /** Ids of subtasks. */
    readonly bases?: readonly string[];
    readonly attempts?: readonly string[];
  }): Promise<void>;
  /** Removes a branch there that nothing was committed to. One that has moved, or cannot be removed, stays. */
  drop(branch: string, at: Oid): Promise<void>;
}
