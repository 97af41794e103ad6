/** Every program whose arguments are known. A new one is an entry in one of these tables. */
import { CODE_PROGRAMS } from "./code-programs.ts";
import { GIT } from "./git-program.ts";
import type { Grammar } from "./grammar.ts";
import { TEXT_PROGRAMS } from "./text-programs.ts";

export const PROGRAMS: Readonly<Record<string, Grammar>> = { ...TEXT_PROGRAMS, ...CODE_PROGRAMS, git: GIT };

const SHELL = "is a shell";
const STARTS = "starts whatever it is given";

const refuse = (why: string, names: string) =>
  Object.fromEntries(names.split(" ").map((name) => [name, why]));

/** No entry lets these run: what they start would be judged by nobody. */
export const REFUSED_PROGRAMS: Readonly<Record<string, string>> = {
  npx: "fetches and runs packages",
  ...refuse(SHELL, "sh bash rbash dash ash zsh ksh mksh fish csh tcsh busybox toybox pwsh cmd"),
  ...refuse(STARTS, "sudo su doas pkexec runuser ssh chroot unshare nsenter setsid nohup nice ionice stdbuf"),
  ...refuse(STARTS, "timeout time watch parallel script strace ltrace exec eval command builtin source"),
};
