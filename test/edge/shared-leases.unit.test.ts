import { afterEach, describe, expect, test } from '@jest/globals';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { MAX_UNANSWERED, Registrations } from '../../src/feed/registrations.ts';
import type { Answer, Registrar } from '../../src/feed/registrar.ts';
import { instanceName } from '../../src/domain/names.ts';
import { InstanceDesk } from '../../src/registry/instances.ts';
import { RegistryUnavailable } from '../../src/registry/errors.ts';
import { AT, openEdge, type Edge } from './harness.ts';

/** Leases that all nodes share: a renewal is answered when the test says so. */
class Shared {
  readonly isShared = true;
  readonly asked: { readonly generation: number | undefined; readonly end: (error?: Error) => void }[] = [];

  renew(_id: string, generation?: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.asked.push({ generation, end: (error) => (error === undefined ? resolve(true) : reject(error)) });
    });
  }
}

const ORDERS = { service: 'orders.test', protocol: 'http', address: '10.0.0.7', port: 80, check: { type: 'ttl' } };
const UNAVAILABLE = new RegistryUnavailable('leases-unavailable', 1);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let edge: Edge | undefined;
afterEach(() => edge?.app.close());

async function open(): Promise<{ edge: Edge; leases: Shared; desk: InstanceDesk }> {
  const leases = new Shared();
  edge = await openEdge({
    monitoring: {
      enabled: true,
      renew: (id, generation) => leases.renew(id, generation),
      attach: () => undefined,
      detach: () => undefined,
      report: () => undefined,
      guards: () => [],
    },
  });
  const desk = new InstanceDesk({
    registry: edge.catalog,
    leases,
    validate: { registration: () => [], instanceOverride: () => [], regionOverride: () => [] },
    deniedAddress: () => undefined,
    mustBeInCatalog: false,
    takeoverMs: 5000,
    clock: () => AT,
  });
  return { edge, leases, desk };
}

describe('leases that nodes share', () => {
  test('INS1 a registration is answered when its lease is where all nodes find it, and has the time of a takeover in its bound', async () => {
    const {
      edge: { catalog },
      leases,
      desk,
    } = await open();
    let answered = false;
    const asked = desk.register({ kind: 'administrator', subject: 'x' }, ORDERS).finally(() => (answered = true));
    await turn();
    await turn();
    expect([answered, leases.asked.map(({ generation }) => generation)]).toEqual([false, [1]]);
    leases.asked[0]?.end();
    const outcome = await asked;
    const id = outcome.ok ? outcome.value.id : '';
    expect(catalog.view.get(instanceName(id))?.value).toMatchObject({ detectionBound: '36s' });
    // What begins critical waits for its first renewal.
    const check = { type: 'ttl', initialStatus: 'critical' };
    await desk.register({ kind: 'administrator', subject: 'x' }, { ...ORDERS, port: 81, check });
    expect(leases.asked).toHaveLength(1);
  });

  test('INS3 a renewal that can be neither stored nor kept is answered 503 with Retry-After', async () => {
    const {
      edge: { app },
      leases,
      desk,
    } = await open();
    const registered = desk.register({ kind: 'administrator', subject: 'x' }, ORDERS);
    await turn();
    leases.asked.pop()?.end();
    const outcome = await registered;
    const id = outcome.ok ? outcome.value.id : '';
    for (const [url, payload] of [
      [`/v1/instances/${id}/renew`, undefined],
      ['/v1/instances/renew', { instances: [id] }],
    ] as const) {
      for (const error of [undefined, UNAVAILABLE]) {
        const response = app.inject({ method: 'POST', url, ...(payload && { payload }) });
        while (leases.asked.length === 0) await turn();
        leases.asked.pop()?.end(error);
        const { statusCode, headers, body } = await response;
        if (error === undefined) expect(statusCode).toBe(payload === undefined ? 204 : 200);
        else {
          expect([statusCode, headers['retry-after']]).toEqual([503, '1']);
          expect(JSON.parse(body)).toMatchObject({ type: '/problems/leases-unavailable' });
        }
      }
    }
  });

  test('frames of a socket are answered in their order, failures too, and so many wait at most', async () => {
    const ends: ((answer: Answer<boolean>) => void)[] = [];
    const sent: ServerFrame[] = [];
    const registrar: Registrar = {
      keepsLeases: true,
      register: () => new Promise(() => undefined),
      deregister: () => Promise.resolve({ ok: true, value: { revision: 4 } }),
      renew: (_caller, id) => id !== 'gone' && new Promise((resolve) => ends.push(resolve)),
      attach: () => undefined,
      detach: () => undefined,
    };
    const life = {
      heardAt: 0,
      caller: { kind: 'administrator', subject: 'x' },
      peer: { remoteAddress: '::1' },
    } as const;
    const registrations = new Registrations(registrar, life, (frame) => sent.push(frame));
    registrations.handle({ type: 'renew', id: '1', instances: ['a', 'gone'] });
    registrations.handle({ type: 'renew', id: '2', instances: ['b'] });
    registrations.handle({ type: 'deregister', id: '3', instance: 'a' });
    ends[1]?.({ ok: false, error: { code: 'unavailable', message: 'later', retryAfter: 1 } });
    await turn();
    expect(sent).toEqual([]);
    ends[0]?.({ ok: true, value: true });
    await turn();
    expect(sent).toEqual([
      { type: 'renewed', id: '1', renewed: 1, unknown: ['gone'] },
      { type: 'error', id: '2', code: 'unavailable', message: 'later', retryAfter: 1 },
      { type: 'deregistered', id: '3', instance: 'a', revision: 4 },
    ]);
    for (let i = 0; i <= MAX_UNANSWERED; i++) registrations.handle({ type: 'renew', instances: ['b'] });
    expect(sent.slice(3)).toMatchObject([{ type: 'error', code: 'too-many-requests' }]);
  });
});
