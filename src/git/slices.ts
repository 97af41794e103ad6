/** Work on many small things takes turns with the rest of the process. */

/** Milliseconds at a stretch. */
const SLICE_MS = 5;

/** Gives the rest of the process a turn when this work has had its slice. */
export function createSlices(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < SLICE_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    since = performance.now();
  };
}
