import { describe, expect, test } from '@jest/globals';
import { makeItem, type Change } from '../../src/domain/item.ts';
import type { Value } from '../../src/domain/resources.ts';
import { acknowledgementsOf, type Acknowledgement, type Asked } from '../acceptance/acknowledgement.ts';
import type { Answer } from '../support/signalbox.ts';
import { Ledger } from './ledger.ts';

const NAME = 'regions/aa';
const put = (title: string, revision: number, name = NAME): Change => ({
  op: 'put',
  item: makeItem({ name, title, labels: { by: 'w1' }, revision } as unknown as Value),
});
const remove: Change = { op: 'delete', kind: 'region', name: NAME, was: {} };
const made = (title: string, revision: number): Acknowledgement => ({
  revision,
  name: NAME,
  op: 'put',
  fields: { name: NAME, title, labels: { by: 'w1' } },
});
const removed = (revision: number): Acknowledgement => ({ revision, name: NAME, op: 'delete', fields: {} });

describe('what was acknowledged is held against the log', () => {
  test.each<[string, Acknowledgement, Change]>([
    ['another content', made('other', 7), put('title', 7)],
    ['another label', { ...made('title', 7), fields: { labels: { by: 'w2' } } }, put('title', 7)],
    ['another name', made('title', 7), put('title', 7, 'regions/bb')],
    ['a delete where a put was acknowledged', made('title', 7), remove],
    ['a put where a delete was acknowledged', removed(7), put('title', 7)],
  ])('REV2 %s at that revision is a violation', (_what, acknowledgement, change) => {
    for (const isAnsweredFirst of [true, false]) {
      const ledger = new Ledger();
      if (isAnsweredFirst) ledger.note(acknowledgement);
      ledger.take({ revision: 7, changes: [change] });
      if (!isAnsweredFirst) ledger.note(acknowledgement);
      expect(ledger.violations).toMatchObject([{ promise: 'REV2' }]);
    }
  });

  test('REV2 two nodes that acknowledge different writes at one revision are found', () => {
    const ledger = new Ledger();
    ledger.take({ revision: 7, changes: [put('one', 7)] });
    ledger.note(made('one', 7));
    ledger.note(made('two', 7));
    expect(ledger.violations).toHaveLength(1);
  });

  test('what is in order is taken, among others of its revision', () => {
    const ledger = new Ledger();
    ledger.note(made('one', 7));
    ledger.take({ revision: 7, changes: [put('b', 7, 'regions/bb'), put('one', 7)] });
    ledger.take({ revision: 8, changes: [remove] });
    ledger.note(removed(8));
    ledger.close();
    expect([ledger.violations, ledger.checked]).toEqual([[], 2]);
  });

  test('REV2 what was acknowledged and never came is a violation', () => {
    const ledger = new Ledger();
    ledger.take({ revision: 7, changes: [put('one', 7)] });
    ledger.note(made('two', 8));
    ledger.close();
    expect(ledger.violations).toMatchObject([{ what: '8 was acknowledged, and the log ends at 7' }]);
  });

  test('no more than some revisions are kept; of what is older nothing is said', () => {
    const ledger = new Ledger(10);
    for (let revision = 1; revision <= 20; revision++)
      ledger.take({ revision, changes: [put(`t${revision}`, revision)] });
    ledger.note(made('nonsense', 10));
    expect([ledger.violations, ledger.checked]).toEqual([[], 0]);
    ledger.note(made('nonsense', 11));
    expect([ledger.violations.length, ledger.checked]).toEqual([1, 1]);
  });
});

describe('what an answer says was made', () => {
  const of = (asked: Asked, body: unknown): Acknowledgement[] =>
    acknowledgementsOf(asked, { status: 200, headers: new Headers(), body } as Answer);

  test('is the resource, at its own revision, with what was sent', () => {
    const asked: Asked = { method: 'PUT', path: `/v1/${NAME}`, body: { name: NAME, title: 'sent' } };
    const body = { name: NAME, title: 'answered', labels: {}, revision: 5, warnings: ['w'] };
    const fields = { name: NAME, title: 'sent', labels: {}, revision: 5 };
    expect(of(asked, body)).toEqual([{ revision: 5, name: NAME, op: 'put', fields }]);
    const patched = { ...fields, title: 'answered' };
    const patch: Asked = { ...asked, method: 'PATCH', body: { title: 'x' } };
    expect(of(patch, body)).toEqual([{ revision: 5, name: NAME, op: 'put', fields: patched }]);
    const gone = { name: NAME, revision: 6, deleted: true };
    expect(of({ method: 'DELETE', path: `/v1/${NAME}` }, gone)).toEqual([removed(6)]);
  });

  test('of many documents, those that were not so already', () => {
    const documents = ['created', 'updated', 'unchanged'].map((op) => ({ name: `regions/${op}`, title: op }));
    const items = documents.map(({ name, title }) => ({ name, op: title }));
    const all = of({ method: 'POST', path: '/v1/apply', body: documents }, { revision: 9, items });
    expect(all.map(({ name, fields }) => [name, fields['title']])).toEqual([
      ['regions/created', 'created'],
      ['regions/updated', 'updated'],
    ]);
  });
});
