import { FastifyOtelInstrumentation } from '@fastify/otel';
import type { Span, TracerProvider } from '@opentelemetry/api';
import type { FastifyPluginCallback, FastifyRequest, RouteOptions } from 'fastify';
import type { Traceparent } from '../domain/trace.ts';
import { traceparentOf } from './context.ts';

/**
 * Routes that read or change what Signalbox keeps. Left out are those that are asked all the time and say nothing (health,
 * metrics, renewals, documentation), those whose answer does not end (watches), and logging in.
 */
const TRACED = /^(?:catalog|instance|token|coverage|log|audit)\.|^feed\.subscribers$/;

export const isTraced = (action: string | undefined, url: string): boolean =>
  action !== undefined && TRACED.test(action) && !url.endsWith('/renew');

/** A span for each request to a route that is traced; to be registered before the routes are. Sets `request.trace`. */
export function requestTraces(provider: TracerProvider): FastifyPluginCallback {
  const instrumentation = new FastifyOtelInstrumentation({
    // One span a request: hooks and handlers would be as many again, and say nothing that the request does not.
    instrumentHooks: false,
    instrumentHandler: false,
    recordExceptions: false,
    // Without it, a variable of the environment would decide.
    ignorePaths: () => false,
    requestHook: (span: Span, request: FastifyRequest & { trace?: Traceparent | undefined }) => {
      const { url } = request.routeOptions;
      span.updateName(url === undefined ? request.method : `${request.method} ${url}`);
      request.trace = traceparentOf(span.spanContext());
    },
  });
  instrumentation.setTracerProvider(provider);
  const inner = instrumentation.plugin();
  const plugin: FastifyPluginCallback = (app, _options, done) => {
    app.addHook('onRoute', (route: RouteOptions) => {
      const { action } = (route.config ?? {}) as { readonly action?: string };
      if (!isTraced(action, route.url)) route.config = { ...route.config, otel: false };
    });
    inner(app, {}, done);
  };
  // The hooks are for the routes of everybody, not of this plugin.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}
