import { Pool } from 'undici';
import { SignalboxError } from '../../src/sdk/errors.ts';
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
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const stateOf = (): Downstream['state'] => (urls() === undefined ? 'loading' : this.state);
    return {
      id: service,
      get state() {
        return stateOf();
      },
      age: 0,
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

  #try(urls: readonly string[], turn: number, outgoing: Outgoing, incoming: Incoming): void {
    const url = urls[turn % urls.length];
    if (url === undefined) return fail(incoming, 'no-instances');
    const { body, headers, method, path, upgrade } = outgoing;
    const stream = body?.() ?? null;
    const rest = urls.filter((other) => other !== url);
    this.attempts.push(url);
    const pool =
      this.#pools.get(url) ??
      new Pool(url, { allowH2: url.startsWith('https'), connect: { rejectUnauthorized: false } });
    this.#pools.set(url, pool);
    pool.dispatch(
      { method, path, headers, body: stream, ...(upgrade !== undefined && { upgrade }) },
      {
        onRequestStart: (controller) => incoming.onRequestStart(controller, undefined),
        onRequestUpgrade: (...args) => incoming.onRequestUpgrade(...args),
        onResponseStart: (...args) => incoming.onResponseStart(...args),
        onResponseData: (...args) => incoming.onResponseData(...args),
        onResponseEnd: (...args) => incoming.onResponseEnd(...args),
        onResponseError: (controller, error) => {
          if ((error as { code?: string }).code === 'ECONNREFUSED' && rest.length > 0)
            this.#try(rest, 0, outgoing, incoming);
          else incoming.onResponseError(controller, error);
        },
      },
    );
  }
}

function fail(incoming: Incoming, code: 'not-ready' | 'no-instances'): void {
  incoming.onResponseError(undefined as never, new SignalboxError(code, code));
}
