import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import type { InstanceCommand } from '../../src/domain/command.ts';
import { byKind } from '../../src/domain/indexes.ts';
import { detectionBoundMs, TELLING_MS, type Check } from '../../src/domain/instances/check.ts';
import { decideInstances } from '../../src/domain/instances/decide-instances.ts';
import type { InstanceEdit } from '../../src/domain/instances/edits.ts';
import type { Instance } from '../../src/domain/instances/instance.ts';
import { advisoryName, instanceName } from '../../src/domain/names.ts';
import { View } from '../../src/domain/view.ts';
import { aloneClaims } from '../../src/health/claims.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { Monitor } from '../../src/health/monitor.ts';
import type { Finding, Target } from '../../src/health/probe.ts';
import type { Verdict } from '../../src/registry/commit-loop.ts';
import { RegistryUnavailable } from '../../src/registry/errors.ts';
import { Random } from '../support/random.ts';

const GUARD = { min: 5, share: 0.5, windowMs: 60_000, holdMs: 300_000 };

const TTL: Check = { type: 'ttl', ttl: '10s', initialStatus: 'passing', deregisterAfter: '10m' };
const TCP: Check = {
  type: 'tcp',
  interval: '10s',
  timeout: '2s',
  unhealthyAfter: 2,
  healthyAfter: 1,
  initialStatus: 'critical',
  deregisterAfter: '10m',
};
const HTTP: Check = { ...TCP, type: 'http', path: '/health', method: 'GET', headers: {}, tls: false, tlsVerify: true };

const idOf = (n: number): string => n.toString(16).padStart(24, '0');
const turns = async (): Promise<void> => {
  for (let i = 0; i < 6; i++) await Promise.resolve();
};

/** A monitor over a registry in memory that commits at once, and a prober that is told what to find. */
class Bench {
  readonly view = new View();
  readonly random = new Random(7);
  readonly commands: InstanceCommand[] = [];
  readonly started: { at: number; port: number }[] = [];
  readonly lateness: number[] = [];
  readonly warnings: string[] = [];
  concurrency = 512;
  guard = GUARD;
  now = 1000;
  wall = Date.UTC(2025, 0, 1);
  revision = 0;
  isFailing = false;
  /** What a commit waits for. */
  delay: Promise<void> | undefined;
  look: (target: Target) => Finding['status'] | Promise<Finding['status']> = () => 'passing';
  monitor = this.create();

  create(enabled = true): Monitor {
    return new Monitor({
      registry: {
        execute: async (command) => {
          this.commands.push(command);
          await this.delay;
          if (this.isFailing) throw new RegistryUnavailable('store-unavailable', 2);
          return this.fold(command);
        },
      },
      view: () => this.view,
      claims: aloneClaims(() => this.now),
      prober: {
        probe: async (target) => {
          this.started.push({ at: this.now, port: target.port });
          const status = await this.look(target);
          return { status, reason: `It is ${status}.` };
        },
        forget: () => undefined,
      },
      limits: { enabled, concurrency: this.concurrency, guard: this.guard },
      metrics: {
        checks: { inc: () => undefined },
        lateness: { observe: (seconds) => this.lateness.push(seconds) },
        expired: { inc: () => undefined },
        transitions: { inc: () => undefined },
      },
      log: {
        info: () => undefined,
        warn: (first: unknown, text?: string) => this.warnings.push(text ?? String(first)),
        error: (first: unknown) => {
          throw first as Error;
        },
      } as never,
      now: () => this.now,
      clock: () => this.wall,
      random: () => this.random.next(),
    });
  }

  /** Another process, over the same registry. */
  restart(): void {
    this.monitor.stop();
    this.monitor = this.create();
    this.monitor.start();
  }

  fold(command: InstanceCommand): Verdict {
    const decision = decideInstances(this.view, command, this.revision + 1);
    if (!decision.ok || decision.changes.length === 0) return { ...decision, revision: this.revision } as Verdict;
    this.revision++;
    const folded = this.view.fold(decision.changes);
    const entry = { revision: this.revision, at: command.at, author: 'test', changes: decision.changes };
    this.monitor.onAdvance([{ entry, folded }]);
    return { ...decision, revision: this.revision };
  }

  edit(...instances: InstanceEdit[]): void {
    this.fold({ caller: { kind: 'administrator', subject: 'test' }, at: this.wall, instances });
  }

  register(n: number, check: Check, more: object = {}): string {
    const registration = {
      service: 'a.example',
      protocol: 'http',
      address: '10.0.0.1',
      port: 1000 + n,
      region: 'eu-west',
      weight: 1,
      tags: {},
      metadata: {},
      check,
      ...more,
    };
    this.edit({ op: 'register', id: idOf(n), registration });
    return idOf(n);
  }

  async run(ms: number, each?: () => void): Promise<void> {
    for (const end = this.now + ms; this.now < end;) {
      this.now += TICK_MS;
      this.wall += TICK_MS;
      each?.();
      this.monitor.tick();
      await turns();
    }
  }

  get(id: string): Instance | undefined {
    const item = this.view.get(instanceName(id));
    return item?.kind === 'instance' ? item.value : undefined;
  }

  count(status: Instance['status']): number {
    let count = 0;
    for (const item of this.view.bucket(byKind('instance')))
      if (item.kind === 'instance' && item.value.status === status) count++;
    return count;
  }
}

function bench(change: (bench: Bench) => void = () => undefined): Bench {
  const made = new Bench();
  change(made);
  made.monitor = made.create();
  made.monitor.start();
  return made;
}

describe('leases', () => {
  test('INS1: an instance that stops renewing is critical within its bound, and not before its lease ran out', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    await b.run(5000);
    expect(b.monitor.renew(id)).toBe(true);
    const renewedAt = b.now;
    while (b.get(id)?.status !== 'critical') await b.run(TICK_MS);
    expect(b.now - renewedAt).toBeGreaterThanOrEqual(10_000);
    expect(b.now - renewedAt).toBeLessThanOrEqual(detectionBoundMs(TTL));
    expect(b.get(id)?.statusReason).toBe('Its lease of 10s ran out.');
    expect(b.monitor.renew(id)).toBe(true);
    await b.run(TICK_MS);
    expect(b.get(id)).toMatchObject({ status: 'passing', statusReason: 'Its lease was renewed.' });
  });

  test('REV3: renewals and passing checks make no revision and no command', async () => {
    const b = bench();
    const ids = [b.register(1, TTL), b.register(2, HTTP)];
    await b.run(3000);
    const { revision } = b;
    const { length } = b.commands;
    await b.run(60_000, () => ids.forEach((id) => b.monitor.renew(id)));
    expect([b.revision, b.commands.length]).toEqual([revision, length]);
  });

  test('INS6: a renewal of another generation, or of an unknown instance, is refused', () => {
    const b = bench();
    const id = b.register(1, TTL);
    const generation = b.get(id)?.generation ?? 0;
    expect([b.monitor.renew(id, generation), b.monitor.renew(id, generation + 1), b.monitor.renew(idOf(9))]).toEqual([
      true,
      false,
      false,
    ]);
    b.edit({ op: 'deregister', id });
    expect(b.monitor.renew(id)).toBe(false);
    b.register(1, TTL);
    expect([b.monitor.renew(id, generation), b.monitor.renew(id)]).toEqual([false, true]);
  });

  test('whatever is heard on a connection renews the lease, and when it is detached the countdown begins', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    const connection = { heardAt: b.now };
    b.monitor.attach(id, connection);
    await b.run(60_000, () => (connection.heardAt = b.now));
    expect(b.get(id)?.status).toBe('passing');
    expect(b.monitor.report(id)?.lease).toEqual({ ttl: '10s', expiresIn: '10s', attached: true });
    const other = { heardAt: b.now };
    b.monitor.attach(id, other);
    // The latest counts.
    b.monitor.detach(id, connection);
    await b.run(20_000, () => (other.heardAt = b.now));
    b.monitor.detach(id, other);
    await b.run(10_000);
    expect(b.get(id)?.status).toBe('passing');
    await b.run(200);
    expect(b.get(id)?.status).toBe('critical');
  });

  test('a silent connection does not keep a lease, and is heard again', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    const connection = { heardAt: b.now };
    b.monitor.attach(id, connection);
    await b.run(10_200);
    expect(b.get(id)?.status).toBe('critical');
    connection.heardAt = b.now;
    await b.run(1200);
    expect(b.get(id)?.status).toBe('passing');
  });

  test('INS1: a lease runs from its renewal, however long it takes to write that the instance is back', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    await b.run(11_000);
    let commit: () => void = () => undefined;
    b.delay = new Promise((resolve) => (commit = resolve));
    b.monitor.renew(id);
    await b.run(9900);
    expect(b.get(id)?.status).toBe('critical');
    commit();
    await b.run(100);
    expect(b.get(id)?.status).toBe('passing');
    await b.run(200);
    expect(b.get(id)?.status).toBe('critical');
  });

  test('INS3: after a restart every lease has its full length', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    await b.run(9000);
    b.now += 3_600_000;
    b.restart();
    await b.run(9900);
    expect(b.get(id)?.status).toBe('passing');
    await b.run(400);
    expect(b.get(id)?.status).toBe('critical');
  });

  test('INS3: after this process stood still, and after the database was away, too', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    await b.run(9000);
    b.now += 20_000;
    await b.run(9900);
    expect(b.get(id)?.status).toBe('passing');
    expect(b.warnings[0]).toMatch(/stood still for 20100 ms/);
    b.monitor.storeAway();
    await b.run(100_000);
    expect(b.commands).toEqual([]);
    b.monitor.storeBack();
    await b.run(9900);
    expect(b.get(id)?.status).toBe('passing');
    await b.run(400);
    expect(b.get(id)?.status).toBe('critical');
  });

  test('INS3: a renewal that came in while the process was held up is read before anything expires', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    await b.run(9900);
    b.now += 900;
    b.monitor.tick();
    b.monitor.renew(id);
    await b.run(1000);
    expect(b.commands).toEqual([]);
  });

  test('INS3: the clock on the wall may jump as it likes', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    b.register(2, HTTP);
    for (const jump of [3_600_000, -7_200_000, 86_400_000]) {
      b.wall += jump;
      await b.run(9000);
      b.monitor.renew(id);
    }
    expect(b.count('critical')).toBe(0);
    await b.run(10_300);
    expect(b.get(id)?.status).toBe('critical');
  });
});

describe('checks', () => {
  test('INS1: an instance that dies right after a pass is critical within its bound', async () => {
    for (const check of [HTTP, { ...HTTP, unhealthyAfter: 5, interval: '1s', timeout: '1s' }] as const) {
      const b = bench();
      const id = b.register(1, check);
      await b.run(2000);
      expect(b.get(id)?.status).toBe('passing');
      const { length } = b.started;
      while (b.started.length === length) await b.run(TICK_MS);
      const diedAt = b.now;
      // A target that hangs is found out at its timeout.
      const dead: { at: number; end: () => void }[] = [];
      b.look = () =>
        new Promise((resolve) =>
          dead.push({ at: b.now + Number.parseInt(check.timeout, 10) * 1000, end: () => resolve('critical') }),
        );
      while (b.get(id)?.status !== 'critical')
        await b.run(TICK_MS, () => dead.forEach(({ at, end }) => at <= b.now && end()));
      expect(b.now - diedAt).toBeLessThanOrEqual(detectionBoundMs(check));
      expect(b.get(id)?.statusReason).toBe('It is critical.');
    }
  });

  test('a new instance is checked within a second, and its first pass decides', async () => {
    const b = bench();
    const ids = Array.from({ length: 20 }, (_, n) => b.register(n, { ...HTTP, healthyAfter: 3 }));
    await b.run(1200);
    expect(ids.map((id) => b.get(id)?.status)).toEqual(ids.map(() => 'passing'));
  });

  test('INS3: after a restart two thousand checks are spread over their interval', async () => {
    const b = bench();
    for (let n = 0; n < 2000; n++) b.register(n, HTTP);
    await b.run(2000);
    b.started.length = 0;
    b.restart();
    const from = b.now;
    await b.run(10_000);
    const perSecond = Array.from(
      { length: 10 },
      (_, s) => b.started.filter(({ at }) => Math.ceil((at - from) / 1000) - 1 === s).length,
    );
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(230);
    expect(Math.min(...perSecond)).toBeGreaterThanOrEqual(170);
    b.started.length = 0;
    // So they are after this process stood still.
    b.now += 60_000;
    await b.run(1000);
    expect(b.started.length).toBeLessThanOrEqual(230);
  });

  test('a target that hangs takes up its own place only, and what finds none waits in order', async () => {
    const b = bench((made) => (made.concurrency = 2));
    const seen = new Set<number>();
    b.look = ({ port }) => {
      seen.add(port);
      return port === 1000 ? new Promise(() => undefined) : 'passing';
    };
    for (let n = 0; n < 10; n++) b.register(n, HTTP);
    await b.run(30_000);
    expect(seen.size).toBe(10);
    expect(b.count('passing')).toBe(9);
    expect(b.started.filter(({ port }) => port === 1000)).toHaveLength(1);
    expect([b.monitor.checksInFlight, b.monitor.checksWaiting]).toEqual([1, 0]);
    b.look = () => new Promise(() => undefined);
    await b.run(15_000);
    expect([b.monitor.checksInFlight, b.monitor.checksWaiting]).toEqual([2, 8]);
    b.monitor.tick();
  });

  test('REV3: what was found about an instance that is gone meanwhile is dropped', async () => {
    const b = bench();
    let end: () => void = () => undefined;
    b.look = () => new Promise((resolve) => (end = () => resolve('passing')));
    const id = b.register(1, HTTP);
    await b.run(1200);
    b.edit({ op: 'deregister', id });
    b.register(1, HTTP);
    const before = end;
    before();
    await b.run(300);
    expect(b.commands).toEqual([]);
    await b.run(1000);
    end();
    await b.run(200);
    expect(b.get(id)?.status).toBe('passing');
  });

  test('another check keeps the status until it says otherwise', async () => {
    const b = bench();
    const id = b.register(1, HTTP);
    await b.run(1500);
    b.register(1, { ...HTTP, interval: '2s' });
    expect(b.get(id)?.status).toBe('passing');
    await b.run(1500);
    expect(b.get(id)?.status).toBe('passing');
    b.register(1, TTL);
    expect(b.monitor.report(id)?.lease?.ttl).toBe('10s');
  });

  test('INS2: answers that change to and fro make at most 42 revisions in ten minutes', async () => {
    for (const period of [1000, 4000, 20_000]) {
      const b = bench();
      b.register(1, { ...HTTP, interval: '500ms', timeout: '500ms', unhealthyAfter: 1 });
      b.look = () => (b.now % period < period / 2 ? 'passing' : 'critical');
      await b.run(600_000);
      expect(b.revision).toBeLessThanOrEqual(1 + 42);
      expect(b.revision).toBeGreaterThan(10);
    }
  });

  test('INS2: an instance that flapped is held down, and registering anew does not forgive it', async () => {
    const b = bench();
    const id = b.register(1, { ...HTTP, interval: '500ms', timeout: '500ms', unhealthyAfter: 1 });
    b.look = () => (b.now % 2000 < 1000 ? 'passing' : 'critical');
    await b.run(10_000);
    b.look = () => 'passing';
    await b.run(2000);
    expect(b.get(id)?.status).toBe('critical');
    const { flapping } = b.monitor.report(id) ?? {};
    expect(flapping?.penalty).toBeGreaterThan(3000);
    expect(flapping?.heldFor).toBeDefined();
    b.edit({ op: 'deregister', id });
    b.register(1, HTTP);
    await b.run(20_000);
    expect(b.get(id)?.status).toBe('critical');
    await b.run(80_000);
    expect(b.get(id)?.status).toBe('passing');
  });

  test('a report says what was found', async () => {
    const b = bench();
    const id = b.register(1, { ...HTTP, deregisterAfter: '1m' });
    await b.run(1500);
    b.look = () => 'critical';
    await b.run(61_000);
    const report = b.monitor.report(id);
    expect(report).toMatchObject({
      consecutivePasses: 0,
      deregistersIn: expect.any(String),
      flapping: { penalty: expect.any(Number) },
    });
    expect(report?.lastChecks).toHaveLength(5);
    expect(report?.lastChecks[0]).toMatchObject({ status: 'critical', reason: 'It is critical.', durationMs: 0 });
    expect(b.monitor.report(idOf(9))).toBeUndefined();
  });
});

describe('decisions', () => {
  test('INS4: a mass failure is one revision; half is given up, an advisory says so, and after five minutes all are', async () => {
    const b = bench();
    for (let n = 0; n < 10; n++) b.register(n, TTL);
    const { revision } = b;
    await b.run(10_300);
    expect([b.revision - revision, b.count('critical')]).toEqual([1, 5]);
    const advisory = b.view.get(advisoryName('eviction-guard.a.example.eu-west'));
    expect(advisory?.value).toMatchObject({
      code: 'eviction-guard',
      service: 'a.example',
      region: 'eu-west',
      message: expect.stringMatching(
        /^10 of 10 instances of a.example in eu-west have failed within 1m. 5 of them are kept/,
      ),
      until: new Date(Date.UTC(2025, 0, 1) + 10_100 + 300_000).toISOString(),
    });
    expect(b.monitor.guards()).toEqual([
      { service: 'a.example', region: 'eu-west', held: 5, until: expect.any(String) },
    ]);
    expect(b.monitor.held).toBe(5);
    const kept = Array.from({ length: 10 }, (_, n) => idOf(n)).find((id) => b.get(id)?.status === 'passing') ?? '';
    expect(b.monitor.report(kept)?.guardedFor).toBeDefined();
    // One that shows that it is there is released.
    b.monitor.renew(kept);
    await b.run(299_000, () => b.monitor.renew(kept));
    expect([b.revision - revision, b.count('critical')]).toEqual([1, 5]);
    await b.run(2000, () => b.monitor.renew(kept));
    expect([b.revision - revision, b.count('critical'), b.monitor.guards()]).toEqual([2, 9, []]);
    expect(b.view.get(advisoryName('eviction-guard.a.example.eu-west'))).toBeUndefined();
  });

  test('INS4: an override gives them up at once; instances taken out by hand do not count', async () => {
    const b = bench();
    for (let n = 0; n < 16; n++) b.register(n, TTL, { region: undefined });
    for (let n = 10; n < 16; n++) b.edit({ op: 'deregister', id: idOf(n) });
    await b.run(10_300);
    expect(b.count('critical')).toBe(5);
    expect(b.view.get(advisoryName('eviction-guard.a.example.-'))).toBeDefined();
    const target = { service: 'a.example', region: '-' };
    b.edit({ op: 'override', target, override: { evictionGuard: false, reason: 'they are gone' } });
    await b.run(200);
    expect([b.count('critical'), b.monitor.guards()]).toEqual([10, []]);
    expect(b.view.get(advisoryName('eviction-guard.a.example.-'))).toBeUndefined();
  });

  test('INS4: a restart in the middle of a mass failure gives up no more, and an advisory without a guard goes away', async () => {
    const b = bench();
    for (let n = 0; n < 10; n++) b.register(n, TTL);
    await b.run(11_000);
    b.restart();
    await b.run(11_000);
    expect(b.count('critical')).toBe(5);
    expect(b.monitor.guards()).toHaveLength(1);
    b.restart();
    await b.run(58_000, () => Array.from({ length: 10 }, (_, n) => b.monitor.renew(idOf(n))));
    expect([...b.view.bucket(byKind('advisory'))]).toHaveLength(1);
    await b.run(3000, () => Array.from({ length: 10 }, (_, n) => b.monitor.renew(idOf(n))));
    expect([...b.view.bucket(byKind('advisory'))]).toHaveLength(0);
    expect(b.count('passing')).toBe(10);
  });

  test('what the registry cannot write now is tried again, about once a second', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    b.isFailing = true;
    await b.run(20_000);
    expect(b.commands.length).toBeGreaterThanOrEqual(8);
    expect(b.commands.length).toBeLessThanOrEqual(11);
    expect(b.get(id)?.status).toBe('passing');
    b.isFailing = false;
    await b.run(1200);
    expect(b.get(id)?.status).toBe('critical');
    expect(b.warnings).toEqual(['what checks have found could not be written; it will be tried again']);
  });

  test('an instance that stays critical is removed after its time, which begins anew with a restart', async () => {
    const b = bench();
    b.look = () => 'critical';
    const ids = [b.register(1, { ...TTL, deregisterAfter: '1m' }), b.register(2, { ...HTTP, deregisterAfter: '1m' })];
    await b.run(50_000);
    b.restart();
    await b.run(59_000);
    expect(ids.map((id) => b.get(id)?.status)).toEqual(['critical', 'critical']);
    await b.run(2000);
    expect(ids.map((id) => b.get(id))).toEqual([undefined, undefined]);
    expect(b.monitor.tracked).toBe(0);
  });

  test('INS3: what is critical is not removed before its check has said so since the restart', async () => {
    const b = bench();
    b.look = () => 'critical';
    const id = b.register(1, { ...HTTP, initialStatus: 'passing', deregisterAfter: '30s' });
    await b.run(12_000);
    expect(b.get(id)?.status).toBe('critical');
    b.look = () => new Promise(() => undefined);
    b.restart();
    await b.run(60_000);
    expect(b.get(id)).toBeDefined();
  });

  test('INS5: what is drained is checked all the same, and its mode outlives it', async () => {
    const b = bench();
    const id = b.register(1, HTTP);
    b.edit({ op: 'override', target: { instance: id }, override: { mode: 'drain', reason: 'new host' } });
    await b.run(1500);
    expect(b.get(id)).toMatchObject({ status: 'passing', passing: false, mode: 'drain' });
    b.edit({ op: 'deregister', id });
    b.register(1, HTTP);
    await b.run(1500);
    expect(b.get(id)).toMatchObject({ status: 'passing', passing: false, mode: 'drain' });
  });

  test('INS6: only what the instance itself shows takes its address back', async () => {
    const b = bench();
    const proof = { ...HTTP, path: '/{serviceId}' } as Check;
    const checks = [TTL, proof, HTTP];
    const ids = checks.map((check, n) => b.register(n, check, { environment: `e${n}` }));
    await b.run(2000);
    b.monitor.renew(idOf(0));
    for (let n = 0; n < 3; n++) b.register(10 + n, TTL, { service: 'b.example', port: 1000 + n });
    expect(ids.map((id) => b.get(id)?.displacedBy)).toEqual([10, 11, 12].map((n) => instanceName(idOf(n))));
    b.look = ({ check }) => (check.type === 'http' && check.path.includes('{') ? 'critical' : 'passing');
    await b.run(8000);
    expect(ids.map((id) => b.get(id)?.passing)).toEqual([false, false, false]);
    b.monitor.renew(idOf(0));
    b.look = () => 'passing';
    await b.run(25_000, () => b.monitor.renew(idOf(0)));
    expect(ids.map((id) => b.get(id)?.passing)).toEqual([true, true, false]);
  });

  test('INS6: what was shown before somebody else came to the address does not count, though it is written after that', async () => {
    const b = bench();
    const id = b.register(1, TTL);
    await b.run(11_000);
    expect(b.get(id)?.status).toBe('critical');
    let commit: () => void = () => undefined;
    b.delay = new Promise((resolve) => (commit = resolve));
    b.monitor.renew(id);
    await b.run(100);
    b.register(2, TTL, { service: 'b.example', port: 1001 });
    commit();
    await b.run(1000);
    expect(b.get(id)).toMatchObject({ status: 'passing', displacedBy: instanceName(idOf(2)), passing: false });
    b.monitor.renew(id);
    await b.run(100);
    expect(b.get(id)?.passing).toBe(true);
  });

  test('who registers anew while its removal is under way stays', async () => {
    const b = bench();
    const id = b.register(1, { ...TTL, deregisterAfter: '1s' });
    await b.run(10_300);
    expect(b.get(id)?.status).toBe('critical');
    let commit: () => void = () => undefined;
    b.delay = new Promise((resolve) => (commit = resolve));
    await b.run(2000);
    expect(b.commands.at(-1)?.instances).toMatchObject([{ op: 'deregister', id }]);
    b.register(1, { ...TTL, deregisterAfter: '1s' });
    commit();
    await b.run(1000);
    expect(b.get(id)?.status).toBe('passing');
  });

  test('a view that is loaded anew is taken over, and leases begin anew', async () => {
    const b = bench();
    const ids = [b.register(1, TTL), b.register(2, TTL)];
    await b.run(5000);
    const item = b.view.get(instanceName(ids[0] ?? ''));
    b.view.fold([{ op: 'delete', kind: 'instance', name: item?.name ?? '', was: {} }]);
    b.monitor.onReload();
    expect([b.monitor.tracked, b.monitor.renew(ids[0] ?? '')]).toEqual([1, false]);
    await b.run(9900);
    expect(b.count('passing')).toBe(1);
    await b.run(400);
    expect(b.count('critical')).toBe(1);
  });

  test('a node that keeps no leases knows only who is there', () => {
    const b = bench();
    const id = b.register(1, TTL);
    const other = b.create(false);
    other.start();
    other.tick();
    const { generation } = b.get(id) as Instance;
    expect([
      other.renew(id),
      other.renew(id, generation),
      other.renew(id, generation + 1),
      other.renew(idOf(2)),
    ]).toEqual([true, true, false, false]);
    expect([other.enabled, other.tracked, other.report(id)]).toEqual([false, 0, undefined]);
  });
});

describe('many leases', () => {
  test('a hundred thousand take less than 400 bytes each, and none expires that is renewed', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const b = bench();
    b.monitor.stop();
    const count = 100_000;
    const ids = Array.from({ length: count }, (_, n) => idOf(n));
    for (let n = 0; n < count; n++) b.register(n, { ...TTL, ttl: '30s' }, { service: `s${n % 1000}.example` });
    gc();
    const before = process.memoryUsage().heapUsed;
    b.monitor = b.create();
    b.monitor.start();
    await b.run(1000);
    gc();
    const bytes = (process.memoryUsage().heapUsed - before) / count;
    for (let i = 0; i < 600; i++) {
      b.now += TICK_MS;
      if (i % 100 === 0) for (const id of ids) b.monitor.renew(id);
      b.monitor.tick();
    }
    expect(b.commands).toEqual([]);
    expect(bytes).toBeLessThan(400);
  });

  test('INS1: twenty thousand that die at once are told within the time for that, one command for each service', async () => {
    const b = bench();
    const count = 20_000;
    for (let n = 0; n < count; n++) b.register(n, TTL, { service: `s${n % 100}.example`, region: `r${n % 50}` });
    await b.run(10_000 + TELLING_MS);
    expect(b.count('critical') + b.monitor.held).toBe(count);
    expect(b.commands).toHaveLength(100);
  });
});
