import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Decision, DocumentEdit } from '../../src/domain/command.ts';
import { documentOf } from '../../src/domain/document.ts';
import type { ApiDocument } from '../../src/domain/resources.ts';
import { patch, put, region, remove, service, version, World } from './world.ts';

const V1 = 'services/iam.test/versions/v1';
const doc = (digit: string): ApiDocument => ({
  sha256: digit.repeat(64),
  bytes: 2,
  format: 'json',
  openapi: '3.1.0',
  title: 'IAM',
  apiVersion: '1',
});
const A = doc('a');
const B = doc('b');
const give = (document: ApiDocument | undefined, expectation?: string, name = V1): DocumentEdit => ({
  op: 'document',
  name,
  document,
  ...(expectation !== undefined && { expect: expectation }),
});
const codeOf = (decision: Decision): string | undefined => (decision.ok ? undefined : decision.refusal.code);

let world: World;
beforeEach(() => {
  world = new World();
  world.must([
    put(region('us')),
    put(service('iam.test')),
    put({ ...version('iam.test', 'v1'), labels: { team: 'x' } }),
  ]);
});

test('REV1 REV3 a version gets a document in a revision, and the same one makes none', () => {
  const before = world.revision;
  const { outcomes } = world.must([give(A)]);
  expect(outcomes).toMatchObject([{ op: 'updated', name: V1 }]);
  expect(world.value(V1)).toMatchObject({ document: A, labels: { team: 'x' }, revision: before + 1 });
  expect(world.must([give({ ...A })]).changes).toEqual([]);
  expect(world.must([give(B)]).changes).toHaveLength(1);
  expect(world.value(V1)).toMatchObject({ document: B });
  world.must([give(undefined)]);
  expect(world.value(V1)).not.toHaveProperty('document');
});

describe('what a resource says about its document is passed over', () => {
  test.each([
    ['a put without it', put(version('iam.test', 'v1'))],
    ['a put with a forged one', put({ ...version('iam.test', 'v1'), document: B })],
    ['a patch that changes it', patch(V1, { labels: { team: 'y' }, document: { sha256: 'c'.repeat(64) } })],
    ['a patch that removes it', patch(V1, { labels: null, document: null })],
  ])('%s', (_what, edit) => {
    world.must([give(A)]);
    expect(world.must([edit]).changes).toHaveLength(1);
    expect(world.value(V1)).toMatchObject({ document: A });
  });

  test('a new version has none, whatever it says, and so has one that was deleted and created again', () => {
    world.must([put({ ...version('iam.test', 'v2'), document: A })]);
    expect(world.value('services/iam.test/versions/v2')).not.toHaveProperty('document');
    world.must([give(A)]);
    world.must([remove(V1)]);
    world.must([put(version('iam.test', 'v1'))]);
    expect(world.value(V1)).not.toHaveProperty('document');
  });

  test('a version as its owner would write it is without, and changes nothing when it is put', () => {
    world.must([give(A)]);
    const item = world.view.get(V1);
    if (item === undefined) throw new Error('gone');
    const own = documentOf(item);
    expect(own).not.toHaveProperty('document');
    expect(world.must([put(own)]).changes).toEqual([]);
  });
});

test.each<[what: string, has: ApiDocument | undefined, edit: DocumentEdit, code: string | undefined]>([
  ['no version', undefined, give(A, undefined, 'services/iam.test/versions/v9'), 'not-found'],
  ['no version, whatever is expected', undefined, give(A, '*', 'services/iam.test/versions/v9'), 'not-found'],
  ['what is no version', undefined, give(A, undefined, 'services/iam.test'), 'not-found'],
  ['to withdraw none', undefined, give(undefined), 'not-found'],
  ['any, and there is none', undefined, give(A, '*'), 'precondition-failed'],
  ['one, and there is none', undefined, give(A, A.sha256), 'precondition-failed'],
  ['none, and there is none', undefined, give(A, 'absent'), undefined],
  ['none, and there is one', A, give(B, 'absent'), 'precondition-failed'],
  ['any', A, give(B, '*'), undefined],
  ['the one there is', A, give(B, A.sha256), undefined],
  ['another one', A, give(B, B.sha256), 'precondition-failed'],
  ['to withdraw another one', A, give(undefined, B.sha256), 'precondition-failed'],
  ['to withdraw the one there is', A, give(undefined, A.sha256), undefined],
])('a document where the request expects %s', (_what, has, edit, code) => {
  if (has !== undefined) world.must([give(has)]);
  expect(codeOf(world.run([edit]))).toBe(code);
});
