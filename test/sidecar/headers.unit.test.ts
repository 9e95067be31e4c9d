import { expect, test } from '@jest/globals';
import { isOneOf, networkOf } from '../../src/sidecar/ingress/peers.ts';
import { byName } from '../../src/sidecar/proxy/by-name.ts';
import { answerHeaders, isLoop, requestHeaders, stopsWith } from '../../src/sidecar/proxy/headers.ts';

const FROM = { address: '10.0.0.9', isTrusted: true, encrypted: false, httpVersion: '1.1' };
const PASSING = { pseudonym: 'sidecar-1', stops: stopsWith(['service_id']) };

/** As `node:http` gives them: as they came, and by name. */
function passed(lines: readonly (readonly string[])[], from: Partial<typeof FROM> = {}): Record<string, string> {
  const raw = lines.flat();
  const parsed: Record<string, string> = {};
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? ''];
    parsed[name] = name === 'cookie' && parsed[name] !== undefined ? `${parsed[name]}; ${value}` : value;
  }
  const flat = requestHeaders(raw, parsed, { ...FROM, ...from }, PASSING);
  const all: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) {
    expect(all).not.toHaveProperty([flat[i] ?? '']);
    all[flat[i] ?? ''] = flat[i + 1] ?? '';
  }
  return all;
}

test('what is about one connection, or for the sidecar, is not passed on', () => {
  const headers = passed([
    ['Host', 'localhost:4480', 'Connection', 'close, X-Private', 'X-Private', '1', 'Keep-Alive', '5'],
    ['Upgrade', 'h2c', 'HTTP2-Settings', 'x', 'Transfer-Encoding', 'chunked', 'Expect', '100-continue'],
    ['Proxy-Authorization', 'secret', 'TE', 'gzip', 'service_id', 'x', 'Traceparent', '00-1-2-01', 'Cookie', 'a=1'],
  ]);
  expect(headers).toEqual({
    traceparent: '00-1-2-01',
    cookie: 'a=1',
    'x-forwarded-for': '10.0.0.9',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'localhost:4480',
    via: '1.1 sidecar-1',
  });
});

test('who forwarded before stays in the record', () => {
  const headers = passed(
    [
      [
        'X-Forwarded-For',
        '1.2.3.4',
        'X-Forwarded-Proto',
        'https',
        'X-Forwarded-Host',
        'shop.example.com',
        'Via',
        '2.0 edge',
      ],
    ],
    { encrypted: true, httpVersion: '2.0' },
  );
  expect(headers).toEqual({
    'x-forwarded-for': '1.2.3.4, 10.0.0.9',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example.com',
    via: '2.0 edge, 2.0 sidecar-1',
  });
});

test('who is not trusted has no say in where a request came from, in whatever spelling', () => {
  const says = [
    [
      'X-Forwarded-For',
      '6.6.6.6',
      'X-Forwarded-Proto',
      'https',
      'X-Forwarded-Host',
      'evil',
      'X-Forwarded-Prefix',
      '/x',
    ],
    ['Forwarded', 'for=6.6.6.6', 'X-Real-IP', '6.6.6.6', 'X_Forwarded_For', '6.6.6.6', 'X_Real-IP', '6.6.6.6'],
    ['Host', 'real', 'Content_Length', '5', 'Transfer_Encoding', 'chunked', 'X_Own', 'kept'],
  ];
  const own = { 'x-forwarded-for': '10.0.0.9', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'real' };
  expect(passed(says, { isTrusted: false })).toEqual({ ...own, x_own: 'kept', via: '1.1 sidecar-1' });
  const trusted = passed(says);
  expect(trusted).toMatchObject({ 'x-forwarded-for': '6.6.6.6, 10.0.0.9', forwarded: 'for=6.6.6.6', x_own: 'kept' });
  expect(Object.keys(trusted).filter((name) => name.includes('_'))).toEqual(['x_own']);
});

test('peers are trusted by address and network', () => {
  const trusts = isOneOf(['10.0.4.17', '192.168.0.0/16', 'fd00::/8']);
  for (const address of ['10.0.4.17', '::ffff:10.0.4.17', '192.168.7.7', 'fd00::1'])
    expect([address, trusts(address)]).toEqual([address, true]);
  for (const address of ['10.0.4.18', '::1', '127.0.0.1', undefined, 'x'])
    expect([address, trusts(address)]).toEqual([address, false]);
  expect(isOneOf([])('10.0.4.17')).toBe(false);
  for (const text of ['10.0.0.0/33', 'x', '', '10.0.0/8', '::/129']) expect(networkOf(text)).toBeUndefined();
});

test('cookies that come in parts go on as one', () => {
  expect(passed([['cookie', 'a=1', 'cookie', 'b=2', 'x', 'y']])).toMatchObject({ cookie: 'a=1; b=2' });
});

test('of HTTP/2, the authority is the host, and trailers may be asked for', () => {
  const headers = passed([[':method', 'POST', ':path', '/x', ':authority', 'localhost:4480', 'te', 'trailers']]);
  expect(headers).toMatchObject({ te: 'trailers', 'x-forwarded-host': 'localhost:4480' });
  expect(Object.keys(headers).filter((name) => name.startsWith(':'))).toEqual([]);
});

test('an answer comes back without what was about its connection', () => {
  const lines = ['Connection', 'X-Own', 'x-own', '1', 'keep-alive', '5', 'transfer-encoding', 'chunked', 'ETag', '"1"'];
  const raw = [...lines.map((text) => Buffer.from(text)), 'set-cookie', ['a', 'b'], Buffer.from('x-n'), 'é'];
  const fields = answerHeaders(raw);
  expect(fields).toEqual(['etag', '"1"', 'set-cookie', 'a', 'set-cookie', 'b', 'x-n', 'é']);
  expect(byName(fields)).toEqual({ etag: '"1"', 'set-cookie': ['a', 'b'], 'x-n': 'é' });
});

test('a loop is seen by its own name alone', () => {
  expect(isLoop(undefined, 'sidecar-1')).toBe(false);
  expect(isLoop('1.1 sidecar-10, 1.1 x', 'sidecar-1')).toBe(false);
  expect(isLoop('1.1 x,2.0 sidecar-1 (comment)', 'sidecar-1')).toBe(true);
});
