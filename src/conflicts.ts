/** The app's methods for conflicts that wait for a person. */
import type { Conflicts } from "./team/conflict-case.ts";
import type { Engine } from "./team/engine.ts";

export function conflictMethods(engine: () => Promise<Engine>): Conflicts {
  const team = () => import("./team/conflicts.ts");
  const never = () => new AbortController().signal;
  const by = ({ repo }: Engine) => `${repo.identity.name} <${repo.identity.email}>`;
  return {
    list: async (wanted, filter = {}) => (await team()).showConflicts(await engine(), wanted, filter),
    async take(wanted, { path, side, as, branch }, signal = never()) {
      const bound = await engine();
      const choice = { kind: "take", path, side, as } as const;
      return (await team()).settleConflict(bound, wanted, choice, { branch }, by(bound), signal);
    },
    async resolve(wanted, { path, content, waived = [], branch }, signal = never()) {
      const bound = await engine();
      const choice = { kind: "file", path, content, waived } as const;
      return (await team()).settleConflict(bound, wanted, choice, { branch }, by(bound), signal);
    },
  };
}
