import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { encoded } from './admin/answers.ts';
import { isSpared } from './admin/routes.ts';
import { createKit, type Kit } from './kit.ts';
import { Membership, type MembershipOptions, type Registrar } from './membership.ts';
import { boundTo } from './node/bound-to.ts';
import { drain } from './node/drain.ts';
import { adminRequest, pathOf } from './node/request.ts';
import { onEndSignal } from './node/signals.ts';
import type { KitOptions } from './options.ts';
import { Publication, type Publisher, type PublishedApi } from './publication.ts';
import type { RegisteredInstance } from '../sdk/api.ts';
import { UNSENT_HEADER } from '../sdk/calling/retry.ts';
import { SignalboxError } from '../sdk/errors.ts';
import { connect } from '../sdk/index.ts';
import { askToLeave } from '../sdk/registration/close-server.ts';
import type { ConnectOptions } from '../sdk/options.ts';

export type { InfoOptions } from './admin/server-info.ts';
export type { GuardOptions } from './guard.ts';
export type { IssuerOptions } from './guard/tokens.ts';
export type { ReadinessOptions } from './health/readiness.ts';
export type { KitOptions, MembershipOptions };

/** What the plugin needs to know: `serviceId` alone has to be there. */
export interface FastifyKitOptions extends KitOptions, MembershipOptions {
  /** What registers the service, made by `connect` of `signalbox/client`. Default: `connect`'s, or none: then it has the endpoints alone. */
  readonly client?: Registrar & Partial<Publisher>;
  /** In place of a client: a connection of the service's own, with these options. `{}` is one as the environment has it. */
  readonly connect?: ConnectOptions;
  /** Whether the client is closed once the app is. Default: true. */
  readonly closeClient?: boolean;
  /**
   * Whether SIGTERM and SIGINT close the app, so that it deregisters and drains; a second signal ends the process at once. Default: false.
   */
  readonly signals?: boolean;
  /**
   * Publishes the OpenAPI document of an API version to the catalog once the service is registered, such as
   * `{ version: 'v1', document: () => app.swagger() }`. It is tried until it is there, and keeps nothing from starting. Default: none is.
   */
  readonly publish?: PublishedApi;
  /**
   * Called when the service cannot be registered at its start, unless `startOnRegistryFailure`; the app is closed before. Default:
   * `process.exitCode` is set to 1, so that the process, which has nothing left to do, ends as one that has failed.
   */
  readonly onRegistryFailure?: (error: unknown) => void;
}

/** What the plugin adds to the app, as `app.signalbox`. */
export interface FastifyKit extends Pick<Kit, 'loggers' | 'readiness' | 'chaos'> {
  /** Undefined until Signalbox has it. */
  readonly instance: RegisteredInstance | undefined;
  /** Resolves once the app listens and is registered; at once where it is not to be. Rejects where it cannot be registered. */
  joined(): Promise<RegisteredInstance | undefined>;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly signalbox: FastifyKit;
  }
  interface FastifyContextConfig {
    /** Set on the endpoints of the kit, so that hooks of the app can leave them out (`request.routeOptions.config.signalbox`). */
    readonly signalbox?: boolean;
  }
}

const DRAIN_MS = 10_000;
const ALL = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const plugin: FastifyPluginAsync<FastifyKitOptions> = async (app, options) => {
  if (options.client !== undefined && options.connect !== undefined) {
    throw new SignalboxError('invalid-options', 'client and connect are one or the other.');
  }
  const client = options.client ?? (options.connect && connect({ log: app.log, ...options.connect }));
  const kit = createKit(options, {
    log: app.log,
    framework: `fastify ${app.version}`,
    close: () => close(app),
    plugins: () => registeredPlugins(app),
  });
  mount(app, kit);
  const membership = client && memberOf(app, options, client);
  const publication = publicationOf(app, options, client);
  const joined = join(app, kit, { membership, publication }, options);
  app.decorate('signalbox', {
    loggers: kit.loggers,
    readiness: kit.readiness,
    chaos: kit.chaos,
    get instance() {
      return membership?.instance;
    },
    joined: () => joined,
  });
  app.addHook('onClose', async () => {
    kit.close();
    if (options.closeClient !== false) await client?.close?.();
  });
};

/**
 * The plugin: `await app.register(signalbox, { serviceId })`. It adds the endpoints and `app.signalbox`, registers the service once the
 * app listens, and deregisters it before the app closes. Registering it rejects where the options make no sense.
 */
export const signalbox: FastifyPluginAsync<FastifyKitOptions> = Object.assign(plugin, {
  // Fastify would keep its hooks and `app.signalbox` from the rest of the app; this is what fastify-plugin sets.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'signalbox',
});

export default signalbox;

/** The endpoints are in a context of their own: bodies are read after the guard has been asked, and by nobody before. */
function mount(app: FastifyInstance, { admin, chaos }: Kit): void {
  const handle = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const answer = await admin.answer(adminRequest(request.raw, pathOf(request.raw.url)));
    const { headers, text } = encoded(answer);
    if (answer.after !== undefined) reply.raw.once('close', answer.after);
    return reply.code(answer.status).headers(headers).send(text);
  };
  void app.register(async (own) => {
    own.removeAllContentTypeParsers();
    own.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const route = { schema: { hide: true }, config: { signalbox: true }, handler: handle };
    for (const url of ['/adm', '/adm/*']) own.route({ ...route, method: [...ALL], url });
    own.route({ ...route, method: ['GET', 'HEAD'], url: '/health/:serviceId' });
  });
  app.addHook('onRequest', async (request) => {
    if (!chaos.active || request.is404 || isSpared(pathOf(request.raw.url))) return;
    if ((await chaos.strike()) === 'fail') throw new ChaosError();
  });
}

/** Goes the way of every error of the app: to its error handler, and into its log. */
class ChaosError extends Error {
  override readonly name = 'ChaosError';
  readonly statusCode = 500;

  constructor() {
    super('Chaos: the exception assault.');
  }
}

function memberOf(app: FastifyInstance, options: FastifyKitOptions, registrar: Registrar): Membership {
  const { environment, version } = options;
  const registration = {
    ...(environment !== undefined && { environment }),
    ...(version !== undefined && { version }),
    ...options.registration,
  };
  return new Membership({
    serviceId: options.serviceId,
    registrar,
    options: { ...options, registration },
    log: app.log,
    env: process.env,
  });
}

function publicationOf(
  app: FastifyInstance,
  { publish, serviceId }: FastifyKitOptions,
  client: Partial<Publisher> | undefined,
): Publication | undefined {
  if (publish === undefined) return undefined;
  const send = client?.publishDocument?.bind(client);
  if (send === undefined)
    throw new SignalboxError('invalid-options', 'publish needs a client that can: give client or connect.');
  return new Publication({ serviceId, publisher: { publishDocument: send }, api: publish, log: app.log });
}

function close(app: FastifyInstance): void {
  app.close().then(undefined, (error: unknown) => app.log.error({ err: error }, 'closing failed'));
}

interface Presence {
  readonly membership: Membership | undefined;
  readonly publication: Publication | undefined;
}

/** Registers once the app listens, and publishes then; deregisters before it closes. */
function join(
  app: FastifyInstance,
  kit: Kit,
  { membership, publication }: Presence,
  options: FastifyKitOptions,
): Promise<RegisteredInstance | undefined> {
  let resolve!: (instance: RegisteredInstance | undefined) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<RegisteredInstance | undefined>((...both) => ([resolve, reject] = both));
  // Who does not wait for it is told by the log and by the end of the app.
  promise.catch(() => {});
  let leaving = false;
  const leave = async (): Promise<void> => {
    leaving = true;
    kit.readiness.close();
    void publication?.stop();
    // Who cannot be told, because Signalbox is away, is not to send into a connection that is about to be closed.
    askToLeave(app);
    sayUnsent(app);
    await membership?.leave();
  };
  app.addHook('onListen', async () => {
    if (kit.warning !== undefined) app.log.warn(kit.warning);
    beforeClosing(app, leave);
    if (options.signals === true) closeAtSignal(app);
    try {
      resolve(await membership?.join(boundTo(app.server)));
      if (!leaving) publication?.start();
    } catch (error) {
      // Who closes it meanwhile has it stop trying; nothing failed.
      if (leaving) return resolve(undefined);
      app.log.fatal({ err: error }, `${options.serviceId} is not started: it cannot be registered`);
      reject(error);
      await app.close().catch((failed: unknown) => app.log.error({ err: failed }, 'closing failed'));
      (options.onRegistryFailure ?? (() => (process.exitCode = 1)))(error);
    }
  });
  app.addHook('preClose', async () => {
    await leave();
    resolve(undefined);
    drain(app.server, options.drainMs ?? DRAIN_MS);
  });
  return promise;
}

function closeAtSignal(app: FastifyInstance): void {
  const stop = onEndSignal((signal) => {
    app.log.info({ signal }, `${signal}: closing`);
    close(app);
  });
  app.server.once('close', stop);
}

/**
 * Fastify answers 503 from the moment it begins to close, before its own preClose hooks; callers who have not heard yet that the
 * instance is leaving would be failed. What avvio, its boot library, is told last to do at the end it does first, and before that.
 */
function beforeClosing(app: FastifyInstance, leave: () => Promise<void>): void {
  const { onClose } = app as unknown as { onClose?: (run: () => Promise<void>) => void };
  onClose?.call(app, leave);
}

/**
 * Once it closes, Fastify itself answers whatever comes with 503, before any route hears of it. What routes answered up to then they
 * have received, and who repeats it does it twice.
 */
function sayUnsent(app: FastifyInstance): void {
  const options = keptAt(app, 'fastify.options');
  const state = keptAt(app, 'fastify.state');
  if ('return503OnClosing' in options && options['return503OnClosing'] !== true) return;
  app.server.prependListener('request', (_request: unknown, response: Pick<ServerResponse, 'setHeader'>) => {
    if (state['closing'] === true) response.setHeader(UNSENT_HEADER, 'true');
  });
}

/** What Fastify keeps of an app under a symbol that has no public name; nothing where it does not. */
function keptAt(app: FastifyInstance, name: string): Readonly<Record<string, unknown>> {
  // An instance for a plugin has its app's as its prototype.
  for (let at: object | null = app; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const key = Object.getOwnPropertySymbols(at).find(({ description }) => description === name);
    if (key !== undefined) return (at as Readonly<Record<symbol, Readonly<Record<string, unknown>>>>)[key] ?? {};
  }
  return {};
}

/** Fastify's list of plugins that have a name; it has no public name itself. */
function registeredPlugins(app: FastifyInstance): readonly string[] {
  const names = (app as unknown as Readonly<Record<symbol, unknown>>)[Symbol.for('registered-plugin')];
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}
