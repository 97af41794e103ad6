/** The app's methods that look at the repository. */
import type { Settings } from "./core/settings.ts";
import type { BranchAllocation, RepositoryNote } from "./git/contract.ts";
import type { Rooms } from "./rooms.ts";

export interface RepositoryCalls {
  allocateBranch(options: {
    agentName: string;
    ticket?: string | undefined;
    base?: string | undefined;
    switch?: boolean | undefined;
  }): Promise<BranchAllocation>;
  /** Where things are: for `doctor`. */
  facts(): Promise<RepositoryFacts>;
  /** Asks the remote of a fleet whether it can be used, and changes nothing; null: there is none. Throws remote_refused, remote_unreachable. */
  remote(): Promise<{ readonly identity: string } | null>;
  /** What is special about the repository. */
  notes(): Promise<readonly RepositoryNote[]>;
  /** The files of HEAD. */
  files(): Promise<{ readonly root: string; readonly bare: boolean; readonly files: readonly string[] }>;
}

export interface RepositoryFacts {
  readonly root: string;
  readonly bare: boolean;
  readonly stateDir: string;
  /** Where the tasks are, without a password. */
  readonly store: string;
  /** What carries the signals, without a password. */
  readonly signals: string;
  readonly git: string;
  readonly identity: { readonly name: string; readonly email: string };
  /** Clones in which programs run or ran; `idle` ones wait for the next run. */
  readonly workspaces: { readonly all: number; readonly idle: number };
}

export function repositoryCalls(opened: () => Promise<Rooms>, settings: Settings): RepositoryCalls {
  return {
    async allocateBranch({ agentName, ticket, base, switch: checkout }) {
      const { repo } = await opened();
      return repo.allocateBranch({ agentName, ticket, base, switch: checkout });
    },

    async facts() {
      const { repo, store: opening } = await opened();
      const signals = opening.topics.about;
      const { root, bare, stateDir, identity } = repo;
      const { shownStore, storeUrl } = await import("./store-url.ts");
      const store = await shownStore(storeUrl(settings, repo));
      const clones = await repo.workspaces();
      const workspaces = { all: clones.length, idle: clones.filter(({ idle }) => idle).length };
      return { root, bare, stateDir, store, signals, identity, workspaces, git: await repo.gitVersion() };
    },

    async remote() {
      const { remote } = (await opened()).repo;
      await remote?.survey.probe();
      return remote && { identity: remote.identity };
    },

    notes: async () => (await opened()).repo.notes(),

    async files() {
      const { repo } = await opened();
      const files = await repo.listFiles(await repo.resolve("HEAD"));
      return { root: repo.root, bare: repo.bare, files: files.map((file) => file.path) };
    },
  };
}
