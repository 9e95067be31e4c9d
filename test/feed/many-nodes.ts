import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Registry as MetricsRegistry } from 'prom-client';
import type { FastifyInstance } from 'fastify';
import type { Identity } from '../../src/auth/identity.ts';
import type { Verifier } from '../../src/auth/grant.ts';
import { loadConfig } from '../../src/config.ts';
import { buildApp } from '../../src/edge/app.ts';
import { registrarOf } from '../../src/edge/ws/registrar.ts';
import { watchRoute } from '../../src/edge/ws/watch.ts';
import { LiveNode } from './live-node.ts';
import { loneNode } from '../support/lone-node.ts';

/** Tokens that are names: whoever says one is its bearer, for ever. */
export function nameTags(identities: ReadonlyMap<string, Identity>): Verifier {
  const grants = new Map(
    Array.from(identities, ([token, identity]) => [token, { identity, expiresAt: Infinity, holds: () => true }]),
  );
  return {
    verify: (token) => {
      const grant = grants.get(token);
      return grant === undefined ? { ok: false, away: false, detail: 'nobody' } : { ok: true, grant };
    },
  };
}

/** One server, in front of one node after the other: the server takes longer to build than a short history to play. */
export class ManyNodes {
  node!: LiveNode;
  app!: FastifyInstance;

  static async open(tokens: Verifier): Promise<ManyNodes> {
    const many = new ManyNodes();
    await many.next();
    const loaded = loadConfig({});
    if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
    const log = pino({ level: 'silent' });
    const of = <T extends object>(get: (node: LiveNode) => T): T => standIn(() => get(many.node));
    const instances = of((node) => node.instances);
    const monitoring = of((node) => node.leases);
    const state = of((node) => node.tail);
    const hub = of((node) => node.hub);
    many.app = await buildApp({
      config: loaded.config,
      access: { development: false, tokens },
      registry: of((node) => node.registry),
      state,
      log: of((node) => node.hub.history),
      feed: hub,
      instances,
      monitoring,
      cluster: loneNode(state),
      logger: log,
      metrics: new MetricsRegistry(),
      clock: Date.now,
      version: '0.0.0',
      plugins: [
        watchRoute({
          hub,
          log,
          maxFrameBytes: 64 * 1024,
          registrar: registrarOf({ instances, monitoring, state, log }),
        }),
      ],
    });
    await many.app.listen({ host: '127.0.0.1', port: 0 });
    return many;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.app.server.address() as AddressInfo).port}`;
  }

  /** Puts a new and empty node in the place of the last one. */
  async next(): Promise<LiveNode> {
    this.node = await LiveNode.bare({ heartbeatMs: 60_000, maxSockets: 200 });
    return this.node;
  }

  async close(): Promise<void> {
    this.app.server.closeAllConnections();
    await this.app.close();
  }
}

/** Whatever is asked of it is asked of what `get` returns then. */
function standIn<T extends object>(get: () => T): T {
  return new Proxy({} as T, {
    get: (_target, key): unknown => {
      const now = get();
      const value: unknown = Reflect.get(now, key, now);
      return typeof value === 'function' ? (value.bind(now) as unknown) : value;
    },
  });
}
