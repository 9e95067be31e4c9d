import { choice, duration, durationOrOff, flag, integer, matching, size, type Unit } from '../../config-units.ts';
import type { BalanceName } from '../../sdk/discovery/options.ts';
import { optional, required } from './setting.ts';
import { issuers, networks, origin, origins, pairs, paths, routes, serviceId, urls } from './units.ts';

const S = 1000;
const KIB = 1024;

const host = matching('a host name or an address', /^[a-zA-Z0-9.:_-]{1,253}$/);
const file = matching('the path of a file', /^[^\0]+$/);
const text = matching('1 to 63 letters, digits, dots, dashes and underscores', /^[a-zA-Z0-9._-]{1,63}$/);
const header = matching('the name of a header', /^[!#$&'*+.^_`|~0-9A-Za-z-]{1,100}$/);
const path = matching('a path such as /health', /^\/[^\s?#]*$/);
const port = integer(0, 65_535);

/** Every setting, once: `SidecarConfig`, docs/sidecar.md and the error messages are made of this. */
export const SETTINGS = {
  urls: required({
    path: 'signalbox.urls',
    unit: urls,
    default: ['http://127.0.0.1:4400'],
    description: 'Where Signalbox is: one node, or several, of which one that answers is used.',
  }),
  tokenFile: optional({
    path: 'signalbox.tokenFile',
    unit: file,
    otherwise: 'no token, or that in `SIGNALBOX_TOKEN`',
    description: 'A file with the access token or registration token for Signalbox; read again at each connection.',
  }),
  allowHttp: required({
    path: 'signalbox.allowHttp',
    unit: flag,
    default: false,
    description: 'Whether the token goes to other machines without TLS.',
  }),
  directory: optional({
    path: 'signalbox.directory',
    unit: file,
    otherwise: 'nothing is kept',
    description:
      'A directory for copies of what is known, so that the sidecar starts and routes while Signalbox is away.',
  }),
  maxAge: required({
    path: 'signalbox.maxAge',
    unit: durationOrOff('1s', '8760h'),
    default: 'off',
    description: 'Instances that were last known to be current longer ago are not called. off: they always are.',
  }),
  environment: optional({
    path: 'environment',
    unit: text,
    otherwise: 'none: services of all environments are called',
    description:
      'The environment of the backend, and of the services that it calls, unless a route or header says otherwise.',
  }),
  region: optional({
    path: 'region',
    unit: text,
    otherwise: 'none',
    description: 'The region in which the backend is registered.',
  }),
  logLevel: required({
    path: 'log.level',
    unit: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    description:
      'From which level on lines are logged, as JSON to standard output. /adm/logger changes it while the sidecar runs.',
  }),
  egressEnabled: required({
    path: 'egress.enabled',
    unit: flag,
    default: true,
    description: 'Whether the backend calls services through the sidecar.',
  }),
  egressHost: required({
    path: 'egress.host',
    unit: host,
    default: '127.0.0.1',
    description: 'Address on which the backend calls services. Who reaches it can call all of them.',
  }),
  egressAllowRemote: required({
    path: 'egress.allowRemote',
    unit: flag,
    default: false,
    description: 'Whether egress.host may be an address that other machines reach.',
  }),
  egressLocalOnly: required({
    path: 'egress.localOnly',
    unit: flag,
    default: true,
    description:
      'With egress.host on loopback, requests whose Host, or Origin, is elsewhere are refused: they are of web pages. false where the backend passes such headers on.',
  }),
  egressPort: required({
    path: 'egress.port',
    unit: port,
    default: 4480,
    description: 'Its port; 0 takes a free one.',
  }),
  egressTlsCert: optional({
    path: 'egress.tlsCert',
    unit: file,
    otherwise: 'plain text; HTTP/1.1 and HTTP/2 on the same port',
    description: 'A PEM file: calls come over TLS.',
  }),
  egressTlsKey: optional({
    path: 'egress.tlsKey',
    unit: file,
    otherwise: 'plain text',
    description: 'A PEM file with the key of egress.tlsCert.',
  }),
  routes: required({
    path: 'egress.routes',
    unit: routes,
    default: [],
    description:
      'Which path prefix is for which service; the longest that fits counts. Their instances are looked after from the start.',
  }),
  byHeader: required({
    path: 'egress.byHeader',
    unit: flag,
    default: true,
    description: 'Whether the headers service_id (or service-id), env_tag and service_url say where a request goes.',
  }),
  maxNamed: required({
    path: 'egress.maxNamed',
    unit: integer(1, 10_000),
    default: 100,
    description:
      'Services that only headers name, and that are looked after at a time; those that were used last stay.',
  }),
  allowedHosts: required({
    path: 'egress.allowedHosts',
    unit: origins,
    default: [],
    description: 'Addresses that service_url may name although they are no instances. Nothing else is called (SEC4).',
  }),
  keyHeader: optional({
    path: 'egress.keyHeader',
    unit: header,
    otherwise: 'none',
    description:
      'Requests with the same value of this header go to the same instance, with egress.balance consistent-hash.',
  }),
  balance: required<BalanceName>({
    path: 'egress.balance',
    unit: choice(['round-robin', 'weighted', 'least-outstanding', 'p2c', 'consistent-hash']),
    default: 'p2c',
    description: 'How an instance is chosen.',
  }),
  timeout: required({
    path: 'egress.timeout',
    unit: duration('10ms', '1h'),
    default: 30 * S,
    description:
      'How long all attempts may take until an answer begins; while the body of the request moves, no time passes.',
  }),
  retries: required({
    path: 'egress.retries',
    unit: integer(0, 10),
    default: 2,
    description: 'Attempts after the first, on other instances, for what may be repeated.',
  }),
  recycleRequests: required({
    path: 'egress.recycleRequests',
    unit: integer(1, 1_000_000_000),
    default: 1_000_000,
    description: 'Requests after which a connection to an instance is replaced, less a part at random.',
  }),
  recycleAge: required({
    path: 'egress.recycleAge',
    unit: duration('1s', '168h'),
    default: 3600 * S,
    description: 'Age at which a connection to an instance is replaced, less a part at random.',
  }),
  ingressService: optional({
    path: 'ingress.service',
    unit: serviceId,
    otherwise: 'no ingress: nothing is registered',
    description: 'The service that the backend is an instance of.',
  }),
  ingressApiId: optional({
    path: 'ingress.apiId',
    unit: text,
    otherwise: 'only scopes made of ingress.service count beside admin',
    description:
      'The short id of its API in the catalog: tokens with the scope {apiId}.admin may use the admin endpoints.',
  }),
  ingressHost: required({
    path: 'ingress.host',
    unit: host,
    default: '0.0.0.0',
    description: 'Address on which others call the backend.',
  }),
  ingressPort: required({
    path: 'ingress.port',
    unit: port,
    default: 4481,
    description: 'Its port; 0 takes a free one.',
  }),
  ingressTlsCert: optional({
    path: 'ingress.tlsCert',
    unit: file,
    otherwise: 'plain text',
    description: 'A PEM file: others call over TLS, and the registered protocol is https.',
  }),
  ingressTlsKey: optional({
    path: 'ingress.tlsKey',
    unit: file,
    otherwise: 'plain text',
    description: 'A PEM file with the key of ingress.tlsCert.',
  }),
  backend: required({
    path: 'ingress.backend',
    unit: origin,
    default: 'http://127.0.0.1:8080',
    description: 'Where the backend listens.',
  }),
  backendHealth: optional({
    path: 'ingress.healthPath',
    unit: path,
    otherwise: 'a connection to its port is enough',
    description: 'What of the backend answers 2xx while it is healthy.',
  }),
  healthInterval: required({
    path: 'ingress.healthInterval',
    unit: duration('50ms', '10m'),
    default: 2 * S,
    description: 'From one look at the backend to the next.',
  }),
  healthTimeout: required({
    path: 'ingress.healthTimeout',
    unit: duration('10ms', '1m'),
    default: 2 * S,
    description: 'How long a look may take.',
  }),
  unhealthyAfter: required({
    path: 'ingress.unhealthyAfter',
    unit: integer(1, 100),
    default: 3,
    description: 'Looks in a row that fail before the backend is deregistered. The first good one registers it again.',
  }),
  backendTimeout: required({
    path: 'ingress.timeout',
    unit: duration('10ms', '1h'),
    default: 60 * S,
    description:
      'How long the backend may take until its answer begins; while the body of the request moves, no time passes.',
  }),
  keepAlive: required({
    path: 'ingress.keepAlive',
    unit: duration('100ms', '10m'),
    default: 4 * S,
    description:
      'How long an unused connection to the backend is kept: less than the backend keeps it, or requests meet its end.',
  }),
  trustedPeers: required({
    path: 'ingress.trustedPeers',
    unit: networks,
    default: [],
    description:
      'Who is believed what it says in x-forwarded-for, -proto, -host, forwarded and the like. What others say there is replaced or dropped.',
  }),
  registeredAddress: optional({
    path: 'ingress.registeredAddress',
    unit: host,
    otherwise: 'POD_IP, STATUS_HOST_IP, or the address of the route to Signalbox',
    description: 'Where others reach the ingress.',
  }),
  registeredPort: optional({
    path: 'ingress.registeredPort',
    unit: integer(1, 65_535),
    otherwise: 'ingress.port',
    description: 'Its port as others see it.',
  }),
  version: optional({
    path: 'ingress.version',
    unit: text,
    otherwise: 'none',
    description: 'The version of the backend, as registered.',
  }),
  weight: required({
    path: 'ingress.weight',
    unit: integer(0, 65_535),
    default: 1,
    description: 'Its share of the calls beside other instances.',
  }),
  tags: required({ path: 'ingress.tags', unit: pairs, default: {}, description: 'Tags that it is registered with.' }),
  check: required({
    path: 'ingress.check',
    unit: choice(['ttl', 'http']),
    default: 'ttl',
    description:
      'ttl: the sidecar renews a lease. http: Signalbox asks the sidecar for /health/{serviceId}, which is open then.',
  }),
  lease: optional({
    path: 'ingress.lease',
    unit: duration('1s', '1h'),
    otherwise: "15 s, the client library's own",
    description:
      'With ingress.check ttl: how long after the last sign of life of the sidecar Signalbox gives the instance up.',
  }),
  guarded: required({
    path: 'ingress.guarded',
    unit: paths,
    default: ['/adm', '/actuator'],
    description: 'Paths that only bearers of an admin token reach, with all below them. /adm always is.',
  }),
  issuers: required({
    path: 'admin.issuers',
    unit: issuers,
    default: [],
    description: 'Whose tokens let their bearers use the admin endpoints. Without one, nobody is let in.',
  }),
  development: required({
    path: 'admin.development',
    unit: flag,
    default: false,
    description:
      'Lets programs on this machine use the admin endpoints without a token; ingress.host must be loopback.',
  }),
  forwardToken: required({
    path: 'admin.forwardToken',
    unit: flag,
    default: false,
    description: 'Whether the backend sees the token of an admin request.',
  }),
  passThrough: required({
    path: 'admin.passThrough',
    unit: flag,
    default: true,
    description: 'Whether X-Adm-PassThrough: true takes logger requests to the backend.',
  }),
  actuator: required({
    path: 'admin.actuator',
    unit: flag,
    default: false,
    description: 'The backend is of Spring Boot: logger requests go to its /actuator/loggers.',
  }),
  metricsEnabled: required({
    path: 'metrics.enabled',
    unit: flag,
    default: true,
    description: 'Whether /metrics is served, on a port of its own.',
  }),
  metricsHost: required({
    path: 'metrics.host',
    unit: host,
    default: '127.0.0.1',
    description: 'Address on which /metrics is served, for everybody who reaches it.',
  }),
  metricsPort: required({
    path: 'metrics.port',
    unit: port,
    default: 4482,
    description: 'Its port; 0 takes a free one.',
  }),
  maxConnections: required({
    path: 'limits.connections',
    unit: integer(1, 1_000_000),
    default: 10_000,
    description: 'Connections to each of the two listeners; further ones are closed.',
  }),
  maxHeaderBytes: required({
    path: 'limits.headerBytes',
    unit: size('1KiB', '1MiB'),
    default: 16 * KIB,
    description: 'Header of a request.',
  }),
  headersTimeout: required({
    path: 'limits.headersTimeout',
    unit: duration('100ms', '10m'),
    default: 10 * S,
    description: 'How long the header of a request may take to arrive.',
  }),
  settle: required({
    path: 'shutdown.settle',
    unit: duration('0ms', '5m'),
    default: 2 * S,
    description: 'After it was deregistered, the sidecar goes on for so long, so that callers notice.',
  }),
  drain: required({
    path: 'shutdown.drain',
    unit: duration('0ms', '10m'),
    default: 20 * S,
    description: 'Then it takes no new connections, and what is under way has so long to end.',
  }),
} as const;

type Settings = typeof SETTINGS;
type ValueOf<T> = T extends { readonly unit: Unit<infer V> } ? V : never;

/** All settings, read. Durations are milliseconds, sizes bytes. */
export type SidecarConfig = {
  readonly [K in keyof Settings]: Settings[K] extends { readonly default: unknown }
    ? ValueOf<Settings[K]>
    : ValueOf<Settings[K]> | undefined;
};
