import { seenBy } from '../seen.ts';
import { Type } from 'typebox';
import type { FastifyInstance } from 'fastify';
import { belongs } from '../../auth/caller.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, json, JsonObject } from '../openapi.ts';
import { DEGRADED } from './nodes.ts';

const READY = Type.Object({
  ready: Type.Boolean(),
  draining: Type.Optional(Type.Boolean({ description: 'With 503: the node shuts down.' })),
  epoch: Type.Optional(Type.String()),
  revision: Type.Optional(Type.Integer()),
  resources: Type.Optional(Type.Integer({ description: 'That the caller may see.' })),
  degraded: Type.Optional(DEGRADED),
});

/** Whether the process lives, whether it can serve, and its numbers. */
export function healthRoutes(
  app: FastifyInstance,
  { state, metrics, cluster }: Pick<EdgeDeps, 'state' | 'metrics' | 'cluster'>,
): void {
  app.route({
    method: 'GET',
    url: '/livez',
    config: { action: 'health.read' },
    schema: {
      operationId: 'GetLiveness',
      tags: ['operations'],
      summary: 'Whether the process lives',
      response: answers({ 200: JsonObject('The process lives.') }),
    },
    handler: (_request, reply) => {
      sendJson(reply, '{"status":"ok"}');
    },
  });
  app.route({
    method: 'GET',
    url: '/readyz',
    config: { action: 'health.read' },
    schema: {
      operationId: 'GetReadiness',
      tags: ['operations'],
      summary: 'Whether the catalog is loaded and requests are answered',
      description:
        'Answers 503 until the catalog is loaded (PUSH7), while the node shuts down, and while its view is loaded anew because it was not what the database holds. Who may read the catalog sees the revision, the number of resources, and in `degraded` what is wrong with the node while it goes on.',
      response: answers({ 200: json('Ready.', READY), 503: json('Not ready.', READY) }),
    },
    handler: (request, reply) => {
      const { ready, draining, degraded } = cluster;
      const { head, view } = state;
      if (!ready)
        sendJson(reply.code(503).header('retry-after', 1), JSON.stringify({ ready, ...(draining && { draining }) }));
      else if (request.caller.kind === 'registrar' || !belongs(request.caller, view)) sendJson(reply, '{"ready":true}');
      else {
        const { epoch, revision } = head;
        const resources = seenBy(request, state).size;
        sendJson(reply, JSON.stringify({ ready, epoch, revision, resources, degraded }));
      }
    },
  });
  app.route({
    method: 'GET',
    url: '/metrics',
    config: { action: 'metrics.read' },
    schema: {
      operationId: 'GetMetrics',
      tags: ['operations'],
      summary: 'Metrics in the text format of Prometheus',
      response: { 200: { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } } },
    },
    handler: async (_request, reply) => reply.header('content-type', metrics.contentType).send(await metrics.metrics()),
  });
}
