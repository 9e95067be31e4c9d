import { expect, test } from '@jest/globals';
import { loadConfig, type Config } from '../src/config.ts';
import { SETTINGS } from '../src/settings.ts';

function configOf(env: Record<string, string>, options = {}): Config {
  const loaded = loadConfig(env, options);
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  return loaded.config;
}

function errorsOf(env: Record<string, string>): readonly string[] {
  const loaded = loadConfig(env);
  return loaded.ok ? [] : loaded.errors;
}

test('nothing configured is everything at its default', () => {
  expect(configOf({})).toMatchObject({
    host: '127.0.0.1',
    port: 4400,
    dataDir: './data',
    databaseUrl: undefined,
    logLevel: 'info',
    logFormat: 'json',
    newEpoch: false,
    historyMaxAge: 86_400_000,
    bodyMaxBytes: 1_048_576,
    requestTimeout: 30_000,
  });
  expect(configOf({}, { isTTY: true }).logFormat).toBe('pretty');
  expect(configOf({ LOG_FORMAT: 'json' }, { isTTY: true }).logFormat).toBe('json');
});

test('an empty variable is one that is not set', () => {
  expect(configOf({ PORT: '', DATABASE_URL: '' })).toEqual(configOf({}));
});

test.each<[env: string, text: string, key: keyof Config, value: unknown]>([
  ['PORT', '0', 'port', 0],
  ['HOST', '::1', 'host', '::1'],
  ['HOST', 'localhost', 'host', 'localhost'],
  ['NEW_EPOCH', 'true', 'newEpoch', true],
  ['READ_WAIT_MAX', '250ms', 'readWaitMax', 250],
  ['READ_WAIT_MAX', '0s', 'readWaitMax', 0],
  ['HISTORY_MAX_AGE', '90m', 'historyMaxAge', 5_400_000],
  ['HISTORY_MAX_BYTES', '2GiB', 'historyMaxBytes', 2 * 1024 ** 3],
  ['WATCH_MAX_FRAME_BYTES', '2048B', 'watchMaxFrameBytes', 2048],
  ['DATABASE_URL', 'postgresql://u:p@h:5432/d', 'databaseUrl', 'postgresql://u:p@h:5432/d'],
  ['RATE_LIMIT_READ', '7/s', 'rateLimitRead', { perSecond: 7, burst: 70 }],
  ['RATE_LIMIT_READ', '7/s burst 9', 'rateLimitRead', { perSecond: 7, burst: 9 }],
  ['RATE_LIMIT_RENEW', 'off', 'rateLimitRenew', 'off'],
  ['OVERLOAD_LAG', 'off', 'overloadLag', 'off'],
  ['OVERLOAD_LAG', '1s', 'overloadLag', 1000],
  ['PROJECT_MAX_SERVICES', 'off', 'projectMaxServices', 'off'],
  ['PROJECT_MAX_SERVICES', '12', 'projectMaxServices', 12],
  ['OTEL_TRACES_SAMPLER_ARG', '0.25', 'tracesShare', 0.25],
  ['OTEL_TRACES_SAMPLER_ARG', '1.0', 'tracesShare', 1],
  ['OTEL_TRACES_SAMPLER_ARG', '.5', 'tracesShare', 0.5],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'api-key=a%20b%2Cc, x=1=2', 'tracesHeaders', { 'api-key': 'a b,c', x: '1=2' }],
  ['EGRESS_DENY', '10.0.0.0/8, fd00::/8', 'egressDeny', ['10.0.0.0/8', 'fd00::/8']],
])('%s=%s', (env, text, key, value) => {
  expect(configOf({ [env]: text })[key]).toEqual(value);
});

test.each<[env: string, text: string, part: string]>([
  [
    'PORT',
    '65536',
    'PORT must be a whole number from 0 to 65535, not "65536". Set it so, or leave it out for its default, 4400.',
  ],
  ['PORT', '4400 ', 'PORT must be'],
  ['PORT', '0x10', 'PORT must be'],
  ['NEW_EPOCH', 'yes', 'NEW_EPOCH must be true or false, not "yes"'],
  ['LOG_LEVEL', 'loud', 'LOG_LEVEL must be one of fatal, error'],
  ['HISTORY_MAX_AGE', '24', 'HISTORY_MAX_AGE must be a duration from 1m to 87600h, such as 250ms'],
  ['HISTORY_MAX_AGE', '1s', 'HISTORY_MAX_AGE must be'],
  ['HISTORY_MAX_AGE', '1d', 'HISTORY_MAX_AGE must be'],
  ['HISTORY_MAX_AGE', '-1h', 'HISTORY_MAX_AGE must be'],
  ['BODY_MAX_BYTES', '1MB', 'BODY_MAX_BYTES must be a size from'],
  ['BODY_MAX_BYTES', '1constructor', 'BODY_MAX_BYTES must be'],
  [
    'DATABASE_URL',
    'mysql://u:secret@h/d',
    'DATABASE_URL must be a URL that begins with postgres:// or postgresql://. Set it so, or leave it out for the embedded database.',
  ],
  ['REDIS_URL', 'not a url', 'REDIS_URL must be a URL'],
  ['REDIS_URL', 'redis://:secret@h1,h2', 'several hosts need +sentinel or +cluster'],
  ['REDIS_URL', 'redis+cluster://:secret@h/1', 'a cluster has one database'],
  // What the egress policy could not read would end the start without saying which setting it was.
  ['EGRESS_DENY', '10.0.0.1', 'EGRESS_DENY must be networks such as 10.0.0.0/8'],
  ['EGRESS_ALLOW', '10.0.0.0/8, fd00::/129', 'EGRESS_ALLOW must be networks'],
  ['EGRESS_ALLOW', '10.0.0.0/08', 'EGRESS_ALLOW must be networks'],
  ['OTEL_TRACES_SAMPLER_ARG', '1.01', 'OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1'],
  ['OTEL_TRACES_SAMPLER_ARG', '.', 'OTEL_TRACES_SAMPLER_ARG must be'],
  ['OTEL_TRACES_SAMPLER_ARG', '-0', 'OTEL_TRACES_SAMPLER_ARG must be'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317', 'OTEL_EXPORTER_OTLP_ENDPOINT must be a URL that begins with http'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'key=secret%0d%0ax', 'OTEL_EXPORTER_OTLP_HEADERS must be headers as name=value'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'secret', 'OTEL_EXPORTER_OTLP_HEADERS must be headers as name=value'],
])('%s=%s is refused with its fix', (env, text, part) => {
  const errors = errorsOf({ [env]: text });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(part);
  expect(errors[0]).not.toContain('secret');
});

test('all that is wrong is said at once', () => {
  expect(errorsOf({ PORT: 'x', LOG_LEVEL: 'x', WRITE_TIMEOUT: 'x' })).toHaveLength(3);
});

test.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com', '128.0.0.1', 'localhost.example.com'])(
  'SEC2 listening on %s without an issuer is refused',
  (host) => {
    expect(errorsOf({ HOST: host })).toEqual([
      expect.stringContaining('unless OIDC_ISSUERS says whose tokens are taken'),
    ]);
  },
);

const ISSUERS = '[{"issuer":"https://login.example.com","audience":"signalbox"}]';

test('SEC2 with an issuer any address is taken', () => {
  for (const HOST of ['0.0.0.0', '::', '10.0.0.1', 'signalbox.example.com']) {
    const config = configOf({ HOST, OIDC_ISSUERS: ISSUERS });
    expect(config.host).toBe(HOST);
    expect(config.oidcIssuers?.map(({ issuer }) => issuer)).toEqual(['https://login.example.com']);
  }
});

test('SEC2 issuers that are not right let nobody start, and say what is wrong', () => {
  for (const [text, part] of [
    ['', 'unless OIDC_ISSUERS says whose tokens are taken'],
    ['[]', 'docs/access.md describes them: it must be a list with at least one issuer. Set it so'],
    [ISSUERS.replace('https', 'http'), '/0/issuer must be a URL that begins with https://'],
    [ISSUERS.replace('audience', 'aud'), '/0/aud is not known; there are issuer, audience'],
  ] as const) {
    expect(errorsOf({ HOST: '0.0.0.0', OIDC_ISSUERS: text })).toEqual([expect.stringContaining(part)]);
  }
});

test('where people log in, PUBLIC_URL has to say where browsers reach Signalbox, unless that is this machine', () => {
  const OIDC_ISSUERS = JSON.stringify([
    {
      issuer: 'https://login.example.com',
      audience: 'signalbox',
      login: { clientId: 'signalbox', clientSecret: 'hush' },
    },
  ]);
  const PUBLIC_URL = 'https://signalbox.example.com';
  expect(errorsOf({ HOST: '0.0.0.0', OIDC_ISSUERS })).toEqual([expect.stringContaining('PUBLIC_URL must say')]);
  expect(errorsOf({ HOST: '127.0.0.1', OIDC_ISSUERS })).toEqual([]);
  expect(configOf({ HOST: '0.0.0.0', OIDC_ISSUERS, PUBLIC_URL: `${PUBLIC_URL}/` }).publicUrl).toBe(PUBLIC_URL);
  for (const text of ['http://signalbox.example.com', `${PUBLIC_URL}/path`, 'signalbox', 'https://a:b@c.test'])
    expect(errorsOf({ OIDC_ISSUERS, PUBLIC_URL: text })).toEqual([
      expect.stringContaining('PUBLIC_URL must be an https://'),
    ]);
  expect(errorsOf({ PUBLIC_URL })).toEqual([expect.stringContaining('PUBLIC_URL must be of this machine')]);
  expect(errorsOf({ PUBLIC_URL: 'http://localhost:4400' })).toEqual([]);
  const wrong = OIDC_ISSUERS.replace('"clientId"', '"client"');
  expect(errorsOf({ OIDC_ISSUERS: wrong }).join('')).not.toContain('hush');
});

test('a setting under a prefix is a warning, and the command line has its own', () => {
  const loaded = loadConfig({ SIGNALBOX_PORT: '1', SIGNALBOX_X: '2', SIGNALBOX_URL: 'http://x', SIGNALBOX_TOKEN: 'x' });
  expect(loaded.ok && loaded.warnings).toEqual([
    'SIGNALBOX_PORT is not a setting: did you mean PORT?',
    'SIGNALBOX_X is not a setting: docs/settings.md lists those there are.',
  ]);
});

test('every default is what its own text is read as', () => {
  for (const setting of Object.values(SETTINGS)) {
    if (!('default' in setting)) continue;
    const unit = setting.unit as { read(text: string): unknown; write(value: unknown): string };
    expect(unit.read(unit.write(setting.default))).toEqual(setting.default);
  }
});

test.each<[env: Record<string, string>, part: string]>([
  [{ RATE_LIMIT_READ: '0/s' }, 'RATE_LIMIT_READ must be a rate such as 100/s'],
  [{ RATE_LIMIT_READ: '10' }, 'RATE_LIMIT_READ must be'],
  [{ RATE_LIMIT_READ: '10/s burst 0' }, 'RATE_LIMIT_READ must be'],
  [{ PROJECT_MAX_INSTANCES: '0' }, 'PROJECT_MAX_INSTANCES must be a whole number from 1 to 10000000, or off'],
  [{ OVERLOAD_LAG: '1ms' }, 'OVERLOAD_LAG must be a duration from 10ms to 1m'],
  [{ TLS_CERT: 'a.pem' }, 'TLS_KEY must be set too'],
  [{ TLS_KEY: 'a.pem' }, 'TLS_CERT must be set too'],
  [{ TLS_CLIENT_CA: 'a.pem' }, 'TLS_CLIENT_CA must not be set without TLS_CERT and TLS_KEY'],
])('%j is refused', (env, part) => {
  expect(errorsOf(env).join()).toContain(part);
});
