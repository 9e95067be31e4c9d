import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * Once anything listens for upgrades, Node takes every connection away from HTTP that asks for one, whatever the path and
 * the protocol: its request would be half answered, and no timeout would ever end it. A server may pass over such a wish
 * (RFC 9110, section 7.8), and some clients send it along with every first request, for HTTP/2. So what `wanted` does not
 * want is given back to HTTP, as the same request without the wish.
 */
export function giveBackOthers(server: Server, wanted: (request: IncomingMessage) => boolean): void {
  const takers = server.listeners('upgrade') as OnUpgrade[];
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (wanted(request)) {
      for (const take of takers) take.call(server, request, socket, head);
      return;
    }
    socket.unshift(Buffer.concat([Buffer.from(withoutUpgrade(request), 'latin1'), head]));
    // To a server of HTTPS, a connection is what TLS has yet to be spoken on.
    server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
  });
}

const WISHES: ReadonlySet<string> = new Set(['upgrade', 'http2-settings']);

function withoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const value = rawHeaders[i + 1] ?? '';
    const kept = name.toLowerCase() === 'connection' ? withoutWishes(value) : value;
    if (kept !== undefined && !WISHES.has(name.toLowerCase())) lines.push(`${name}: ${kept}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function withoutWishes(connection: string): string | undefined {
  const options = connection.split(',').map((option) => option.trim());
  return options.filter((option) => !WISHES.has(option.toLowerCase())).join(', ') || undefined;
}
