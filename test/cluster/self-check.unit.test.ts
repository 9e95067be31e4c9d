import { describe, expect, test } from '@jest/globals';
import { SelfCheck } from '../../src/cluster/self-check.ts';
import { digestOfAll, ViewDigest } from '../../src/cluster/view-digest.ts';
import { digestHex } from '../../src/domain/digest.ts';
import { decodeChanges, encodeChanges } from '../../src/domain/codec.ts';
import { makeItem, type Change, type Entry } from '../../src/domain/item.ts';
import type { Value } from '../../src/domain/resources.ts';
import { Tail } from '../../src/feed/tail.ts';
import type { NodeRow } from '../../src/store/port.ts';
import { MemoryStore } from '../support/memory-store.ts';

const region = (id: string, title: string, revision: number): Change => ({
  op: 'put',
  item: makeItem({
    name: `regions/${id}`,
    title,
    labels: { '2': 'b', '1': 'a', é: 'ü' },
    revision,
  } as unknown as Value),
});
const entry = (revision: number, ...changes: Change[]): Entry => ({ revision, at: 0, author: 'test', changes });

class Node {
  readonly tail: Tail;
  readonly digest: ViewDigest;
  readonly check: SelfCheck;
  readonly results: string[] = [];
  fenced = 0;
  reloads = 0;

  constructor(id: string, store: MemoryStore, now: () => number) {
    this.tail = new Tail(store);
    this.digest = new ViewDigest(() => ({ items: this.tail.view.all(), revision: this.tail.head.revision }));
    this.check = new SelfCheck({
      self: id,
      digest: this.digest,
      head: () => this.tail.head,
      load: () => store.load(),
      catchUp: () => this.tail.catchUp(),
      fence: () => {
        this.fenced += 1;
        this.tail.suspend();
      },
      mend: (truth) => this.tail.replace(truth),
      metrics: {
        compared: { inc: ({ result }) => this.results.push(result) },
        reloads: { inc: () => (this.reloads += 1) },
      },
      log: { warn: () => undefined, error: () => undefined },
      now,
    });
  }

  async open(): Promise<void> {
    await this.tail.open();
    this.digest.begin();
    this.tail.listen(this.digest);
  }

  row(id: string): NodeRow {
    return { id, name: id, version: '1', startedAt: 0, heardAt: 0, state: { view: this.check.said } };
  }
}

async function two(): Promise<{
  store: MemoryStore;
  a: Node;
  b: Node;
  tell: () => Promise<void>;
  pass: (ms: number) => void;
}> {
  let time = 0;
  const store = new MemoryStore();
  const [a, b] = [new Node('a', store, () => time), new Node('b', store, () => time)];
  await Promise.all([a.open(), b.open()]);
  const tell = async (): Promise<void> => {
    const nodes = [a.row('a'), b.row('b')];
    await Promise.all([a.check.look({ nodes }), b.check.look({ nodes })]);
  };
  return { store, a, b, tell, pass: (ms) => (time += ms) };
}

describe('the self-check', () => {
  test('who folds the same log holds the same digest, whether from the commit, the log or the table', async () => {
    const { store, a, b } = await two();
    const entries = [
      entry(1, region('eu', 'Europe', 1)),
      entry(2, region('us', 'États', 2)),
      entry(3, region('eu', 'EU', 3)),
      entry(4, { op: 'delete', kind: 'region', name: 'regions/us', was: {} }),
    ];
    entries.forEach((one, i) => store.commitNow({ epoch: 'e1', base: i, entries: [one] }));
    a.tail.advance(entries.map((one) => ({ ...one, changes: decodeChanges(JSON.parse(encodeChanges(one.changes))) })));
    await b.tail.catchUp();
    for (const revision of [0, 1, 2, 3, 4]) {
      expect(a.digest.at(revision)).toMatch(/^[0-9a-f]{16}$/);
      expect(a.digest.at(revision)).toBe(b.digest.at(revision));
    }
    expect(new Set([0, 1, 2, 3, 4].map((revision) => a.digest.at(revision))).size).toBe(5);
    expect(digestHex(digestOfAll((await store.load()).items))).toBe(a.digest.at(4));
    expect(a.digest.at(5)).toBeUndefined();
  });

  test('PUSH8 a node whose view is not the truth fences itself and loads it; the one that is right goes on', async () => {
    const { store, a, b, tell } = await two();
    const truth = entry(1, region('eu', 'Europe', 1));
    store.commitNow({ epoch: 'e1', base: 0, entries: [truth] });
    a.tail.advance([truth]);
    // The same name and revision, and another content.
    b.tail.advance([entry(1, region('eu', 'Erewhon', 1))]);
    await tell();
    expect(a).toMatchObject({ fenced: 0, reloads: 0 });
    expect(b).toMatchObject({ fenced: 1, reloads: 1 });
    expect(b.tail.ready).toBe(true);
    expect(b.tail.view.get('regions/eu')?.json).toBe(a.tail.view.get('regions/eu')?.json);
    await tell();
    expect(b.results.at(-1)).toBe('same');
    expect(b.reloads).toBe(1);
  });

  test('a node that is behind is not wrong, and is compared once it is there', async () => {
    const { store, a, b, tell } = await two();
    store.commitNow({ epoch: 'e1', base: 0, entries: [entry(1, region('eu', 'Europe', 1))] });
    await a.tail.catchUp();
    await tell();
    expect(b.results.at(-1)).toBe('unknown');
    expect(a.results.at(-1)).toBe('same');
    await b.tail.catchUp();
    await tell();
    expect(b.results.at(-1)).toBe('same');
    expect([a.fenced, b.fenced]).toEqual([0, 0]);
  });

  test('who is right does not read the database again for every word of one who is wrong', async () => {
    const { store, a, pass } = await two();
    store.commitNow({ epoch: 'e1', base: 0, entries: [entry(1, region('eu', 'Europe', 1))] });
    await a.tail.catchUp();
    let loads = 0;
    const load = store.load.bind(store);
    store.load = () => {
      loads += 1;
      return load();
    };
    const liar: NodeRow = {
      id: 'z',
      name: 'z',
      version: '9',
      startedAt: 0,
      heardAt: 0,
      state: { view: { epoch: 'e1', revision: 1, digest: '0'.repeat(16) } },
    };
    for (let n = 0; n < 50; n++) {
      await a.check.look({ nodes: [liar] });
      pass(500);
    }
    expect(loads).toBe(1);
    expect(a.fenced).toBe(0);
    for (let n = 0; n < 20; n++) {
      await a.check.look({ nodes: [liar] });
      pass(500);
    }
    expect(loads).toBe(2);
    const nonsense = [{}, { view: 5 }, { view: null }, { view: { epoch: 'e1', revision: 1.5, digest: 'x' } }];
    await a.check.look({ nodes: nonsense.map((state, n) => ({ ...liar, id: `n${n}`, state })) });
    expect(loads).toBe(2);
  });
});
