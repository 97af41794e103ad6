import { openApp } from "../../app.ts";

export interface AllocateOptions {
  agent: string;
  ticket?: string;
  base?: string;
  switch?: boolean;
  repo: string;
  json?: boolean;
}

export async function allocate(options: AllocateOptions): Promise<number> {
  await using app = openApp({ repo: options.repo });
  const { agent, ticket, base } = options;
  const branch = await app.allocateBranch({
    agentName: agent,
    ...(ticket === undefined ? {} : { ticket }),
    ...(base === undefined ? {} : { base }),
    switch: options.switch === true,
  });
  if (options.json) process.stdout.write(`${JSON.stringify(branch)}\n`);
  else
    process.stdout.write(
      `${branch.name} ${branch.created ? "made at" : "was there, at"} ${branch.base.slice(0, 12)}\n`,
    );
  return 0;
}
