/** Does something every so often, and never twice at once: a turn that comes while the last one is at work is left out. */
export function repeatedly(
  everyMs: number,
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): { readonly stop: () => void } {
  let working = false;
  const timer = setInterval(() => {
    if (working) return;
    working = true;
    work()
      .catch(failed)
      .finally(() => {
        working = false;
      });
  }, everyMs);
  return { stop: () => clearInterval(timer) };
}
