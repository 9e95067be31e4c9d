import { describe, expect, test } from '@jest/globals';
import { InProcessNetwork } from '../../src/bus/in-process.ts';
import type { InstanceCommand } from '../../src/domain/command.ts';
import { NO_MEMBERSHIP } from '../../src/domain/membership.ts';
import { Tail } from '../../src/feed/tail.ts';
import { EVERYTHING } from '../../src/domain/visibility.ts';
import { CommitLoop } from '../../src/registry/commit-loop.ts';
import type { RegistryUnavailable } from '../../src/registry/errors.ts';
import { Registry } from '../../src/registry/registry.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { commandOf, put, region, validate } from '../domain/world.ts';
import { entriesSince } from '../support/entries-since.ts';

/** Counts what is asked beside the commits. */
class CountingStore extends MemoryStore {
  heads = 0;
  memberships = 0;
  /** What each commit was held against. */
  readonly fences: (number | undefined)[] = [];

  constructor() {
    super();
    const { membership } = this.nodes;
    this.nodes.membership = () => {
      this.memberships += 1;
      return membership.call(this.nodes);
    };
  }

  override head() {
    this.heads += 1;
    return super.head();
  }

  override commit(batch: Parameters<MemoryStore['commit']>[0]) {
    this.fences.push(batch.fence);
    return super.commit(batch);
  }

  term(term: number): void {
    this.nodes.standing = { ...NO_MEMBERSHIP, term };
  }
}

async function started(term: number): Promise<{ store: CountingStore; tail: Tail; loop: CommitLoop }> {
  const store = new CountingStore();
  store.term(term);
  const tail = new Tail(store);
  const bus = new InProcessNetwork().join();
  await tail.open();
  tail.follow(bus, () => undefined);
  const limits = { maxPending: 100, timeoutMs: 10_000 };
  const metrics = { batch: () => undefined };
  const loop = new CommitLoop({ store, ledger: tail, bus, validate, limits, metrics, now: () => performance.now() });
  await tail.catchUp();
  store.heads = 0;
  return { store, tail, loop };
}

const instance = (letter: string, fence?: number): InstanceCommand => ({
  caller: { kind: 'signalbox', subject: 'signalbox' },
  at: 0,
  ...(fence !== undefined && { fence }),
  instances: [
    {
      op: 'register',
      id: letter.repeat(24),
      registration: {
        service: `${letter}.test`,
        protocol: 'http',
        address: '10.0.0.7',
        port: letter.charCodeAt(0),
        weight: 1,
        tags: {},
        metadata: {},
        check: { type: 'ttl', ttl: '30s', initialStatus: 'passing', deregisterAfter: '10m' },
      },
    },
  ],
});

const removal = (letter: string, fence: number): InstanceCommand => ({
  ...instance(letter, fence),
  instances: [{ op: 'deregister', id: letter.repeat(24) }],
});

/** The revision, or why there is none. */
const answersOf = (loop: CommitLoop, commands: readonly Parameters<CommitLoop['execute']>[0][]) =>
  Promise.all(
    commands.map((command) =>
      loop.execute(command).then(
        (verdict) => (verdict.ok ? verdict.revision : verdict.refusal.code),
        (error: RegistryUnavailable) => error.code,
      ),
    ),
  );

const logOf = async (store: MemoryStore): Promise<string[]> =>
  (await entriesSince(store, 0)).map(
    ({ revision, changes: [change] }) => `${revision} ${change?.op === 'put' ? change.item.name : change?.name}`,
  );

const named = (letter: string): string => `instances/${letter.repeat(24)}`;

describe('decisions that are held against the term of the membership', () => {
  test('they are committed under the term that stands, with nothing more asked of the database', async () => {
    const { store, loop } = await started(7);
    expect(await answersOf(loop, [instance('a', 7), commandOf([put(region('us'))])])).toEqual([1, 2]);
    expect(await answersOf(loop, [commandOf([put(region('eu'))])])).toEqual([3]);
    expect(store.fences).toEqual([7, undefined]);
    expect([store.heads, store.memberships]).toEqual([0, 0]);
  });

  test('REV1 of a batch those of a term that is over are refused, and the others committed in order without a gap', async () => {
    const { store, loop } = await started(8);
    const answers = await answersOf(loop, [
      commandOf([put(region('us'))]),
      instance('a', 7),
      commandOf([put(region('eu'))]),
      instance('b', 7),
      instance('c'),
    ]);
    expect(answers).toEqual([1, 'fenced', 2, 'fenced', 3]);
    expect(await logOf(store)).toEqual(['1 regions/us', '2 regions/eu', `3 ${named('c')}`]);
    expect(store.fences).toEqual([7, undefined]);
    expect(store.memberships).toBe(1);
  });

  test('of several terms in a batch only the highest is asked about', async () => {
    const { store, loop } = await started(8);
    expect(await answersOf(loop, [instance('a', 7), instance('b', 8), instance('c', 6)])).toEqual([
      'fenced',
      1,
      'fenced',
    ]);
    expect(store.fences).toEqual([8]);
    expect(store.memberships).toBe(0);
    expect(await answersOf(loop, [instance('d', 8), instance('e', 9)])).toEqual(['fenced', 'fenced']);
    expect(await logOf(store)).toEqual([`1 ${named('b')}`]);
  });

  test('a term that changes between the decision and its commit lets nothing of it through', async () => {
    const { store, tail, loop } = await started(7);
    store.beforeCommit = () => store.term(8);
    expect(await answersOf(loop, [instance('a', 7), commandOf([put(region('us'))])])).toEqual(['fenced', 1]);
    expect(await logOf(store)).toEqual(['1 regions/us']);
    expect(tail.view.get(named('a'))).toBeUndefined();
    expect(await store.readAudit({}, { limit: 10 })).toHaveLength(1);
  });

  test('where only the counter has moved, it is decided again under the same term', async () => {
    const { store, loop } = await started(7);
    const { epoch } = await store.head();
    store.beforeCommit = () => {
      store.beforeCommit = undefined;
      store.commitNow({ epoch, base: 0, entries: [{ revision: 1, at: 0, author: 'another', changes: [] }] });
    };
    expect(await answersOf(loop, [instance('a', 7)])).toEqual([2]);
    expect(store.fences).toEqual([7, 7]);
  });

  test('what is refused or changes nothing rests on the term too, for one look at it', async () => {
    const { store, loop } = await started(7);
    expect(await answersOf(loop, [instance('a', 7)])).toEqual([1]);
    expect(await answersOf(loop, [instance('a', 7), removal('b', 7)])).toEqual([1, 1]);
    expect([store.heads, store.memberships]).toEqual([1, 1]);
    // Without a fence it is not asked.
    expect(await answersOf(loop, [instance('a')])).toEqual([1]);
    expect([store.heads, store.memberships]).toEqual([2, 1]);
    store.term(8);
    expect(await answersOf(loop, [instance('a', 7), instance('a'), removal('b', 7)])).toEqual(['fenced', 1, 'fenced']);
  });

  test.each(['outcome-unknown-committed', 'outcome-unknown-lost'] as const)(
    'REV2 a commit whose outcome is unknown (%s) is no "fenced", and the next one rests on the log',
    async (failing) => {
      const { store, loop } = await started(7);
      store.failing = failing;
      expect(await answersOf(loop, [instance('a', 7), commandOf([put(region('us'))])])).toEqual([
        'outcome-unknown',
        'outcome-unknown',
      ]);
      store.failing = false;
      store.term(8);
      const base = failing === 'outcome-unknown-committed' ? 2 : 0;
      expect(await answersOf(loop, [instance('b', 7), instance('c', 8)])).toEqual(['fenced', base + 1]);
      expect((await store.head()).revision).toBe(base + 1);
    },
  );

  test('the database away while the term is asked for: the whole batch is told so, and nothing was written', async () => {
    const { store, loop } = await started(8);
    store.beforeCommit = () => (store.failing = 'unavailable');
    expect(await answersOf(loop, [instance('a', 7), commandOf([put(region('us'))])])).toEqual([
      'store-unavailable',
      'store-unavailable',
    ]);
    store.beforeCommit = undefined;
    store.failing = false;
    expect(await answersOf(loop, [commandOf([put(region('us'))])])).toEqual([1]);
  });

  test('COV5 a dry run is not held against it', async () => {
    const { store, tail, loop } = await started(8);
    const all = { permitOf: () => undefined, sightOf: () => EVERYTHING };
    const registry = new Registry(loop, { ledger: tail, validate, ...all });
    expect(await registry.execute(instance('a', 7), { dryRun: true })).toMatchObject({ ok: true, revision: 1 });
    expect([store.heads, store.memberships]).toEqual([0, 0]);
  });
});
