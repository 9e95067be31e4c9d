import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { JWTPayload } from 'jose';
import { WebSocket } from 'ws';
import { Tokens } from '../../src/auth/tokens.ts';
import { ClientFrames, type ClientFrame } from '../../src/protocol/frames.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from '../acceptance/until.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { INSTANCE, LiveNode } from './live-node.ts';

type Frame = Readonly<Record<string, unknown>> & { readonly type: string };
type Who = 'reader' | 'owner' | 'another owner';

const CLAIMS: Readonly<Record<Who, JWTPayload>> = {
  reader: { sub: 'rita', groups: ['staff'] },
  owner: { sub: 'olga', scope: 'orders.example.com/admin' },
  'another owner': { sub: 'pavel', scope: 'payments.example.com/admin' },
};

interface Row {
  readonly frame: (facts: { readonly instance: string; readonly token: string }) => object;
  /** What each is answered with: a type of frame, or the code of an error. */
  readonly answers: Readonly<Record<Who, string>>;
}

const everyone = (answer: string): Row['answers'] => ({ reader: answer, owner: answer, 'another owner': answer });

/** Every frame that a client can send. One that is added without a row does not compile, and fails the first test. */
const ROWS: Readonly<Record<ClientFrame['type'], Row>> = {
  ping: { frame: () => ({ type: 'ping' }), answers: everyone('pong') },
  subscribe: { frame: () => ({ type: 'subscribe', id: 'a', select: { kind: '*' } }), answers: everyone('subscribed') },
  resync: {
    frame: () => ({ type: 'resync', id: 'of-nobody', revision: 0, digest: '0'.repeat(16) }),
    answers: everyone('unknown-id'),
  },
  unsubscribe: { frame: () => ({ type: 'unsubscribe', id: 'of-nobody' }), answers: everyone('unknown-id') },
  // It may not be the token of somebody else.
  reauth: {
    frame: ({ token }) => ({ type: 'reauth', token }),
    answers: { ...everyone('invalid-token'), owner: 'reauthed' },
  },
  register: {
    frame: () => ({ type: 'register', id: 'b', instance: { ...INSTANCE, port: 4242 } }),
    answers: { ...everyone('forbidden'), owner: 'registered' },
  },
  renew: {
    frame: ({ instance }) => ({ type: 'renew', id: 'c', instances: [instance] }),
    answers: { ...everyone('renewed none'), owner: 'renewed' },
  },
  // To others it is not there, since its service is not in the catalog; what is not there is gone already.
  deregister: {
    frame: ({ instance }) => ({ type: 'deregister', id: 'd', instance }),
    answers: { reader: 'forbidden', owner: 'deregistered', 'another owner': 'deregistered' },
  },
};

let issuer: IssuerServer;
let stranger: IssuerServer;
let node: LiveNode;
beforeAll(async () => {
  [issuer, stranger] = await Promise.all([IssuerServer.open(), IssuerServer.open()]);
  const log = { warn: () => {}, info: () => {} };
  const settings = issuer.issuer({ readers: ['staff'] });
  node = await LiveNode.open({
    access: {
      development: false,
      tokens: new Tokens([settings], { log, now: () => performance.now(), clock: Date.now }),
    },
  });
});
afterAll(async () => {
  await node.close();
  await Promise.all([issuer.close(), stranger.close()]);
});

function open(token: string | undefined): WebSocket {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new WebSocket(`${node.url.replace('http', 'ws')}/v1/watch`, PROTOCOL, { headers });
}

async function answerTo(who: Who, row: Row): Promise<string> {
  const socket = open(await issuer.mint(CLAIMS[who]));
  const frames: Frame[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  await once(socket, 'open');
  await until('a welcome', () => frames.length > 0);
  const instance = await node.register();
  socket.send(JSON.stringify(row.frame({ instance, token: await issuer.mint(CLAIMS.owner) })));
  await until('an answer', () => frames.length > 1);
  socket.terminate();
  const [, { type, code, renewed } = { type: 'none' }] = frames;
  if (type === 'renewed' && renewed === 0) return 'renewed none';
  return type === 'error' ? String(code) : type;
}

test('SEC1 every frame of the protocol has its row', () => {
  expect(Object.keys(ROWS).sort()).toEqual(Object.keys(ClientFrames).sort());
});

test.each(Object.entries(ROWS))('SEC1 what %s is answered with, by who sends it', async (_type, row) => {
  for (const who of Object.keys(CLAIMS) as Who[]) {
    expect([who, await answerTo(who, row)]).toEqual([who, row.answers[who]]);
  }
});

test('SEC1 no frame is taken from whoever is not let in', async () => {
  const refused: [what: string, token: string | undefined, status: number][] = [
    ['no token', undefined, 401],
    ['expired', await issuer.mint(CLAIMS.owner, { expiresIn: -60 }), 401],
    ['of another issuer', await stranger.mint(CLAIMS.owner), 401],
    ['for another audience', await issuer.mint({ ...CLAIMS.owner, aud: 'elsewhere' }), 401],
    ['of nobody', await issuer.mint({ sub: 'nils' }), 403],
  ];
  for (const [what, token, status] of refused) {
    const socket = open(token);
    const [, response] = (await once(socket, 'unexpected-response')) as [
      unknown,
      { statusCode: number; resume(): void },
    ];
    response.resume();
    expect([what, response.statusCode]).toEqual([what, status]);
    socket.on('error', () => {});
    socket.terminate();
  }
});
