import { connect, createServer, type AddressInfo } from 'node:net';

/**
 * A page at the origin of a server, as if the server had it: all other requests are the server's. A page that the browser is
 * given by the test would be a page from nowhere, which may not open a socket to this machine.
 */
export async function startFront(target: number, path: string, html: () => string) {
  const server = createServer((near) => {
    near.on('error', () => near.destroy());
    near.once('data', (first) => {
      if (first.toString('latin1').startsWith(`GET ${path} `)) {
        const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n\r\n';
        return near.end(head + html());
      }
      const far = connect(target, '127.0.0.1');
      far.write(first);
      near.pipe(far).pipe(near);
      near.on('close', () => far.destroy());
      far.on('error', () => near.destroy());
      far.on('close', () => near.destroy());
      return undefined;
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    close: (): Promise<unknown> => new Promise((done) => server.close(done)),
  };
}
