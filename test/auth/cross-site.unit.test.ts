import { expect, test } from '@jest/globals';
import { readCookie, writeCookie } from '../../src/auth/cookies.ts';
import { csrfToken, isCsrfToken, whyNotFrom, whyNotFromPage, type Need, type Source } from '../../src/auth/csrf.ts';
import { html, page } from '../../src/auth/html.ts';
import { returnTo } from '../../src/auth/return-to.ts';
import { Site } from '../../src/auth/site.ts';

const OWN = 'https://signalbox.example.com';
const HOST = 'signalbox.example.com';

const isTaken = (need: Need, more: Partial<Source>, own = OWN): boolean =>
  whyNotFrom(
    { method: 'GET', host: HOST, origin: undefined, secFetchSite: undefined, secFetchMode: undefined, ...more },
    need,
    own,
  ) === undefined;

test.each<[what: string, source: Partial<Source>, read: boolean, stream: boolean, write: boolean]>([
  ['our page', { origin: OWN }, true, true, true],
  ['our page, reading', { secFetchSite: 'same-origin', secFetchMode: 'cors' }, true, true, true],
  ['typed in', { secFetchSite: 'none', secFetchMode: 'navigate' }, true, true, true],
  ['a link elsewhere', { secFetchSite: 'cross-site', secFetchMode: 'navigate' }, true, false, false],
  ['an image elsewhere', { secFetchSite: 'cross-site', secFetchMode: 'no-cors' }, false, false, false],
  ['another host of the domain', { secFetchSite: 'same-site', secFetchMode: 'cors' }, false, false, false],
  ['another origin', { origin: 'https://evil.example.com' }, false, false, false],
  [
    'another origin that says it navigates',
    { origin: 'https://evil.example.com', secFetchMode: 'navigate' },
    false,
    false,
    false,
  ],
  ['our host without TLS', { origin: `http://${HOST}` }, false, false, false],
  ['our host at another port', { origin: `${OWN}:8443` }, false, false, false],
  ['a sandbox', { origin: 'null', secFetchSite: 'same-origin' }, false, false, false],
  ['our name as the beginning of another', { origin: `${OWN}.evil.test` }, false, false, false],
  ['no browser that says anything', {}, true, false, false],
])('SEC1 a request with a session cookie from %s', (_what, source, read, stream, write) => {
  expect([isTaken('read', source), isTaken('stream', source), isTaken('write', source)]).toEqual([read, stream, write]);
  // The same for who is known by a certificate, but that programs say nothing of a page.
  const isProgram = Object.keys(source).length === 0;
  const shown = { method: 'GET', host: HOST, origin: undefined, secFetchSite: undefined, secFetchMode: undefined };
  expect(
    (['read', 'stream', 'write'] as const).map(
      (need) => whyNotFromPage({ ...shown, ...source }, need, OWN) === undefined,
    ),
  ).toEqual(isProgram ? [true, true, true] : [read, stream, write]);
});

test('SEC1 without TLS, on this machine, the Host is ours under each of its names, and other ports are not', () => {
  const own = 'http://127.0.0.1:4400';
  const from = (origin: string, host: string) => isTaken('write', { origin, host }, own);
  expect(from('http://127.0.0.1:4400', 'localhost:4400')).toBe(true);
  expect(from('http://localhost:4400', 'localhost:4400')).toBe(true);
  expect(from('http://localhost:4401', 'localhost:4400')).toBe(false);
  expect(from('http://127.0.0.1:9999', '127.0.0.1:4400')).toBe(false);
  expect(from('https://localhost:4400', 'localhost:4400')).toBe(false);
});

test("SEC1 a session's token is its own, and says nothing about the cookie", () => {
  const [one, two] = ['a'.repeat(43), 'b'.repeat(43)];
  expect(csrfToken(one)).not.toBe(csrfToken(two));
  expect(csrfToken(one)).not.toContain(one);
  expect(isCsrfToken(csrfToken(one), one)).toBe(true);
  for (const wrong of [csrfToken(two), '', one, undefined, [csrfToken(one)], `${csrfToken(one)} `])
    expect(isCsrfToken(wrong, one)).toBe(false);
});

test.each([
  ['/v1/whoami', '/v1/whoami'],
  ['/', '/'],
  ['/a/../b?c=d#e', '/b?c=d#e'],
  ['/session?next=https://evil.test', '/session?next=https://evil.test'],
  ['//evil.test', '/home'],
  ['/\\evil.test', '/home'],
  ['\\\\evil.test', '/home'],
  ['/a\\b', '/home'],
  ['/.//evil.test', '/home'],
  ['/x/..//evil.test', '/home'],
  ['/\t/evil.test', '/home'],
  ['/\n/evil.test', '/home'],
  ['https://evil.test/', '/home'],
  ['javascript:alert(1)', '/home'],
  ['evil.test', '/home'],
  ['', '/home'],
  [undefined, '/home'],
  [['/a', '/b'], '/home'],
  [`/${'a'.repeat(3000)}`, '/home'],
])('return_to %j leads to %s', (asked, where) => {
  expect(returnTo(asked, '/home')).toBe(where);
});

test('cookies are for this host alone, and not for scripts', () => {
  const secure = new Site('https://signalbox.example.com');
  expect(writeCookie(secure.cookies.session, 'v', { secure: secure.isSecure })).toBe(
    '__Host-signalbox=v; Path=/; HttpOnly; SameSite=Lax; Secure',
  );
  const local = new Site();
  expect(() => local.origin).toThrow('not known');
  local.listens('http://127.0.0.1:4400');
  local.listens('http://127.0.0.1:4401');
  expect(writeCookie(local.cookies.signIn, 'v', { secure: local.isSecure, seconds: 600 })).toBe(
    'signalbox-login-4400=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=600',
  );
  expect(writeCookie('a', '', { secure: false, seconds: 600 })).toContain('Max-Age=0');
});

test.each([
  [undefined, undefined],
  ['', undefined],
  ['sid', undefined],
  ['xsid=1', undefined],
  ['a=b; sid=1', '1'],
  ['sid=1; sid=2', '1'],
  [' sid = 1 ;', '1'],
  ['sid=a=b', 'a=b'],
])('in the header %j the cookie sid is %j', (header, value) => {
  expect(readCookie(header, 'sid')).toBe(value);
});

test('a text in a page is a text', () => {
  const evil = `<script>"'&`;
  const text = page(evil, html`<p title="${evil}">${evil}${[html`<b>${1}</b>`, evil]}${false}${undefined}</p>`);
  expect(text).not.toContain('<script');
  expect(text).toContain('<p title="&#60;script&#62;&#34;&#39;&#38;">');
  expect(text).toContain('<b>1</b>');
});
