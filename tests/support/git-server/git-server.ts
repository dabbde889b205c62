import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";

export interface GitServerOptions {
  /** Holds bare repositories. Those under `private/` want the credentials; `silent/` never answers; `slow/` pauses within packs. */
  readonly root: string;
  readonly user: string;
  readonly password: string;
}

export interface GitServer {
  /** Without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A git host: git's own http-backend, behind a server of ours. Everybody may push to what is not private. */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const server = createServer((request, response) => void answer(request, response, options));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: GitServerOptions,
): Promise<void> {
  const { pathname, search } = new URL(request.url ?? "/", "http://git");
  if (pathname.startsWith("/silent/")) return;
  const isOpen = !pathname.startsWith("/private/");
  if (!isOpen && !isAuthorized(request, options)) {
    response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    return;
  }
  const child = spawn("git", ["-c", "http.receivepack=true", "http-backend"], {
    env: {
      PATH: process.env["PATH"],
      HOME: "/nonexistent",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_PROJECT_ROOT: options.root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      ...variablesOf(request),
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.on("error", () => undefined);
  request.pipe(child.stdin);
  const said = await buffer(child.stdout);
  const end = said.indexOf("\r\n\r\n");
  const fields = said.subarray(0, end).toString("utf8").split("\r\n");
  let status = 200;
  for (const field of fields) {
    const [name = "", value = ""] = field.split(/: (.*)/s);
    if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status);
  await sendBody(response, said.subarray(end + 4), pathname.startsWith("/slow/"));
}

/** `isSlow`: what is as large as a pack comes in two parts, more than a second apart. */
async function sendBody(response: ServerResponse, body: Buffer, isSlow: boolean): Promise<void> {
  const first = isSlow && body.length > 100_000 ? body.length / 2 : body.length;
  response.write(body.subarray(0, first));
  if (first < body.length) await setTimeout(1100);
  response.end(body.subarray(first));
}

function variablesOf({ method, headers }: IncomingMessage) {
  return {
    REQUEST_METHOD: method,
    GIT_PROTOCOL: String(headers["git-protocol"] ?? ""),
    CONTENT_TYPE: headers["content-type"] ?? "",
    HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
  };
}

function isAuthorized({ headers }: IncomingMessage, { user, password }: GitServerOptions): boolean {
  const expected = Buffer.from(`${user}:${password}`).toString("base64");
  return headers.authorization === `Basic ${expected}`;
}
