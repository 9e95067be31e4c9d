import { expect, test } from '@jest/globals';
import { decideInstances } from '../../src/domain/instances/decide-instances.ts';
import type { Check } from '../../src/domain/instances/check.ts';
import { View } from '../../src/domain/view.ts';
import { LeaseKeeper } from '../../src/health/lease-keeper.ts';
import type { Renewal } from '../../src/leases/port.ts';
import { MemoryLeaseServer } from '../support/memory-leases.ts';

const TTL: Check = { type: 'ttl', ttl: '10s', initialStatus: 'passing', deregisterAfter: '10m' };
const idOf = (n: number): string => n.toString(16).padStart(24, '0');
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

class Bench {
  readonly view = new View();
  readonly server = new MemoryLeaseServer(() => this.now);
  readonly client = this.server.open();
  readonly calls: (readonly Renewal[])[] = [];
  readonly told: string[] = [];
  now = 50_000;
  mayKeep = false;
  /** What every call waits for. */
  held: Promise<void> | undefined;
  #soon: (() => void)[] = [];
  #revision = 0;

  readonly keeper = new LeaseKeeper({
    leases: {
      renew: async (renewals) => {
        this.calls.push(renewals);
        await this.held;
        return this.client.renew(renewals);
      },
      read: (keys) => this.client.read(keys),
    },
    monitor: {
      renew: (id) => this.told.push(id) > 0,
      attach: () => undefined,
      detach: () => undefined,
      report: () => undefined,
      guards: () => [],
    },
    view: () => this.view,
    mayKeep: () => this.mayKeep,
    soon: (run) => this.#soon.push(run),
    now: () => this.now,
  });

  constructor() {
    this.client.listen({
      onAway: () => this.keeper.leasesAway(),
      onBack: () => this.keeper.leasesBack(),
      onLost: () => undefined,
    });
  }

  register(n: number, check: Check = TTL): string {
    const registration = {
      service: 'a.example',
      protocol: 'http',
      address: '10.0.0.1',
      port: 1000 + n,
      weight: 1,
      tags: {},
      metadata: {},
      check,
    } as const;
    const instances = [{ op: 'register', id: idOf(n), registration }] as const;
    const caller = { kind: 'administrator', subject: 'test' } as const;
    const decision = decideInstances(this.view, { caller, at: 0, instances }, ++this.#revision);
    if (decision.ok) this.view.fold(decision.changes);
    return idOf(n);
  }

  /** Whether the leases can be reached, and everything that was acknowledged is there. */
  get hasLeases(): boolean {
    return !this.keeper.isAway && !this.keeper.hasKept;
  }

  async flush(): Promise<void> {
    for (const run of this.#soon.splice(0)) run();
    await turns();
  }

  async age(id: string, generation: number): Promise<number | undefined> {
    return (await this.client.read([`${id}:${generation}`]))[0]?.age;
  }
}

test('a renewal is answered when it is where all nodes find it, with the time at which it was heard', async () => {
  const b = new Bench();
  const id = b.register(1);
  let answered: unknown;
  void Promise.resolve(b.keeper.renew(id)).then((value) => (answered = value));
  b.now += 40;
  expect([b.told, b.calls.length]).toEqual([[id], 0]);
  await b.flush();
  expect([answered, await b.age(id, 1)]).toEqual([true, 40]);
});

test('INS6 who is not there, or of another generation, is told so at once; who has no lease needs none', () => {
  const b = new Bench();
  const id = b.register(1);
  const tcp = b.register(2, { ...TTL, type: 'tcp', interval: '10s', timeout: '1s' } as unknown as Check);
  expect([b.keeper.renew(idOf(9)), b.keeper.renew(id, 2), b.keeper.renew(tcp)]).toEqual([false, false, true]);
  expect(b.told).toEqual([tcp]);
});

test('what comes in together shares a call of a thousand at most, three of which are under way', async () => {
  const b = new Bench();
  const ids = Array.from({ length: 3500 }, (_, n) => b.register(n));
  let letGo: () => void = () => undefined;
  b.held = new Promise((resolve) => (letGo = resolve));
  const answers = ids.map((id) => b.keeper.renew(id));
  void b.keeper.renew(ids[0] ?? '');
  await b.flush();
  expect(b.calls.map(({ length }) => length)).toEqual([1000, 1000, 1000]);
  letGo();
  expect(new Set(await Promise.all(answers.map((each) => Promise.resolve(each))))).toEqual(new Set([true]));
  expect(b.calls.map(({ length }) => length)).toEqual([1000, 1000, 1000, 500]);
});

test('INS3 what can neither be stored nor kept is not acknowledged', async () => {
  const b = new Bench();
  const id = b.register(1);
  b.server.failing = 'away';
  const first = b.keeper.renew(id);
  const refused = expect(first).rejects.toMatchObject({ code: 'leases-unavailable', retryAfterSeconds: 1 });
  await b.flush();
  await refused;
  expect(b.hasLeases).toBe(false);
  await expect(b.keeper.renew(id)).rejects.toMatchObject({ code: 'leases-unavailable' });
});

test('INS3 what is kept is acknowledged, and written before anything else when the leases are back', async () => {
  const b = new Bench();
  const one = b.register(1);
  const two = b.register(2);
  b.mayKeep = true;
  b.server.failing = 'away';
  const first = b.keeper.renew(one);
  await b.flush();
  expect(await first).toBe(true);
  b.now += 3000;
  expect(await b.keeper.renew(one)).toBe(true);
  b.now += 1000;
  expect(b.hasLeases).toBe(false);
  b.calls.length = 0;
  let letGo: () => void = () => undefined;
  b.held = new Promise((resolve) => (letGo = resolve));
  b.server.comeBack();
  const second = b.keeper.renew(two);
  await b.flush();
  expect(b.calls).toEqual([[{ key: `${one}:1`, age: 1000 }]]);
  expect(b.hasLeases).toBe(false);
  letGo();
  expect(await second).toBe(true);
  expect([b.hasLeases, b.calls.length, await b.age(one, 1)]).toEqual([true, 2, 1000]);
});

test('INS3 what is kept is not forgotten when writing it fails, though nothing more may be kept', async () => {
  const b = new Bench();
  const id = b.register(1);
  b.mayKeep = true;
  b.server.failing = 'away';
  void b.keeper.renew(id);
  await b.flush();
  b.mayKeep = false;
  b.server.failing = 'answers-lost';
  b.keeper.leasesBack();
  await turns();
  expect(b.hasLeases).toBe(false);
  b.now += 2000;
  b.server.comeBack();
  await turns();
  expect([b.hasLeases, await b.age(id, 1)]).toEqual([true, 2000]);
});

test('INS1 an instance on a socket is renewed with what was heard on it, and not with what was not', async () => {
  const b = new Bench();
  const id = b.register(1);
  const life = { heardAt: b.now };
  b.keeper.attach(id, life);
  b.keeper.pulse();
  await b.flush();
  b.now += 5000;
  b.keeper.pulse();
  await b.flush();
  expect([b.calls.length, await b.age(id, 1)]).toEqual([1, 5000]);
  life.heardAt = b.now - 100;
  b.keeper.pulse();
  await b.flush();
  expect(await b.age(id, 1)).toBe(100);
  life.heardAt = b.now - 50;
  b.keeper.detach(id, life);
  await b.flush();
  expect(await b.age(id, 1)).toBe(50);
  life.heardAt = b.now;
  b.keeper.pulse();
  await b.flush();
  expect(b.calls).toHaveLength(3);
});

test('while they are away they are asked once a second whether they are back', async () => {
  const b = new Bench();
  const id = b.register(1);
  b.server.failing = 'away';
  Promise.resolve(b.keeper.renew(id)).catch(() => undefined);
  await b.flush();
  b.keeper.pulse();
  await turns();
  b.server.failing = false;
  b.now += 900;
  b.keeper.pulse();
  await turns();
  expect(b.hasLeases).toBe(false);
  b.now += 200;
  b.keeper.pulse();
  await turns();
  expect(b.hasLeases).toBe(true);
});
