import { expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { isTarget, placeOf } from '../../src/sidecar/ingress/paths.ts';
import { tidy } from '../../src/sidecar/ingress/readings.ts';

const placed = (target: string): string => placeOf(target, ['/adm', '/actuator']).type;

test('SEC1 what is guarded is guarded with all below it', () => {
  for (const target of [
    '/adm',
    '/adm/logger',
    '/adm/server/info?x=1',
    '/adm/',
    '/actuator/loggers/a',
    '/health/liveness/x',
    '/health/x',
    '/health/x/',
    '/health/',
  ])
    expect([target, placed(target)]).toEqual([target, 'guarded']);
  expect(placeOf('/adm/logger?x=/adm', ['/adm'])).toEqual({ type: 'guarded', path: '/adm/logger' });
});

test('everything else is open', () => {
  for (const target of [
    '/',
    '/health',
    '/health?x',
    '/admin',
    '/orders/adm',
    '/orders?path=/adm/logger',
    '//x',
    '/orders/a..b/.well-known/...',
    '/orders;v=2/17',
    '/users/DOMAIN%5Cann',
    '/100%25',
    '/a%2fb',
    '/%zz',
    '/administration/adm',
  ])
    expect([target, placed(target)]).toEqual([target, 'open']);
});

test('SEC1 what a forgiving backend could take for a guarded path is not let through as an open one', () => {
  for (const target of [
    '//adm/logger',
    '/./adm/logger',
    '/orders/../adm/logger',
    '/%61dm/logger',
    '/%2561dm/logger',
    '/adm;x=1/logger',
    '/orders/..;/adm/logger',
    '/orders/%2e%2e/adm',
    '/orders%2f..%2fadm/logger',
    '\\adm\\logger',
    '/ADM/logger',
    '/Actuator/loggers',
    '/adm//logger',
    '/adm/../orders/../adm',
    '/adm%2flogger',
    '/adm%00/logger',
    '/health//x',
    '/health//',
    '//health/',
    '/health/%20',
    '/health%2f',
    '/Health/x',
    '/actuator/loggers/..%2f..%2f..%2fx',
    '/actuator/loggers/..;%2f..%2f..',
    '/adm/../x',
    '/adm/%2e%2e/x',
    '/adm/..;/x',
    '/orders/../x',
    '/orders/.',
    '/orders%2f%252e%252e/x',
    '/%25252561dm',
    '/orders/%2525252561',
    '/orders/a%00b',
    '/adm%c0%afx',
    '/%c0%ae%c0%ae/x',
    '/%u0061dm/x',
    '/%ef%bd%81dm/x',
    '/adm%3fx',
    '/adm%23x',
    '/adm%20/x',
    '//host/adm/x',
    '/%2fhost/adm/x',
    '/%5chost/adm/x',
    '/;a%2fb/adm',
    '/;%2fadm/x',
  ])
    expect([target, placed(target)]).toEqual([target, 'disguised']);
});

test('SEC1 a path of many spaces keeps nobody busy before the guard', () => {
  const spaces = ' '.repeat(200_000);
  const began = performance.now();
  expect(tidy(`/a${spaces}b`)).toBe(`/a${spaces}b`);
  expect(performance.now() - began).toBeLessThan(1000);
});

test('spaces around slashes and empty segments count nothing, the last slash does', () => {
  const read = [
    ['', '/'],
    [' / ', '/'],
    ['a', '/a'],
    [' /a / b c/ ', '/a/b c/'],
    ['//a// /b', '/a/b'],
    ['/a ', '/a'],
    ['/a/ /', '/a/'],
  ] as const;
  expect(read.map(([reading]) => [reading, tidy(reading)])).toEqual(read);
});

test('a prefix is guarded as it is written in the settings, large letters and all', () => {
  expect(placeOf('/Admin/x', ['/Admin'])).toEqual({ type: 'guarded', path: '/Admin/x' });
  expect(placeOf('/admin/x', ['/Admin'])).toEqual({ type: 'disguised' });
});

test('a target is a path in visible ASCII, without a fragment', () => {
  for (const target of ['/', '/x?y=%20&z="1"', '/a|b{c}']) expect([target, isTarget(target)]).toEqual([target, true]);
  for (const target of ['', 'x', '*', 'http://x/', '/x#/../adm', '/x?#', '/x y', '/x\ty', '/\u00e9', '/\uff41dm'])
    expect([target, isTarget(target)]).toEqual([target, false]);
});

/** How backends read a path, each step by itself; none of this is the code that it checks. */
const decode = (text: string): string =>
  text.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
const withoutParameters = (text: string): string =>
  text
    .split('/')
    .map((segment) => segment.split(';')[0])
    .join('/');
const slashes = (text: string): string => text.replaceAll('\\', '/');
const merged = (text: string): string => text.replaceAll(/\/{2,}/g, '/');
const small = (text: string): string => text.toLowerCase();
const wide = (text: string): string => text.normalize('NFKC');
const toNul = (text: string): string => text.split('\0')[0] ?? '';
const toQuery = (text: string): string => text.split(/[?#]/)[0] ?? '';
const withoutHost = (text: string): string => text.replace(/^\/\/+[^/]*/, '');
const withoutSpaces = (text: string): string =>
  text
    .split('/')
    .map((segment) => segment.trim())
    .join('/');
const withoutDots = (text: string): string => {
  const segments: string[] = [];
  for (const segment of text.split('/').slice(1)) {
    if (segment === '..') segments.pop();
    else if (segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`;
};
const asUrl = (text: string): string =>
  URL.canParse(text, 'http://host') ? new URL(text, 'http://host').pathname : text;
const BACKEND_STEPS = [
  decode,
  withoutParameters,
  slashes,
  merged,
  small,
  wide,
  toNul,
  toQuery,
  withoutHost,
  withoutSpaces,
  withoutDots,
  asUrl,
];

const PIECES = [
  ...'adm ADM a d m actuator health x loggers \uff41 \uff0e \uff0f \u017f . .. .. ; ;a=b ? # % %25 %zz'.split(' '),
  ...'/ / / // \\ \0 \t'.split(' '),
  ' ',
];

/** A piece as it is, or encoded up to four times over. */
const piece = fc.tuple(fc.constantFrom(...PIECES), fc.nat(4), fc.boolean()).map(([text, times, large]) => {
  let written = text;
  for (let n = 0; n < times; n++) {
    const bytes = [...(n === 0 ? Buffer.from(written) : Buffer.from(written, 'latin1'))];
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).map((two) => (large ? two.toUpperCase() : two));
    written = n === 0 ? hex.map((two) => `%${two}`).join('') : written.replaceAll('%', '%25');
  }
  return written;
});
const disguise = fc
  .tuple(
    fc.array(piece, { maxLength: 5 }),
    fc.option(fc.constantFrom('/adm', '/actuator/loggers', '/health/x')),
    fc.array(piece, { maxLength: 5 }),
  )
  .map(([before, named, after]) => `/${before.join('')}${named ?? ''}${after.join('')}`);
const plain = fc
  .array(fc.constantFrom('adm', 'actuator', 'health', 'x', 'loggers'), { minLength: 1, maxLength: 3 })
  .map((segments) => `/${segments.join('/')}`);

test('SEC1 whatever a backend reads as a guarded path, in any way and order, is guarded or refused', () => {
  const isBelow = (path: string): boolean => /^\/(?:(?:adm|actuator)(?:\/|$)|health\/)/.test(path);
  const steps = fc.array(fc.constantFrom(...BACKEND_STEPS), { maxLength: 7 });
  const found = { open: 0, guarded: 0, disguised: 0 };
  let taken = 0;
  fc.assert(
    fc.property(
      fc.oneof({ weight: 9, arbitrary: disguise }, { weight: 1, arbitrary: plain }),
      steps,
      (target, reading) => {
        fc.pre(isTarget(target));
        const place = placeOf(target, ['/adm', '/actuator']);
        found[place.type] += 1;
        const path = reading.reduce((text, step) => step(text), toQuery(target));
        if (!isBelow(path)) return true;
        taken += 1;
        return place.type !== 'open';
      },
    ),
    { numRuns: 20_000, maxSkipsPerRun: 1000 },
  );
  // It was a test: there were paths of all kinds, and many that a backend takes for guarded ones.
  expect(Math.min(found.open, found.guarded, found.disguised)).toBeGreaterThan(100);
  expect(taken).toBeGreaterThan(1000);
});
