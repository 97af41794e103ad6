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

/** The remote that the machines of a fleet share. All throw remote_unreachable, remote_refused. */
export interface SharedRemote {
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
