import { type Socket, connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A link that can lose, without a word, what goes to a server or what comes from it. */
export interface Proxy {
  readonly port: number;
  lost: 'to' | 'from' | undefined;
  close(): Promise<void>;
}

export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to, way] of [
      [near, far, 'to'],
      [far, near, 'from'],
    ] as const) {
      sockets.add(from);
      let isCut = false;
      from.on('data', (data) => {
        // A connection that has lost something has nothing to deliver after it.
        isCut ||= proxy.lost === way;
        if (!isCut) to.write(data);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    lost: undefined,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
