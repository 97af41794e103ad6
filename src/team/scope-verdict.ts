/** What `oxbow scope check` tells. Without the SDK's types: this is part of the package's face. */
import type { TreeChange } from "../git/contract.ts";

export interface ScopeCheck {
  readonly ok: boolean;
  readonly branch: string;
  /** What the branch names. */
  readonly commit: string;
  readonly agent: string;
  /** The subtask whose branch it is, or null: then the agent's own paths are what counts. */
  readonly subtask_id: string | null;
  /** Where the branch started: its changes are those since. */
  readonly base: string;
  readonly allowed_paths: readonly string[];
  /** Patterns that were granted beyond them. */
  readonly granted: readonly string[];
  readonly changed: readonly TreeChange[];
  /** A rename is a deletion and an addition, and each must be in scope. */
  readonly outside: readonly (TreeChange & { readonly owner: string | null })[];
}
