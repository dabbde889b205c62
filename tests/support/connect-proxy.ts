import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { type Duplex, pipeline } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { releaseAtEnd } from "./cleanup.ts";
import { makeTempDir } from "./temp.ts";

const run = promisify(execFile);
/** What one end does the other hears of. */
const ignore = (): void => undefined;

/**
 * The proxy of a network that has no other way out: it wants a password, tunnels by CONNECT, and is the only one that
 * knows its hosts' names. Behind each of them it ends TLS, and passes what was said to a server of this machine.
 */
export class ConnectProxy {
  static readonly password = "p@ssword-of-the-proxy";
  /** With credentials, as HTTPS_PROXY has it. */
  readonly url: string;
  /** A file with the certificate that its hosts show. */
  readonly authority: string;
  /** `host:port` of each tunnel that was asked for, also in vain. */
  readonly asked: string[] = [];
  readonly #targets: Readonly<Record<string, string>>;
  readonly #context: SecureContext;

  private constructor(
    server: Server,
    authority: string,
    { targets, context }: { targets: Readonly<Record<string, string>>; context: SecureContext },
  ) {
    const { port } = server.address() as AddressInfo;
    this.url = `http://cluster:${encodeURIComponent(ConnectProxy.password)}@127.0.0.1:${port}`;
    this.authority = authority;
    this.#targets = targets;
    this.#context = context;
    server.on("connect", (request, socket, head) => this.#tunnel(request, socket, head));
  }

  /** `targets`: host → http URL of a server here. */
  static async start(targets: Readonly<Record<string, string>>): Promise<ConnectProxy> {
    const directory = await makeTempDir("proxy");
    const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
    const names = Object.keys(targets).map((host) => `DNS:${host}`);
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const subject = ["-days", "2", "-subj", "/CN=proxy", "-addext"];
    const files = ["-keyout", key, "-out", cert];
    await run("openssl", ["req", ...kind, ...files, ...subject, `subjectAltName=${names.join()}`]);
    const context = createSecureContext({ key: await readFile(key), cert: await readFile(cert) });
    const server = createServer((_request, response) => response.writeHead(403).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    releaseAtEnd(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return new ConnectProxy(server, cert, { targets, context });
  }

  #tunnel({ url = "", headers }: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.asked.push(url);
    socket.on("error", ignore);
    const known = Buffer.from(`cluster:${ConnectProxy.password}`).toString("base64");
    const target = this.#targets[url.replace(/:443$/, "")];
    if (headers["proxy-authorization"] !== `Basic ${known}`) {
      // git asks without a password first, to hear how it is wanted.
      const how = 'Proxy-Authenticate: Basic realm="cluster"\r\nContent-Length: 0\r\n';
      socket.end(`HTTP/1.1 407 Who are you?\r\n${how}Connection: close\r\n\r\n`);
      return;
    }
    if (target === undefined) {
      socket.end("HTTP/1.1 502 No such host\r\n\r\n");
      return;
    }
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (head.length > 0) socket.unshift(head);
    const secure = new TLSSocket(socket, { isServer: true, secureContext: this.#context });
    const { hostname, port } = new URL(target);
    const server = connect({ host: hostname, port: Number(port) });
    pipeline(secure, server, ignore);
    pipeline(server, secure, ignore);
  }
}
