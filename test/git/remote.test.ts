/** What machines that share a remote may do to each other: two repositories and a bare one. */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { BranchTree, Oid, Repository } from "../../src/git/contract.ts";
import { openRepository } from "../../src/git/repository.ts";
import { bytes } from "../support/branch-trees.ts";
import { git, sampleRepo, temporaryDir } from "../support/repos.ts";

const ABOUT = { agent: "Api", taskId: "t1", subtaskId: "s1", conversationId: "c1" };
const BRANCH = "feature/7/Api";
const FOREVER = new AbortController().signal;

interface Setting {
  readonly remote: string;
  readonly base: Oid;
  machine(): Promise<Repository>;
}

function setting(): Setting {
  const origin = sampleRepo();
  const folder = temporaryDir();
  const remote = path.join(folder, "remote.git");
  git(folder, "init", "--quiet", "--bare", remote);
  const base = git(origin, "rev-parse", "HEAD");
  const url = pathToFileURL(remote).href;
  git(origin, "push", "--quiet", url, "HEAD:refs/heads/main");
  let machines = 0;
  return {
    remote,
    base,
    async machine() {
      const dir = path.join(folder, `machine-${++machines}`);
      git(folder, "clone", "--quiet", url, dir);
      const shared = { url, identity: "remote", sshCommand: undefined, credentialHelper: undefined };
      const repo = await openRepository({ path: dir, remote: shared });
      onTestFinished(async () => repo[Symbol.asyncDispose]());
      return repo;
    },
  };
}

async function started(repo: Repository, base: Oid): Promise<BranchTree> {
  const { name } = await repo.createFreeBranch({ agentName: "Api", ticket: "7", commit: base });
  return repo.openBranch({ ...ABOUT, branch: name, base, attempt: 1 });
}

async function takenOver(repo: Repository, base: Oid, attempt: number): Promise<BranchTree> {
  await repo.sealAttempts("s1", attempt, base);
  await repo.remote?.bring({ branches: [BRANCH], attempts: ["s1"], bases: ["s1"] });
  return repo.openBranch({ ...ABOUT, branch: BRANCH, base, attempt });
}

async function commits(tree: BranchTree, file: string): Promise<Oid> {
  await tree.write(file, bytes(`${file}\n`));
  const made = await tree.commit(`Add ${file}`, FOREVER);
  if (!made) throw new Error("nothing was committed");
  return made.commit;
}

function refsOf(dir: string): string {
  return git(dir, "for-each-ref", "--format=%(refname) %(objectname)");
}

test("a commit is on the remote with its attempt's ref once it is published", async () => {
  const { remote, base, machine } = setting();
  const tree = await started(await machine(), base);
  const one = await commits(tree, "one.txt");
  const two = await commits(tree, "two.txt");
  await tree.published(FOREVER);
  expect(git(remote, "rev-parse", BRANCH, "refs/oxbow/attempts/s1/1").split("\n")).toEqual([two, two]);
  expect(git(remote, "rev-parse", `${BRANCH}~1`)).toBe(one);
});

test("a stale worker's push is refused as a whole: nothing of it arrives after another machine took over", async () => {
  const { remote, base, machine } = setting();
  const [first, second] = [await machine(), await machine()];
  const stale = await started(first, base);
  const kept = await commits(stale, "one.txt");
  await stale.published(FOREVER);

  const tree = await takenOver(second, base, 2);
  expect(tree.tip).toBe(kept);
  expect(await second.lastAttempt("s1", 2)).toMatchObject({ attempt: 1, commit: kept });

  const before = refsOf(remote);
  const late = await commits(stale, "late.txt");
  await expect(stale.published(FOREVER)).rejects.toMatchObject({ code: "fenced" });
  expect(refsOf(remote)).toBe(before);
  await expect(commits(stale, "later.txt")).rejects.toMatchObject({ code: "fenced" });
  // Its commit stays where it was made, for a person to find.
  expect(git(first.root, "rev-parse", "refs/oxbow/attempts/s1/1")).toBe(late);

  const next = await commits(tree, "two.txt");
  await tree.published(FOREVER);
  expect(git(remote, "rev-parse", BRANCH)).toBe(next);
  for (const dir of [remote, first.root, second.root])
    expect(git(dir, "fsck", "--full", "--strict", "--no-dangling")).toBe("");
});

test("an attempt that saved nothing is sealed too, before it comes to push at all", async () => {
  const { remote, base, machine } = setting();
  const [first, second] = [await machine(), await machine()];
  const stale = await started(first, base);
  await takenOver(second, base, 2);
  await commits(stale, "late.txt");
  await expect(stale.published(FOREVER)).rejects.toMatchObject({ code: "fenced" });
  expect(git(remote, "rev-parse", BRANCH)).toBe(base);
});

test("two machines never get the same branch", async () => {
  const { remote, base, machine } = setting();
  const [first, second] = [await machine(), await machine()];
  const request = { agentName: "Api", ticket: "7", commit: base };
  const made = await Promise.all([first.createFreeBranch(request), second.createFreeBranch(request)]);
  expect(made.map(({ name }) => name).sort()).toEqual([BRANCH, `${BRANCH}-2`]);
  expect(git(remote, "for-each-ref", "--format=%(refname:short)", "refs/heads/feature").split("\n")).toEqual([
    BRANCH,
    `${BRANCH}-2`,
  ]);
});

test("a remote that is away is waited for, while the attempt may go on", async () => {
  const { remote, base, machine } = setting();
  const tree = await started(await machine(), base);
  renameSync(remote, `${remote}.away`);
  const one = await commits(tree, "one.txt");
  const two = await commits(tree, "two.txt");
  const published = tree.published(FOREVER);
  renameSync(`${remote}.away`, remote);
  await published;
  expect(git(remote, "rev-parse", BRANCH, `${BRANCH}~1`).split("\n")).toEqual([two, one]);
});

test("waiting for a remote ends with its signal, and the commits stay", async () => {
  const { remote, base, machine } = setting();
  const repo = await machine();
  const tree = await started(repo, base);
  renameSync(remote, `${remote}.away`);
  const one = await commits(tree, "one.txt");
  await expect(tree.published(AbortSignal.abort())).rejects.toMatchObject({ code: "remote_unreachable" });
  expect(git(repo.root, "rev-parse", BRANCH)).toBe(one);
}, 30_000);

test("what the server refuses is said in its words; the commits stay here", async () => {
  const { remote, base, machine } = setting();
  const repo = await machine();
  const tree = await started(repo, base);
  const hook = path.join(remote, "hooks", "pre-receive");
  mkdirSync(path.dirname(hook), { recursive: true });
  writeFileSync(hook, "#!/bin/sh\necho 'The branches are frozen.' >&2\nexit 1\n");
  chmodSync(hook, 0o755);
  const one = await commits(tree, "one.txt");
  const refused = await tree.published(FOREVER).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "remote_refused" });
  expect(String(refused)).toContain("The branches are frozen.");
  expect(git(repo.root, "rev-parse", BRANCH)).toBe(one);
  rmSync(hook);
  await tree.published(FOREVER);
  expect(git(remote, "rev-parse", BRANCH)).toBe(one);
});

test("somebody's own commit on the branch is not overwritten", async () => {
  const { remote, base, machine } = setting();
  const tree = await started(await machine(), base);
  const own = git(remote, "commit-tree", "-m", "Mine", "-p", base, `${base}^{tree}`);
  git(remote, "update-ref", `refs/heads/${BRANCH}`, own);
  await commits(tree, "one.txt");
  await expect(tree.published(FOREVER)).rejects.toMatchObject({ code: "branch_moved" });
  expect(git(remote, "rev-parse", BRANCH)).toBe(own);
});

test("a push whose answer got lost counts as done", async () => {
  const { remote, base, machine } = setting();
  const tree = await started(await machine(), base);
  const hook = path.join(remote, "hooks", "post-update");
  mkdirSync(path.dirname(hook), { recursive: true });
  // The refs have moved; the connection ends before the answer.
  writeFileSync(hook, `#!/bin/sh\nrm -f '${hook}'\nkill -9 $PPID\n`);
  chmodSync(hook, 0o755);
  await commits(tree, "one.txt");
  const two = await commits(tree, "two.txt");
  await tree.published(FOREVER);
  expect(git(remote, "rev-parse", BRANCH)).toBe(two);
  expect(existsSync(hook)).toBe(false);
});

test("the repository's configuration and hooks have no say in a push or a fetch", async () => {
  const { remote, base, machine } = setting();
  const repo = await machine();
  const trap = path.join(repo.root, "trap");
  const program = path.join(repo.root, "program.sh");
  writeFileSync(program, `#!/bin/sh\ntouch '${trap}'\nexit 1\n`);
  chmodSync(program, 0o755);
  const url = pathToFileURL(remote).href;
  git(repo.root, "config", `url.ext::${program} .insteadOf`, "file://");
  git(repo.root, "config", "protocol.ext.allow", "always");
  git(repo.root, "config", "core.sshCommand", program);
  git(repo.root, "config", "credential.helper", `!${program}`);
  git(repo.root, "config", `remote.${url}.uploadpack`, program);
  git(repo.root, "config", `remote.${url}.receivepack`, program);
  mkdirSync(path.join(repo.root, ".git/hooks"), { recursive: true });
  for (const hook of ["pre-push", "reference-transaction", "post-update"]) {
    writeFileSync(path.join(repo.root, ".git/hooks", hook), `#!/bin/sh\ntouch '${trap}'\n`);
    chmodSync(path.join(repo.root, ".git/hooks", hook), 0o755);
  }
  const tree = await started(repo, base);
  const one = await commits(tree, "one.txt");
  await tree.published(FOREVER);
  await repo.remote?.bring({ branches: [BRANCH] });
  expect(git(remote, "rev-parse", BRANCH)).toBe(one);
  expect(existsSync(trap)).toBe(false);
});

test("in a mirror a branch means the remote's, which may have moved on", async () => {
  const { remote, base } = setting();
  const mirror = path.join(path.dirname(remote), "mirror.git");
  git(path.dirname(remote), "init", "--quiet", "--bare", mirror);
  const url = pathToFileURL(remote).href;
  const shared = { url, identity: "remote", sshCommand: undefined, credentialHelper: undefined };
  await using repo = await openRepository({ path: mirror, remote: { ...shared, mirror: true } });
  expect(await repo.resolve("main")).toBe(base);
  const next = git(remote, "commit-tree", "-m", "Next", "-p", base, `${base}^{tree}`);
  git(remote, "update-ref", "refs/heads/main", next);
  expect(await repo.resolve("main")).toBe(next);
  await expect(repo.resolve("nothing")).rejects.toMatchObject({ code: "rev_not_found" });
});
