import { seenBy } from '../seen.ts';
import type { FastifyInstance } from 'fastify';
import { belongs } from '../../auth/caller.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, JsonObject } from '../openapi.ts';

/** Whether the process lives, whether it can serve, and its numbers. */
export function healthRoutes(app: FastifyInstance, { state, metrics }: Pick<EdgeDeps, 'state' | 'metrics'>): void {
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
        'Answers 503 with the same body until the catalog is loaded (PUSH7). A server that shuts down takes no connections.',
      response: answers({ 200: JsonObject('Ready.'), 503: JsonObject('Not ready.') }),
    },
    handler: (request, reply) => {
      const { ready, head, view } = state;
      if (!ready) sendJson(reply.code(503).header('retry-after', 1), '{"ready":false}');
      else if (!belongs(request.caller, view)) sendJson(reply, '{"ready":true}');
      else
        sendJson(
          reply,
          JSON.stringify({ ready, epoch: head.epoch, revision: head.revision, resources: seenBy(request, state).size }),
        );
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
