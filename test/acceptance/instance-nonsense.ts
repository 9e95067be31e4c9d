import { httpCheck, type Registered } from './instance-api.ts';

const field = (name: string, values: readonly unknown[]): readonly object[] =>
  values.map((value) => ({ [name]: value }));
const inHttpCheck = (wrong: readonly object[]): readonly object[] => wrong.map((rest) => ({ check: httpCheck(rest) }));

const NO_ADDRESSES = `a/b|a b|a\0b|a\nb|\u202eb|ümlaut.example|A.EXAMPLE||.|a..b|-a|${'a'.repeat(254)}|user@host|host:80|[::1]|1.2.3|256.1.1.1|1.2.3.4.5|::1::|%00|*`;

/** Each makes a registration wrong that is right otherwise. */
export const WRONG: readonly object[] = [
  ...field('address', NO_ADDRESSES.split('|')),
  ...field('port', [0, -1, 65_536, 1.5, '80', null, 1e99, true]),
  ...field('service', ['', 'a_b', 'UPPER', 'a/b', '../x', 'x'.repeat(300), 7, null]),
  ...field('protocol', ['', 'HTTP', 'a b', 'a/b', 'x'.repeat(40)]),
  ...field('environment', ['', 'a b', 'a/b', 'x'.repeat(65), '\u0007']),
  ...field('region', ['-', 'A', 'eu central', '../x']),
  ...field('version', ['', 'v 1', 'x'.repeat(65)]),
  ...field('weight', [-1, 65_536, 0.5, '1']),
  ...field('tags', [{ 'a b': 'c' }, { a: 1 }, { a: '\0' }, { a: 'x'.repeat(64) }, [], 'a=b', { '': '' }]),
  ...field('metadata', [{ a: '\u001b[31m' }, { '\0': 'a' }, { a: { b: 'c' } }, { '': 'x' }, { a: '\ud800' }]),
  ...field('check', [
    {},
    { type: 'exec' },
    { type: 'ttl', ttl: '1' },
    { type: 'ttl', ttl: '499ms' },
    { type: 'ttl', ttl: '25h' },
    { type: 'ttl', ttl: '-1s' },
    { type: 'ttl', path: '/' },
    { type: 'ttl', initialStatus: 'great' },
    'ttl',
    [],
  ]),
  ...inHttpCheck([
    { interval: '499ms' },
    { interval: '2h' },
    { timeout: '600ms' },
    { timeout: '49ms' },
    { unhealthyAfter: 0 },
    { healthyAfter: 101 },
    { path: 'health' },
    { path: '/a b' },
    { path: '/a\r\nhost: evil' },
    { method: 'POST' },
    { headers: { 'a b': 'c' } },
    { headers: { a: 'b\r\nc: d' } },
    { headers: { a: 'ü' } },
    { expectedStatuses: ['2xx'] },
    { expectedStatuses: ['299-200'] },
    { expectedStatuses: [] },
    { port: 0 },
    { tls: 'yes' },
    { deregisterAfter: '0s' },
    { more: 1 },
  ]),
  // What Signalbox says of an instance, and not the instance.
  { id: 'mine' },
  { generation: 1 },
  { passing: true },
  { status: 'passing' },
  { mode: 'serving' },
  { displacedBy: 'x' },
];

/** What cannot stand in `instances` of a bulk renewal. */
export const WRONG_RENEWALS = ({ id }: Pick<Registered, 'id'>): readonly unknown[] => [
  undefined,
  null,
  {},
  'all',
  [null],
  [[]],
  [7],
  [`${id.slice(1)}A`],
  ['*'],
  [`${id}/..`],
  [{ id, generation: '1' }],
  [{ id, generation: 1.5 }],
  [{ id, more: 1 }],
  [{ generation: 1 }],
  [id, ''],
];

/** What cannot be set for an instance. */
export const WRONG_OVERRIDES: readonly unknown[] = [
  {},
  { reason: 'x' },
  { mode: 'drain' },
  { mode: 'off', reason: 'x' },
  { mode: 'drain', reason: '' },
  { weight: -1, reason: 'x' },
  { weight: 1e9, reason: 'x' },
  { mode: 'drain', reason: 'x'.repeat(501) },
  { mode: 'drain', reason: '\u001b[2J' },
  { mode: 'drain', reason: 'x', evictionGuard: false },
  [],
  null,
];
