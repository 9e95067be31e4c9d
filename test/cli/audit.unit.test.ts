import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { EXIT } from '../../src/cli/errors.ts';
import { AnsweringServer } from './terminal.ts';

const server = new AnsweringServer();
const signalbox = server.signalbox.bind(server);

beforeAll(() => server.start());
afterAll(() => server.stop());
beforeEach(() => server.reset());

const ENTRIES = [
  {
    at: '2026-01-15T10:00:01.234Z',
    category: 'change',
    subject: 'otto',
    action: 'catalog.write',
    target: 'services/iam.test/versions/v1',
    service: 'iam.test',
    before: 41,
    after: 42,
    result: 'updated',
    address: '10.0.0.7',
  },
  {
    at: '2026-01-15T10:00:00.000Z',
    category: 'refusal',
    subject: 'eve\u001b[31m',
    action: 'instance.register',
    service: 'iam.test',
    result: 'forbidden',
    detail: 'and 1,200 more like this in the last minute',
  },
];

test('SEC5 audit is a table, the newest first, with its filters', async () => {
  const seen: unknown[] = [];
  server.answers['GET /v1/audit'] = (_reply, query) => {
    seen.push(query);
    return { items: ENTRIES, nextPageToken: '' };
  };
  const filters = [
    '--subject',
    'otto',
    '-s',
    'iam.test',
    '--category',
    'change',
    '--from',
    '2026-01-15T10:00:00+02:00',
  ];
  const { code, out } = await signalbox(['audit', ...filters]);
  expect(code).toBe(EXIT.ok);
  expect(seen).toMatchObject([
    { subject: 'otto', service: 'iam.test', category: 'change', from: '2026-01-15T10:00:00+02:00', pageSize: '51' },
  ]);
  expect(out.trimEnd().split('\n')).toEqual([
    'AT                    SUBJECT   ACTION             TARGET                         RESULT     REVISION  ADDRESS   DETAIL',
    '2026-01-15 10:00:01Z  otto      catalog.write      services/iam.test/versions/v1  updated     41 → 42  10.0.0.7',
    '2026-01-15 10:00:00Z  eve\ufffd[31m  instance.register  of iam.test                    forbidden                      and 1,200 more like this in the last minute',
  ]);
});

test('SEC5 audit --limit says that there are more', async () => {
  server.answers['GET /v1/audit'] = () => ({ items: ENTRIES, nextPageToken: 'more' });
  expect((await signalbox(['audit', '--limit', '1'])).out).toContain('Older ones are left out');
  server.answers['GET /v1/audit'] = () => ({ items: [], nextPageToken: '' });
  expect((await signalbox(['audit'])).out).toContain('no such entry');
});

test('SEC5 audit --json is a line for each entry, and with --limit so many', async () => {
  server.answers['GET /v1/audit'] = () => ({ items: ENTRIES, nextPageToken: '' });
  const { out } = await signalbox(['audit', '--json', '--limit', '1']);
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(ENTRIES.slice(0, 1));
});

test('SEC5 audit takes no other sort and no other time', async () => {
  expect((await signalbox(['audit', '--category', 'gossip'])).code).toBe(EXIT.usage);
  expect((await signalbox(['audit', '--from', 'yesterday'])).err).toContain('2026-01-15T10:00:00Z');
});
