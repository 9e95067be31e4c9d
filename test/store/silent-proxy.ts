import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A network between client and server that can lose everything without telling either (a half-open connection). */
export interface SilentProxy {
  url: string;
  /** Connections that exist pass nothing on any more, and stay open. */
  cutExisting(): void;
  /** New connections are accepted and then hear nothing. */
  swallowNew(yes: boolean): void;
  close(): Promise<void>;
}

export async function silentProxy(target: string): Promise<SilentProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let pairs: [Socket, Socket][] = [];
  let swallow = false;
  const server = createServer((client) => {
    keep(client);
    if (swallow) return;
    const upstream = connect(Number(port), hostname);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    pairs.push([client, upstream]);
  });
  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => {});
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cutExisting: () => {
      for (const [client, upstream] of pairs) {
        client.unpipe(upstream);
        upstream.unpipe(client);
      }
      pairs = [];
    },
    swallowNew: (yes) => {
      swallow = yes;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
