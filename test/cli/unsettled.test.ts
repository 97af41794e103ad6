/** A command in which nothing is left that could end it says so; it never passes for one that went well. */
import { expect, it } from "vitest";
import { oxbow } from "../support/cli.ts";
import { makeShop } from "../support/shop.ts";

/** Timers that keep no process alive, so that a wait is all there is. */
const FORGETFUL = `data:text/javascript,${encodeURIComponent(
  "for (const name of ['setTimeout', 'setInterval']) { const real = globalThis[name]; globalThis[name] = (...given) => real(...given).unref(); }",
)}`;

it("ends with 70", async () => {
  using shop = makeShop();
  const ended = await oxbow(["signal", "wait", "never", "--timeout-ms", "60000"], {
    cwd: shop.dir,
    env: { NODE_OPTIONS: `--import ${FORGETFUL}` },
  });
  expect(ended.stderr).toContain("ended before its work had");
  expect([ended.code, ended.stdout]).toEqual([70, ""]);
});
