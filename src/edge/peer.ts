import type { FastifyRequest } from 'fastify';
import type { Hub } from '../feed/hub.ts';
import type { Gate, Peer, Transport } from '../feed/peer.ts';
import { standingOf } from './gate.ts';
import { Problem } from '../protocol/problem.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Decides who those are that stay. */
    readonly gate: Gate;
  }
}

const MAX_USER_AGENT = 200;

/** Who is at the other end of a request that stays. */
export function peerOf({ raw, id, caller, grant, server }: FastifyRequest, transport: Transport): Peer {
  const userAgent = raw.headers['user-agent'];
  return {
    transport,
    remoteAddress: raw.socket.remoteAddress ?? '',
    requestId: id,
    standing: standingOf(caller, grant),
    gate: server.gate,
    ...(userAgent !== undefined && { userAgent: cut(userAgent) }),
  };
}

/** Throws when the peer's project has as many subscriptions as it may: before anything is sent, it can be told so. */
export function requireRoom({ projects }: Pick<Hub, 'projects'>, { standing }: Peer): void {
  const full = projects.whyFull(standing.caller);
  if (full !== undefined) throw new Problem('quota-exceeded', `${full}.`);
}

/** A slice would hold on to the whole text for as long as the watcher lives. */
const cut = (text: string): string =>
  text.length <= MAX_USER_AGENT ? text : Buffer.from(text.slice(0, MAX_USER_AGENT)).toString();
