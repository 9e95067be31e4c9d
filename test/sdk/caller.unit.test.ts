import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../src/sdk/api.ts';
import { callerOf, isSameCaller, startingCaller, type Caller } from '../../src/sdk/caller.ts';
import { connect } from '../../src/sdk/index.ts';
import type { Auth, ConnectOptions } from '../../src/sdk/options.ts';
import { until } from '../acceptance/until.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { FakeTime } from './fake-time.ts';

const jwt = (claims: object): string => {
  const part = (of: object): string => Buffer.from(JSON.stringify(of)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.${Math.random().toString(36).slice(2)}`;
};
const credentials = (clientId: string): Auth => ({
  clientCredentials: { tokenUrl: 'https://login.example.com/token', clientId, clientSecret: 'secret' },
});
const FILE: Auth = { tokenFile: '/run/token' };

describe('who is asked as', () => {
  test('is the subject of an issuer, a client, a token that says nothing, or nobody', () => {
    const me = { iss: 'https://login.example.com', sub: 'Zürich ?>' };
    const same: readonly [Caller, Caller][] = [
      [callerOf(undefined, undefined), callerOf(FILE, undefined)],
      [callerOf(FILE, jwt(me)), callerOf({ token: 'x' }, jwt({ ...me, exp: 7 }))],
      [callerOf(credentials('a'), 'one'), callerOf(credentials('a'), jwt(me))],
      [callerOf(FILE, 'one'), callerOf(FILE, 'one')],
    ];
    for (const [a, b] of same) expect([a, isSameCaller(a, b)]).toEqual([b, true]);
    const different = [
      ...same.map(([a]) => a),
      callerOf(credentials('b'), 'one'),
      callerOf(FILE, 'two'),
      callerOf(FILE, jwt({ ...me, sub: 'you' })),
      callerOf(FILE, jwt({ ...me, iss: 'https://other.example.com' })),
      // Who a subject is without its issuer, nobody knows.
      callerOf(FILE, jwt({ sub: me.sub })),
      callerOf(FILE, 'a.%%.c'),
      callerOf(FILE, `a.${Buffer.from('null').toString('base64url')}.c`),
    ];
    for (const a of different) expect(different.filter((b) => isSameCaller(a, b))).toEqual([a]);
    expect(isSameCaller(undefined, undefined)).toBe(false);
  });

  test('is known at the start where that takes no token, or one can be had in time', async () => {
    const time = new FakeTime();
    let asked = 0;
    const starting = (auth: Auth | undefined, get: () => Promise<string>) => {
      const tokens = { get: () => ((asked += 1), get()) };
      return startingCaller({ auth, tokens, time, timeoutMs: 5000 });
    };
    const away = (): Promise<string> => Promise.reject(new Error('the issuer is away'));
    expect(await starting(undefined, away)()).toMatchObject({ kind: 'nobody' });
    expect(await starting(credentials('a'), away)()).toEqual(callerOf(credentials('a'), undefined));
    expect(asked).toBe(0);
    const file = starting(FILE, () => Promise.resolve('one'));
    expect([await file(), await file()]).toEqual([callerOf(FILE, 'one'), callerOf(FILE, 'one')]);
    expect(asked).toBe(1);
    expect(await starting(FILE, away)()).toBeUndefined();
    const late = starting(FILE, () => new Promise(() => {}))();
    await time.pass(5000);
    expect([await late, time.pending]).toEqual([undefined, 0]);
  });
});

/** A server over long polls, which shows a secret to one token and not to the others. */
class Polled {
  readonly #server: Server;
  readonly asked: string[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
      this.asked.push(`${bearerOf(request)} ${pathname}`);
      const answer = (body: object): void => void response.end(JSON.stringify(body));
      const head = { epoch: 'e', revision: 5 };
      if (pathname === '/v1/state') return answer(head);
      if (pathname === '/v1/regions') return answer({ items: regionsFor(bearerOf(request)), revision: 5 });
      const changes = { from: 5, to: 5, head: 5, epoch: 'e', changes: [] };
      setTimeout(() => answer(changes), searchParams.has('wait') ? 50 : 0);
    });
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#server.closeAllConnections();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

const bearerOf = ({ headers }: IncomingMessage): string => headers.authorization?.replace('Bearer ', '') ?? '';
const ALICE = jwt({ iss: 'https://login.example.com', sub: 'alice' });
const regionsFor = (token: string): object[] =>
  [
    { name: 'regions/open', revision: 1 },
    { name: 'regions/secret', revision: 2 },
  ].slice(0, isSameCaller(callerOf(FILE, token), callerOf(FILE, ALICE)) ? 2 : 1);

describe('SEC3 over long polls, which bring no digests', () => {
  let home: ReturnType<typeof temporaryDirectory>;
  let server: Polled;
  let url: string;
  const clients: Client[] = [];
  beforeEach(async () => {
    home = temporaryDirectory();
    server = new Polled();
    url = await server.open();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    server.close();
    home.remove();
  });
  const BOB = jwt({ iss: 'https://login.example.com', sub: 'bob' });
  const open = (auth: Auth, more: ConnectOptions = {}): Client => {
    const client = connect({ url, auth, carriers: ['long-poll'], backoff: { baseMs: 1, maxMs: 5 }, ...more });
    clients.push(client);
    return client;
  };

  /** What one process sees at first, and in the end. */
  async function seen(token: string): Promise<number[]> {
    const client = open({ token }, { directory: home.path });
    const watch = client.watch({ kind: 'region' });
    const first = await watch.ready({ timeoutMs: 5000 });
    await until('the state', () => watch.state === 'live');
    await sleep(100);
    const sizes = [first.size, watch.snapshot?.size ?? 0];
    await client.close();
    return sizes;
  }

  test('what one has left is not shown to another, and the same one starts from the state', async () => {
    expect(await seen(ALICE)).toEqual([2, 2]);
    expect(readdirSync(home.path)).toHaveLength(1);
    expect(await seen(BOB)).toEqual([1, 1]);
    server.asked.length = 0;
    // Another token of the same subject.
    expect(await seen(jwt({ iss: 'https://login.example.com', sub: 'alice', iat: 7 }))).toEqual([2, 2]);
    expect(server.asked.map((asked) => asked.split(' ')[1])).toContain('/v1/regions');
    expect(readdirSync(home.path)).toHaveLength(2);
  });

  test('who becomes another one meanwhile starts from the state; who stays the same goes on', async () => {
    let token = ALICE;
    const client = open({ token: () => token });
    const watch = client.watch({ kind: 'region' });
    const states: string[] = [];
    watch.on('state', (state) => void states.push(state));
    await until('the state', () => watch.state === 'live');
    const lists = (): number => server.asked.filter((asked) => asked.endsWith('/v1/regions')).length;
    const again = async (): Promise<void> => {
      states.length = 0;
      // Between two polls there may be no connection to cut.
      await until('the break', () => (server.cut(), states.includes('stale')));
      await until('the next link', () => states.includes('live'));
    };
    await again();
    expect([lists(), watch.snapshot?.size]).toEqual([1, 2]);
    token = BOB;
    await again();
    expect([lists(), watch.snapshot?.size]).toEqual([2, 1]);
  });
});

test('a copy is used while Signalbox and the issuer are away, for client credentials say who it is', async () => {
  const home = temporaryDirectory();
  const server = new Polled();
  const url = await server.open();
  const issuer = createServer((_request, response) => void response.end(JSON.stringify({ access_token: 'opaque' })));
  issuer.listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  const tokenUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`;
  const open = () => {
    const auth = { clientCredentials: { tokenUrl, clientId: 'me', clientSecret: 'secret' } };
    return connect({ url, auth, carriers: ['long-poll'], directory: home.path, backoff: { baseMs: 1, maxMs: 5 } });
  };
  try {
    const first = open();
    await first.watch({ kind: 'region' }).ready({ timeoutMs: 5000 });
    await first.close();
    server.close();
    issuer.closeAllConnections();
    issuer.close();
    const second = open();
    const watch = second.watch({ kind: 'region' });
    expect([(await watch.ready({ timeoutMs: 5000 })).size, watch.state]).toEqual([1, 'stale']);
    await second.close();
  } finally {
    server.close();
    home.remove();
  }
});
