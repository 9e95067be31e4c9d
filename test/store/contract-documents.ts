import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { Entry } from '../../src/domain/item.ts';
import { makeItem } from '../../src/domain/item.ts';
import type { Version } from '../../src/domain/resources.ts';
import type { Store } from '../../src/store/port.ts';

interface Opened {
  readonly store: Store;
  /** Another node's where there can be one. */
  readonly peer: Store;
}

const AT = Date.UTC(2026, 6, 1);
const SOON_MS = 60_000;
const sha256Of = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex');

/** What every adapter promises of API documents. */
export function documentsContract(db: Opened): void {
  const put = async (body: Uint8Array): Promise<string> => {
    const sha256 = sha256Of(body);
    await db.store.documents.put(sha256, body);
    return sha256;
  };

  /** Commits a version that has the document, or has none any more. */
  async function commitVersion(name: string, sha256: string | undefined): Promise<void> {
    const { epoch, revision: base } = await db.store.head();
    const revision = base + 1;
    const time = new Date(AT).toISOString();
    const document = { sha256: sha256 ?? '', bytes: 1, format: 'json', openapi: '3.1.0', title: 't', apiVersion: '1' };
    const value: Version = {
      name: `services/documents.test/versions/${name}`,
      revision,
      createTime: time,
      updateTime: time,
      imports: [],
      lifecycle: { state: 'active' },
      ...(sha256 !== undefined && { document: { ...document, format: 'json' as const } }),
      labels: {},
    };
    const entry: Entry = { revision, at: AT, author: 'ada', changes: [{ op: 'put', item: makeItem(value) }] };
    expect(await db.store.commit({ epoch, base, entries: [entry] })).toBe(true);
  }

  /** By the clock of the database, which may count in whole milliseconds. */
  const later = (): Promise<void> => new Promise((done) => setTimeout(done, 20));

  test('an API document is read as it was stored, to the byte, at every node', async () => {
    const texts = [
      Buffer.from('{"title":"Käse \\u0000"}'),
      Buffer.from([0, 255, 10, 13, 0]),
      randomBytes(2 * 1024 * 1024),
    ];
    for (const body of texts) {
      const sha256 = await put(body);
      await db.peer.documents.put(sha256, body);
      const read = await db.peer.documents.read(sha256);
      expect(sha256Of(read ?? Buffer.of())).toBe(sha256);
    }
    expect(await db.store.documents.read('f'.repeat(64))).toBeUndefined();
  });

  test('a view of a larger buffer is stored as far as it goes', async () => {
    const sha256 = await put(new Uint8Array(Buffer.from('  {}  ')).subarray(2, 4));
    expect(Buffer.from((await db.store.documents.read(sha256)) ?? []).toString()).toBe('{}');
  });

  test('an API document that no version has is removed, once it has been there for a while', async () => {
    const [kept, shared, replaced, orphan] = [
      await put(Buffer.from('kept')),
      await put(Buffer.from('shared')),
      await put(Buffer.from('replaced')),
      await put(Buffer.from('orphan')),
    ];
    await commitVersion('v1', kept);
    await commitVersion('v2', shared);
    await commitVersion('v3', shared);
    await commitVersion('v4', replaced);
    await commitVersion('v4', undefined);
    await commitVersion('v3', undefined);
    await later();
    const there = async (): Promise<boolean[]> =>
      Promise.all(
        [kept, shared, replaced, orphan].map(async (one) => (await db.peer.documents.read(one)) !== undefined),
      );
    expect(await db.store.documents.removeUnused(SOON_MS)).toBe(0);
    expect(await there()).toEqual([true, true, true, true]);
    expect(await db.store.documents.removeUnused(0)).toBeGreaterThanOrEqual(2);
    expect(await there()).toEqual([true, true, false, false]);
    expect(await db.store.documents.removeUnused(0)).toBe(0);
  });

  test('storing an API document once more keeps it for as long as a new one', async () => {
    const body = Buffer.from('again');
    const sha256 = await put(body);
    await new Promise((done) => setTimeout(done, 400));
    await put(body);
    await db.store.documents.removeUnused(300);
    expect(await db.store.documents.read(sha256)).toBeDefined();
    await new Promise((done) => setTimeout(done, 400));
    await db.store.documents.removeUnused(300);
    expect(await db.store.documents.read(sha256)).toBeUndefined();
  });

  test('documents that are stored while others are removed are there afterwards', async () => {
    const bodies = Array.from({ length: 12 }, (_, i) => Buffer.from(`at once ${i}`));
    for (const body of bodies) await put(body);
    await new Promise((done) => setTimeout(done, 400));
    const removing = Array.from({ length: 4 }, (_, i) => (i % 2 ? db.store : db.peer).documents.removeUnused(300));
    const stored = await Promise.all(bodies.map(put));
    await Promise.all(removing);
    for (const sha256 of stored) expect(await db.store.documents.read(sha256)).toBeDefined();
  });
}
