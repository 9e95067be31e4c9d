import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Registry as MetricsRegistry } from 'prom-client';
import { parse, parseAllDocuments } from 'yaml';
import { MODES } from '../../src/cluster/conditions.ts';
import { loadConfig } from '../../src/config.ts';
import { SETTINGS } from '../../src/settings.ts';
import { RequestMetrics } from '../../src/edge/request-metrics.ts';
import { createMetrics } from '../../src/metrics.ts';

/** What tells how several nodes are as one. */
const OF_SEVERAL_NODES: readonly string[] = [
  'signalbox_degraded',
  'signalbox_nodes',
  'signalbox_membership_term',
  'signalbox_membership_changes_total',
  'signalbox_self_check_total',
  'signalbox_self_check_reloads_total',
  'signalbox_instances_monitored',
  'signalbox_leases_extended_total',
  'signalbox_lease_renewals_total',
  'signalbox_lease_store_seconds',
  'signalbox_fenced_commits_total',
  'signalbox_bus_messages_total',
  'signalbox_log_reads_total',
  'signalbox_watch_resumed_total',
];
/** What they say in their labels. */
const LABELS: Readonly<Record<string, readonly string[]>> = {
  mode: Object.keys(MODES),
  state: ['live', 'member'],
  result: ['same', 'differs', 'unknown', 'stored', 'memory', 'refused'],
  kind: ['applied', 'behind', 'gap', 'unreadable'],
  why: ['caller', 'node'],
  reason: ['epoch', 'future', 'trimmed', 'resync', 'unavailable', 'access'],
};
/** Variables of other programs that the files name. */
const FOREIGN = /^(?:POSTGRES_\w+|REDIS_PASSWORD|REDIS_PORT|REDISCLI_AUTH|DS_PROMETHEUS|CMD_SHELL|SIGNALBOX_PORT)$/;

const text = (path: string): string => readFileSync(path, 'utf8');
const page = text('docs/operations.md');
const rulesText = text('deploy/prometheus/signalbox.rules.yml');
const deployed = readdirSync('deploy', { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(?:yml|yaml|json|cfg)$/.test(file))
  .map((file) => join('deploy', file));
const manifests = deployed.filter((file) => file.startsWith(join('deploy', 'kubernetes')));
const env = new Set<string>(Object.values(SETTINGS).map((setting) => setting.env));

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
const rules = (parse(rulesText) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));

/** What a heading is called in a link: GitHub's way. */
const anchors = new Set(
  [...page.matchAll(/^#{1,4} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  ),
);

async function metricNames(): Promise<Set<string>> {
  const metrics = createMetrics();
  const none = { head: {}, view: {} };
  const parts = { tail: none, hub: none, loop: none, monitor: none, cluster: none };
  metrics.watch(parts as unknown as Parameters<typeof metrics.watch>[0]);
  const edge = new MetricsRegistry();
  const names = new Set([new RequestMetrics(edge).name, 'up']);
  for (const { name, type } of metrics.registry.getMetricsAsArray() as unknown as { name: string; type: string }[]) {
    names.add(name);
    // A summary or a histogram of the default ones.
    if (type === 'histogram') for (const end of ['_bucket', '_sum', '_count']) names.add(name + end);
  }
  for (const end of ['_bucket', '_sum', '_count']) names.add(`signalbox_http_request_duration_seconds${end}`);
  return names;
}

/** The names of metrics and of recorded series in an expression. */
const namesIn = (expr: string): string[] => [
  ...new Set(
    expr
      .replaceAll(/"[^"]*"/g, '')
      .match(/\b(?:(?:job|instance):[a-z0-9_:]+|(?:signalbox|nodejs|process)_[a-z0-9_]+|up)\b/g) ?? [],
  ),
];

function unknownLabels(expr: string): string[] {
  return [...expr.matchAll(/\b([a-z]+)=~?"([^"$.]+)"/g)].flatMap(([pair, label = '', value = '']) =>
    LABELS[label] === undefined || value.split('|').every((each) => LABELS[label]?.includes(each)) ? [] : [pair],
  );
}

describe('alerts', () => {
  test('go by metrics that a node has', async () => {
    const known = await metricNames();
    for (const { expr, alert, record } of rules) {
      const strange = namesIn(expr).filter((name) => !known.has(name) && !recorded.has(name));
      expect({ rule: alert ?? record, strange }).toEqual({ rule: alert ?? record, strange: [] });
      expect(unknownLabels(expr)).toEqual([]);
    }
  });

  test('say how bad it is, what it is, and which section of the runbooks is about it', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const { alert, labels, annotations } of alerts) {
      expect(['critical', 'warning', 'info']).toContain(labels?.['severity']);
      expect(annotations).toMatchObject({
        summary: expect.stringMatching(/./),
        description: expect.stringMatching(/./),
      });
      const [file, anchor = ''] = annotations?.['runbook']?.split('#') ?? [];
      expect({ alert, file, found: anchors.has(anchor) }).toEqual({ alert, file: 'docs/operations.md', found: true });
    }
  });

  test('stand in the table of docs/operations.md with their severity, their time and their runbook', () => {
    for (const { alert, labels, annotations, for: time = 'at once' } of alerts) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${alert}\` `));
      const cells = row?.split('|').map((cell) => cell.trim());
      expect([alert, cells?.[2], cells?.[4]]).toEqual([alert, labels?.['severity'], time]);
      expect(cells?.[5]).toContain(`(#${annotations?.['runbook']?.split('#')[1]})`);
    }
    const named = [...page.matchAll(/`(Signalbox[A-Z]\w+)`/g)].map(([, name]) => name);
    expect(named.filter((name) => !alerts.some(({ alert }) => alert === name))).toEqual([]);
  });

  test('tell of every mode in which a node can be degraded', () => {
    const watched = alerts.flatMap(({ expr }) => /signalbox_degraded\{mode="([^"]+)"\}/.exec(expr)?.[1] ?? []);
    expect([...new Set(watched)].toSorted()).toEqual(LABELS['mode']?.toSorted());
    for (const mode of watched) expect(page).toMatch(new RegExp(`^\\| \`${mode}\` `, 'm'));
  });

  test('ask no node about members that is fenced: it says what it last heard, and where all are nobody says more', () => {
    const about = alerts.filter(({ expr }) => expr.includes('signalbox_nodes{state="member"}'));
    expect(about.map(({ alert }) => alert)).toEqual(['SignalboxOneMemberLeft', 'SignalboxNobodyChecks']);
    const told = 'max by (job) (signalbox_nodes{state="member"} unless on (job, instance) ';
    for (const { expr } of about) expect(expr).toContain(`${told}signalbox_degraded{mode="fenced"} == 1)`);
    expect(about.at(-1)?.expr).toContain('or min by (job) (signalbox_degraded{mode="fenced"}) == 1');
  });
});

describe('the dashboard', () => {
  interface Panel {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly datasource?: { readonly uid: string };
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
  }
  const dashboard = JSON.parse(text('deploy/grafana/signalbox.json')) as {
    readonly uid: string;
    readonly panels: readonly Panel[];
    readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  };
  const graphs = dashboard.panels.filter(({ type }) => type !== 'row');

  test('can be imported into any Grafana: ids are its own, and the data source is a variable', () => {
    expect(dashboard.uid).toMatch(/^[a-z-]{1,40}$/);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    expect(dashboard.templating.list.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'datasource datasource',
      'job query',
      'instance query',
    ]);
    for (const { datasource, targets = [] } of graphs) {
      for (const { uid } of [datasource, ...targets.map((target) => target.datasource)] as { uid: string }[])
        // oxlint-disable-next-line no-template-curly-in-string -- Grafana's own way to name a variable.
        expect(uid).toBe('${datasource}');
    }
  });

  test('shows metrics that a node has, each panel at a place of its own', async () => {
    const known = await metricNames();
    for (const { title, targets = [] } of graphs) {
      const strange = targets.flatMap(({ expr }) => namesIn(expr)).filter((name) => !known.has(name));
      expect({ title, queries: targets.length > 0, strange }).toEqual({ title, queries: true, strange: [] });
    }
    // Of one query under two titles, one title is wrong.
    const queries = graphs.filter(({ type }) => type !== 'stat').flatMap(({ targets = [] }) => targets);
    expect(new Set(queries.map(({ expr }) => expr)).size).toBe(queries.length);
    const places = dashboard.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
    expect(new Set(places).size).toBe(places.length);
    for (const { gridPos } of dashboard.panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  test('shows that there are no 5xx before there was one: a series begins with its first event', () => {
    const shares = graphs
      .flatMap(({ targets = [] }) => targets)
      .filter(({ expr }) => /status=~"5\.\."[^/]*\//.test(expr));
    expect(shares).toHaveLength(1);
    for (const { expr } of shares)
      expect(expr).toMatch(/status=~"5\.\."\}\[\$__rate_interval\]\)\) or vector\(0\)\) \/ /);
  });

  test('has every metric of several nodes on it', async () => {
    const known = await metricNames();
    expect(OF_SEVERAL_NODES.filter((name) => !known.has(name))).toEqual([]);
    const shown = graphs.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => namesIn(expr)));
    const missing = OF_SEVERAL_NODES.filter((name) => !shown.some((each) => each.startsWith(name)));
    expect(missing).toEqual([]);
  });
});

describe('docs/operations.md', () => {
  test('names settings and metrics that there are', async () => {
    const words = [...page.matchAll(/`([A-Z][A-Z0-9_]+)(?:=[^`]*)?`/g)].map(([, name = '']) => name);
    const settings = words.filter((name) => name.includes('_'));
    expect(settings.length).toBeGreaterThan(30);
    expect(settings.filter((name) => !env.has(name))).toEqual([]);
    const known = await metricNames();
    const metrics = namesIn(page).filter((name) => /^(?:signalbox|nodejs|process)_/.test(name));
    expect(metrics.filter((name) => !known.has(name))).toEqual([]);
  });

  test('names benchmarks that there are beside its figures', () => {
    const named = [...page.matchAll(/npm run bench -- --only ([\w,-]+)/g)].flatMap(([, names = '']) =>
      names.split(','),
    );
    expect(named.length).toBeGreaterThan(5);
    const figures = readdirSync('bench/figures').map((file) => file.replace(/\.ts$/, ''));
    expect(named.filter((name) => !figures.includes(name))).toEqual([]);
  });

  test('tells what each exit code of a node means, and by which names it prepares statements', () => {
    const [, runbook = ''] = /^### A node is gone$([^]*?)^### /m.exec(page) ?? [];
    const told = [...runbook.matchAll(/^\| (\d+) /gm)].map(([, code]) => code);
    const codes = [...text('src/main.ts').matchAll(/process\.exit(?:Code = |\()(?:clean \? code : )?(\d+)/g)];
    expect(new Set(codes.map(([, code]) => code)).size).toBeGreaterThan(2);
    for (const [, code] of codes) expect(told).toContain(code);
    const plain = [...text('src/store/commit.ts').matchAll(/'(commit(?: audited)?)'(?= :|;)/g)].map(([, name]) => name);
    const names = plain.flatMap((name) => [name, `${name} fenced`]);
    const leases = [...text('src/store/leases.ts').matchAll(/\bname: '([^']+)'/g)].map(([, name]) => name);
    expect([names.length, leases.length]).toEqual([4, 2]);
    for (const name of [...names, ...leases]) expect(page).toContain(`\`${name}\``);
  });

  test('says whom the nodes and the metrics are told', () => {
    for (const route of ['/v1/nodes', '/metrics']) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`GET ${route}\``));
      expect(row).toMatch(/\badministrators and the role \[monitor\]\(access\.md#roles\)/i);
    }
  });

  test('leads to sections and files that there are', () => {
    for (const [, target = ''] of page.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [file = '', anchor] = target.split('#');
      const found = file === '' ? page : text(join('docs', file));
      if (file === '') expect([target, anchors.has(anchor ?? '')]).toEqual([target, true]);
      else expect(found.length).toBeGreaterThan(0);
    }
  });
});

describe('the files that start several nodes', () => {
  const documents = new Map(
    manifests.map((file) => {
      const [document, ...more] = parseAllDocuments(text(file));
      expect([file, more.length, document?.errors]).toEqual([file, 0, []]);
      return [basename(file), document?.toJS()];
    }),
  );
  const deployment = documents.get('deployment.yaml');
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;
  const settings: Record<string, string> = documents.get('configmap.yaml').data;

  test('can be read, and name settings that there are', () => {
    for (const file of [...deployed, 'compose.yaml', 'compose.cluster.yaml']) {
      if (file.endsWith('.json')) JSON.parse(text(file));
      else if (!file.endsWith('.cfg')) expect(parse(text(file), { merge: true })).toBeTruthy();
      const words = text(file).match(/(?<![\w.$/{-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w(])/g) ?? [];
      const strange = words.filter((name) => !env.has(name) && !FOREIGN.test(name));
      expect({ file, strange }).toEqual({ file, strange: [] });
    }
    const names = [...Object.keys(settings), ...container.env.map(({ name }: { name: string }) => name)];
    expect(names.filter((name) => !env.has(name))).toEqual([]);
  });

  test('SEC2 there is no secret in them, and what they leave empty does not start', () => {
    const example = documents.get('secret.example.yaml');
    expect(Object.values(example.stringData).join('')).toBe('');
    expect(documents.get('kustomization.yaml').resources).not.toContain('secret.example.yaml');
    for (const { kind } of [...documents.values()].filter((document) => document !== example))
      expect(kind).not.toBe('Secret');
    const refused = loadConfig({ ...settings, ...example.stringData });
    expect(refused).toMatchObject({ ok: false, errors: [expect.stringContaining('SEC2')] });
    const issuers = JSON.stringify([{ issuer: 'https://login.example.com', audience: 'signalbox' }]);
    const filled = { DATABASE_URL: 'postgresql://db/signalbox', REDIS_URL: 'redis://r:6379', OIDC_ISSUERS: issuers };
    expect(loadConfig({ ...settings, ...filled })).toMatchObject({ ok: true });
    for (const name of Object.keys(filled)) {
      const variable = container.env.find((each: { name: string }) => each.name === name);
      expect(variable.valueFrom.secretKeyRef).toEqual({ name: example.metadata.name, key: name });
    }
  });

  test('wait for a node that stops for as long as it may take', () => {
    const loaded = loadConfig({ ...settings, OIDC_ISSUERS: '[{"issuer":"https://a.example.com","audience":"a"}]' });
    if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
    const longest = (config: typeof loaded.config): number =>
      (config.drainDelay + config.drainSpread + config.shutdownTimeout) / 1000;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(longest(loaded.config) + 5);
    expect(container.lifecycle).toBeUndefined();
    // The load balancer notices before the watchers are sent away.
    const { periodSeconds, failureThreshold } = container.readinessProbe;
    expect(loaded.config.drainDelay / 1000).toBeGreaterThan(periodSeconds * failureThreshold);

    // Development mode answers nobody who does not say that they mean this machine.
    expect(text('deploy/compose/haproxy.cfg')).toMatch(
      /^ +http-check send meth GET uri \/readyz .*hdr Host 127\.0\.0\.1$/m,
    );
    const { services } = parse(text('compose.cluster.yaml'), { merge: true });
    for (const name of ['node-1', 'node-2', 'node-3']) {
      const { environment, stop_grace_period: grace } = services[name];
      const local = loadConfig(environment);
      if (!local.ok) throw new Error(local.errors.join('\n'));
      expect(environment.NODE_NAME).toBe(name);
      expect(Number.parseInt(grace, 10)).toBeGreaterThanOrEqual(longest(local.config) + 5);
      expect(text('deploy/compose/haproxy.cfg')).toContain(`server ${name} 127.0.0.1:${environment.PORT}\n`);
    }
  });

  test('ask a node how it is in the way that each question is meant', () => {
    const { startupProbe, livenessProbe, readinessProbe } = container;
    // Liveness never asks what PostgreSQL could make false.
    expect(livenessProbe.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(startupProbe.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
    // It may wait a minute for another node that migrates.
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBeGreaterThan(120);
    expect(container.ports).toEqual([{ name: 'http', containerPort: Number(settings['PORT']) }]);
  });

  test('keep two of three nodes, on machines of their own, through upgrades and maintenance', () => {
    const labels = deployment.spec.template.metadata.labels;
    expect(deployment.spec).toMatchObject({
      replicas: 3,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: labels },
    });
    expect(documents.get('poddisruptionbudget.yaml').spec).toMatchObject({
      maxUnavailable: 1,
      selector: { matchLabels: labels },
    });
    expect(documents.get('service.yaml').spec).toMatchObject({ selector: labels, ports: [{ targetPort: 'http' }] });
    const [byHost] = pod.topologySpreadConstraints;
    expect(byHost).toMatchObject({
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      // A cordoned machine would otherwise count as one without a pod, and the third of an upgrade have no place.
      nodeTaintsPolicy: 'Honor',
      labelSelector: { matchLabels: labels },
    });
  });

  test('let a node do no more than it needs', () => {
    expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.limits).toEqual({ memory: '1Gi' });
    const { spec } = documents.get('networkpolicy.yaml');
    expect(spec.podSelector.matchLabels).toEqual(deployment.spec.template.metadata.labels);
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
    // PostgreSQL, Redis and its sentinels, the collector of traces, the issuers.
    const called = spec.egress.flatMap(({ ports = [] }: { ports?: { port: number }[] }) =>
      ports.map(({ port }) => port),
    );
    expect(called).toEqual(expect.arrayContaining([5432, 6379, 26379, 4318, 443]));
    expect(SETTINGS.tracesEndpoint.description).toContain(':4318');
    // An empty selector is everybody.
    for (const { from } of spec.ingress) expect(from.every((peer: object) => Object.keys(peer).length > 0)).toBe(true);
    for (const { to } of spec.egress)
      for (const { ipBlock } of to) if (ipBlock !== undefined) expect(ipBlock.except).toContain('169.254.0.0/16');
  });

  test('name the version that they start', () => {
    const { version } = JSON.parse(text('package.json')) as { version: string };
    expect(container.image).toBe(`signalbox:${version}`);
    for (const file of ['compose.yaml', 'compose.cluster.yaml', ...manifests]) {
      for (const [, image = ''] of text(file).matchAll(/^\s*(?:- )?image: (\S+)$/gm))
        expect([file, image]).toEqual([file, expect.stringMatching(/^[a-z]+:(?!latest$)[a-z0-9.]+$/)]);
    }
  });
});
