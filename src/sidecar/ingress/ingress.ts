import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Handlers } from '../listen/listener.ts';
import type { SidecarLog } from '../ports.ts';
import { refuse, type Tally } from '../proxy/forward.ts';
import { isLoop, stopsWith } from '../proxy/headers.ts';
import type { Request, Response } from '../proxy/messages.ts';
import { pass, type Target } from '../proxy/pass.ts';
import { upgradeResponse } from '../proxy/upgrade.ts';
import { Admin, type AdminOptions, type Answering } from './admin.ts';
import { sendAnswer } from './answer.ts';
import { isTarget, pathOf, placeOf } from './paths.ts';
import { readJson } from './read-json.ts';
import type { AdminRequest } from '../../kit/admin/request.ts';
import type { AdminGuard } from './admin-port.ts';
import type { Refusal } from '../problem.ts';

export interface IngressOptions extends Omit<AdminOptions, 'headersFor'> {
  readonly guard: AdminGuard;
  readonly guarded: readonly string[];
  /** Whether anybody may ask for the health of the service, since Signalbox does. */
  readonly healthIsOpen: boolean;
  readonly forwardToken: boolean;
  readonly pseudonym: string;
  /** Whether a caller at an address is believed what it says of callers before it. */
  readonly trusts: (address: string | undefined) => boolean;
  /** The address that the listener is bound to; undefined while it is not. */
  readonly listener: () => string | undefined;
  readonly tally: Tally;
  readonly log: SidecarLog;
}

/** Some backends take the path from these, which would go around the guard. */
const REWRITES = ['x-original-url', 'x-rewrite-url'];

/** What others call: everything goes to the backend, but what only administrators may. */
export class Ingress implements Handlers {
  readonly #options: IngressOptions;
  readonly #admin: Admin;
  /** What everybody may ask of the backend, and what only administrators may, whose tokens are not for it. */
  readonly #open: Target;
  readonly #guarded: Target;

  constructor(options: IngressOptions) {
    const { send, pseudonym, trusts, tally, forwardToken } = options;
    this.#options = options;
    this.#admin = new Admin({ ...options, headersFor: (request) => this.#tokenOf(request) });
    this.#open = { name: 'The backend', send, pseudonym, trusts, stops: stopsWith(REWRITES), tally };
    this.#guarded = { ...this.#open, stops: stopsWith(forwardToken ? REWRITES : [...REWRITES, 'authorization']) };
  }

  readonly request = (request: Request, response: Response): void => {
    const startedAt = performance.now();
    const target = request.url ?? '';
    const { guarded, healthIsOpen, service } = this.#options;
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return this.#refuse(response, refusal, startedAt);
    const place = placeOf(target, guarded);
    if (place.type === 'disguised') return this.#refuse(response, disguised, startedAt);
    const answer = this.#answering(response, startedAt);
    if (place.type === 'open') {
      if (pathOf(target) === '/health') answer(this.#admin.ownHealth(request.method));
      else this.#pass(this.#open, request, response, target, startedAt);
    } else if (healthIsOpen && place.path === `/health/${service}`) answer(this.#admin.health(request.method));
    else void this.#handle(request, response, place.path, startedAt);
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const startedAt = performance.now();
    const target = request.url ?? '';
    const response = upgradeResponse(request, socket);
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return this.#refuse(response, refusal, startedAt);
    const place = placeOf(target, this.#options.guarded);
    if (place.type === 'disguised') return this.#refuse(response, disguised, startedAt);
    const upgrading = { socket, head };
    if (place.type === 'open') return this.#pass(this.#open, request, response, target, startedAt, upgrading);
    void this.#let(this.#adminRequest(request, place.path), this.#answering(response, startedAt)).then((isIn) => {
      if (isIn && !socket.destroyed) this.#pass(this.#guarded, request, response, target, startedAt, upgrading);
    });
  };

  async #handle(request: Request, response: Response, path: string, startedAt: number): Promise<void> {
    const asked = this.#adminRequest(request, path);
    const answer = this.#answering(response, startedAt);
    if (!(await this.#let(asked, answer)) || response.destroyed) return;
    const handled = this.#admin.handle(asked, answer);
    if (handled.type === 'answered') return;
    const query = (request.url ?? '').slice(path.length);
    this.#pass(this.#guarded, request, response, handled.path + query, startedAt);
  }

  #pass(
    target: Target,
    request: Request,
    response: Response,
    path: string,
    startedAt: number,
    upgrading?: { readonly socket: Duplex; readonly head: Buffer },
  ): void {
    pass(request, response, { target, path, startedAt, key: undefined, only: undefined }, upgrading);
  }

  #answering(response: Response, startedAt: number): Answering {
    return (answer) => {
      const isGone = response.destroyed;
      this.#options.tally.ended(isGone ? 'cancelled' : answer.status, startedAt);
      if (!isGone) sendAnswer(response, answer);
    };
  }

  #refuse(response: Response, refusal: Refusal, startedAt: number): void {
    this.#options.tally.ended(refusal.status, startedAt);
    refuse(response, refusal);
  }

  /** Answers who is not let in. */
  async #let(asked: AdminRequest, answerWith: Answering): Promise<boolean> {
    const verdict = await this.#options.guard.check(asked);
    const { method, path, peer } = asked;
    if (verdict.type === 'allowed') {
      this.#options.log.info({ method, path, peer, subject: verdict.subject }, 'an admin request was let in');
      return true;
    }
    const { subject, why, answer } = verdict;
    this.#options.log.warn({ method, path, peer, subject, why }, 'an admin request was refused');
    answerWith(answer);
    return false;
  }

  #refusalOf(request: Request): Refusal | undefined {
    if (!isTarget(request.url ?? '')) return badTarget;
    return isLoop(request.headers.via, this.#options.pseudonym) ? loop : undefined;
  }

  #tokenOf({ headers }: Pick<AdminRequest, 'headers'>): readonly string[] {
    const { authorization } = headers;
    return this.#options.forwardToken && authorization !== undefined ? ['authorization', authorization] : [];
  }

  #adminRequest(request: Request, path: string): AdminRequest {
    return {
      method: request.method ?? 'GET',
      path,
      params: {},
      headers: request.headers,
      body: () => readJson(request),
      peer: request.socket.remoteAddress ?? '',
      listener: this.#options.listener(),
      certificate: undefined,
    };
  }
}

const disguised: Refusal = {
  status: 400,
  code: 'disguised-path',
  title: 'The path is not plain',
  detail:
    'Some would read it as another path than others, and it may lead to a guarded one: send it without dot segments, doubled slashes, parameters and needless percents, as it is guarded.',
};

const badTarget: Refusal = {
  status: 400,
  code: 'bad-target',
  title: 'The request cannot be passed on',
  detail:
    'The request target has to be a path that begins with /, in visible ASCII, without a fragment: encode other characters, # as %23.',
};

const loop: Refusal = {
  status: 508,
  code: 'loop',
  title: 'The request went in a circle',
  detail: 'It came back to the sidecar that it had passed already. Does ingress.backend lead to a sidecar?',
};
