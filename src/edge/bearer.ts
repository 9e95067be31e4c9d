import type { IncomingMessage } from 'node:http';

interface Read {
  readonly header: string;
  readonly token: string;
}

const READ = new WeakMap<object, Read>();

/**
 * The token in `Authorization`; `undefined` when the header has another form. Who sends one header over and over on one
 * connection has it read once, and gets the same text again, whose hash V8 has made already.
 */
export function bearerToken({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): string | undefined {
  const { authorization: header = '', upgrade } = headers;
  const read = READ.get(socket);
  if (read?.header === header) return read.token;
  const token = /^bearer +([^\s,]+) *$/i.exec(header)?.[1];
  // A socket that is upgraded brings no other request, and lives long.
  if (token !== undefined && upgrade === undefined) READ.set(socket, { header, token });
  return token;
}
