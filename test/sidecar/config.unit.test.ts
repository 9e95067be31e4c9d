import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { loadSidecarConfig, type LoadedConfig } from '../../src/sidecar/config/read.ts';
import { variableOf } from '../../src/sidecar/config/setting.ts';
import { SETTINGS, type SidecarConfig } from '../../src/sidecar/config/settings.ts';

function good(loaded: LoadedConfig): SidecarConfig {
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  return loaded.config;
}

const wrong = (loaded: LoadedConfig): readonly string[] => (loaded.ok ? [] : loaded.errors);

test('without a file and variables, every setting has its default', () => {
  const config = good(loadSidecarConfig(undefined, {}));
  for (const [key, setting] of Object.entries<{ default?: unknown }>(SETTINGS)) {
    expect([key, config[key as keyof SidecarConfig]]).toEqual([key, setting.default]);
  }
});

test('every default can be written and read', () => {
  for (const { unit, default: usual } of Object.values<{
    unit: { read(t: string): unknown; write(v: never): string };
    default?: unknown;
  }>(SETTINGS as never)) {
    if (usual === undefined || unit.write(usual as never) === '') continue;
    expect(unit.read(unit.write(usual as never))).toEqual(usual);
  }
});

test('a file says it in YAML, and a variable says it before the file', () => {
  const yaml = `
signalbox: {urls: [https://one.example.com, https://two.example.com/]}
environment: prod
egress:
  port: 5000
  timeout: 250ms
  routes:
    - {prefix: /orders, service: orders.example.com}
    - {prefix: /pay, service: pay.example.com, version: v2, strip: false}
ingress: {service: web.example.com, backend: "http://127.0.0.1:9000", tags: {tier: gold}}
`;
  const config = good(loadSidecarConfig(yaml, { SIDECAR_EGRESS_PORT: '6000', SIDECAR_EGRESS_TIMEOUT: '' }));
  expect(config).toMatchObject({
    urls: ['https://one.example.com', 'https://two.example.com'],
    environment: 'prod',
    egressPort: 6000,
    timeout: 250,
    routes: [
      { prefix: '/orders', service: 'orders.example.com', strip: true },
      { prefix: '/pay', service: 'pay.example.com', version: 'v2', strip: false },
    ],
    ingressService: 'web.example.com',
    backend: 'http://127.0.0.1:9000',
    tags: { tier: 'gold' },
  });
});

test('lists of objects are JSON in a variable', () => {
  const routes = '[{"prefix":"/orders","service":"orders.example.com"}]';
  expect(good(loadSidecarConfig(undefined, { SIDECAR_EGRESS_ROUTES: routes })).routes).toHaveLength(1);
});

test('a value that is one variable is taken from there, and nothing else is made of dollars', () => {
  const yaml = 'ingress: {service: web.example.com, registeredAddress: "${POD_IP}", version: v1}';
  expect(good(loadSidecarConfig(yaml, { POD_IP: '10.0.0.7' })).registeredAddress).toBe('10.0.0.7');
  expect(wrong(loadSidecarConfig(yaml, {}))).toEqual([
    'ingress.registeredAddress: POD_IP is named there, and is not set.',
  ]);
  expect(wrong(loadSidecarConfig('region: "${A}-${B}"', { A: 'x', B: 'y' }))[0]).toMatch(/^region must be /);
});

test('what is not known is refused, with what was meant', () => {
  const yaml = 'egres: {port: 1}\negress: {prot: 4480, timeout: 1s}\ningress: {zzzzzzzzzz: 1}';
  expect(wrong(loadSidecarConfig(yaml, { SIDECAR_EGRESS_PROT: '1', SIDECAR_CONFIG: 'x', OTHER: 'y' }))).toEqual([
    'egres is not a setting: did you mean egress?',
    'egress.prot is not a setting: did you mean egress.port?',
    'ingress.zzzzzzzzzz is not a setting; docs/sidecar.md lists those there are.',
    'SIDECAR_EGRESS_PROT is not a setting: did you mean SIDECAR_EGRESS_PORT?',
  ]);
});

test('what Kubernetes says of a service named sidecar is no setting, and stops nothing', () => {
  const links = {
    SIDECAR_SERVICE_HOST: '10.96.0.17',
    SIDECAR_SERVICE_PORT: '4481',
    SIDECAR_SERVICE_PORT_HTTP_ADMIN: '4481',
    SIDECAR_PORT: 'tcp://10.96.0.17:4481',
    SIDECAR_PORT_4481_TCP: 'tcp://10.96.0.17:4481',
    SIDECAR_PORT_4481_TCP_PROTO: 'tcp',
    SIDECAR_PORT_4481_TCP_PORT: '4481',
    SIDECAR_PORT_4481_TCP_ADDR: '10.96.0.17',
    SIDECAR_METRICS_PORT: 'tcp://10.96.0.18:9100',
    SIDECAR_METRICS_SERVICE_HOST: '10.96.0.18',
    SIDECAR_METRICS_SERVICE_PORT: '4482',
    SIDECAR_METRICS_PORT_4482_TCP_ADDR: '10.96.0.18',
  };
  expect(good(loadSidecarConfig(undefined, links)).metricsPort).toBe(4482);
  expect(wrong(loadSidecarConfig(undefined, { SIDECAR_PORT: '4480' }))).toEqual([
    expect.stringMatching(/^SIDECAR_PORT is not a setting/),
  ]);
  for (const name of ['SIDECAR_INGRESS_SERVICES', 'SIDECAR_EGRESS_PORTS', 'SIDECAR_SERVICE', 'SIDECAR_PORT_TCP']) {
    expect(wrong(loadSidecarConfig(undefined, { [name]: 'x' }))).toHaveLength(1);
  }
});

test('everything that is wrong is said at once, with what would be right', () => {
  const yaml =
    'egress:\n  port: 70000\n  timeout: 5\n  routes: [{prefix: /a/, service: a.example.com}]\nlog: {level: loud}';
  expect(wrong(loadSidecarConfig(yaml, { SIDECAR_INGRESS_BACKEND: 'http://x/path' }))).toEqual([
    'log.level must be one of trace, debug, info, warn, error, fatal, silent, not "loud". Set it so, or leave it out for its default, info.',
    'egress.port must be a whole number from 0 to 65535, not "70000". Set it so, or leave it out for its default, 4480.',
    expect.stringMatching(
      /^egress\.routes must be a list .*: \[0\]\.prefix: a path such as \/orders, without \/ at its end\. /,
    ),
    expect.stringMatching(/^egress\.timeout must be a duration from 10ms to 1h.* not "5"\./),
    expect.stringMatching(/^SIDECAR_INGRESS_BACKEND must be an address such as /),
  ]);
  expect(wrong(loadSidecarConfig('a: [1', {}))[0]).toMatch(/^The file is no YAML: /);
  expect(wrong(loadSidecarConfig('egress: 5', {}))).toEqual([
    'egress has to be names and values, such as egress: {port: 4480}.',
  ]);
});

test('SEC2 what would let others in has to be said', () => {
  expect(wrong(loadSidecarConfig('egress: {host: 0.0.0.0}', {}))[0]).toMatch(
    /^egress\.host must be a loopback address/,
  );
  expect(wrong(loadSidecarConfig('egress: {host: 0.0.0.0, allowRemote: true}', {}))).toEqual([]);
  expect(wrong(loadSidecarConfig('admin: {development: true}', {}))[0]).toMatch(/^admin\.development must be false/);
  expect(wrong(loadSidecarConfig('admin: {development: true}\ningress: {host: 127.0.0.1}', {}))).toEqual([]);
});

test('what does not fit together is said', () => {
  const first = (yaml: string): string => wrong(loadSidecarConfig(yaml, {}))[0] ?? '';
  expect(first('egress: {enabled: false}')).toMatch(/^There is nothing to do/);
  expect(first('egress: {tlsCert: a.pem}')).toMatch(/^egress\.tlsKey must be set too/);
  expect(first('egress: {routes: [{prefix: /a, service: a.b}, {prefix: /a, service: c.d}]}')).toMatch(/has \/a twice/);
  expect(first('ingress: {service: a.b, backend: "http://localhost:4480"}')).toMatch(/in a circle/);
});

test('docs/sidecar.md lists every setting as it is', () => {
  const page = readFileSync('docs/sidecar.md', 'utf8');
  for (const { path, unit, description, default: usual, otherwise } of Object.values<{
    path: string;
    unit: { expects: string; write(value: never): string };
    description: string;
    default?: unknown;
    otherwise?: string;
  }>(SETTINGS as never)) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${path}\` `)) ?? '';
    const written = usual === undefined ? '' : unit.write(usual as never);
    const fallback = usual === undefined ? otherwise : written === '' ? 'empty' : `\`${written}\``;
    const cells = row.split(' | ').map((cell) => cell.replace(/^\| | *\|$/g, '').trim());
    expect(cells).toEqual([`\`${path}\``, `\`${variableOf(path)}\``, fallback, unit.expects, description]);
  }
});
