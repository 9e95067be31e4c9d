import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { applyText, warningLines, type ApplyAnswer } from '../../src/cli/apply.ts';
import { diffFields, showDiff } from '../../src/cli/diff.ts';
import { listRequest } from '../../src/cli/get.ts';
import { kindOf, resourceName } from '../../src/cli/kinds.ts';
import { fixCommand, problemText } from '../../src/cli/problem-text.ts';
import { collectLabels, collectList, selectOf } from '../../src/cli/selectors.ts';
import { plain } from '../../src/cli/style.ts';
import { deltaJson, deltaLine, goneText } from '../../src/cli/watch-text.ts';
import type { Fix, Violation } from '../../src/domain/errors.ts';

const SERVER = 'http://127.0.0.1:4400';

const violation = (imported: string, mend?: Fix): Violation => ({
  code: 'import-not-deployed',
  rule: 'COV1',
  resource: 'services/fleet.example.com/versions/v1',
  message: `fleet.example.com v1 runs in eu and imports ${imported} v1, but ${imported} is not deployed there.`,
  ...(mend !== undefined && { fix: mend }),
});

/** What a shell makes of a command. */
const words = (command: string): string[] =>
  execFileSync('sh', ['-c', `curl() { for word in "$@"; do printf '%s\\0' "$word"; done; }; ${command}`], {
    encoding: 'utf8',
  })
    .split('\0')
    .slice(0, -1);

describe('problems', () => {
  const fix: Fix = {
    method: 'PUT',
    path: '/v1/services/iam.example.com/deployments/eu',
    body: { regionalEndpoint: 'eu.iam.example.com', currentVersion: 'v1', note: "it's" },
    summary: 'Deploys iam.example.com in eu.',
  };
  test('violations that one request mends stand together above it, as a command to paste', () => {
    const text = problemText(
      {
        type: '/problems/conflict',
        title: 'The change would break a rule',
        status: 409,
        detail: '3 rules would be broken.',
        violations: [
          violation('iam.example.com', fix),
          violation('other.example.com'),
          violation('meta.example.com', fix),
        ],
      },
      { url: SERVER },
    );
    expect(text).toBe(`The change would break a rule. (409 conflict)

  ✗ fleet.example.com v1 runs in eu and imports iam.example.com v1, but iam.example.com is not deployed there. [COV1 import-not-deployed]
  ✗ fleet.example.com v1 runs in eu and imports meta.example.com v1, but meta.example.com is not deployed there. [COV1 import-not-deployed]
    fix: Deploys iam.example.com in eu.
      curl -X PUT http://127.0.0.1:4400/v1/services/iam.example.com/deployments/eu -H 'content-type: application/json' -d '{"regionalEndpoint":"eu.iam.example.com","currentVersion":"v1","note":"it'\\''s"}'

  ✗ fleet.example.com v1 runs in eu and imports other.example.com v1, but other.example.com is not deployed there. [COV1 import-not-deployed]

3 violations, 1 fix; nothing was changed.`);
  });

  test('field errors say where: the file and line, else the pointer, parameter or header', () => {
    const text = problemText({
      title: 'The request is not valid',
      status: 400,
      errors: [
        {
          pointer: '/0/title',
          place: 'core.yaml:3',
          resource: 'regions/eu',
          field: 'title',
          detail: 'must be a string',
        },
        { pointer: '/3/title', resource: 'regions/us', detail: 'is required' },
        { pointer: '', detail: 'must be an object' },
        { parameter: 'prune', detail: 'must be labels' },
        { header: 'If-Match', detail: 'must be an ETag' },
      ],
    });
    expect(text.split('\n').slice(1)).toEqual([
      '  core.yaml:3 regions/eu title  must be a string',
      '  regions/us /3/title  is required',
      '  the body  must be an object',
      '  prune  must be labels',
      '  If-Match  must be an ETag',
    ]);
  });

  test('a passing failure says when to try again and which request it was', () => {
    const problem = {
      type: '/problems/store-unavailable',
      title: 'The database cannot be reached',
      status: 503,
      retryAfter: 1,
      requestId: 'r-7',
    };
    expect(problemText(problem)).toBe(
      'The database cannot be reached. (503 store-unavailable)\nTry again in 1 second.\nrequest r-7',
    );
  });

  test('a shell takes the commands for what they mean', () => {
    expect(words(fixCommand(fix, SERVER))).toEqual([
      '-X',
      'PUT',
      `${SERVER}${fix.path}`,
      '-H',
      'content-type: application/json',
      '-d',
      JSON.stringify(fix.body),
    ]);
    expect(words(fixCommand({ method: 'DELETE', path: '/v1/bundles/core', summary: '' }, SERVER))).toEqual([
      '-X',
      'DELETE',
      `${SERVER}/v1/bundles/core`,
    ]);
    expect(
      words(
        fixCommand({ method: 'PATCH', path: '/v1/bundles/core', body: { title: '$(date) `id` "x"' }, summary: '' }),
      ),
    ).toEqual([
      '-X',
      'PATCH',
      '/v1/bundles/core',
      '-H',
      'content-type: application/merge-patch+json',
      '-d',
      '{"title":"$(date) `id` \\"x\\""}',
    ]);
  });

  test('several documents are one a line, and stay so when they are indented', () => {
    const body = [{ name: 'regions/a1' }, { name: 'regions/a2' }];
    const command = fixCommand({ method: 'POST', path: '/v1/apply', body, summary: '' }, SERVER).replaceAll(
      '\n',
      '\n      ',
    );
    const data = words(command).at(-1) ?? '';
    expect(words(command).slice(0, -1)).toEqual([
      `${SERVER}/v1/apply`,
      '-H',
      'content-type: application/x-ndjson',
      '--data-binary',
    ]);
    expect(
      data
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(body);
  });
});

const diff = (before: unknown, after: unknown) => diffFields(before, after).map(showDiff);

describe('differences', () => {
  test('field by field, without what every change assigns', () => {
    expect(
      diff(
        { revision: 1, updateTime: 'a', disabled: false, labels: { tier: '1' } },
        { revision: 2, updateTime: 'b', disabled: true, labels: { tier: '2', team: 'iam' } },
      ),
    ).toEqual(['disabled: false → true', 'labels.tier: 1 → 2', 'labels.team: iam']);
  });

  test('fields that come and go', () => {
    expect(diff({ location: { city: 'Ulm' } }, {})).toEqual(['location.city removed']);
    expect(diff({}, { location: { city: 'New Ulm' } })).toEqual(['location.city: New Ulm']);
  });

  test('lists by what they gain and lose', () => {
    expect(diff({ uses: ['a', 'b'] }, { uses: ['b', 'c'] })).toEqual(['uses: +c -a']);
    expect(diff({ uses: ['a', 'b'] }, { uses: ['b', 'a'] })).toEqual(['uses: in another order']);
    expect(diff({ imports: [] }, { imports: [{ service: 'iam', version: 'v1' }] })).toEqual(['imports: +iam v1']);
  });

  test('nothing, a text that looks like something else, and what a terminal should not see', () => {
    expect(diff({ a: 1 }, { a: 1 })).toEqual([]);
    expect(diff({ a: '' }, { a: '[x]' })).toEqual(['a: "" → "[x]"']);
    expect(diff({}, { a: '\u009b2J' })).toEqual(['a: \ufffd2J']);
  });
});

const answer = (dryRun: boolean): ApplyAnswer => ({
  revision: 7,
  dryRun,
  summary: { created: 1, updated: 1, unchanged: 1200, deleted: 1 },
  items: [
    { name: 'regions/a1', op: 'created' },
    {
      name: 'regions/a2',
      op: 'updated',
      changes: [
        { path: '/labels/example.com~1tier', before: '1', after: '2' },
        { path: '/location', before: { city: 'Ulm' } },
      ],
    },
    { name: 'regions/a3', op: 'unchanged' },
    { name: 'regions/a4', op: 'deleted' },
  ],
  warnings: [],
});

const warning = (code: string, i: number) => ({ code, resource: `regions/a${i}`, message: `${code} is odd` });

describe('apply', () => {
  const documents = [{ file: 'x.yaml', line: 1, value: { name: 'regions/a1', title: 'A one', labels: { tier: '1' } } }];
  test('says what became of each, and counts', () => {
    expect(applyText(answer(false), documents, plain)).toBe(
      '+ regions/a1 created\n~ regions/a2 updated\n- regions/a4 deleted\n1 created, 1 updated, 1,200 unchanged, 1 deleted; revision 7',
    );
  });

  test('warns of a few of each kind, and how many more there are', () => {
    const warnings = [...Array.from({ length: 1203 }, (_, i) => warning('far', i)), warning('near', 7)];
    expect(warningLines(warnings, plain)).toEqual([
      'warning: regions/a0: far is odd',
      'warning: regions/a1: far is odd',
      'warning: regions/a2: far is odd',
      'warning: 1,200 more of this kind (far); --json shows all',
      'warning: regions/a7: near is odd',
    ]);
  });

  test('a dry run shows the fields', () => {
    expect(applyText(answer(true), documents, plain)).toBe(`+ regions/a1
    + title: A one
    + labels: {tier: 1}
~ regions/a2
    ~ labels.example.com/tier: 1 → 2
    - location removed
- regions/a4
1 created, 1 updated, 1,200 unchanged, 1 deleted; nothing was changed (dry run)`);
  });
});

describe('kinds and names', () => {
  test.each([
    ['services', 'service'],
    ['svc', 'service'],
    ['Deployment', 'deployment'],
    ['d', 'deployment'],
    ['serviceAccount', 'serviceAccount'],
    ['service-accounts', 'serviceAccount'],
    ['sa', 'serviceAccount'],
    ['resourceTypes', 'resourceType'],
    ['resources', 'resourceType'],
  ])('%s is %s', (text, kind) => expect(kindOf(text)).toBe(kind));

  test('unknown ones are answered with those there are', () => {
    expect(() => kindOf('pods')).toThrow(/"pods" is not a kind of resource; there are regions \(r\),.*bundles \(b\)/);
    expect(() => kindOf('__proto__')).toThrow('is not a kind');
  });

  test('a resource by its id, with its parent, or by its full name', () => {
    expect(resourceName('service', 'iam.example.com', undefined)).toBe('services/iam.example.com');
    expect(resourceName('deployment', 'eu', 'iam.example.com')).toBe('services/iam.example.com/deployments/eu');
    expect(resourceName('deployment', 'services/a.b/deployments/eu', undefined)).toBe('services/a.b/deployments/eu');
    expect(() => resourceName('deployment', 'eu', undefined)).toThrow(
      'A deployment stands below a service: add --service, or give the full name, such as services/iam.example.com/deployments/us-east',
    );
    expect(() => resourceName('region', 'services/a.b', undefined)).toThrow(
      'is not the name of a region; one looks like regions/us-east',
    );
    expect(() => resourceName('region', 'US East', undefined)).toThrow('"US East" is not the id of a region');
  });
});

describe('options', () => {
  test('lists and labels, with commas or repeated', () => {
    expect(collectList('c', collectList('a, b'))).toEqual(['a', 'b', 'c']);
    expect(collectLabels('z=', collectLabels('x=1,y==2'))).toEqual({ x: '1', y: '2', z: '' });
    expect(() => collectList('a,,b')).toThrow('one value, or several');
    expect(() => collectLabels('tier')).toThrow('KEY=VALUE');
  });

  test('what to watch', () => {
    expect(selectOf(undefined, {})).toEqual({ kind: '*' });
    expect(selectOf('deployments', { service: ['a.b'], region: ['eu'], label: { k: 'v' } })).toEqual({
      kind: 'deployment',
      services: ['a.b'],
      regions: ['eu'],
      labels: { k: 'v' },
    });
    expect(
      selectOf('instances', {
        service: ['a.b'],
        region: ['eu'],
        environment: ['prod'],
        protocol: ['http'],
        version: ['v1'],
        tag: { zone: 'a' },
        passing: true,
      }),
    ).toEqual({
      kind: 'instance',
      services: ['a.b'],
      regions: ['eu'],
      environments: ['prod'],
      protocols: ['http'],
      versions: ['v1'],
      tags: { zone: 'a' },
      passing: true,
    });
    expect(selectOf('overrides', { service: ['a.b'] })).toEqual({ kind: 'override', services: ['a.b'] });
    expect(() => selectOf('instances', { label: { k: 'v' } })).toThrow('use --tag KEY=VALUE');
    expect(() => selectOf('advisories', { label: { k: 'v' } })).toThrow('they carry no labels');
    expect(() => selectOf('deployments', { passing: true })).toThrow('--passing is about instances; deployments have');
    expect(() => selectOf(undefined, { tag: { zone: 'a' } })).toThrow('--tag is about instances');
    expect(() => selectOf('regions', { service: ['a.b'] })).toThrow('regions do not belong to a service');
    expect(() => selectOf('services', { region: ['eu'] })).toThrow('services are in no region');
  });

  test('what to list', () => {
    expect(listRequest('service', {})).toEqual({
      path: '/v1/services',
      query: { filter: undefined, orderBy: undefined },
    });
    expect(listRequest('deployment', {}).path).toBe('/v1/services/-/deployments');
    expect(
      listRequest('deployment', {
        service: ['a.b'],
        region: ['eu', 'us'],
        label: { 'x/y': 'a"b' },
        filter: 'a = 1 or b = 2',
      }),
    ).toEqual({
      path: '/v1/services/a.b/deployments',
      query: { filter: '(a = 1 or b = 2) and id in ("eu", "us") and labels."x/y" = "a\\"b"', orderBy: undefined },
    });
    expect(listRequest('version', { service: ['a.b', 'c.d'] })).toMatchObject({
      path: '/v1/services/-/versions',
      query: { filter: 'parent in ("a.b", "c.d")' },
    });
    expect(
      listRequest('instance', {
        service: ['a.b'],
        environment: ['prod'],
        tag: { zone: 'a' },
        version: ['v1'],
        passing: true,
      }),
    ).toEqual({
      path: '/v1/instances',
      query: {
        filter:
          'service in ("a.b") and environment in ("prod") and version in ("v1") and tags."zone" = "a" and passing = true',
        orderBy: undefined,
      },
    });
    expect(listRequest('instance', { region: ['eu', '-'] }).query['filter']).toBe(
      '(region in ("eu", "-") or not region : "")',
    );
    expect(listRequest('override', { region: ['-'] })).toMatchObject({
      path: '/v1/overrides',
      query: { filter: 'region in ("-")' },
    });
    expect(listRequest('advisory', {}).path).toBe('/v1/advisories');
    expect(() => listRequest('instance', { label: { k: 'v' } })).toThrow('use --tag');
    expect(() => listRequest('bundle', { region: ['eu'] })).toThrow('--region says nothing about bundles');
  });
});

describe('watch lines', () => {
  const at = new Date(2030, 0, 2, 3, 4, 5, 67);
  const value = { name: 'regions/eu', revision: 4, title: 'Europe', labels: {} };
  const delta = { kind: 'region', key: 'regions/eu', revision: 4 };

  test('created, updated and deleted', () => {
    expect(deltaLine({ ...delta, op: 'put', value }, at, plain)).toBe('03:04:05.067 4 + regions/eu  title: Europe');
    expect(deltaLine({ ...delta, op: 'put', before: { ...value, title: 'EU' }, value }, at, plain)).toBe(
      '03:04:05.067 4 ~ regions/eu  title: EU → Europe',
    );
    expect(deltaLine({ ...delta, op: 'delete', before: value }, at, plain)).toBe('03:04:05.067 4 - regions/eu');
    expect(deltaLine({ ...delta, op: 'delete', before: value }, at, plain, '(gone)')).toMatch(
      /- regions\/eu {2}\(gone\)$/,
    );
  });

  const instance = {
    name: 'instances/3f1c0e9ab2d44c5e8f7a6b21',
    service: 'orders.example.com',
    protocol: 'http',
    address: 'fd00::17',
    port: 8080,
    version: 'v1',
    region: 'eu-central',
    status: 'passing',
    statusReason: 'registered',
    mode: 'serving',
    generation: 4,
    revision: 4,
  };
  const of = { kind: 'instance', key: instance.name, revision: 5 } as const;
  const saidOf = (before: object | undefined, after: object | undefined, gone = ''): string => {
    const change = {
      ...of,
      op: after === undefined ? ('delete' as const) : ('put' as const),
      ...(before !== undefined && { before: before as Record<string, unknown> }),
      ...(after !== undefined && { value: after as Record<string, unknown> }),
    };
    return deltaLine(change, at, plain, gone).replace('03:04:05.067 5', '');
  };
  const place = 'instances/3f1c0e9ab2d44c5e8f7a6b21  orders.example.com http://[fd00::17]:8080';

  test('instances: where, how they are, and why that has changed', () => {
    const critical = {
      ...instance,
      status: 'critical',
      statusReason: 'connection\u001b[2J refused',
      statusSince: 'now',
    };
    expect(saidOf(undefined, instance)).toBe(` + ${place} passing, v1, eu-central`);
    expect(saidOf(undefined, { ...instance, environment: 'prod', mode: 'drain', displacedBy: 'x' })).toBe(
      ` + ${place.replace('.com', '.com (prod)')} passing, drain, v1, eu-central, displaced`,
    );
    expect(saidOf(instance, critical)).toBe(` ~ ${place} passing → critical: connection\ufffd[2J refused`);
    const drained = { ...instance, mode: 'drain', passing: false, override: { reason: 'kernel upgrade' } };
    expect(saidOf(instance, drained)).toBe(` ~ ${place} mode: serving → drain (kernel upgrade)`);
    expect(saidOf(instance, { ...instance, displacedBy: 'instances/2' })).toBe(` ~ ${place} displaced by instances/2`);
    expect(saidOf(instance, { ...instance, version: 'v2', region: 'us', weight: 3, generation: 9 })).toBe(
      ` ~ ${place} registered anew; version: v1 → v2; region: eu-central → us; weight: 3`,
    );
    expect(saidOf(instance, { ...instance, statusReason: 'lease renewed' })).toBe(
      ` ~ ${place} still passing, v1, eu-central: lease renewed`,
    );
    expect(saidOf(instance, undefined, '(gone, or no longer passing)')).toBe(
      ` - ${place} (gone, or no longer passing)`,
    );
    expect(saidOf(undefined, undefined)).toBe(' - instances/3f1c0e9ab2d44c5e8f7a6b21');
  });

  test('overrides and advisories in their own words', () => {
    const key = 'services/a.b/regions/eu/override';
    const override = { name: key, mode: 'drain', weight: 5, reason: 'moving', by: 'ann', evictionGuard: false };
    expect(deltaLine({ op: 'put', kind: 'override', key, revision: 5, value: override }, at, plain)).toContain(
      '+ services/a.b/regions/eu/override  drain, weight 5, without the eviction guard: moving (by ann)',
    );
    const advisory = { name: 'advisories/x', message: 'many fail\u0007' };
    expect(deltaLine({ op: 'put', kind: 'advisory', key: 'x', revision: 5, value: advisory }, at, plain)).toContain(
      '+ x  many fail\ufffd',
    );
  });

  test('what a delete may mean depends on what was selected', () => {
    expect(goneText({ kind: 'instance', passing: true, services: ['a.b'] })).toBe('(gone, or no longer passing)');
    expect(goneText({ kind: 'instance', tags: { a: 'b' } })).toBe('(gone, or no longer what is selected)');
    expect(goneText({ kind: 'instance', regions: ['eu'] })).toBe('(gone, or no longer what is selected)');
    expect(goneText({ kind: 'region', labels: { a: 'b' } })).toContain('no longer those selected');
    expect(goneText({ kind: 'deployment', regions: ['eu'] })).toBe('');
  });

  test('for machines as the feed has it', () => {
    expect(deltaJson({ ...delta, op: 'put', before: value, value })).toBe(
      JSON.stringify({ op: 'put', ...delta, value }),
    );
    expect(deltaJson({ ...delta, op: 'delete' })).toBe(
      '{"op":"delete","kind":"region","key":"regions/eu","revision":4}',
    );
  });
});
