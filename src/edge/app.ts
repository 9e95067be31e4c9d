import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { admission } from './admission.ts';
import type { EdgeDeps } from './deps.ts';
import { noteBeginnings } from './client-certificate.ts';
import { clientErrorHandler } from './client-error.ts';
import { EdgeLog } from './edge-log.ts';
import { decide, identify } from './identify.ts';
import { errorHandler, MAX_PARAM_LENGTH } from './error-handler.ts';
import { gateOf } from './gate.ts';
import { advisoryRoutes } from './http/advisories.ts';
import { catalogRoutes } from './http/catalog.ts';
import { coverageRoutes } from './http/coverage.ts';
import { discoveryRoutes } from './http/discovery.ts';
import { docsRoutes } from './http/docs.ts';
import { healthRoutes } from './http/health.ts';
import { nodeRoutes } from './http/nodes.ts';
import { instanceRoutes } from './http/instances.ts';
import { logRoutes } from './http/log.ts';
import { manifestRoutes } from './http/manifests.ts';
import { overrideRoutes } from './http/overrides.ts';
import { renewRoutes } from './http/renew.ts';
import { documentRoutes } from './openapi.ts';
import { namesOf } from './origin.ts';
import { validatorCompiler } from './query-validation.ts';
import { beforeLookUp, limitedNowhere } from './rate-limiting.ts';
import { requestIds } from './request-ids.ts';
import { RequestMetrics } from './request-metrics.ts';
import { RouteTable } from './route-table.ts';
import { Problem } from '../protocol/problem.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route with its action (SEC1). */
    readonly routeTable: RouteTable;
  }
}

const MAX_HEADER_BYTES = 16 * 1024;
const KEEP_ALIVE_MS = 72_000;
/** How often node looks for requests that have not arrived in time. */
const TIMEOUT_CHECK_MS = 2000;

/** The HTTP edge with all of its routes; `deps.plugins` come last. Rejects when a route declares no action (SEC1). */
export async function buildApp(deps: EdgeDeps): Promise<FastifyInstance> {
  const { config, logger } = deps;
  const onError = errorHandler(deps);
  const http = {
    headersTimeout: Math.min(10_000, Math.ceil(config.requestTimeout / 3)),
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Answered by the admission, as a problem that says what is missing.
    requireHostHeader: false,
  };
  const app = Fastify({
    // Fastify's own logger would cost each request a child logger and two listeners; what there is to say is said here.
    logController: new EdgeLog(logger),
    genReqId: requestIds(),
    requestIdHeader: false,
    bodyLimit: config.bodyMaxBytes,
    requestTimeout: config.requestTimeout,
    connectionTimeout: config.requestTimeout + KEEP_ALIVE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    ...(deps.tls === undefined ? { http } : { https: { ...http, ...deps.tls } }),
    clientErrorHandler: clientErrorHandler(logger),
    frameworkErrors: (error, request, reply) => {
      onError(error, request, reply);
    },
  });
  if (deps.access.certificates !== undefined) noteBeginnings(app.server, deps.access.certificates);
  const routes = new RouteTable();
  app.decorateRequest('trace');
  // First, since it puts its span around what every route does.
  if (deps.requestTraces !== undefined) await app.register(deps.requestTraces);
  app.decorate('routeTable', routes);
  app.decorate('gate', gateOf(deps.access, deps.state));
  app.decorateRequest('caller');
  app.decorateRequest('grant');
  app.decorateRequest('knownBy');
  app.decorateRequest('bodyService');
  app.decorateRequest('arrivedAt', 0);
  // Each scope says what it reads; where nothing does, a body is not even looked at.
  app.removeAllContentTypeParsers();
  app.setErrorHandler(onError);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  watchRoutes(app, deps, routes);
  app.setNotFoundHandler((request, reply) => notFound(deps, routes, request, reply));
  await documentRoutes(app, deps.version);
  healthRoutes(app, deps);
  nodeRoutes(app, deps);
  catalogRoutes(app, deps);
  manifestRoutes(app, deps);
  instanceRoutes(app, deps);
  renewRoutes(app, deps);
  discoveryRoutes(app, deps);
  overrideRoutes(app, deps);
  advisoryRoutes(app, deps);
  coverageRoutes(app, deps);
  logRoutes(app, deps);
  await docsRoutes(app);
  for (const plugin of deps.plugins ?? []) await app.register(plugin);
  routes.check();
  return app;
}

/** Gives every route, whoever registers it, its admission and its metrics; made once, so that a request only runs them. */
function watchRoutes(app: FastifyInstance, deps: EdgeDeps, routes: RouteTable): void {
  const metrics = new RequestMetrics(deps.metrics);
  // A hook that throws in a plugin of callback style would be nobody's to catch, so a fault waits until it is asked for.
  app.addHook('onReady', async () => {
    routes.check();
  });
  app.addHook('onRoute', (route) => {
    // The documentation plugin cannot be told to declare it.
    if (/^\/docs(?:\/|$)/.test(route.url)) route.config = { action: 'docs.read', ...route.config };
    const action = routes.add(route);
    if (action === undefined) return;
    const series = metrics.series(String(route.method), route.url);
    route.onRequest = [
      admission(deps, {
        action,
        method: String(route.method),
        url: route.url,
        credentials: route.config?.credentials,
      }),
      ...[route.onRequest ?? []].flat(),
    ];
    route.onSend = [
      (request, reply, payload, done): void => {
        const ms = performance.now() - request.arrivedAt;
        series.observe(reply.statusCode, ms / 1000);
        if (deps.logger.isLevelEnabled('debug')) logRequest(deps, request, reply, ms);
        done(null, payload);
      },
      ...[route.onSend ?? []].flat(),
    ];
  });
}

function logRequest({ logger }: EdgeDeps, request: FastifyRequest, reply: FastifyReply, ms: number): void {
  const { method, url } = request;
  logger.debug({ ...namesOf(request), method, url, status: reply.statusCode, ms }, 'answers a request');
}

async function notFound(
  { access, state, limits }: EdgeDeps,
  routes: RouteTable,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<never> {
  const found =
    (await identify(access, request, undefined, beforeLookUp(limits, 'read'))) ??
    decide(request, 'docs.read', undefined, state.view);
  const problem = limitedNowhere(limits)(request, found);
  if (problem !== undefined) throw problem;
  const path = request.url.split('?')[0] ?? '';
  const methods = routes.methodsAt(path);
  if (methods.length === 0)
    throw new Problem('unknown-path', `Nothing lives at ${JSON.stringify(path.slice(0, 400))}; / lists what is where.`);
  reply.header('allow', methods.join(', '));
  throw new Problem('method-not-allowed', `${request.method} is not taken here; there are ${methods.join(', ')}.`);
}
