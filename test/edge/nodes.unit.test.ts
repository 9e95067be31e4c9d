import { expect, test } from '@jest/globals';
import type { ClusterStatus, NodesReport } from '../../src/cluster/status.ts';
import { openEdge } from './harness.ts';

const NODES: NodesReport = {
  term: 3,
  nodes: [
    {
      id: 'n1',
      name: 'a',
      version: '0.2.0',
      startedAt: '2030-01-01T00:00:00.000Z',
      heardAt: '2030-01-01T00:00:01.000Z',
      live: true,
      member: true,
      self: true,
      ready: true,
    },
  ],
};
const WRONG = { mode: 'bus-away', since: '2030-01-01T00:00:00.000Z', detail: 'x' } as const;

const status = (more: Partial<ClusterStatus>): ClusterStatus => ({
  ready: true,
  draining: false,
  degraded: [],
  nodes: () => NODES,
  ...more,
});

test('GET /v1/nodes answers who serves, and takes no parameters', async () => {
  const { app } = await openEdge({ cluster: status({}) });
  expect((await app.inject('/v1/nodes')).json()).toEqual(NODES);
  expect((await app.inject('/v1/nodes?x=1')).statusCode).toBe(400);
  await app.close();
});

test('/readyz says what is wrong while the node goes on', async () => {
  const { app } = await openEdge({ cluster: status({ degraded: [WRONG] }) });
  const answer = await app.inject('/readyz');
  expect([answer.statusCode, answer.json().degraded]).toEqual([200, [WRONG]]);
  await app.close();
});

test('a node that shuts down is not ready, says why, and answers requests all the same', async () => {
  const { app } = await openEdge({ cluster: status({ ready: false, draining: true }) });
  const answer = await app.inject('/readyz');
  expect(answer.statusCode).toBe(503);
  expect(answer.json()).toEqual({ ready: false, draining: true });
  expect(answer.headers['retry-after']).toBe('1');
  expect((await app.inject('/v1/regions')).statusCode).toBe(200);
  await app.close();
});
