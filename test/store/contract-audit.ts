import { beforeAll, expect, test } from '@jest/globals';
import { cursorAfter, type AuditCursor, type AuditEntry, type AuditFilter } from '../../src/domain/audit.ts';
import type { Opened } from './contract.ts';
import { entry, put } from './fixtures.ts';

const T = Date.UTC(2026, 0, 15);

const note = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  at: T,
  category: 'refusal',
  subject: 'otto',
  action: 'catalog.write',
  result: 'forbidden',
  ...more,
});

const FULL: AuditEntry = note({
  at: T + 7,
  category: 'change',
  subject: 'deployer',
  account: 'projects/core/service-accounts/deployer',
  project: 'core',
  target: 'services/iam.test/versions/v1',
  service: 'iam.test',
  before: 41,
  after: 9_007_199_254_740_991,
  result: 'updated',
  address: '::ffff:10.0.0.7',
  requestId: 'r/1',
  detail: 'One sentence.',
});

/** What the audit keeps (SEC5). */
export function auditContract(db: Opened): void {
  const read = (filter: AuditFilter = {}, limit = 1000, before?: AuditCursor): Promise<AuditEntry[]> =>
    db.store.readAudit(filter, { limit, ...(before && { before }) });
  const empty = async (): Promise<unknown> => db.store.trimAudit(Number.MAX_SAFE_INTEGER / 2 ** 4);
  beforeAll(empty);

  test('SEC5 what is written reads back as it was, the newest first', async () => {
    await db.store.appendAudit([]);
    await db.store.appendAudit([note(), FULL]);
    await db.peer.appendAudit([note({ at: T + 3, subject: 'eve' })]);
    expect(await read()).toEqual([FULL, note({ at: T + 3, subject: 'eve' }), note()]);
    await empty();
    expect(await read()).toEqual([]);
  });

  test('SEC5 a commit writes its audit entries with it, and one that is too late writes none', async () => {
    const { epoch, revision: base } = await db.store.head();
    const told = (subject: string): AuditEntry => ({ ...FULL, subject, after: base + 1 });
    const commit = (subject: string) => ({
      epoch,
      base,
      entries: [entry(base + 1, [put('audited', base + 1)])],
      audit: [told(subject), told(subject)],
    });
    expect(await db.store.commit({ ...commit('early'), base: base - 1, entries: [entry(base, [])] })).toBe(false);
    const [left, right] = await Promise.all([db.store.commit(commit('left')), db.peer.commit(commit('right'))]);
    expect([left, right].filter(Boolean)).toHaveLength(1);
    expect(await read()).toEqual([told(left ? 'left' : 'right'), told(left ? 'left' : 'right')]);
    await empty();
  });

  test('SEC5 a commit that deletes writes them too, and one without any writes none', async () => {
    for (const audit of [[FULL], []]) {
      const { epoch, revision } = await db.store.head();
      const there = { epoch, base: revision, entries: [entry(revision + 1, [put('goner', revision + 1)])] };
      const name = 'regions/goner';
      const gone = entry(revision + 2, [{ op: 'delete', kind: 'region', name, was: {} }]);
      expect(await db.store.commit({ ...there, audit })).toBe(true);
      expect(await db.store.commit({ epoch, base: revision + 1, entries: [gone], audit })).toBe(true);
      expect(await read()).toEqual([...audit, ...audit]);
      await empty();
    }
  });

  test('SEC5 what the database refuses leaves no audit entry behind', async () => {
    const { epoch, revision: base } = await db.store.head();
    const broken = put('broken', base + 1);
    if (broken.op === 'put') {
      const change = { ...broken, item: { ...broken.item, json: 'this is not JSON' } };
      await expect(
        db.store.commit({ epoch, base, entries: [entry(base + 1, [change])], audit: [FULL] }),
      ).rejects.toThrow('json');
    }
    expect(await read()).toEqual([]);
  });

  test('SEC5 no text fails a batch', async () => {
    const texts = ['{a,"b",NULL}', 'NULL', '', 'žluť 🚦', "'; --"];
    await db.store.appendAudit([...texts, '\0 nul', '\ud800 lone'].map((detail) => note({ detail, subject: detail })));
    const found = await read();
    const kept = [...texts, '\ufffd nul', '\ufffd lone'];
    expect(found.map(({ detail, subject }) => [detail, subject])).toEqual(kept.map((text) => [text, text]));
    expect(await read({ subject: '\0 nul' })).toHaveLength(1);
    await empty();
  });

  test('SEC5 filters hold together, and compare texts whole', async () => {
    const others = [
      note({ subject: 'eve', service: 'shop.test', at: T + 1 }),
      note({ action: 'audit.read', at: T + 2 }),
      note({ category: 'login', action: 'login', result: 'ok', at: T + 3 }),
    ];
    await db.store.appendAudit([FULL, ...others]);
    const all: readonly [AuditFilter, readonly AuditEntry[]][] = [
      [{ subject: 'deployer' }, [FULL]],
      [{ subject: 'deploy' }, []],
      [{ subject: 'deployer', result: 'forbidden' }, []],
      [{ account: 'projects/core/service-accounts/deployer', project: 'core' }, [FULL]],
      [{ category: 'login' }, [others[2] as AuditEntry]],
      [{ action: 'audit.read' }, [others[1] as AuditEntry]],
      [{ target: 'services/iam.test/versions/v1' }, [FULL]],
      [{ services: ['iam.test'] }, [FULL]],
      [{ services: ['shop.test', 'iam.test', "it's {odd}"] }, [FULL, others[0] as AuditEntry]],
      [{ services: [] }, []],
      [{ from: T + 2, to: T + 7 }, [others[2] as AuditEntry, others[1] as AuditEntry]],
      [{ from: T + 7 }, [FULL]],
      [{ to: T + 2, result: 'forbidden' }, [others[0] as AuditEntry]],
    ];
    for (const [filter, expected] of all) expect([filter, await read(filter)]).toEqual([filter, expected]);
    await empty();
  });

  test('SEC5 pages together are everything once, also where many entries are of one millisecond', async () => {
    const entries = Array.from({ length: 60 }, (_, i) =>
      note({ at: T + Math.floor(i / 17), requestId: `r${i}`, service: i % 3 === 0 ? 'iam.test' : 'shop.test' }),
    );
    await db.store.appendAudit(entries);
    for (const filter of [{}, { services: ['iam.test'] }]) {
      const expected = (await read(filter)).map(({ requestId }) => requestId);
      const found: (string | undefined)[] = [];
      let before: AuditCursor | undefined;
      for (;;) {
        const page = await read(filter, 7, before);
        found.push(...page.map(({ requestId }) => requestId));
        // Of another node, which was late to say so: it is before what was read already.
        if (before === undefined) await db.peer.appendAudit([note({ at: T + 99, service: 'iam.test' })]);
        before = cursorAfter(page, before);
        if (before === undefined) break;
      }
      expect(found).toEqual(expected);
      expect(new Set(found).size).toBe(found.length);
      await db.store.trimAudit(T);
    }
    expect((await read()).filter(({ requestId }) => requestId !== undefined)).toHaveLength(60);
    await empty();
  });

  test('SEC5 what is too old is dropped, and nothing else, however much it is', async () => {
    await db.store.appendAudit(Array.from({ length: 2500 }, (_, i) => note({ at: T - 2500 + i })));
    await db.store.appendAudit([note(), note({ at: T + 1 })]);
    expect(await db.store.trimAudit(T)).toBe(2500);
    expect(await db.store.trimAudit(T)).toBe(0);
    expect(await read()).toEqual([note({ at: T + 1 }), note()]);
    await empty();
  });
}
