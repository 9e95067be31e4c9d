import { readIssuers, type Issuer } from './auth/issuer.ts';
import { isSecureUrl } from './auth/read-settings.ts';
import {
  atMost,
  choice,
  duration,
  durationOrOff,
  flag,
  headers,
  integer,
  matching,
  networks,
  rate,
  share,
  size,
  url,
  type Unit,
} from './config-units.ts';
import { readRedisUrl } from './redis/url.ts';

export interface Setting<T> {
  readonly env: string;
  readonly unit: Unit<T>;
  readonly description: string;
  readonly default?: T;
  /** What happens when it is not set, where no single value says it. */
  readonly otherwise?: string;
  /** Its value is never written to logs or error messages. */
  readonly secret?: true;
}

const required = <T>(setting: Setting<T> & { readonly default: T }): Setting<T> & { readonly default: T } => setting;
const optional = <T>(
  setting: Setting<T> & { readonly otherwise: string },
): Setting<T> & { readonly otherwise: string } => setting;

/** A list in JSON, since what there is to say about an issuer fits no other form of a variable. */
const issuers: Unit<readonly Issuer[]> = {
  expects: 'a list of issuers in JSON, as docs/access.md describes them',
  read: (text) => {
    const read = readIssuers(text);
    return read.ok ? read.issuers : undefined;
  },
  fault: (text) => {
    const read = readIssuers(text);
    return read.ok ? undefined : read.fault;
  },
  write: (value) => JSON.stringify(value),
};

const redisUrl: Unit<string> = {
  expects:
    'a URL that begins with redis:// or rediss://, or redis+sentinel:// (hosts between commas, and /master-name at the end) or redis+cluster:// (hosts between commas)',
  read: (text) => (readRedisUrl(text).ok ? text : undefined),
  fault: (text) => {
    const read = readRedisUrl(text);
    return read.ok ? undefined : read.fault;
  },
  write: String,
};

const filePath = matching('the path of a file', /^[^\0]+$/);
/** An origin: browsers give cookies to hosts, not to paths. */
const publicUrl: Unit<string> = {
  expects: 'an https:// URL without a path, such as https://signalbox.example.com; on this machine, http:// will do',
  read: (text) =>
    isSecureUrl(text) && new URL(text).origin === text.replace(/\/$/, '') ? new URL(text).origin : undefined,
  write: String,
};

const S = 1000;
const KIB = 1024;
const MIB = 1024 * KIB;

/** Every setting, once: `.env.example`, docs/settings.md, `Config` and its error messages are made of this. */
export const SETTINGS = {
  host: required({
    env: 'HOST',
    unit: matching('a host name or an address', /^[a-zA-Z0-9.:_-]{1,253}$/),
    default: '127.0.0.1',
    description: 'Address to listen on. Without OIDC_ISSUERS only loopback addresses are taken.',
  }),
  port: required({
    env: 'PORT',
    unit: integer(0, 65_535),
    default: 4400,
    description: 'TCP port to listen on; 0 takes a free one.',
  }),
  oidcIssuers: optional({
    env: 'OIDC_ISSUERS',
    unit: issuers,
    otherwise: 'development mode: loopback only, with an OpenID provider of its own',
    // It may hold the secrets of clients.
    secret: true,
    description:
      'The OpenID providers whose access tokens are taken, such as [{"issuer":"https://login.example.com","audience":"signalbox","admins":["platform"],"readers":"*"}].',
  }),
  jwksRefresh: required({
    env: 'JWKS_REFRESH',
    unit: duration('1s', '24h'),
    default: 300 * S,
    description:
      'How often the keys of issuers are read anew. Tokens that were signed with a withdrawn key are refused after this; a new key is looked for at once.',
  }),
  registrationTokenMaxAge: required({
    env: 'REGISTRATION_TOKEN_MAX_AGE',
    unit: duration('1h', '87600h'),
    default: 365 * 24 * 3600 * S,
    description: 'The longest that a registration token of a service may be good (docs/access.md).',
  }),
  developmentAccess: required({
    env: 'DEVELOPMENT_ACCESS',
    unit: choice(['open', 'login']),
    default: 'open',
    description:
      'In development mode: open makes whoever brings neither token nor session the administrator; login lets nobody in who does not, and asks the people of the embedded provider for their password. Not used with OIDC_ISSUERS.',
  }),
  publicUrl: optional({
    env: 'PUBLIC_URL',
    unit: publicUrl,
    otherwise: 'the address that it listens on, which has to be loopback where people log in',
    description:
      'Where browsers reach Signalbox. The redirect URI of its client at an issuer is this with /login/callback.',
  }),
  sessionMaxAge: required({
    env: 'SESSION_MAX_AGE',
    unit: duration('1m', '720h'),
    default: 8 * 3600 * S,
    description: 'A session of a browser ends so long after logging in, however much it is used.',
  }),
  sessionIdleTime: required({
    env: 'SESSION_IDLE_TIME',
    unit: duration('1m', '720h'),
    default: 3600 * S,
    description: 'A session ends when no request came with it for so long. An open stream does not count.',
  }),
  dataDir: required({
    env: 'DATA_DIR',
    unit: matching('a path', /^[^\0]+$/),
    default: './data',
    description:
      'Directory of the embedded database, and of the keys and secrets of development mode. Not used with both DATABASE_URL and OIDC_ISSUERS.',
  }),
  databaseUrl: optional({
    env: 'DATABASE_URL',
    unit: url(['postgres:', 'postgresql:']),
    otherwise: 'the embedded database',
    secret: true,
    description: 'PostgreSQL 14 or newer, as postgresql://user:password@host:5432/database.',
  }),
  redisUrl: optional({
    env: 'REDIS_URL',
    unit: redisUrl,
    otherwise: 'nodes find each other’s commits, and keep the leases, in the database',
    secret: true,
    description:
      'Redis 7 or newer, which carries news of commits between nodes and keeps the leases: redis://user:password@host:6379, redis+sentinel://user:password@host1:26379,host2:26379/master-name or redis+cluster://user:password@host1:6379,host2:6379. With rediss instead of redis, over TLS to all of them. User and password are percent-encoded, and those of the servers with the data; Sentinels are given the same, and nothing if they refuse it.',
  }),
  redisPrefix: required({
    env: 'REDIS_PREFIX',
    unit: matching('1 to 64 letters, digits, and . _ : -', /^[A-Za-z0-9._:-]{1,64}$/),
    default: 'signalbox',
    description:
      'What the names of channels and keys in Redis begin with: two installations that share a Redis need two.',
  }),
  nodeName: optional({
    env: 'NODE_NAME',
    unit: matching('1 to 64 letters, digits, and . _ -', /^[A-Za-z0-9._-]{1,64}$/),
    otherwise: 'the name of the host',
    description: 'What this node is called in GET /v1/nodes, logs and traces. Names need not differ.',
  }),
  nodeHeartbeat: required({
    env: 'NODE_HEARTBEAT',
    unit: duration('50ms', '30s'),
    default: 500,
    description: 'How often a node with DATABASE_URL tells the others there that it lives, and hears of them.',
  }),
  nodeTimeout: required({
    env: 'NODE_TIMEOUT',
    unit: duration('300ms', '5m'),
    default: 3 * S,
    description:
      'A node that was not heard of for so long has lost its share of leases and checks to the others; it stops by itself after two thirds of this. At least four times NODE_HEARTBEAT. It is part of the detection bound of every instance.',
  }),
  logLevel: required({
    env: 'LOG_LEVEL',
    unit: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    default: 'info',
    description: 'The least severe messages to log; debug logs every request.',
  }),
  logFormat: optional({
    env: 'LOG_FORMAT',
    unit: choice(['json', 'pretty']),
    otherwise: 'pretty on a terminal, otherwise json',
    description: 'One JSON object a line, or text for people.',
  }),
  tracesEndpoint: optional({
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    unit: url(['http:', 'https:']),
    otherwise: 'nothing is traced',
    description:
      'The OpenTelemetry collector that traces are sent to, as OTLP over HTTP: http://collector:4318. /v1/traces is added to it (docs/tracing.md).',
  }),
  tracesHeaders: optional({
    env: 'OTEL_EXPORTER_OTLP_HEADERS',
    unit: headers,
    otherwise: 'no headers',
    secret: true,
    description: 'What requests to the collector carry, such as a key: api-key=abc,tenant=core.',
  }),
  tracesService: required({
    env: 'OTEL_SERVICE_NAME',
    unit: matching('1 to 64 letters, digits, and . _ -', /^[A-Za-z0-9._-]{1,64}$/),
    default: 'signalbox',
    description: 'What traces call the service that all nodes together are.',
  }),
  tracesShare: required({
    env: 'OTEL_TRACES_SAMPLER_ARG',
    unit: share,
    default: 0.1,
    description:
      'The share of traces that are taken, of those that begin at Signalbox. A request that comes with a traceparent is traced when that says so, and not when it says otherwise.',
  }),
  newEpoch: required({
    env: 'NEW_EPOCH',
    unit: flag,
    default: false,
    description:
      'Start a new history at this start. Set it once after the database was restored from a backup, so that no client mistakes the old history for the new one; then unset it.',
  }),
  historyMaxAge: required({
    env: 'HISTORY_MAX_AGE',
    unit: duration('1m', '87600h'),
    default: 24 * 3600 * S,
    description: 'Revisions older than this leave the log; a client that was away longer starts over.',
  }),
  historyMaxBytes: required({
    env: 'HISTORY_MAX_BYTES',
    unit: size('1MiB', '1024GiB'),
    default: 256 * MIB,
    description: 'The oldest revisions leave the log when it is larger than this.',
  }),
  auditRetention: required({
    env: 'AUDIT_RETENTION',
    unit: duration('1h', '87600h'),
    default: 90 * 24 * 3600 * S,
    description: 'Audit entries older than this are dropped.',
  }),
  historyMemoryBytes: required({
    env: 'HISTORY_MEMORY_BYTES',
    unit: size('1MiB', '16GiB'),
    default: 64 * MIB,
    description: 'Recent revisions that are kept in memory as well, for watchers that catch up.',
  }),
  tailInterval: required({
    env: 'TAIL_INTERVAL',
    unit: duration('50ms', '1m'),
    default: S,
    description: 'How often a node looks for revisions that no announcement told it of.',
  }),
  watchHeartbeat: required({
    env: 'WATCH_HEARTBEAT',
    unit: duration('100ms', '5m'),
    default: 10 * S,
    description: 'Time between bookmarks on a watch socket.',
  }),
  watchMaxQueuedBytes: required({
    env: 'WATCH_MAX_QUEUED_BYTES',
    unit: size('64KiB', '1GiB'),
    default: MIB,
    description: 'Bytes that may wait for one watch socket; past them it is caught up by state or cut off.',
  }),
  watchMaxSubscriptions: required({
    env: 'WATCH_MAX_SUBSCRIPTIONS',
    unit: integer(1, 10_000),
    default: 64,
    description: 'Subscriptions on one watch socket.',
  }),
  watchMaxFrameBytes: required({
    env: 'WATCH_MAX_FRAME_BYTES',
    unit: size('1KiB', '16MiB'),
    default: 64 * KIB,
    description: 'Size of one frame that a watcher sends.',
  }),
  watchMaxSockets: required({
    env: 'WATCH_MAX_SOCKETS',
    unit: integer(1, 1_000_000),
    default: 20_000,
    description: 'Watch sockets at one time; each also needs a file descriptor.',
  }),
  watchStallTimeout: required({
    env: 'WATCH_STALL_TIMEOUT',
    unit: duration('1s', '1h'),
    default: 30 * S,
    description:
      'A watch socket that does not empty its queue once within this time after it has overflowed is cut off.',
  }),
  writeMaxPending: required({
    env: 'WRITE_MAX_PENDING',
    unit: integer(1, 1_000_000),
    default: 10_000,
    description: 'Writes that may wait for their commit; more are refused with 503.',
  }),
  writeTimeout: required({
    env: 'WRITE_TIMEOUT',
    unit: duration('100ms', '5m'),
    default: 10 * S,
    description: 'How long a write may wait for its commit.',
  }),
  readWaitMax: required({
    env: 'READ_WAIT_MAX',
    unit: duration('0ms', '1m'),
    default: 5 * S,
    description: 'How long a read waits for the revision in X-Signalbox-Min-Revision.',
  }),
  registration: required({
    env: 'REGISTRATION',
    unit: choice(['open', 'catalog']),
    default: 'open',
    description:
      'Which instances may register: those of any service, or only those of services in the catalog, in regions where these are deployed.',
  }),
  healthChecks: required({
    env: 'HEALTH_CHECKS',
    unit: choice(['on', 'off']),
    default: 'on',
    description:
      'Whether this node takes a share of the leases and checks of instances. Nodes with it off take renewals too.',
  }),
  checkConcurrency: required({
    env: 'CHECK_CONCURRENCY',
    unit: integer(1, 10_000),
    default: 1000,
    description:
      'Health checks that may be under way at once. A target that hangs takes one of them until its timeout.',
  }),
  evictionGuardMin: required({
    env: 'EVICTION_GUARD_MIN',
    unit: integer(1, 1_000_000),
    default: 5,
    description: 'A service with fewer instances up in a region is not guarded against mass eviction.',
  }),
  evictionGuardShare: required({
    env: 'EVICTION_GUARD_SHARE',
    unit: integer(1, 100),
    default: 50,
    description:
      'Percentage of the instances of a service in a region that may fail within EVICTION_GUARD_WINDOW; those beyond are kept for EVICTION_GUARD_HOLD, since then the checks are likelier to be wrong than the instances. 100 turns the guard off.',
  }),
  evictionGuardWindow: required({
    env: 'EVICTION_GUARD_WINDOW',
    unit: duration('1s', '1h'),
    default: 60 * S,
    description: 'The time within which failures count as one.',
  }),
  evictionGuardHold: required({
    env: 'EVICTION_GUARD_HOLD',
    unit: duration('1s', '1h'),
    default: 300 * S,
    description: 'So long the eviction guard keeps instances at most; then it lets go.',
  }),
  egressDeny: optional({
    env: 'EGRESS_DENY',
    unit: networks,
    otherwise: 'only what is always denied',
    description:
      'Networks that Signalbox never calls, beside link-local, multicast, unspecified and metadata addresses, which it never does (SEC4).',
  }),
  egressAllow: optional({
    env: 'EGRESS_ALLOW',
    unit: networks,
    otherwise: 'all that are not denied',
    description:
      'Networks that Signalbox may call: those of your instances. Nothing else is called then. With OIDC_ISSUERS loopback is called only where a range inside 127.0.0.0/8 or ::1/128 is named here.',
  }),
  tlsCert: optional({
    env: 'TLS_CERT',
    unit: filePath,
    otherwise: 'no TLS: HTTP and WebSocket in the clear',
    description:
      'File with the certificate and those between it and its authority, in PEM. With TLS_KEY, only HTTPS is spoken. When the files change, they are taken on within seconds; what cannot be used is logged, and the old ones stay.',
  }),
  tlsKey: optional({
    env: 'TLS_KEY',
    unit: filePath,
    otherwise: 'no TLS',
    description: 'File with the private key of TLS_CERT, in PEM.',
  }),
  tlsClientCa: optional({
    env: 'TLS_CLIENT_CA',
    unit: filePath,
    otherwise: 'clients are not asked for certificates',
    description:
      'File with the authorities, in PEM, whose client certificates are taken: who shows one, and no token, is the service account with the subject cert:uri:URI or cert:cn:NAME (docs/hardening.md).',
  }),
  rateLimitRenew: required({
    env: 'RATE_LIMIT_RENEW',
    unit: rate,
    default: { perSecond: 2000, burst: 20_000 },
    description:
      'Renewals of leases, for each caller. Rate limits are those of one node; in development mode there are none.',
  }),
  rateLimitResume: required({
    env: 'RATE_LIMIT_RESUME',
    unit: rate,
    default: { perSecond: 500, burst: 10_000 },
    description: 'Watches that connect, subscriptions and polls, for each caller.',
  }),
  rateLimitRead: required({
    env: 'RATE_LIMIT_READ',
    unit: rate,
    default: { perSecond: 5000, burst: 20_000 },
    description: 'Reads of one resource, and of the instances of one service, for each caller.',
  }),
  rateLimitList: required({
    env: 'RATE_LIMIT_LIST',
    unit: rate,
    default: { perSecond: 50, burst: 500 },
    description: 'Lists, exports, the coverage matrix and pages of the log, for each caller.',
  }),
  rateLimitWrite: required({
    env: 'RATE_LIMIT_WRITE',
    unit: rate,
    default: { perSecond: 500, burst: 5000 },
    description: 'Changes, registrations among them, for each caller.',
  }),
  rateLimitUnknown: required({
    env: 'RATE_LIMIT_UNKNOWN',
    unit: rate,
    default: { perSecond: 20, burst: 400 },
    description:
      'Requests without a credential, or with one that is not taken, for each address (IPv6: each /64). Callers who are known are not counted here, whatever address they share.',
  }),
  overloadLag: required({
    env: 'OVERLOAD_LAG',
    unit: durationOrOff('10ms', '1m'),
    default: 150,
    description:
      'While the event loop is late by more than this, writes are answered 429; lists at twice, reads at 4, resuming watches at 8 and renewals at 16 times this. Not in development mode, nor for administrators.',
  }),
  projectMaxServices: required({
    env: 'PROJECT_MAX_SERVICES',
    unit: atMost(10_000_000),
    default: 10_000,
    description: 'Services in one project. Administrators may go beyond the limits of projects.',
  }),
  projectMaxInstances: required({
    env: 'PROJECT_MAX_INSTANCES',
    unit: atMost(10_000_000),
    default: 100_000,
    description: 'Instances of all services of one project.',
  }),
  projectMaxSubscriptions: required({
    env: 'PROJECT_MAX_SUBSCRIPTIONS',
    unit: atMost(10_000_000),
    default: 50_000,
    description: 'Subscriptions of all service accounts of one project on one node, waiting polls among them.',
  }),
  bodyMaxBytes: required({
    env: 'BODY_MAX_BYTES',
    unit: size('1KiB', '64MiB'),
    default: MIB,
    description: 'Body of a request for one resource.',
  }),
  applyMaxBytes: required({
    env: 'APPLY_MAX_BYTES',
    unit: size('1KiB', '256MiB'),
    default: 16 * MIB,
    description: 'Body of POST /v1/apply.',
  }),
  requestTimeout: required({
    env: 'REQUEST_TIMEOUT',
    unit: duration('1s', '10m'),
    default: 30 * S,
    description:
      'A request has to arrive whole within this time; its header within a third of it, and in 10 s at most.',
  }),
  drainDelay: required({
    env: 'DRAIN_DELAY',
    unit: duration('0ms', '5m'),
    default: 0,
    description:
      'Between saying that it is not ready and sending its watchers away, a node that shuts down goes on for so long, so that load balancers notice first.',
  }),
  drainSpread: required({
    env: 'DRAIN_SPREAD',
    unit: duration('0ms', '5m'),
    default: 2 * S,
    description:
      'A node that shuts down sends its watchers away one after the other within this time, so that they do not all come to the others at once.',
  }),
  shutdownTimeout: required({
    env: 'SHUTDOWN_TIMEOUT',
    unit: duration('0ms', '10m'),
    default: 15 * S,
    description: 'How long a shutdown may take before the rest is cut off.',
  }),
  listenBacklog: required({
    env: 'LISTEN_BACKLOG',
    unit: integer(1, 65_535),
    default: 4096,
    description: 'Connections that may wait to be accepted; the kernel has a limit of its own (net.core.somaxconn).',
  }),
} as const;
