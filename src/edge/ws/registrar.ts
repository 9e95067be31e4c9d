import type { Logger } from 'pino';
import { authorize } from '../../auth/authorize.ts';
import { sightOf } from '../../auth/sight.ts';
import { find, type Target } from '../../auth/target.ts';
import type { AuditTrail } from '../../domain/audit.ts';
import { whoIs } from '../../domain/audit-changes.ts';
import type { Caller, Origin } from '../../domain/command.ts';
import type { Refusal } from '../../domain/errors.ts';
import { instanceName, serviceName } from '../../domain/names.ts';
import { EVERYTHING } from '../../domain/visibility.ts';
import type { Answer, Registrar } from '../../feed/registrar.ts';
import type { Monitoring } from '../../health/monitoring.ts';
import { RegistryUnavailable } from '../../registry/errors.ts';
import { leaseOf, type Asking, type InstanceDesk, type Outcome } from '../../registry/instances.ts';
import type { EdgeState } from '../deps.ts';
import type { RootSpans } from '../../tracing/port.ts';
import { PROBLEMS } from '../../protocol/problem-catalogue.ts';

export interface RegistrarDeps {
  readonly instances: Pick<InstanceDesk, 'register' | 'deregister'>;
  readonly monitoring: Pick<Monitoring, 'enabled' | 'renew' | 'attach' | 'detach'>;
  readonly state: Pick<EdgeState, 'view'>;
  /** Hears of what is refused (SEC5). */
  readonly audit?: AuditTrail;
  readonly log: Pick<Logger, 'error'>;
  /** What is registered over a socket begins a trace of its own; without it, none. */
  readonly roots?: RootSpans;
}

interface Asked {
  readonly name: 'register' | 'deregister';
  readonly caller: Caller;
  readonly target?: Target;
  /** What the body names as the service, whatever it is. */
  readonly service?: unknown;
  readonly origin: Origin | undefined;
}

/** What a watch socket needs to take registrations, each of which its caller has to be allowed (SEC1). */
export function registrarOf({ instances, monitoring, state, audit, log, roots }: RegistrarDeps): Registrar {
  /** Begins at once, so that what was asked first is decided first. */
  const decide = <T>(asked: Asked, run: (asking: Asking) => Promise<Outcome<T>>): Promise<Answer<T>> => {
    const { caller, target, origin } = asked;
    const span = roots?.begin(`${asked.name} over a socket`);
    const trace = span?.traceparent;
    const verdict = authorize(caller, 'instance.register', target, state.view);
    const decided: Promise<Outcome<T>> = verdict.allowed
      ? run({ ...(origin && { origin }), ...(trace !== undefined && { trace }) })
      : Promise.resolve({ ok: false, refusal: { code: 'forbidden', detail: verdict.detail } });
    const answered = decided.then(
      (outcome) => {
        if (outcome.ok) return outcome;
        tell(asked, outcome.refusal);
        return failed(refused(outcome.refusal));
      },
      (error: unknown) => failed(errorOf(error, log)),
    );
    if (span !== undefined) void answered.then((answer) => span.end(answer.ok ? 'ok' : answer.error.code));
    return answered;
  };
  /** What is malformed is nobody's attempt at anything. */
  const tell = ({ caller, target, service, origin }: Asked, { code, detail }: Refusal): void => {
    if (audit === undefined || code === 'invalid') return;
    const about = target ?? serviceTarget(service);
    const of = about && find(about, EVERYTHING, state.view)?.service;
    audit.note({
      category: 'refusal',
      ...whoIs(caller),
      action: 'instance.register',
      ...(target !== undefined && { target: target.name }),
      ...(of !== undefined && { service: of }),
      result: code,
      ...origin,
      detail,
    });
  };
  return {
    get keepsLeases() {
      return monitoring.enabled;
    },
    register: (caller, body, origin) =>
      decide({ name: 'register', caller, service: serviceIn(body), origin }, async (asking) => {
        const outcome = await instances.register(caller, body, asking);
        if (!outcome.ok) return outcome;
        const { id, item, revision } = outcome.value;
        const { generation } = item.value;
        return { ok: true, value: { instance: { id, name: item.name, generation, ...leaseOf(item.value) }, revision } };
      }),
    deregister: (caller, id, generation, origin) =>
      decide({ name: 'deregister', caller, target: { name: instanceName(id) }, origin }, async (asking) => {
        const outcome = await instances.deregister(caller, id, generation, asking);
        if (!outcome.ok) return outcome;
        return { ok: true, value: { revision: outcome.value.revision } };
      }),
    renew: (caller, id, generation) => {
      if (state.view.seenBy(sightOf(caller)).get(instanceName(id)) === undefined) return false;
      if (!authorize(caller, 'instance.register', { name: instanceName(id) }, state.view).allowed) return false;
      const renewed = monitoring.renew(id, generation);
      if (typeof renewed === 'boolean') return renewed;
      return renewed.then(
        (value) => ({ ok: true, value }),
        (error: unknown) => failed(errorOf(error, log)),
      );
    },
    attach: (id, life) => monitoring.attach(id, life),
    detach: (id, life) => monitoring.detach(id, life),
  };
}

const serviceIn = (body: unknown): unknown => (body as { readonly service?: unknown } | null)?.service;

const serviceTarget = (service: unknown): Target | undefined =>
  typeof service === 'string' ? { name: serviceName(service) } : undefined;

type Failure = Extract<Answer<never>, { ok: false }>;

const failed = (error: Failure['error']): Failure => ({ ok: false, error });

function refused(refusal: Refusal): Failure['error'] {
  const message = refusal.detail;
  if (refusal.code === 'forbidden') return { code: 'forbidden', message };
  if (refusal.code === 'quota-exceeded') return { code: 'quota-exceeded', message };
  if (refusal.code !== 'invalid') return { code: 'refused', message };
  return { code: 'refused', message, errors: refusal.errors.map(({ pointer, detail }) => ({ pointer, detail })) };
}

function errorOf(error: unknown, log: RegistrarDeps['log']): Failure['error'] {
  if (error instanceof RegistryUnavailable) {
    return { code: 'unavailable', message: PROBLEMS[error.code].title, retryAfter: error.retryAfterSeconds };
  }
  log.error({ err: error }, 'a request of an instance over a watch socket failed');
  return { code: 'unavailable', message: 'the server made a mistake; its log has more', retryAfter: 5 };
}
