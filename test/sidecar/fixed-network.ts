import { Pool } from 'undici';
import { SignalboxError } from '../../src/sdk/errors.ts';
import { sendThrough, type Engine } from '../../src/sidecar/proxy/send-through.ts';
import type { Downstream, Incoming, Network, Outgoing, Selection } from '../../src/sidecar/ports.ts';

/** Services at addresses that a test has written down; undefined: not known yet. Connections that are refused are tried elsewhere. */
export class FixedNetwork implements Network {
  readonly services = new Map<string, readonly string[] | undefined>();
  readonly registrations: object[] = [];
  readonly deregistered: string[] = [];
  readonly attempts: string[] = [];
  readonly selections: Selection[] = [];
  readonly closed: string[] = [];
  state: Downstream['state'] = 'live';
  readonly #pools = new Map<string, Pool>();
  #turn = 0;

  downstream(selection: Selection): Downstream {
    this.selections.push(selection);
    const { service } = selection;
    const urls = (): readonly string[] | undefined => this.services.get(service);
    const stateOf = (): Downstream['state'] => (urls() === undefined ? 'loading' : this.state);
    return {
      id: service,
      get state() {
        return stateOf();
      },
      age: 0,
      ejections: 0,
      instances: () =>
        (urls() ?? []).map((url) => {
          const { protocol, hostname, port } = new URL(url);
          return { protocol: protocol.slice(0, -1), address: hostname, port: Number(port) };
        }),
      ready: () => Promise.resolve(),
      send: (outgoing, incoming) => {
        const known = urls();
        if (known === undefined) return fail(incoming, 'not-ready');
        const able = outgoing.instance === undefined ? known : known.filter((url) => url === outgoing.instance);
        this.#try(able, this.#turn++, outgoing, incoming);
      },
      close: () => this.closed.push(service),
    };
  }

  address(url: string): Pick<Downstream, 'send' | 'close'> {
    return {
      send: (outgoing, incoming) => this.#try([url], 0, outgoing, incoming),
      close: () => {},
    };
  }

  register(registration: object): ReturnType<Network['register']> {
    this.registrations.push(registration);
    return Promise.resolve({
      state: 'registered' as const,
      on: () => () => {},
      deregister: () => {
        this.deregistered.push((registration as { service: string }).service);
        return Promise.resolve();
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  /** As the client library's engine: a connection that is refused is tried elsewhere, while the body is whole. */
  #try(urls: readonly string[], turn: number, outgoing: Outgoing, incoming: Incoming): void {
    const engine: Engine = {
      call: async (request, send) => {
        for (let n = 0; ; n++) {
          const url = urls[(turn + n) % urls.length];
          if (url === undefined) throw new SignalboxError('no-instances', 'no-instances');
          this.attempts.push(url);
          try {
            return await send(this.#poolOf(url));
          } catch (error) {
            const isRefused = (error as { code?: string }).code === 'ECONNREFUSED';
            if (!isRefused || n + 1 >= urls.length || !request.bodyIsWhole()) throw error;
          }
        }
      },
    };
    sendThrough(engine)(outgoing, incoming);
  }

  #poolOf(url: string): Pool {
    const pool =
      this.#pools.get(url) ??
      new Pool(url, { allowH2: url.startsWith('https'), connect: { rejectUnauthorized: false } });
    this.#pools.set(url, pool);
    return pool;
  }
}

function fail(incoming: Incoming, code: 'not-ready' | 'no-instances'): void {
  incoming.failed(new SignalboxError(code, code));
}
