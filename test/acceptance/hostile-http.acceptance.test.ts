import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Answer, type Signalbox } from '../support/signalbox.ts';
import type { Canary } from './canary.ts';
import { tcp, memory } from './hostile-clients.ts';
import { upgradeRequest, type RawSocket } from './raw-socket.ts';
import { until } from './until.ts';
import { Stage } from './hostile-stage.ts';

const MIB = 1024 * 1024;

let stage: Stage;
let server: Signalbox;
let canary: Canary;
beforeAll(async () => {
  stage = await Stage.open();
  ({ server, canary } = stage);
}, 150_000);
afterAll(() => stage.close());

describe('over HTTP', () => {
  /** Sends bytes one after the other, `every` milliseconds apart, until the server has closed the connection. */
  async function trickle(head: string, rest: string, every: number): Promise<{ socket: RawSocket; took: number }> {
    const socket = await tcp(server.port);
    const started = performance.now();
    socket.write(head);
    for (const byte of rest) {
      if (socket.closed) break;
      socket.write(byte);
      await sleep(every);
    }
    await socket.untilClosed();
    return { socket, took: performance.now() - started };
  }

  test('PUSH9: a request whose header or body comes byte by byte is ended in bounded time', async () => {
    const slow = 'X-Slow: ' + 'x'.repeat(400);
    const put =
      'PUT /v1/regions/slow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n';
    const attacks = await Promise.all([
      ...Array.from({ length: 10 }, () => trickle('GET /v1/regions HTTP/1.1\r\nHost: 127.0.0.1\r\n', slow, 40)),
      ...Array.from({ length: 10 }, () => trickle('', `GET /${'x'.repeat(400)}`, 40)),
      ...Array.from({ length: 10 }, () => trickle(put, `{"title":"${'x'.repeat(480)}`, 40)),
      ...Array.from({ length: 10 }, () =>
        trickle(put.replace('Content-Length: 500', 'Transfer-Encoding: chunked'), '1\r\n \r\n'.repeat(100), 40),
      ),
      ...Array.from({ length: 10 }, () => trickle(put, '', 0)),
      ...Array.from({ length: 10 }, () => trickle(upgradeRequest().slice(0, -2), slow, 40)),
    ]);
    for (const { socket, took } of attacks) {
      expect(socket.status).toBe(408);
      expect(socket.problem).toMatchObject({ type: '/problems/timeout', status: 408 });
      expect(took).toBeLessThan(15_000);
    }
    await canary.sings();
    expect((await call(server.url, 'GET', '/v1/regions/slow')).status).toBe(404);
  }, 60_000);

  test('PUSH9: hundreds of connections that say nothing hold nobody up, and are closed', async () => {
    const idle = await Promise.all(Array.from({ length: 500 }, () => tcp(server.port)));
    await canary.sings();
    await until('all are closed', () => idle.every(({ closed }) => closed), 20_000);
    expect(new Set(idle.map(({ status }) => status))).toEqual(new Set([408]));
    await canary.sings();
  }, 60_000);

  const request = (lines: string[], body = ''): string => `${lines.join('\r\n')}\r\n\r\n${body}`;
  const HOST = 'Host: 127.0.0.1';
  const malformed: [what: string, bytes: string | Buffer, status: number][] = [
    ['something that is not HTTP', 'hello\r\n\r\n', 400],
    ['a TLS handshake', Buffer.from('16030100a5010000a10303', 'hex'), 400],
    ['random bytes', Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7919) & 0xff)), 400],
    ['a megabyte without an end of line', 'x'.repeat(MIB), 400],
    ['HTTP/9.9', request(['GET / HTTP/9.9', HOST]), 400],
    ['a length that is not one', request(['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Length: -1'], '{}'), 400],
    [
      'two lengths',
      request(['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Length: 2', 'Content-Length: 3'], '{}'),
      400,
    ],
    [
      'a length and chunks',
      request(['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
      400,
    ],
    [
      'a chunk that is not one',
      request(
        ['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Type: application/json', 'Transfer-Encoding: chunked'],
        'zz\r\n',
      ),
      400,
    ],
    ['a header with a line break in its name', request(['GET / HTTP/1.1', HOST, 'X bad: 1']), 400],
    ['a NUL in a header', request(['GET / HTTP/1.1', HOST, 'X-Bad: a\0b']), 400],
    ['one header of 20 KB', request(['GET / HTTP/1.1', HOST, `X-Large: ${'x'.repeat(20_000)}`]), 431],
    [
      '2,000 headers',
      request(['GET / HTTP/1.1', HOST, ...Array.from({ length: 2000 }, (_, i) => `X-Header-${i}: ${i}`)]),
      431,
    ],
    ['a request line of 100 KB', request([`GET /${'x'.repeat(100_000)} HTTP/1.1`, HOST]), 431],
    ['a path of 10 KB', request([`GET /v1/regions/${'x'.repeat(10_000)} HTTP/1.1`, HOST, 'Connection: close']), 414],
    ['a path with a broken percent sign', request(['GET /v1/regions/%zz HTTP/1.1', HOST, 'Connection: close']), 400],
    ['a path out of the root', request(['GET /../../etc/passwd HTTP/1.1', HOST, 'Connection: close']), 404],
    ['another Host', request(['GET /v1/regions HTTP/1.1', 'Host: rebound.example', 'Connection: close']), 403],
    [
      'a Host that only begins well',
      request(['GET /v1/regions HTTP/1.1', 'Host: 127.0.0.1.evil.example', 'Connection: close']),
      403,
    ],
    [
      'an Origin from elsewhere',
      request(['GET /v1/regions HTTP/1.1', HOST, 'Origin: https://evil.example', 'Connection: close']),
      403,
    ],
    [
      'an Origin from elsewhere on a path that does not exist',
      request(['GET /nowhere HTTP/1.1', HOST, 'Origin: https://evil.example', 'Connection: close']),
      403,
    ],
    [
      'an Origin from elsewhere, asking beforehand',
      request([
        'OPTIONS /v1/apply HTTP/1.1',
        HOST,
        'Origin: https://evil.example',
        'Access-Control-Request-Method: POST',
        'Connection: close',
      ]),
      403,
    ],
    ['a method that nothing takes', request(['TRACE /v1/regions HTTP/1.1', HOST, 'Connection: close']), 405],
    [
      'a compressed body',
      request(
        [
          'PUT /v1/regions/xx HTTP/1.1',
          HOST,
          'Content-Type: application/json',
          'Content-Encoding: gzip',
          'Content-Length: 2',
          'Connection: close',
        ],
        '{}',
      ),
      415,
    ],
  ];
  test.each(malformed)(
    'PUSH9: %s is answered with a problem, and the connection ends',
    async (_what, bytes, status) => {
      const socket = await tcp(server.port);
      socket.write(bytes);
      await socket.untilClosed(10_000);
      expect(socket.status).toBe(status);
      expect(socket.text.toLowerCase()).toContain('content-type: application/problem+json');
      expect(socket.problem).toMatchObject({ status, type: expect.stringMatching(/^\/problems\/[a-z-]+$/) });
      await canary.sings();
    },
  );

  test.each([
    ['a tunnel', request(['CONNECT example.com:443 HTTP/1.1', HOST])],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a request to no host', request(['GET /v1/regions HTTP/1.1', 'Connection: close'])],
  ])('PUSH9: %s is not followed, and the connection ends', async (_what, bytes) => {
    const socket = await tcp(server.port);
    socket.write(bytes);
    await socket.untilClosed(10_000);
    expect(socket.text).not.toMatch(/^HTTP\/1\.1 (1|2)/);
    await canary.sings();
  });

  test('PUSH9: a wish to upgrade to something else is passed over, and its connection stays an ordinary one', async () => {
    const wishes = [
      ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'],
      ['Connection: upgrade', 'Upgrade: websocket'],
      ['Upgrade: anything', 'Connection: keep-alive, Upgrade'],
    ];
    const isPassedOver = async (wish: string[]): Promise<void> => {
      const socket = await tcp(server.port);
      const body = '{"title":"upgraded"}';
      const write = request(
        [
          'PUT /v1/regions/upgraded HTTP/1.1',
          HOST,
          ...wish,
          'Content-Type: application/json',
          `Content-Length: ${body.length}`,
        ],
        body.slice(0, 5),
      );
      socket.write(write);
      await sleep(20);
      socket.write(body.slice(5));
      await until('an answer', () => /^HTTP\/1\.1 20[01] /.test(socket.text));
      socket.write(request(['GET /nowhere HTTP/1.1', HOST, ...wish]));
      await until('another answer', () => socket.text.includes('HTTP/1.1 404 '));
      // It is watched over like any other: a header that does not end ends it.
      socket.write('GET / HT');
      await socket.untilClosed(10_000);
      expect(socket.text).toContain('HTTP/1.1 408 ');
    };
    // Each waits until its time is over.
    await Promise.all(wishes.map(isPassedOver));
  }, 40_000);

  const put = (body: string | Buffer, type = 'application/json') => send('PUT', '/v1/regions/hostile', body, type);
  const apply = (body: string | Buffer, type: string) => send('POST', '/v1/apply', body, type);
  async function send(
    method: string,
    path: string,
    body: string | Buffer,
    type: string,
  ): Promise<Answer & { took: number }> {
    const started = performance.now();
    const answer = await call(server.url, method, path, body === '' ? undefined : String(body), {
      'content-type': type,
    });
    return { ...answer, took: performance.now() - started };
  }

  test('PUSH9: bodies that are too large are refused before they are read', async () => {
    for (const [method, path, type] of [
      ['PUT', '/v1/regions/hostile', 'application/json'],
      ['POST', '/v1/apply', 'application/json'],
      ['POST', '/v1/apply', 'application/yaml'],
    ] as const) {
      // Announced, and never sent: the refusal does not wait for it.
      const announced = await tcp(server.port);
      announced.write(
        request([`${method} ${path} HTTP/1.1`, HOST, `Content-Type: ${type}`, `Content-Length: ${20 * MIB}`]),
      );
      await until('an answer', () => announced.text.includes('\r\n\r\n{'));
      expect(announced.status).toBe(413);
      expect(announced.problem).toMatchObject({ type: '/problems/too-large' });
      // In chunks, it is only noticed on the way.
      const chunked = await tcp(server.port);
      chunked.write(
        request([`${method} ${path} HTTP/1.1`, HOST, `Content-Type: ${type}`, 'Transfer-Encoding: chunked']),
      );
      const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, 0x20), Buffer.from('\r\n')]);
      for (let i = 0; i < 20 && !chunked.closed; i++) {
        chunked.write(chunk);
        await sleep(1);
      }
      await until('an answer or the end', () => chunked.status === 413 || chunked.closed);
      await canary.sings();
    }
  }, 40_000);

  const nested = (begin: string, end: string, depth: number): string => begin.repeat(depth) + end.repeat(depth);
  const laughs = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    ...Array.from(
      'bcdefghij',
      (name, i) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[i]}`).join(', ')}]`,
    ),
  ].join('\n');
  const bombs: [what: string, type: string, body: () => string][] = [
    ['JSON of 500,000 levels of lists', 'application/json', () => nested('[', ']', 500_000)],
    [
      'JSON of 150,000 levels of objects',
      'application/json',
      () => `${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`,
    ],
    [
      'JSON that is deep inside a resource',
      'application/json',
      () => `{"name":"regions/deep","title":${nested('[', ']', 400_000)}}`,
    ],
    [
      'JSON with 200,000 keys',
      'application/json',
      () =>
        `{"name":"regions/wide","title":"t","labels":{${Array.from({ length: 200_000 }, (_, i) => `"k${i}":"v"`).join(',')}}}`,
    ],
    ['JSON of 2,000,000 documents', 'application/json', () => `[${'1,'.repeat(2_000_000)}1]`],
    ['NDJSON of 2,000,000 documents', 'application/x-ndjson', () => '1\n'.repeat(2_000_000)],
    ['YAML of a billion laughs', 'application/yaml', () => `name: regions/laugh\ntitle: t\n${laughs}`],
    [
      'YAML of aliases within aliases as labels',
      'application/yaml',
      () => `name: regions/laugh\ntitle: t\nlabels: &a\n  a: *a\n`,
    ],
    ['YAML of 100,000 levels', 'application/yaml', () => nested('[', ']', 100_000)],
    ['YAML of 20,000 levels of blocks', 'application/yaml', () => `${'- '.repeat(20_000)}x`],
    [
      'YAML of 100,000 anchors',
      'application/yaml',
      () => Array.from({ length: 100_000 }, (_, i) => `k${i}: &a${i} v`).join('\n'),
    ],
    ['YAML of 500,000 documents', 'application/yaml', () => '--- 1\n'.repeat(500_000)],
    ['YAML of one key of 4 MB', 'application/yaml', () => `${'x'.repeat(4 * MIB)}: y`],
    [
      'YAML with a tag of another language',
      'application/yaml',
      () => 'name: !!js/function "function () { process.exit() }"',
    ],
    ['YAML of 4 MB of quotes', 'application/yaml', () => `"${'\\"'.repeat(2 * MIB)}`],
  ];
  test.each(bombs)(
    'PUSH9: %s is refused in bounded time, and others are served meanwhile',
    async (_what, type, body) => {
      const before = memory(server);
      const answer = await apply(body(), type);
      expect([400, 413]).toContain(answer.status);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(JSON.stringify(answer.body).length).toBeLessThan(64 * 1024);
      expect(answer.took).toBeLessThan(15_000);
      await canary.sings();
      expect(memory(server) - before).toBeLessThan(700);
    },
    40_000,
  );

  test.each([
    ['brackets', '('.repeat(7900)],
    ['nots', `${'not '.repeat(1900)}title=x`.replaceAll(' ', '+')],
    ['ands', `title=x${'+and+title=x'.repeat(600)}`],
    ['one text', `title="${'x'.repeat(7000)}"`],
    ['percent signs', '%25'.repeat(2000)],
  ])('PUSH9: a filter of as many %s as a URL holds is answered at once', async (_what, filter) => {
    for (let i = 0; i < 3; i++) {
      const answer = await send('GET', `/v1/regions?filter=${filter}`, '', 'application/json');
      expect([200, 400]).toContain(answer.status);
      expect(answer.took).toBeLessThan(5000);
    }
    await canary.sings();
  });

  // More than once: what overflows a stack may be caught the first time, and end the process the next.
  test.each([
    ['lists in lists', '- '.repeat(20_000)],
    ['keys that are keys', '? '.repeat(20_000)],
    ['brackets', nested('[', ']', 60_000)],
    ['braces', '{a: '.repeat(20_000)],
    ['indented maps', Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['tags and anchors', '!!seq &a - '.repeat(10_000)],
  ])('PUSH9: YAML of thousands of levels (%s) is refused again and again', async (_what, body) => {
    for (let i = 0; i < 5; i++) expect((await apply(body, 'application/yaml')).status).toBe(400);
    await canary.sings();
  });

  test('PUSH9: bodies that name the insides of JavaScript change nothing but what they may', async () => {
    const polluted = [
      '{"title":"t","__proto__":{"polluted":"yes"}}',
      '{"title":"t","constructor":{"prototype":{"polluted":"yes"}}}',
      '{"title":"t","labels":{"__proto__":"polluted"}}',
      '{"title":"t","labels":{"__proto__":{"polluted":"yes"}}}',
      '{"title":"t","location":{"__proto__":{"polluted":"yes"}}}',
      '{"title":"t","toString":1}',
      '{"title":"t","labels":{"hasOwnProperty":"x"},"hasOwnProperty":1}',
    ];
    // Names that are ordinary keys elsewhere are ordinary here.
    const fine = await put('{"title":"t","labels":{"constructor":"x","valueof":"y"}}');
    expect(fine.status).toBe(201);
    for (const body of polluted) {
      expect([body, (await put(body)).status]).toEqual([body, 400]);
      // In a patch, a key that no field can have is passed over; then nothing changes.
      expect([200, 400]).toContain((await send('PATCH', '/v1/regions/hostile', body, 'application/json')).status);
      const document = `[{"name":"regions/hostile",${body.slice(1)}]`;
      expect([body, (await apply(document, 'application/json')).status]).toEqual([body, 400]);
    }
    expect((await call(server.url, 'GET', '/v1/regions/hostile')).body).toEqual(fine.body);
    expect(fine.body.labels).toEqual({ constructor: 'x', valueof: 'y' });
    expect(fine.body).not.toHaveProperty('polluted');
    const { body } = await call(server.url, 'GET', '/v1/regions?filter=labels.constructor%3Dx');
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual(['regions/hostile']);
    expect((await call(server.url, 'GET', '/v1/regions?filter=labels.__proto__%3Dx')).body.items ?? []).toEqual([]);
    expect((await call(server.url, 'GET', '/v1/regions?__proto__=x')).status).toBe(400);
  });

  test('PUSH9: thousands of requests at once on one connection are answered in order', async () => {
    const socket = await tcp(server.port);
    const count = 3000;
    socket.write(
      Array.from({ length: count }, (_, i) => request([`GET /v1/regions/pipelined-${i} HTTP/1.1`, HOST])).join(''),
    );
    await until('all answers', () => (socket.text.match(/HTTP\/1\.1 404/g) ?? []).length === count);
    const asked = [...socket.text.matchAll(/pipelined-([0-9]+)/g)].map(([, i]) => Number(i));
    expect(asked).toEqual(asked.toSorted((a, b) => a - b));
    await canary.sings();
  }, 40_000);
});

test('PUSH9: after all of it the server is well, and its log is short and without stacks', () => stage.endsWell());
