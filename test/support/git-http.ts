/** A repository behind `git http-backend`, as web servers offer it; on loopback, over TLS where a key is given. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { basename, dirname } from "node:path";
import { plainEnvironment } from "./cli.ts";

export interface GitHttp extends AsyncDisposable {
  readonly url: string;
  /** How many requests of each service came in. */
  readonly requests: { fetches: number; pushes: number };
}

export async function serveGit(
  bare: string,
  options: { readonly tls?: { readonly key: string; readonly cert: string }; readonly host?: string } = {},
): Promise<GitHttp> {
  const requests = { fetches: 0, pushes: 0 };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
    if (search.includes("git-upload-pack")) requests.fetches++;
    if (search.includes("git-receive-pack")) requests.pushes++;
    const length = request.headers["content-length"];
    const backend = spawn("git", ["http-backend"], {
      stdio: ["pipe", "pipe", "ignore"],
      env: {
        ...plainEnvironment(),
        GIT_PROJECT_ROOT: dirname(bare),
        GIT_HTTP_EXPORT_ALL: "1",
        REMOTE_USER: "fleet",
        REMOTE_ADDR: "127.0.0.1",
        REQUEST_METHOD: request.method ?? "GET",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        ...(length === undefined ? {} : { CONTENT_LENGTH: length }),
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      },
    });
    // Whoever hangs up in the middle ends the backend too.
    response.on("close", () => backend.kill());
    backend.stdin.on("error", () => undefined);
    request.pipe(backend.stdin);
    let head = Buffer.alloc(0);
    backend.stdout.on("data", (chunk: Buffer) => {
      if (response.headersSent) return void response.write(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      for (const line of head.subarray(0, end).toString("latin1").split("\r\n")) {
        const [name = "", value = ""] = line.split(/: (.*)/s);
        if (name === "Status") response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.write(head.subarray(end + 4));
    });
    backend.stdout.on("end", () => response.end());
  };
  const server = options.tls ? createTlsServer(options.tls, answer) : createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port }: AddressInfo = Object(server.address());
  const scheme = options.tls ? "https" : "http";
  return {
    url: `${scheme}://${options.host ?? "127.0.0.1"}:${port}/${basename(bare)}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
