import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { SignalboxError } from '../../sdk/errors.ts';
import type { Handlers } from '../listen/listener.ts';
import type { Send } from '../ports.ts';
import { refuse, type Ended, type Request, type Response } from '../proxy/forward.ts';
import { isLoop } from '../proxy/headers.ts';
import { pass, type Way } from '../proxy/pass.ts';
import { upgradeResponse } from '../proxy/upgrade.ts';
import type { Refusal } from '../problem.ts';
import type { Downstreams } from './downstreams.ts';
import { route, ROUTING_HEADERS, type Headers, type RouteTable } from './route.ts';

export interface EgressOptions {
  readonly table: RouteTable;
  readonly downstreams: Pick<Downstreams, 'of' | 'address'>;
  readonly pseudonym: string;
  /** The header by whose value calls are kept on one instance; in lower case. */
  readonly keyHeader: string | undefined;
  readonly onEnd: (service: string, ended: Ended, startedAt: number) => void;
  readonly onRetry: (service: string) => void;
}

/** What the backend calls: every request goes to an instance of the service that it is for. */
export class Egress implements Handlers {
  readonly #options: EgressOptions;
  readonly #drop: ReadonlySet<string>;

  constructor(options: EgressOptions) {
    this.#options = options;
    this.#drop = ROUTING_HEADERS;
  }

  readonly request = (request: Request, response: Response): void => {
    const way = this.#wayOf(request);
    if ('refusal' in way) {
      this.#options.onEnd('', way.refusal.status, performance.now());
      return refuse(response, way.refusal);
    }
    pass(request, response, way);
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const response = upgradeResponse(request, socket);
    const way = this.#wayOf(request);
    if ('refusal' in way) return refuse(response, way.refusal);
    pass(request, response, way, { socket, head });
  };

  #wayOf(request: Request): Way | { readonly refusal: Refusal } {
    const { table, downstreams, pseudonym, keyHeader, onEnd, onRetry } = this.#options;
    const headers = request.headers as Headers;
    if (isLoop(request.headers.via, pseudonym)) return { refusal: loop };
    const found = route(request.url ?? '', headers, table);
    if (found.type === 'refused') return found;
    const startedAt = performance.now();
    const key = keyHeader === undefined ? undefined : headers[keyHeader];
    const common = { path: found.path, pseudonym, drop: this.#drop, ...(typeof key === 'string' && { key }) };
    if (found.type === 'address') {
      const end = (ended: Ended): void => onEnd(found.url, ended, startedAt);
      return { ...common, target: found.url, send: downstreams.address(found.url).send, onEnd: end };
    }
    const downstream = downstreams.of(found.selection);
    const { service } = found.selection;
    if (found.url !== undefined && !isInstance(downstream, found.url)) {
      // Which of the two is wrong cannot be said before the instances are known.
      return downstream.state === 'loading'
        ? { ...common, target: service, send: notReady, onEnd: () => {} }
        : { refusal: unknownUrl };
    }
    const end = (ended: Ended): void => onEnd(service, ended, startedAt);
    return {
      ...common,
      target: service,
      send: downstream.send,
      onEnd: end,
      onRetry: () => onRetry(service),
      ...(found.url !== undefined && { instance: found.url }),
    };
  }
}

const notReady: Send = (_outgoing, incoming) => {
  incoming.failed(new SignalboxError('not-ready', 'the instances are not known yet'));
};

function isInstance(
  downstream: { instances(): readonly { protocol: string; address: string; port: number }[] },
  url: string,
): boolean {
  return downstream.instances().some((instance) => urlOf(instance) === url);
}

/** As `Endpoint.url` has it, but without a port that the scheme has anyway, as `URL.origin` has it. */
function urlOf({ protocol, address, port }: { protocol: string; address: string; port: number }): string {
  const host = address.includes(':') ? `[${address}]` : address;
  const url = `${protocol}://${host}:${port}`;
  return URL.canParse(url) ? new URL(url).origin : url;
}

const loop: Refusal = {
  status: 508,
  code: 'loop',
  title: 'The request went in a circle',
  detail: 'It came back to the sidecar that it had passed already. Does a route lead to the service that calls it?',
};

const unknownUrl: Refusal = {
  status: 403,
  code: 'service-url-not-allowed',
  title: 'The address is not an instance',
  detail:
    'service_url has to be the address of an instance of the service in service_id, or to stand in egress.allowedHosts; nothing else is called.',
};
