import type { Send } from '../ports.ts';
import { ask, type Asked } from './ask.ts';
import type { AdminAnswer, AdminRequest } from '../../kit/admin/request.ts';

const PATH = '/actuator/loggers';
const TIMEOUT_MS = 5000;
const MAX_CHANGES = 100;
const NAME = /^[\w$@:.-]{1,200}$/;
/** Spring Boot's, by what others call them. */
const LEVELS: Readonly<Record<string, string>> = {
  all: 'TRACE',
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARN',
  warning: 'WARN',
  error: 'ERROR',
  fatal: 'FATAL',
  off: 'OFF',
  silent: 'OFF',
};

/** The loggers of a backend of Spring Boot, as `/adm/logger` has them. */
export class ActuatorLoggers {
  readonly #send: Send;
  readonly #headers: (request: AdminRequest) => readonly string[];

  /** `headers`: what of a request's headers the backend sees. */
  constructor(send: Send, headers: (request: AdminRequest) => readonly string[]) {
    this.#send = send;
    this.#headers = headers;
  }

  async list(request: AdminRequest): Promise<AdminAnswer> {
    const asked = await ask(this.#send, { method: 'GET', path: PATH, headers: this.#headers(request) }, TIMEOUT_MS);
    if (!isGood(asked)) return failed(asked);
    const { loggers } = (asked.json ?? {}) as {
      readonly loggers?: Readonly<Record<string, { effectiveLevel?: unknown }>>;
    };
    if (typeof loggers !== 'object' || loggers === null)
      return problem(502, `The backend's ${PATH} is not that of Spring Boot.`);
    const all = Object.entries(loggers).map(([name, { effectiveLevel }]) => ({ name, level: effectiveLevel }));
    return { status: 200, body: all };
  }

  /** All of them are looked at before one is changed. */
  async set(request: AdminRequest): Promise<AdminAnswer> {
    const changes = changesOf(await request.body());
    if (typeof changes === 'string') return problem(400, changes);
    for (const { name, level } of changes) {
      const path = `${PATH}/${encodeURIComponent(name)}`;
      const json = { configuredLevel: level };
      const asked = await ask(this.#send, { method: 'POST', path, json, headers: this.#headers(request) }, TIMEOUT_MS);
      if (!isGood(asked)) return failed(asked, `${name} was not changed. `);
    }
    return { status: 200, body: changes };
  }
}

function changesOf(body: unknown): readonly { readonly name: string; readonly level: string }[] | string {
  if (!Array.isArray(body) || body.length === 0) return 'Send a list: [{"name": "ROOT", "level": "DEBUG"}].';
  if (body.length > MAX_CHANGES) return `At most ${MAX_CHANGES} loggers at once.`;
  const changes = [];
  for (const [index, entry] of body.entries()) {
    const { name, level } = (entry ?? {}) as { readonly name?: unknown; readonly level?: unknown };
    const known = typeof level === 'string' ? LEVELS[level.toLowerCase()] : undefined;
    if (typeof name !== 'string' || !NAME.test(name)) return `[${index}].name: the name of a logger.`;
    if (known === undefined) return `[${index}].level: one of ${Object.keys(LEVELS).join(', ')}.`;
    changes.push({ name, level: known });
  }
  return changes;
}

const isGood = (asked: Asked): asked is Extract<Asked, { type: 'answered' }> =>
  asked.type === 'answered' && asked.status >= 200 && asked.status < 300;

function failed(asked: Asked, what = ''): AdminAnswer {
  const why = asked.type === 'failed' ? `did not answer (${asked.why})` : `answered ${asked.status}`;
  return problem(502, `${what}The backend's ${PATH} ${why}. Is the endpoint exposed, and admin.actuator right?`);
}

export const problem = (status: number, detail: string): AdminAnswer => ({
  status,
  body: { type: '/problems/sidecar/admin', title: 'The admin request failed', status, detail },
});
