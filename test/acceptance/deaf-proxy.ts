import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A network in front of a server that can lose what the server answers, and only that. */
export interface DeafProxy {
  readonly url: string;
  /** From now on nothing that the server says on these connections arrives. */
  loseAnswers(): void;
  /** Ends these connections; new ones work. */
  cut(): void;
  close(): Promise<void>;
}

export async function deafProxy(target: string): Promise<DeafProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Map<Socket, Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    pairs.set(client, upstream);
    for (const socket of [client, upstream]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
        pairs.delete(client);
      });
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  url.hostname = '127.0.0.1';
  const cut = (): void => {
    for (const client of pairs.keys()) client.destroy();
  };
  return {
    url: url.href,
    loseAnswers: () => {
      for (const [client, upstream] of pairs) upstream.unpipe(client).resume();
    },
    cut,
    close: async () => {
      cut();
      await new Promise((done) => server.close(done));
    },
  };
}
