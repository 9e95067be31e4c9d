import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Endpoint } from '../../sdk/discovery/endpoint.ts';
import type { Handlers } from '../listen/listener.ts';
import type { Downstream, Send } from '../ports.ts';
import type { Refusal } from '../problem.ts';
import { refuse, type Tally } from '../proxy/forward.ts';
import { isLoop, stopsWith } from '../proxy/headers.ts';
import type { Request, Response } from '../proxy/messages.ts';
import { pass, type Target, type Way } from '../proxy/pass.ts';
import { refusalOf } from '../proxy/refusal.ts';
import { upgradeResponse } from '../proxy/upgrade.ts';
import type { Downstreams } from './downstreams.ts';
import { isForeign } from './foreign.ts';
import { route, ROUTING_HEADERS, type Headers, type RouteTable } from './route.ts';

export interface EgressOptions {
  readonly table: RouteTable;
  readonly downstreams: Pick<Downstreams, 'of' | 'address'>;
  readonly pseudonym: string;
  /** The header by whose value calls are kept on one instance; in lower case. */
  readonly keyHeader: string | undefined;
  /** Whether what a web page may have sent is refused. */
  readonly localOnly: boolean;
  /** Counts the requests of a service; of none where it is `''`. */
  readonly tally: (service: string) => Tally;
}

/** Who calls services is the backend, which knows who called it. */
const everybody = (): boolean => true;

type Found = Way | { readonly refusal: Refusal };

/** What the backend calls: every request goes to an instance of the service that it is for. */
export class Egress implements Handlers {
  readonly #options: EgressOptions;
  readonly #stops = stopsWith(ROUTING_HEADERS);
  readonly #refused: Tally;
  /** For as long as what is called stays open. */
  readonly #targets = new WeakMap<object, Target>();

  constructor(options: EgressOptions) {
    this.#options = options;
    this.#refused = options.tally('');
  }

  readonly request = (request: Request, response: Response): void => {
    const startedAt = performance.now();
    const way = this.#foundFor(request, startedAt);
    if ('refusal' in way) this.#refuse(response, way.refusal, startedAt);
    else pass(request, response, way);
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const startedAt = performance.now();
    const response = upgradeResponse(request, socket);
    const way = this.#foundFor(request, startedAt);
    if ('refusal' in way) this.#refuse(response, way.refusal, startedAt);
    else pass(request, response, way, { socket, head });
  };

  #refuse(response: Response, refusal: Refusal, startedAt: number): void {
    this.#refused.ended(refusal.status, startedAt);
    refuse(response, refusal);
  }

  #foundFor(request: Request, startedAt: number): Found {
    try {
      return this.#wayOf(request, startedAt);
    } catch (error) {
      // A caller names services as it likes: what cannot be called is its own affair.
      return { refusal: refusalOf(error, 'The service') };
    }
  }

  #wayOf(request: Request, startedAt: number): Found {
    const { table, downstreams, pseudonym, keyHeader, localOnly } = this.#options;
    const headers = request.headers as Headers;
    if (isLoop(request.headers.via, pseudonym)) return { refusal: loop };
    if (localOnly && isForeign(request.headers)) return { refusal: foreign };
    const found = route(request.url ?? '', headers, table);
    if (found.type === 'refused') return found;
    const { path, url } = found;
    const named = keyHeader === undefined ? undefined : headers[keyHeader];
    const key = typeof named === 'string' ? named : undefined;
    if (found.type === 'address') {
      const target = this.#targetOf(downstreams.address(found.url), found.url);
      return { target, path, startedAt, key, only: undefined };
    }
    const downstream = downstreams.of(found.selection);
    const target = this.#targetOf(downstream, found.selection.service);
    if (url === undefined) return { target, path, startedAt, key, only: undefined };
    const only = endpointAt(downstream, url);
    return 'refusal' in only ? only : { target, path, startedAt, key, only };
  }

  #targetOf(called: { readonly send: Send }, name: string): Target {
    const known = this.#targets.get(called);
    if (known !== undefined) return known;
    const { pseudonym, tally } = this.#options;
    const target = { name, send: called.send, pseudonym, stops: this.#stops, trusts: everybody, tally: tally(name) };
    this.#targets.set(called, target);
    return target;
  }
}

function endpointAt(downstream: Downstream, url: string): Endpoint | { readonly refusal: Refusal } {
  try {
    return downstream.endpointAt(url) ?? { refusal: unknownUrl };
  } catch (error) {
    // Which of the two is wrong cannot be said before the instances are known.
    return { refusal: refusalOf(error, downstream.id) };
  }
}

const loop: Refusal = {
  status: 508,
  code: 'loop',
  title: 'The request went in a circle',
  detail: 'It came back to the sidecar that it had passed already. Does a route lead to the service that calls it?',
};

const foreign: Refusal = {
  status: 403,
  code: 'foreign-origin',
  title: 'The request is of a web page',
  detail:
    'Its Host, Origin or Sec-Fetch-Site is not of this machine. Leave such headers of others out, or set egress.localOnly to false.',
};

const unknownUrl: Refusal = {
  status: 403,
  code: 'service-url-not-allowed',
  title: 'The address is not an instance',
  detail:
    'service_url has to be the address of an instance of the service in service_id, or to stand in egress.allowedHosts; nothing else is called.',
};
