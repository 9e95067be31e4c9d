import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyPluginCallback } from 'fastify';

/** Answers by itself what is asked below a path. */
export interface RawHandler {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** The embedded OpenID provider of development mode, below `/oidc`. It is there once the server listens. */
export const oidcRoutes =
  (
    provider: () => Promise<RawHandler> | undefined,
    log: { error(fields: object, message: string): void },
  ): FastifyPluginCallback =>
  (app, _options, done) => {
    app.removeAllContentTypeParsers();
    // Left in the request, for the provider to read.
    app.addContentTypeParser('*', (_request, _body, parsed) => parsed(null));
    for (const method of ['GET', 'POST', 'OPTIONS'] as const) {
      app.route({
        method,
        url: '/oidc/*',
        exposeHeadRoute: false,
        config: { action: 'session.use', credentials: 'none' },
        schema: { hide: true },
        handler: (request, reply) => {
          reply.hijack();
          const { raw: response } = reply;
          const fail = (error: unknown): void => {
            log.error({ err: error, requestId: request.id }, 'the development provider failed');
            if (!response.headersSent) response.writeHead(500);
            response.end();
          };
          const open = provider();
          if (open === undefined) return void response.writeHead(503, { 'retry-after': '1' }).end();
          open.then((ready) => ready.handle(request.raw, response)).catch(fail);
        },
      });
    }
    done();
  };
