import type { FastifyRequest } from 'fastify';
import type { Peer, Transport } from '../feed/peer.ts';

const MAX_USER_AGENT = 200;

/** Who is at the other end of a request that stays. */
export function peerOf({ raw, id, caller, grant }: FastifyRequest, transport: Transport): Peer {
  const userAgent = raw.headers['user-agent'];
  return {
    transport,
    remoteAddress: raw.socket.remoteAddress ?? '',
    requestId: id,
    caller,
    ...(grant !== undefined && { grant }),
    ...(userAgent !== undefined && { userAgent: cut(userAgent) }),
  };
}

/** A slice would hold on to the whole text for as long as the watcher lives. */
const cut = (text: string): string =>
  text.length <= MAX_USER_AGENT ? text : Buffer.from(text.slice(0, MAX_USER_AGENT)).toString();
