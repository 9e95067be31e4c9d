import type { IncomingMessage } from 'node:http';

/** The one protocol that is passed on: through any other, a caller would get a tunnel to the backend, past the guard of its paths. */
export const isWebSocket = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers.upgrade?.trim().toLowerCase() === 'websocket';

/** The header of a request as it came, without its wish to upgrade. */
export function plainRequest({
  method,
  url,
  httpVersion,
  rawHeaders,
}: Pick<IncomingMessage, 'method' | 'url' | 'httpVersion' | 'rawHeaders'>): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    const [name = '', value = ''] = [rawHeaders[n], rawHeaders[n + 1]];
    const small = name.toLowerCase();
    if (UPGRADING.has(small)) continue;
    const left = small === 'connection' ? withoutUpgrade(value) : value;
    if (left !== '') lines.push(`${name}: ${left}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const UPGRADING: ReadonlySet<string> = new Set(['upgrade', 'http2-settings']);

const withoutUpgrade = (connection: string): string =>
  connection
    .split(',')
    .map((name) => name.trim())
    .filter((name) => !UPGRADING.has(name.toLowerCase()))
    .join(', ');
