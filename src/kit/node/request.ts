import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BadBody, type AdminRequest } from '../admin/request.ts';

const MAX_BODY = 65_536;

/** A request of `node:http` as the kit's endpoints take it. */
export function adminRequest(request: IncomingMessage, path: string): Omit<AdminRequest, 'params'> {
  return {
    method: request.method ?? 'GET',
    path,
    headers: request.headers,
    body: () => readBody(request),
    peer: request.socket?.remoteAddress ?? '',
    listener: listenerOf(request),
    certificate: certificateOf(request),
  };
}

export const pathOf = (url: string | undefined): string => (url ?? '/').split(/[?#]/, 1)[0] ?? '/';

/** Node keeps at each socket the server that accepted it, so that a program with several listeners is told apart. */
function listenerOf({ socket }: IncomingMessage): string | undefined {
  const { server } = (socket ?? {}) as { readonly server?: { address?: () => AddressInfo | string | null } };
  const bound = server?.address?.();
  return typeof bound === 'object' && bound !== null ? bound.address : undefined;
}

function certificateOf({ socket }: IncomingMessage): string | undefined {
  const { getCertificate } = (socket ?? {}) as { getCertificate?: () => { fingerprint256?: string } | null };
  return getCertificate?.call(socket)?.fingerprint256?.replaceAll(':', '').toLowerCase();
}

/** Where something before has read it (a body parser), what came out of that; else the stream, up to its bound. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const { body } = request as { readonly body?: unknown };
  if (body !== undefined) return Buffer.isBuffer(body) || typeof body === 'string' ? parse(String(body)) : body;
  const type = request.headers['content-type'];
  if (type !== undefined && !/^application\/(?:[\w.-]+\+)?json\b/i.test(type.trim()))
    throw new BadBody(415, 'Send JSON: Content-Type: application/json.');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new BadBody(413, `At most ${MAX_BODY} bytes.`);
    chunks.push(chunk);
  }
  return parse(Buffer.concat(chunks).toString());
}

function parse(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new BadBody(400, 'The body is no JSON.');
  }
}
