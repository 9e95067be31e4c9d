import { Type } from 'typebox';
import type { FastifyInstance } from 'fastify';
import { MODES } from '../../cluster/conditions.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, json, NO_QUERY } from '../openapi.ts';

const optional = Type.Optional;
const count = (description: string) => optional(Type.Integer({ minimum: 0, description }));

/** Of a node, and in the detail of `/readyz`. */
export const DEGRADED = Type.Array(
  Type.Object({
    mode: Type.Enum(Object.keys(MODES), { description: 'docs/operations.md has a page for each.' }),
    since: Type.String({ format: 'date-time' }),
    detail: Type.String({ description: 'What it means, in a sentence.' }),
  }),
  { description: 'What is wrong with the node while it goes on; empty when nothing is.' },
);

const NODE = Type.Object({
  id: Type.String({ description: 'Of the process: another one after each start.' }),
  name: Type.String({ description: 'NODE_NAME, or the name of the host.' }),
  version: Type.String({ description: 'Of Signalbox.' }),
  startedAt: Type.String({ format: 'date-time' }),
  heardAt: Type.String({
    format: 'date-time',
    description: 'When it was last heard of, by the clock of the database.',
  }),
  live: Type.Boolean({ description: 'Whether it was heard of within NODE_TIMEOUT.' }),
  member: Type.Boolean({ description: 'Whether it has a share of the leases and checks of instances.' }),
  self: Type.Boolean({ description: 'Whether it is the one that answers.' }),
  ready: optional(Type.Boolean({ description: 'Whether requests are to be sent to it.' })),
  draining: optional(Type.Boolean({ description: 'Whether it shuts down.' })),
  degraded: optional(DEGRADED),
  epoch: optional(Type.String()),
  revision: count('Of its view.'),
  watchers: count('Open watch sockets and streams.'),
  subscriptions: count('Subscriptions on them.'),
  instances: count('Instances whose leases it keeps or that it checks.'),
});

const NODES = Type.Object({
  term: Type.Integer({
    minimum: 0,
    description: 'Of the membership: grows with every change of who shares the work. 0 with the embedded database.',
  }),
  nodes: Type.Array(NODE, { description: 'Those that were heard of within the last hour, in order of their ids.' }),
});

/** `GET /v1/nodes`: who serves this database, and how they are. */
export function nodeRoutes(app: FastifyInstance, { cluster }: Pick<EdgeDeps, 'cluster'>): void {
  app.route({
    method: 'GET',
    url: '/v1/nodes',
    config: { action: 'node.read' },
    schema: {
      operationId: 'ListNodes',
      tags: ['operations'],
      summary: 'The nodes that serve this database, and how they are',
      description:
        'As this node last heard of them, at most NODE_HEARTBEAT ago while the database is there. What other nodes say about themselves is as old as their `heardAt`.',
      querystring: NO_QUERY,
      response: answers({ 200: json('The nodes.', NODES) }),
    },
    handler: (_request, reply) => {
      sendJson(reply, JSON.stringify(cluster.nodes()));
    },
  });
}
