import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { getEventListeners } from 'node:events';
import type { ServerFrame } from '../../../src/protocol/frames.ts';
import type { Attempt, Desk, Registered } from '../../../src/sdk/registration/desk.ts';
import { eitherDesk } from '../../../src/sdk/registration/either-desk.ts';
import { HttpDesk } from '../../../src/sdk/registration/http-desk.ts';
import { SocketDesk, type AskFrame } from '../../../src/sdk/registration/socket-desk.ts';
import { TurnedTime } from './turned-time.ts';
import { freePort } from '../../support/free-port.ts';
import { AnsweringServer, problem } from '../../cli/terminal.ts';

const ID = '3f1c0e9ab2d44c5e8f7a6b21';
const REGISTERED: Registered = {
  id: ID,
  name: `instances/${ID}`,
  generation: 4,
  lease: '15s',
  detectionBound: '16s',
};
const attempt = (timeoutMs = 5000, signal = new AbortController().signal): Attempt => ({ timeoutMs, signal });
const DONE = { type: 'done', value: undefined };

describe('by HTTP', () => {
  const server = new AnsweringServer();
  beforeAll(() => server.start());
  afterAll(() => server.stop());
  beforeEach(() => {
    server.reset();
    server.answers['POST /v1/instances'] = (reply) => reply.code(201).send(REGISTERED);
    server.answers[`POST /v1/instances/${ID}/renew`] = (reply) => reply.code(204).send();
    server.answers[`DELETE /v1/instances/${ID}`] = () => ({ deleted: true });
  });
  const desk = (token: ConstructorParameters<typeof HttpDesk>[0]['token'] = () => undefined, urls = [server.url]) =>
    new HttpDesk({ urls, token });

  test('INS6 registers, renews and deregisters by id and generation', async () => {
    expect(await desk().register({ service: 'a.b' }, attempt())).toEqual({ type: 'done', value: REGISTERED });
    expect(await desk().renew(REGISTERED, attempt())).toEqual(DONE);
    expect(await desk().deregister(REGISTERED, attempt())).toEqual(DONE);
    expect(server.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', '/v1/instances', { service: 'a.b' }],
      ['POST', `/v1/instances/${ID}/renew`, { generation: 4 }],
      ['DELETE', `/v1/instances/${ID}?generation=4`, undefined],
    ]);
  });

  test('each answer means what it means', async () => {
    const means = async (status: number, more: object = {}, headers: Record<string, string> = {}) => {
      server.answers[`POST /v1/instances/${ID}/renew`] = (reply) => problem(reply.headers(headers), status, 'c', more);
      return desk().renew(REGISTERED, attempt());
    };
    expect(await means(404)).toEqual({ type: 'gone' });
    expect(await means(429, { detail: 'Slow.' }, { 'retry-after': '7' })).toEqual({
      type: 'away',
      detail: 'Slow.',
      retryAfterMs: 7000,
    });
    expect(await means(503, { retryAfter: 100_000 })).toMatchObject({ type: 'away', retryAfterMs: 60_000 });
    expect(await means(500)).toEqual({ type: 'away', detail: 'Title of c' });
    expect(await means(409, { detail: 'No.' })).toMatchObject({
      type: 'refused',
      problem: { status: 409, title: 'Title of c', detail: 'No.' },
    });
    server.answers[`POST /v1/instances/${ID}/renew`] = (reply) => reply.code(404).type('text/html').send('<p>Lost?');
    expect(await desk().renew(REGISTERED, attempt())).toMatchObject({
      type: 'away',
      detail: expect.stringContaining('not by Signalbox'),
    });
    server.answers['POST /v1/instances'] = (reply) => reply.send({ hello: 'world' });
    expect(await desk().register({}, attempt())).toMatchObject({ type: 'away' });
  });

  test('SEC1 a token that is not taken is asked for anew, once', async () => {
    const asked: (string | undefined)[] = [];
    const token = (_url: string, refused?: string): string => {
      asked.push(refused);
      return refused === undefined ? 'old' : 'new';
    };
    server.answers['POST /v1/instances'] = (reply) =>
      server.authorizations.at(-1) === 'Bearer new' ? reply.send(REGISTERED) : problem(reply, 401, 'unauthorized', {});
    expect(await desk(token).register({}, attempt())).toMatchObject({ type: 'done' });
    expect(server.authorizations).toEqual(['Bearer old', 'Bearer new']);
    expect(asked).toEqual([undefined, 'old']);
    expect(await desk(() => 'old').register({}, attempt())).toMatchObject({
      type: 'refused',
      problem: { status: 401 },
    });
    expect(server.authorizations.slice(2)).toEqual(['Bearer old']);
  });

  test('a token that cannot be had, or not in time, is said to be what is missing', async () => {
    const fails = desk(() => Promise.reject(new Error('the file is empty')));
    expect(await fails.register({}, attempt())).toEqual({ type: 'away', detail: 'the file is empty' });
    const hangs = desk(() => new Promise(() => {}));
    expect(await hangs.register({}, attempt(100))).toMatchObject({ type: 'away' });
    expect(server.seen).toEqual([]);
  });

  test('where one address does not answer the next one is asked, and asked first from then on', async () => {
    const closed = `http://127.0.0.1:${await freePort()}`;
    const both = desk(undefined, [closed, server.url]);
    expect(await both.renew(REGISTERED, attempt())).toEqual(DONE);
    expect(await both.renew(REGISTERED, attempt())).toEqual(DONE);
    expect(await desk(undefined, [closed]).renew(REGISTERED, attempt())).toMatchObject({
      type: 'away',
      detail: `${closed} cannot be reached (ECONNREFUSED).`,
    });
  });

  test('what stands in front of one node is not Signalbox, whatever JSON it answers: the next node is asked', async () => {
    const gateway = new AnsweringServer();
    await gateway.start();
    try {
      const renew = `POST /v1/instances/${ID}/renew`;
      const answers: readonly [number, string, string][] = [
        [404, 'application/json', '{"message":"no Route matched"}'],
        [403, 'application/json', '{"message":"blocked"}'],
        [404, 'application/problem+json', '{"type":"about:blank","title":"Not Found"}'],
        [403, 'text/html', '<p>No'],
        [302, 'text/html', ''],
        [200, 'text/html', '<p>Log in'],
      ];
      const failWith = (status: number, type: string, text: string): void => {
        gateway.answers[renew] = (reply) => reply.code(status).type(type).send(text);
      };
      for (const [status, type, text] of answers) {
        failWith(status, type, text);
        expect(await desk(undefined, [gateway.url]).renew(REGISTERED, attempt())).toEqual({
          type: 'away',
          detail: expect.stringContaining(`was answered with ${status}, and not by Signalbox`),
        });
        server.seen.length = 0;
        expect(await desk(undefined, [gateway.url, server.url]).renew(REGISTERED, attempt())).toEqual(DONE);
        expect(server.seen).toHaveLength(1);
      }
    } finally {
      await gateway.stop();
    }
  });

  test('the address that answered last is asked first, in whatever order they are', async () => {
    const closed = `http://127.0.0.1:${await freePort()}`;
    const asked: string[] = [];
    const urls = [closed, server.url];
    const moving = new HttpDesk({
      get urls() {
        return urls;
      },
      token: (url) => void asked.push(url),
    });
    expect(await moving.renew(REGISTERED, attempt())).toEqual(DONE);
    urls.reverse();
    expect(await moving.renew(REGISTERED, attempt())).toEqual(DONE);
    expect(asked).toEqual([closed, server.url, server.url]);
  });

  test('SEC1 a token that cannot be sent is not shown to anybody', async () => {
    for (const token of ['se cret', 'secret\nsecret', 'sécret', 'secret\u{0}']) {
      const answer = await desk(() => token).register({}, attempt());
      expect(answer).toMatchObject({ type: 'away', detail: expect.stringContaining('is no access token') });
      expect(JSON.stringify(answer)).not.toMatch(/cret/);
    }
    expect(server.seen).toEqual([]);
  });

  test('renewals leave nothing at the signal of their instance', async () => {
    const { signal } = new AbortController();
    const held = (): number => {
      // What depends on it is in a set of Node's own, which is not a set of this realm.
      const own = Object.getOwnPropertySymbols(signal).map((key) => (signal as never)[key] as { size?: number } | null);
      return own.reduce((sum, of) => sum + (of?.size ?? 0), 0);
    };
    for (let i = 0; i < 20; i++) await desk().renew(REGISTERED, attempt(5000, signal));
    expect([held(), getEventListeners(signal, 'abort').length]).toEqual([0, 0]);
  });

  test('an attempt ends with its time, and with its signal', async () => {
    server.answers['POST /v1/instances'] = () => new Promise(() => {});
    expect(await desk().register({}, attempt(80))).toEqual({
      type: 'away',
      detail: `${server.url} said nothing for 80 ms.`,
    });
    const given = new AbortController();
    const asked = desk().register({}, attempt(20_000, given.signal));
    given.abort();
    expect(await asked).toMatchObject({ type: 'away' });
  });
});

describe('over the socket', () => {
  const answering = (answer: object) => {
    const sent: AskFrame[] = [];
    const desk = new SocketDesk({
      send: (frame) => {
        sent.push(frame);
        return Promise.resolve(answer as ServerFrame);
      },
    });
    return { desk, sent };
  };
  const error = (code: string, more: object = {}) => answering({ type: 'error', code, message: 'Why.', ...more }).desk;

  test('INS6 registers, renews and deregisters', async () => {
    const taken = answering({ type: 'registered', id: 'x', instance: REGISTERED, revision: 4 });
    expect(await taken.desk.register({ service: 'a.b' }, attempt())).toEqual({ type: 'done', value: REGISTERED });
    expect(taken.sent).toEqual([{ type: 'register', instance: { service: 'a.b' } }]);
    const renewed = answering({ type: 'renewed', renewed: 1, unknown: [] });
    expect(await renewed.desk.renew(REGISTERED, attempt())).toEqual(DONE);
    expect(renewed.sent).toEqual([{ type: 'renew', instances: [ID] }]);
    const unknown = answering({ type: 'renewed', renewed: 0, unknown: [ID] });
    expect(await unknown.desk.renew(REGISTERED, attempt())).toEqual({ type: 'gone' });
    const gone = answering({ type: 'deregistered', id: 'x', instance: ID, revision: 5 });
    expect(await gone.desk.deregister(REGISTERED, attempt())).toEqual(DONE);
  });

  test('each error means what it means', async () => {
    const errors = [{ pointer: '/port', detail: 'is no port' }];
    expect(await error('refused', { errors }).register({}, attempt())).toEqual({
      type: 'refused',
      problem: { type: '/problems/refused', detail: 'Why.', errors },
    });
    expect(await error('forbidden').register({}, attempt())).toMatchObject({ type: 'refused' });
    expect(await error('quota-exceeded').register({}, attempt())).toMatchObject({ type: 'refused' });
    const limited = error('rate-limited', { retryAfterMs: 1200 });
    expect(await limited.register({}, attempt())).toEqual({ type: 'away', detail: 'Why.', retryAfterMs: 1200 });
    // What is heard keeps the lease.
    expect(await limited.renew(REGISTERED, attempt())).toEqual(DONE);
    for (const code of ['unavailable', 'too-many-registrations', 'too-many-requests']) {
      expect(await error(code, { retryAfter: 2 }).register({}, attempt())).toEqual({ type: 'away', detail: 'Why.' });
    }
  });

  test('no answer is an answer, and so is a signal', async () => {
    const rejects = new SocketDesk({ send: () => Promise.reject(new Error('no socket')) });
    expect(await rejects.register({}, attempt())).toEqual({ type: 'away', detail: 'no socket' });
    const given = new AbortController();
    const hangs = new SocketDesk({ send: () => new Promise(() => {}) });
    const asked = hangs.renew(REGISTERED, attempt(5000, given.signal));
    given.abort();
    expect(await asked).toMatchObject({ type: 'away' });
  });

  test('INS1 a socket that is dead holds up none of a thousand for longer than its time', async () => {
    const time = new TurnedTime();
    const desk = new SocketDesk(
      {
        send: (_frame, { timeoutMs }) =>
          new Promise((_, reject) => void time.after(timeoutMs, () => reject(new Error('no')))),
      },
      time,
    );
    const asked = Array.from({ length: 1000 }, () => desk.renew(REGISTERED, attempt(1000)));
    let answered = 0;
    for (const one of asked) void one.then(({ type }) => type === 'away' && (answered += 1));
    await time.pass(999);
    expect(answered).toBe(0);
    await time.pass(1);
    expect(answered).toBe(1000);
  });

  test('no more wait for their answers than the server allows', async () => {
    let waiting = 0;
    let most = 0;
    const desk = new SocketDesk({
      send: async () => {
        most = Math.max(most, (waiting += 1));
        await new Promise((resolve) => void setImmediate(resolve));
        waiting -= 1;
        return { type: 'renewed', renewed: 1, unknown: [] };
      },
    });
    const answers = await Promise.all(Array.from({ length: 500 }, () => desk.renew(REGISTERED, attempt())));
    expect(answers.every(({ type }) => type === 'done')).toBe(true);
    expect(most).toBe(32);
  });
});

describe('over the socket, else by HTTP', () => {
  const saying = (name: string, answer: object, asked: string[]): Desk => {
    const say =
      (what: string) =>
      (_of: object, { timeoutMs }: Attempt) => {
        asked.push(`${name} ${what} ${timeoutMs}`);
        return Promise.resolve(answer as never);
      };
    return { register: say('register'), renew: say('renew'), deregister: say('deregister') };
  };
  const either = (socket: number | undefined, bySocket: object) => {
    const asked: string[] = [];
    const http = saying('http', { type: 'done', value: REGISTERED }, asked);
    return { asked, desk: eitherDesk({ socket: saying('socket', bySocket, asked), http, attachment: { socket } }) };
  };
  const taken = { type: 'done', value: REGISTERED };

  test('INS1 what was registered over a socket is attached to that one', async () => {
    const { asked, desk } = either(3, taken);
    expect(await desk.register({}, attempt(1000))).toEqual({ type: 'done', value: { ...REGISTERED, socket: 3 } });
    await desk.renew({ ...REGISTERED, socket: 3 }, attempt(1000));
    await desk.renew({ ...REGISTERED, socket: 2 }, attempt(1000));
    await desk.renew(REGISTERED, attempt(1000));
    await desk.deregister({ ...REGISTERED, socket: 3 }, attempt(1000));
    await desk.deregister({ ...REGISTERED, socket: 2 }, attempt(1000));
    expect(asked).toEqual([
      'socket register 500',
      'socket renew 500',
      'http renew 1000',
      'http renew 1000',
      'socket deregister 500',
      'http deregister 1000',
    ]);
  });

  test('what the socket cannot do is done by HTTP in the other half of the time, and then is not attached', async () => {
    const { asked, desk } = either(3, { type: 'away', detail: 'too many' });
    expect(await desk.register({}, attempt(1000))).toEqual({ type: 'done', value: REGISTERED });
    expect(asked).toEqual(['socket register 500', 'http register 500']);
  });

  test('a limit and a refusal hold for both', async () => {
    for (const answer of [
      { type: 'away', detail: 'limit', retryAfterMs: 100 },
      { type: 'refused', problem: {} },
      { type: 'gone' },
    ]) {
      const { asked, desk } = either(3, answer);
      expect(await desk.renew({ ...REGISTERED, socket: 3 }, attempt(1000))).toEqual(answer);
      expect(asked).toEqual(['socket renew 500']);
    }
  });

  test('without a socket, or with more to say than a frame may have, it is HTTP', async () => {
    const none = either(undefined, taken);
    await none.desk.register({}, attempt(1000));
    expect(none.asked).toEqual(['http register 1000']);
    const long = either(3, taken);
    await long.desk.register({ metadata: { x: 'ä'.repeat(40_000) } }, attempt(1000));
    expect(long.asked).toEqual(['http register 1000']);
  });
});
