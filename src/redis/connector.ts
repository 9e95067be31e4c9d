import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector } from 'ioredis';
import type { Locate, Place } from './locate.ts';
import { tlsTo } from './tls.ts';

interface ConnectorOptions {
  readonly locate: Locate;
  readonly tls: boolean;
  readonly disconnectMs: number;
  /** How long to wait after so many attempts to find out where to connect. */
  readonly delay: (attempt: number) => number;
  /** So often it asks whether what it is connected to is still the right one; not at all when not given. */
  readonly watchMs?: number;
}

type Connector = new (options: unknown) => AbstractConnector;

/** Connects to where something is now, which is asked anew for every connection, and accepts masters only. */
export function connectorTo({ locate, tls, disconnectMs, delay, watchMs }: ConnectorOptions): Connector {
  return class extends AbstractConnector {
    #waiting = new AbortController();

    constructor() {
      super(disconnectMs);
    }

    override check({ role }: { role?: string }): boolean {
      return role === undefined || role === 'master';
    }

    override disconnect(): void {
      this.#waiting.abort();
      super.disconnect();
    }

    override async connect(emit: (type: string, error: Error) => void): Promise<AbstractConnector['stream']> {
      this.connecting = true;
      this.#waiting = new AbortController();
      const place = await this.#find(emit);
      // A rejection would end the client for good, so only a client that is to end gets one.
      if (!this.#isWanted()) throw new Error('Connection is closed.');
      const { host, port } = place;
      this.stream = tls ? connectTls({ host, port, ...tlsTo(host, tls).tls }) : createConnection({ host, port });
      this.stream.once('error', (error: Error) => (this.firstError = error));
      if (watchMs !== undefined) this.#watch(place, watchMs);
      return this.stream;
    }

    async #find(emit: (type: string, error: Error) => void): Promise<Place> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await locate();
        } catch (error) {
          if (!this.#isWanted()) throw error;
          emit('error', error as Error);
        }
        await sleep(delay(attempt), undefined, { signal: this.#waiting.signal });
      }
    }

    /** A master that was replaced without knowing it keeps its connections. */
    #watch(place: Place, everyMs: number): void {
      const { stream } = this;
      const timer = setInterval(() => {
        locate().then(
          ({ host, port, epoch }) => {
            if (epoch > place.epoch && (host !== place.host || port !== place.port)) {
              stream.destroy(new Error('another server has become the master'));
            }
          },
          // Whoever is still connected has no need of those who do not answer.
          () => undefined,
        );
      }, everyMs).unref();
      stream.once('close', () => clearInterval(timer));
    }

    #isWanted(): boolean {
      return this.connecting;
    }
  };
}
