import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Handlers } from '../listen/listener.ts';
import type { SidecarLog } from '../ports.ts';
import { refuse, type Ended, type Request, type Response } from '../proxy/forward.ts';
import { isLoop } from '../proxy/headers.ts';
import { pass, type Way } from '../proxy/pass.ts';
import { upgradeResponse } from '../proxy/upgrade.ts';
import { Admin, type AdminOptions } from './admin.ts';
import { sendAnswer } from './answer.ts';
import { placeOf } from './paths.ts';
import { readJson } from './read-json.ts';
import type { AdminGuard, AdminRequest } from './admin-port.ts';
import type { Refusal } from '../problem.ts';

export interface IngressOptions extends Omit<AdminOptions, 'headersFor'> {
  readonly guard: AdminGuard;
  readonly guarded: readonly string[];
  /** Whether anybody may ask for the health of the service, since Signalbox does. */
  readonly healthIsOpen: boolean;
  readonly forwardToken: boolean;
  readonly pseudonym: string;
  /** The address that the listener is bound to. */
  readonly listener: string;
  readonly onEnd: (service: string, ended: Ended, startedAt: number) => void;
  readonly log: SidecarLog;
}

const NOTHING: ReadonlySet<string> = new Set();
const TOKEN: ReadonlySet<string> = new Set(['authorization']);

/** What others call: everything goes to the backend, but what only administrators may. */
export class Ingress implements Handlers {
  readonly #options: IngressOptions;
  readonly #admin: Admin;

  constructor(options: IngressOptions) {
    this.#options = options;
    this.#admin = new Admin({ ...options, headersFor: (request) => this.#tokenOf(request) });
  }

  readonly request = (request: Request, response: Response): void => {
    const target = request.url ?? '';
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return refuse(response, refusal);
    const { guarded, healthIsOpen, service } = this.#options;
    const place = placeOf(target, guarded);
    if (place.type === 'disguised') return refuse(response, disguised);
    if (place.type === 'open' && target.split('?', 1)[0] === '/health') return this.#admin.ownHealth(request, response);
    if (place.type === 'open') return pass(request, response, this.#way(target, NOTHING));
    if (healthIsOpen && place.path === `/health/${service}`) return this.#admin.health(request, response);
    void this.#guarded(request, response, place.path);
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const target = request.url ?? '';
    const response = upgradeResponse(request, socket);
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return refuse(response, refusal);
    const place = placeOf(target, this.#options.guarded);
    if (place.type === 'disguised') return refuse(response, disguised);
    if (place.type === 'open') return pass(request, response, this.#way(target, NOTHING), { socket, head });
    void this.#let(this.#adminRequest(request, place.path), response).then((isIn) => {
      if (isIn && !socket.destroyed) pass(request, response, this.#way(target, this.#drop), { socket, head });
    });
  };

  async #guarded(request: Request, response: Response, path: string): Promise<void> {
    const asked = this.#adminRequest(request, path);
    if (!(await this.#let(asked, response)) || response.destroyed) return;
    const handled = this.#admin.handle(asked, request, response);
    if (handled.type === 'answered') return;
    const target = request.url ?? '';
    const query = target.slice(path.length);
    pass(request, response, this.#way(handled.path + query, this.#drop));
  }

  /** Answers who is not let in. */
  async #let(asked: AdminRequest, response: Response): Promise<boolean> {
    const verdict = await this.#options.guard.check(asked);
    const { method, path, peer } = asked;
    if (verdict.type === 'allowed') {
      this.#options.log.info({ method, path, peer, subject: verdict.subject }, 'an admin request was let in');
      return true;
    }
    const { subject, why, answer } = verdict;
    this.#options.log.warn({ method, path, peer, subject, why }, 'an admin request was refused');
    sendAnswer(response, answer);
    return false;
  }

  #refusalOf(request: Request): Refusal | undefined {
    if (!(request.url ?? '').startsWith('/')) return badTarget;
    return isLoop(request.headers.via, this.#options.pseudonym) ? loop : undefined;
  }

  get #drop(): ReadonlySet<string> {
    return this.#options.forwardToken ? NOTHING : TOKEN;
  }

  #tokenOf({ headers }: Pick<AdminRequest, 'headers'>): readonly string[] {
    const { authorization } = headers;
    return this.#options.forwardToken && authorization !== undefined ? ['authorization', authorization] : [];
  }

  #way(path: string, drop: ReadonlySet<string>): Way {
    const { send, pseudonym, service, onEnd } = this.#options;
    const startedAt = performance.now();
    const end = (ended: Ended): void => onEnd(service, ended, startedAt);
    return { send, path, target: 'The backend', pseudonym, drop, onEnd: end };
  }

  #adminRequest(request: Request, path: string): AdminRequest {
    return {
      method: request.method ?? 'GET',
      path,
      params: {},
      headers: request.headers,
      body: () => readJson(request),
      peer: request.socket.remoteAddress ?? '',
      listener: this.#options.listener,
      certificate: undefined,
    };
  }
}

const disguised: Refusal = {
  status: 400,
  code: 'disguised-path',
  title: 'The path is not plain',
  detail:
    'It may lead to a guarded path, but is not written as one: send it without dots, doubled slashes, parameters and needless percents, in small letters.',
};

const badTarget: Refusal = {
  status: 400,
  code: 'bad-target',
  title: 'The request cannot be passed on',
  detail: 'The request target has to be a path that begins with /.',
};

const loop: Refusal = {
  status: 508,
  code: 'loop',
  title: 'The request went in a circle',
  detail: 'It came back to the sidecar that it had passed already. Does ingress.backend lead to a sidecar?',
};
