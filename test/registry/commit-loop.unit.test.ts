import { describe, expect, test } from '@jest/globals';
import { InProcessNetwork } from '../../src/bus/in-process.ts';
import { violationsOf } from '../../src/domain/audit-state.ts';
import { View } from '../../src/domain/view.ts';
import { Tail } from '../../src/feed/tail.ts';
import type { Caller, InstanceCommand } from '../../src/domain/command.ts';
import { EVERYTHING, serviceKey, sightOf, type Sight } from '../../src/domain/visibility.ts';
import { CommitLoop, type Verdict } from '../../src/registry/commit-loop.ts';
import type { RegistryUnavailable } from '../../src/registry/errors.ts';
import { Registry } from '../../src/registry/registry.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { Random } from '../support/random.ts';
import { commandOf, deployment, GROUND, put, region, remove, service, validate, version } from '../domain/world.ts';
import { entriesSince } from '../support/entries-since.ts';

interface Node {
  readonly tail: Tail;
  readonly loop: CommitLoop;
  readonly registry: Registry;
  readonly batches: number[];
}

async function node(
  store: MemoryStore,
  network: InProcessNetwork,
  limits = { maxPending: 10_000, timeoutMs: 10_000 },
): Promise<Node> {
  const tail = new Tail(store);
  const bus = network.join();
  await tail.open();
  tail.follow(bus, () => undefined);
  const batches: number[] = [];
  const metrics = { batch: (_: number, revisions: number): number => batches.push(revisions) };
  const loop = new CommitLoop({ store, ledger: tail, bus, validate, limits, metrics, now: () => performance.now() });
  return {
    tail,
    loop,
    registry: new Registry(loop, { ledger: tail, validate, permitOf: () => undefined, sightOf: () => EVERYTHING }),
    batches,
  };
}

async function twoNodes(): Promise<{ store: MemoryStore; a: Node; b: Node }> {
  const store = new MemoryStore();
  const network = new InProcessNetwork();
  return { store, a: await node(store, network), b: await node(store, network) };
}

const ground = commandOf(GROUND.map(put));
const ok = (verdict: Verdict): Extract<Verdict, { ok: true }> => {
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.refusal));
  return verdict;
};

describe('the commit loop', () => {
  test('REV1: commands of two nodes at once get unique, gapless revisions in the order of the log', async () => {
    const { store, a, b } = await twoNodes();
    ok(await a.loop.execute(ground));
    const random = new Random(11);
    const verdicts = await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
        return ok(await random.pick([a, b]).loop.execute(commandOf([put(region(`r${i}`))])));
      }),
    );
    const revisions = verdicts.map(({ revision }) => revision).sort((x, y) => x - y);
    expect(revisions).toEqual(Array.from({ length: 400 }, (_, i) => i + 2));
    const log = await entriesSince(store, 0);
    expect(log.map((entry) => entry.revision)).toEqual(Array.from({ length: 401 }, (_, i) => i + 1));
    for (const { revision, changes } of verdicts) {
      const change = changes[0];
      const logged = log[revision - 1]?.changes[0];
      expect(logged?.op === 'put' && logged.item.name).toBe(change?.op === 'put' && change.item.name);
    }
    // Commands that wait at the same time share a transaction, and each keeps its own revision.
    expect(a.batches.length + b.batches.length).toBeLessThan(200);
  });

  test('COV2: "A imports B" against "B leaves the region", 500 rounds on two nodes: never both', async () => {
    const { a, b } = await twoNodes();
    const docs = [...GROUND, service('aa'), service('bb'), version('aa', 'v1'), version('bb', 'v1')];
    ok(await a.loop.execute(commandOf([...docs, deployment('aa', 'us'), deployment('bb', 'us')].map(put))));
    const won = { import: 0, leave: 0 };
    const imports = commandOf([put(version('aa', 'v1', { bb: 'v1' }))]);
    const leaves = commandOf([remove('services/bb/deployments/us')]);
    for (let round = 0; round < 500; round++) {
      const [first, second] = round % 2 === 0 ? [a, b] : [b, a];
      const leave = round % 3 === 0 ? first.loop.execute(leaves) : undefined;
      const [imported, left] = await Promise.all([second.loop.execute(imports), leave ?? first.loop.execute(leaves)]);
      expect([imported.ok, left.ok].filter(Boolean)).toHaveLength(1);
      won[imported.ok ? 'import' : 'leave'] += 1;
      await Promise.all([a.tail.catchUp(), b.tail.catchUp()]);
      for (const { tail } of [a, b]) expect(violationsOf(tail.view)).toEqual([]);
      ok(await a.loop.execute(commandOf([put(version('aa', 'v1')), put(deployment('bb', 'us'))])));
      await b.tail.catchUp();
    }
    expect(won.import + won.leave).toBe(500);
    expect(Math.min(won.import, won.leave)).toBeGreaterThan(0);
  });

  test('each command of a batch sees the ones before it, and a refused one changes nothing', async () => {
    const { a } = await twoNodes();
    const verdicts = await Promise.all([
      a.loop.execute(ground),
      a.loop.execute(commandOf([put(service('aa'))])),
      a.loop.execute(commandOf([put(deployment('aa', 'us'))])),
      a.loop.execute(commandOf([put(version('aa', 'v1'))])),
      a.loop.execute(commandOf([put(deployment('aa', 'us'))])),
    ]);
    expect(verdicts.map((v) => (v.ok ? v.revision : v.refusal.code))).toEqual([1, 2, 'conflict', 3, 4]);
    expect(a.batches).toEqual([4]);
  });

  test('REV3: what changes nothing makes no revision, alone or in a batch', async () => {
    const { store, a } = await twoNodes();
    ok(await a.loop.execute(ground));
    const again = await Promise.all([a.loop.execute(ground), a.loop.execute(commandOf([put(region('us'))]))]);
    expect(again.map((v) => ok(v).revision)).toEqual([1, 1]);
    expect((await store.head()).revision).toBe(1);
  });

  test('COV5: a dry run says exactly what the write then does, and writes nothing', async () => {
    const { store, a } = await twoNodes();
    ok(await a.loop.execute(ground));
    const command = commandOf([
      put(service('aa', { labels: { x: 'y' } })),
      put(version('aa', 'v1')),
      put(deployment('aa', 'us')),
    ]);
    const dry = await a.registry.execute(command, { dryRun: true });
    expect((await store.head()).revision).toBe(1);
    const wet = await a.registry.execute(command);
    expect(dry).toEqual(wet);
    const refused = commandOf([remove('services/aa/versions/v1')]);
    expect(await a.registry.execute(refused, { dryRun: true })).toEqual(await a.registry.execute(refused));
  });

  test('the database away: writes are told so and nothing is written; when it is back, they go on', async () => {
    const { store, a } = await twoNodes();
    ok(await a.loop.execute(ground));
    store.failing = 'unavailable';
    const failures = await Promise.allSettled([1, 2, 3].map((i) => a.loop.execute(commandOf([put(region(`r${i}`))]))));
    for (const failure of failures) {
      expect(failure).toMatchObject({
        status: 'rejected',
        reason: { code: 'store-unavailable', retryAfterSeconds: 2 },
      });
    }
    expect(a.tail.view.get('regions/r1')).toBeUndefined();
    store.failing = false;
    expect(ok(await a.loop.execute(commandOf([put(region('r9'))]))).revision).toBe(2);
  });

  test.each(['outcome-unknown-committed', 'outcome-unknown-lost'] as const)(
    'REV2: after a commit whose outcome is unknown (%s) the view is what the log says',
    async (failing) => {
      const { store, a } = await twoNodes();
      ok(await a.loop.execute(ground));
      store.failing = failing;
      const lost = await a.loop
        .execute(commandOf([put(region('r1'))]))
        .catch((error: RegistryUnavailable) => error.code);
      expect(lost).toBe('outcome-unknown');
      store.failing = false;
      const next = ok(await a.loop.execute(commandOf([put(region('r2'))])));
      const committed = failing === 'outcome-unknown-committed';
      expect(next.revision).toBe(committed ? 3 : 2);
      expect(a.tail.view.get('regions/r1') !== undefined).toBe(committed);
      const replayed = new View();
      for (const entry of await entriesSince(store, 0)) replayed.fold(entry.changes);
      expect([...a.tail.view.all()].map((i) => i.json).sort()).toEqual([...replayed.all()].map((i) => i.json).sort());
    },
  );

  test('REV2, REV4: an acknowledgement that comes when the view is of another epoch already is no outcome', async () => {
    const { store, a, b } = await twoNodes();
    ok(await a.loop.execute(ground));
    await Promise.all([a.tail.catchUp(), b.tail.catchUp()]);
    const { commit } = store;
    const announced: string[] = [];
    // The old primary has written it, and answers when another one that has not stands in its place.
    store.commit = async () => {
      await store.newEpoch();
      await a.tail.catchUp();
      return true;
    };
    const lost = a.loop.execute(commandOf([put(region('r1'))])).catch((error: RegistryUnavailable) => error.code);
    b.tail.listen({ onAdvance: () => announced.push('news'), onReload: (reason) => announced.push(reason) });
    expect(await lost).toBe('outcome-unknown');
    store.commit = commit;
    expect([a.tail.head, a.tail.view.get('regions/r1')]).toEqual([await store.head(), undefined]);
    // The same revision is somebody else's now.
    expect(ok(await b.loop.execute(commandOf([put(region('r2'))]))).revision).toBe(2);
    expect(announced).toEqual(['epoch', 'news']);
    expect(ok(await a.loop.execute(commandOf([put(region('r3'))]))).revision).toBe(3);
    const names = (tail: Tail): string[] => [...tail.view.all()].map(({ name }) => name).sort();
    expect(names(a.tail)).toEqual(names(b.tail));
    expect(names(a.tail)).toEqual(expect.arrayContaining(['regions/r2', 'regions/r3']));
  });

  test('a queue that is full turns commands away at once, and closing answers those that wait', async () => {
    const store = new MemoryStore();
    const n = await node(store, new InProcessNetwork(), { maxPending: 3, timeoutMs: 10_000 });
    const waiting = [0, 1, 2, 3, 4].map((i) => n.loop.execute(commandOf([put(region(`r${i}`))])));
    const settled = Promise.allSettled(waiting);
    const closed = n.loop.close();
    expect(
      (await settled).map((s) => (s.status === 'rejected' ? (s.reason as RegistryUnavailable).code : 'done')),
    ).toEqual(['done', 'done', 'done', 'overloaded', 'overloaded']);
    await closed;
    await expect(n.loop.execute(ground)).rejects.toMatchObject({ code: 'draining' });
  });

  test('PUSH11: a node that hears nothing from the bus still reaches the head by reading the log', async () => {
    const store = new MemoryStore();
    const a = await node(store, new InProcessNetwork());
    const b = await node(store, new InProcessNetwork());
    ok(await a.loop.execute(ground));
    expect(b.tail.head.revision).toBe(0);
    await b.tail.catchUp();
    expect(b.tail.head).toEqual(a.tail.head);
    // And a command on a view that is behind is decided on the state as it is, not as it was.
    ok(await a.loop.execute(commandOf([put(service('aa')), put(version('aa', 'v1'))])));
    expect(ok(await b.loop.execute(commandOf([put(deployment('aa', 'us'))]))).revision).toBe(3);
  });

  test('REV4: another epoch in the database makes the node load anew and tell its listeners', async () => {
    const { store, a } = await twoNodes();
    ok(await a.loop.execute(ground));
    const reloads: string[] = [];
    a.tail.listen({ onAdvance: () => undefined, onReload: (reason) => reloads.push(reason) });
    const { epoch } = await store.newEpoch();
    expect(ok(await a.loop.execute(commandOf([put(region('r1'))]))).revision).toBe(2);
    expect(reloads).toEqual(['epoch']);
    expect(a.tail.head.epoch).toBe(epoch);
  });
});

test('SEC5, SEC3: what a registration does to an instance that its caller does not see is audited, and not told', async () => {
  const { store, a } = await twoNodes();
  const register = (id: string, runs: string, caller: Caller, sight: Sight): InstanceCommand => ({
    caller,
    sight,
    at: 0,
    instances: [
      {
        op: 'register',
        id: id.repeat(24),
        registration: {
          service: runs,
          protocol: 'http',
          address: '10.0.0.7',
          port: 80,
          weight: 1,
          tags: {},
          metadata: {},
          check: { type: 'ttl', ttl: '30s', initialStatus: 'passing', deregisterAfter: '10m' },
        },
      },
    ],
  });
  const root: Caller = { kind: 'administrator', subject: 'root' };
  ok(await a.loop.execute(register('a', 'vault.test', root, EVERYTHING)));
  const bot: Caller = { kind: 'registrar', subject: 'bot', service: 'shop.test' };
  const verdict = ok(await a.loop.execute(register('b', 'shop.test', bot, sightOf([serviceKey('shop.test')]))));
  expect(verdict.outcomes.map(({ name }) => name)).toEqual([`instances/${'b'.repeat(24)}`]);
  const entries = await store.readAudit({ subject: 'bot' }, { limit: 10 });
  expect(entries.map(({ target, service: about, result }) => `${target} ${about} ${result}`).sort()).toEqual([
    `instances/${'a'.repeat(24)} vault.test updated`,
    `instances/${'b'.repeat(24)} shop.test created`,
  ]);
});
