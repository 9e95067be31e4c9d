import type { Logger } from 'pino';
import { authorize } from '../../auth/authorize.ts';
import type { Target } from '../../auth/target.ts';
import type { Caller } from '../../domain/command.ts';
import type { Refusal } from '../../domain/errors.ts';
import { instanceName } from '../../domain/names.ts';
import type { Answer, Registrar } from '../../feed/registrar.ts';
import type { Monitoring } from '../../health/monitoring.ts';
import { RegistryUnavailable } from '../../registry/errors.ts';
import { leaseOf, type InstanceDesk } from '../../registry/instances.ts';
import type { EdgeState } from '../deps.ts';
import { PROBLEMS } from '../../protocol/problem-catalogue.ts';

export interface RegistrarDeps {
  readonly instances: Pick<InstanceDesk, 'register' | 'deregister'>;
  readonly monitoring: Pick<Monitoring, 'enabled' | 'renew' | 'attach' | 'detach'>;
  readonly state: Pick<EdgeState, 'view'>;
  readonly log: Pick<Logger, 'error'>;
}

/** What a watch socket needs to take registrations, each of which its caller has to be allowed (SEC1). */
export function registrarOf({ instances, monitoring, state, log }: RegistrarDeps): Registrar {
  /** Begins at once, so that what was asked first is decided first. */
  const decide = <T>(caller: Caller, target: Target | undefined, run: () => Promise<Answer<T>>): Promise<Answer<T>> => {
    const verdict = authorize(caller, 'instance.register', target, state.view);
    if (!verdict.allowed) return Promise.resolve(failed({ code: 'forbidden', message: verdict.detail }));
    return run().catch((error: unknown) => failed(errorOf(error, log)));
  };
  return {
    get keepsLeases() {
      return monitoring.enabled;
    },
    register: (caller, body) =>
      decide(caller, undefined, async () => {
        const outcome = await instances.register(caller, body);
        if (!outcome.ok) return failed(refused(outcome.refusal));
        const { id, item, revision } = outcome.value;
        const { generation, check } = item.value;
        return { ok: true, value: { instance: { id, name: item.name, generation, ...leaseOf(check) }, revision } };
      }),
    deregister: (caller, id, generation) =>
      decide(caller, { name: instanceName(id) }, async () => {
        const outcome = await instances.deregister(caller, id, generation);
        if (!outcome.ok) return failed(refused(outcome.refusal));
        return { ok: true, value: { revision: outcome.value.revision } };
      }),
    renew: (caller, id, generation) =>
      authorize(caller, 'instance.register', { name: instanceName(id) }, state.view).allowed &&
      monitoring.renew(id, generation),
    attach: (id, life) => monitoring.attach(id, life),
    detach: (id, life) => monitoring.detach(id, life),
  };
}

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
  log.error({ err: error }, 'a registration over a watch socket failed');
  return { code: 'unavailable', message: 'the server made a mistake; its log has more', retryAfter: 5 };
}
