import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from '@jest/globals';

const SRC = resolve('src');

/** Which rooms a room may import from, as docs/design.md section 5 draws the arrows. `room/file` allows that file only. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  protocol: ['domain'],
  auth: ['domain', 'store/port.ts'],
  leases: ['domain', 'redis'],
  redis: [],
  store: ['domain', 'leases/port.ts'],
  bus: ['domain', 'redis'],
  tracing: ['domain', 'config.ts'],
  audit: ['domain', 'store/port.ts'],
  registry: ['domain', 'store/port.ts', 'bus/port.ts', 'tracing/port.ts'],
  feed: ['domain', 'protocol', 'store/port.ts', 'bus/port.ts', 'tracing/port.ts'],
  health: ['domain', 'leases/port.ts', 'registry/commit-loop.ts', 'registry/errors.ts', 'feed/tail.ts'],
  cluster: ['domain', 'store/port.ts', 'feed/tail.ts', 'health/claims.ts'],
  edge: [
    'domain',
    'protocol',
    'auth',
    'registry',
    'feed',
    'health/monitoring.ts',
    'cluster/status.ts',
    'cluster/conditions.ts',
    'tracing/port.ts',
    'config.ts',
  ],
  sdk: ['domain', 'protocol'],
  kit: ['domain', 'sdk'],
  sidecar: ['domain', 'sdk', 'kit', 'config-units.ts', 'log.ts'],
  cli: ['domain', 'protocol', 'sdk', 'sidecar', 'main.ts'],
  'config.ts': ['settings.ts', 'config-units.ts'],
  'settings.ts': ['config-units.ts', 'auth/issuer.ts', 'auth/read-settings.ts', 'redis/url.ts'],
  'access.ts': ['domain', 'auth', 'edge', 'config.ts', 'store/port.ts'],
  'config-units.ts': ['health/egress-addresses.ts'],
  'every.ts': [],
  'sharing.ts': [
    'domain',
    'bus/port.ts',
    'cluster',
    'config.ts',
    'feed',
    'health',
    'leases/port.ts',
    'metrics.ts',
    'registry',
    'store/port.ts',
  ],
  'outages.ts': ['cluster/conditions.ts', 'health/monitor.ts'],
  'shutdown.ts': [],
  'log.ts': ['config.ts'],
  'lag-meter.ts': [],
  'limits.ts': ['config.ts', 'domain', 'auth/rate-limits.ts'],
  'banner.ts': ['config.ts'],
  'metrics.ts': ['audit', 'cluster', 'feed', 'registry', 'health'],
};

/** Packages that only one room may know. */
const OWNED: Readonly<Record<string, readonly string[]>> = {
  '@prisma/': ['store'],
  pg: ['store'],
  '@electric-sql/': ['store'],
  ioredis: ['redis', 'bus', 'leases'],
  '@opentelemetry/': ['tracing'],
  // access.ts and tracing hand the edge plugins over by their type; the kit is a plugin of the service's own app.
  fastify: ['edge', 'access.ts', 'tracing', 'kit'],
  undici: ['sdk', 'sidecar'],
  '@fastify/': ['edge'],
  '@fastify/otel': ['tracing'],
  commander: ['cli'],
  jose: ['auth', 'kit'],
  'openid-client': ['auth', 'cli'],
  'oidc-provider': ['auth'],
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.includes('generated'),
);

const codeOf = (file: string): string =>
  readFileSync(join(SRC, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');

function importsOf(file: string): string[] {
  const statements = /^(?:import|export)\b[^;']*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;
  return [...codeOf(file).matchAll(statements)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

const isOf = (scope: string, specifier: string): boolean => scope.endsWith('/') && specifier.startsWith(scope);

const roomOf = (file: string): string => file.split('/')[0] ?? file;

test('the imports of a file are found', () => {
  expect(importsOf('main.ts')).toEqual(expect.arrayContaining(['node:fs', './config.ts', './store/port.ts', 'pino']));
});

test('imports go one way: each room imports only what lies before it', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const room = roomOf(file);
    if (room === 'main.ts') continue;
    const may = MAY[room];
    if (may === undefined) {
      wrong.push(`${file}: the room ${room} has no line in this test`);
      continue;
    }
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue;
      const target = relative(SRC, resolve(SRC, dirname(file), specifier));
      if (target.startsWith('..') || roomOf(target) === room) continue;
      if (!may.includes(roomOf(target)) && !may.includes(target)) wrong.push(`${file} -> ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('a library that belongs to one room is known in no other, and the domain knows none', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const room = roomOf(file);
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith('.')) continue;
      if (room === 'domain') wrong.push(`${file} -> ${specifier}`);
      const owners = OWNED[specifier] ?? Object.entries(OWNED).find(([name]) => isOf(name, specifier))?.[1];
      if (owners !== undefined && !owners.includes(room)) wrong.push(`${file} -> ${specifier}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the domain has no clock, no randomness and no await', () => {
  const wrong = files
    .filter((file) => roomOf(file) === 'domain')
    .filter((file) =>
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bawait\b|\basync\b|\bprocess\./.test(codeOf(file)),
    );
  expect(wrong).toEqual([]);
});
