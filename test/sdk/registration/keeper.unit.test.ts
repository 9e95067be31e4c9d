import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { HttpDesk } from '../../../src/sdk/registration/http-desk.ts';
import { Keeper } from '../../../src/sdk/registration/keeper.ts';
import { KeepPlan, type Step } from '../../../src/sdk/registration/plan.ts';
import { until } from '../../acceptance/until.ts';
import { AnsweringServer, problem } from '../../cli/terminal.ts';

const ID = '3f1c0e9ab2d44c5e8f7a6b21';
const server = new AnsweringServer();
beforeAll(() => server.start());
afterAll(() => server.stop());
beforeEach(() => {
  server.reset();
  server.answers['POST /v1/instances'] = (reply) =>
    reply.code(201).send({ id: ID, generation: 4, detectionBound: '20s' });
  server.answers[`DELETE /v1/instances/${ID}`] = () => ({ deleted: true });
});

/** The same steps, without the waiting in between. */
class Hasty extends KeepPlan {
  override next(...args: Parameters<KeepPlan['next']>): Step {
    return { ...super.next(...args), afterMs: 1 };
  }
}

/** What is asked of the server for an instance that Signalbox checks itself, until it was asked so often. */
async function asked(times: number): Promise<string[]> {
  const said: string[] = [];
  const keeper = new Keeper({
    desk: new HttpDesk({ urls: [server.url], token: () => undefined }),
    plan: new Hasty({ waitMs: undefined }),
    registration: { check: { type: 'tcp' } },
    attemptMs: () => 5000,
    onSay: (say) => void said.push(say),
    onFailure: (error) => void said.push(String(error)),
  });
  keeper.start();
  await until('the requests', () => server.seen.length >= times);
  await keeper.stop();
  return [...new Set(said), ...server.seen.slice(0, times).map(({ method, url }) => `${method} ${url}`)];
}

test('SEC1 without a lease it asks by a renewal, which needs no right to read', async () => {
  server.answers[`POST /v1/instances/${ID}/renew`] = (reply) => reply.code(204).send();
  const renew = `POST /v1/instances/${ID}/renew`;
  expect(await asked(3)).toEqual(['registered', 'POST /v1/instances', renew, renew]);
  expect(server.seen[1]?.body).toEqual({ generation: 4 });
});

test('a node that keeps no leases is asked by reading', async () => {
  server.answers[`POST /v1/instances/${ID}/renew`] = (reply) => problem(reply, 503, 'health-checks-off', {});
  server.answers[`GET /v1/instances/${ID}`] = () => ({});
  const look = [`POST /v1/instances/${ID}/renew`, `GET /v1/instances/${ID}`];
  expect(await asked(5)).toEqual(['registered', 'POST /v1/instances', ...look, ...look]);
});

test('what is gone is registered again', async () => {
  expect(await asked(4)).toEqual([
    'registered',
    'lost',
    'registered-again',
    'POST /v1/instances',
    `POST /v1/instances/${ID}/renew`,
    'POST /v1/instances',
    `POST /v1/instances/${ID}/renew`,
  ]);
});
