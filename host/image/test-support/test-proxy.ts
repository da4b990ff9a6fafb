/** A proxy on loopback to which names resolve that nobody else knows: what comes to it came through the proxy. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface TestProxy extends AsyncDisposable {
  /** with credentials, as a user would write it into HTTP_PROXY */
  readonly url: string;
  /** what was asked for, in order: `CONNECT HOST:PORT`, or a method and a whole URL */
  readonly asked: string[];
  /** those of `asked` that came without the proxy's credentials */
  readonly strangers: string[];
}

const USER = "proxy-user:proxy-secret";

/** @param ports where the names lead, on loopback */
export async function startProxy(ports: ReadonlyMap<string, number>): Promise<TestProxy> {
  const asked: string[] = [];
  const strangers: string[] = [];
  const sockets = new Set<Socket>();
  const note = (what: string, { headers }: IncomingMessage): void => {
    asked.push(what);
    const expected = `Basic ${Buffer.from(USER).toString("base64")}`;
    if (headers["proxy-authorization"] !== expected) strangers.push(what);
  };
  const server = createServer((incoming, response) => {
    note(`${incoming.method} ${incoming.url}`, incoming);
    forward(incoming, response, ports);
  });
  server.on("connect", (incoming: IncomingMessage, socket: Socket) => {
    note(`CONNECT ${incoming.url}`, incoming);
    const target = connect(portOf(incoming.url ?? "", ports), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    for (const end of [socket, target]) {
      sockets.add(end);
      end.on("error", () => end.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${USER}@127.0.0.1:${port}`,
    asked,
    strangers,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  ports: ReadonlyMap<string, number>,
): void {
  const url = new URL(incoming.url ?? "");
  const { "proxy-authorization": _, "proxy-connection": __, ...headers } = incoming.headers;
  const onward = request(
    {
      host: "127.0.0.1",
      port: portOf(url.host, ports),
      method: incoming.method,
      path: url.pathname + url.search,
      headers,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on("error", () => response.destroy());
  incoming.pipe(onward);
}

function portOf(host: string, ports: ReadonlyMap<string, number>): number {
  const name = host.replace(/:[0-9]+$/, "");
  return ports.get(name) ?? 1;
}
