/** Runs one program in a sandbox, as whoever runs this: a request of JSON as argument, the result as a line of JSON. */
import { createSandbox } from "../../src/host/sandbox.ts";
import type { ConfinedRequest } from "./confined.ts";

const request: ConfinedRequest = JSON.parse(process.argv[2] ?? "");
const { mode, argv, folder = null, ...options } = request;
const sandbox = createSandbox({ mode, searchPath: "", folder });
if (argv === undefined) console.log(JSON.stringify(await sandbox.state()));
else {
  const [program = "", ...args] = argv;
  const result = await sandbox.run([program, ...args], {
    ...options,
    onStdout: (text) => void process.stderr.write(text),
  });
  console.log(
    JSON.stringify({
      ...result,
      stdout: result.stdout.toString("utf8"),
      stderr: result.stderr.toString("utf8"),
    }),
  );
}
