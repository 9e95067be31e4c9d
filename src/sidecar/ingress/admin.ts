import type { Send, SidecarLog } from '../ports.ts';
import type { AdminAnswer, AdminRequest } from '../../kit/admin/request.ts';
import type { OwnAdmin } from './admin-port.ts';
import { ask } from './ask.ts';
import { ActuatorLoggers, problem } from './loggers.ts';

export interface AdminOptions {
  readonly service: string;
  readonly backend: string;
  readonly send: Send;
  readonly own: OwnAdmin;
  readonly backendIsHealthy: () => boolean;
  readonly passThrough: boolean;
  readonly actuator: boolean;
  /** What of a request's headers the backend sees where the sidecar asks it itself. */
  readonly headersFor: (request: AdminRequest) => readonly string[];
  readonly log: SidecarLog;
}

/** `pass`: the backend is to answer, at this path. */
export type Handled = { readonly type: 'answered' } | { readonly type: 'pass'; readonly path: string };

/** Sends an answer to who asked. */
export type Answering = (answer: AdminAnswer) => void;

const ANSWERED: Handled = { type: 'answered' };
const INFO_TIMEOUT_MS = 5000;

/** What the sidecar answers itself of what only administrators may ask, and `/health`. */
export class Admin {
  readonly #options: AdminOptions;
  readonly #actuator: ActuatorLoggers;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#actuator = new ActuatorLoggers(options.send, options.headersFor);
  }

  /** Of the sidecar alone: it answers, so it lives. */
  ownHealth(method: string | undefined): AdminAnswer {
    return isRead(method) ? { status: 200, body: 'OK' } : onlyGet;
  }

  /** Of the service: whether the backend was healthy when it was last looked at. */
  health(method: string | undefined): AdminAnswer {
    if (!isRead(method)) return onlyGet;
    if (this.#options.backendIsHealthy()) return { status: 200, body: 'OK' };
    return problem(503, 'The backend is not healthy; the log of the sidecar says what is wrong.');
  }

  /** Only what was let in comes here. */
  handle(asked: AdminRequest, answer: Answering): Handled {
    const { path, method } = asked;
    const [, first = '', second = '', third, ...more] = path.split('/');
    if (first === 'health' || (first === 'adm' && second === 'health')) {
      const rest = first === 'adm' ? [third, ...more] : [second, third, ...more];
      const [kind, id, ...others] = rest.filter((part) => part !== undefined);
      const isProbe = first === 'health' && (kind === 'liveness' || kind === 'readiness');
      const named = isProbe ? id : kind;
      const tooMany = isProbe ? others.length > 0 : id !== undefined;
      if (named !== this.#options.service || tooMany) answer(otherService(this.#options.service));
      else if (isProbe) return { type: 'pass', path: `/health/${kind}` };
      else answer(this.health(method));
      return ANSWERED;
    }
    if (path === '/adm/server/info' && isRead(method)) return this.#answer(answer, () => this.#serverInfo(asked));
    if (path === '/adm/logger' && (isRead(method) || method === 'POST')) return this.#loggers(asked, answer);
    return { type: 'pass', path };
  }

  #loggers(asked: AdminRequest, answer: Answering): Handled {
    const { own, passThrough, actuator } = this.#options;
    const isRequested = String(asked.headers['x-adm-passthrough']).toLowerCase() === 'true';
    const reads = isRead(asked.method);
    if (!isRequested) return this.#answer(answer, () => (reads ? own.listLoggers(asked) : own.setLoggers(asked)));
    if (!passThrough) return this.#answer(answer, () => passThroughOff);
    if (!actuator) return { type: 'pass', path: '/adm/logger' };
    return this.#answer(answer, () => (reads ? this.#actuator.list(asked) : this.#actuator.set(asked)));
  }

  async #serverInfo(asked: AdminRequest): Promise<AdminAnswer> {
    const { own, backend, send, headersFor } = this.#options;
    const question = { method: 'GET', path: asked.path, headers: headersFor(asked) };
    const [mine, its] = await Promise.all([own.serverInfo(asked), ask(send, question, INFO_TIMEOUT_MS)]);
    const isThere = its.type === 'answered' && its.status === 200;
    return { status: 200, body: { proxy_info: mine.body, [backend]: isThere ? (its.json ?? null) : null } };
  }

  #answer(answer: Answering, make: () => AdminAnswer | Promise<AdminAnswer>): Handled {
    const made = async (): Promise<AdminAnswer> => {
      try {
        return await make();
      } catch (error) {
        const { status } = error as { readonly status?: unknown };
        if (typeof status === 'number' && error instanceof Error) return problem(status, error.message);
        this.#options.log.error({ err: error }, 'an admin request failed');
        return problem(500, 'The sidecar made a mistake; its log says more.');
      }
    };
    void made().then(answer);
    return ANSWERED;
  }
}

const isRead = (method: string | undefined): boolean => method === 'GET' || method === 'HEAD';

const onlyGet: AdminAnswer = { ...problem(405, 'Only GET and HEAD.'), headers: { allow: 'GET, HEAD' } };

const otherService = (service: string): AdminAnswer =>
  problem(404, `This is an instance of ${service}, and of no other service.`);

const passThroughOff = problem(403, 'admin.passThrough is false: logger requests do not go to the backend.');
