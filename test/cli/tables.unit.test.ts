import { describe, expect, test } from '@jest/globals';
import { COLUMNS, sayingColumns } from '../../src/cli/columns.ts';
import { coverageText, livenessLines } from '../../src/cli/coverage-text.ts';
import { styler } from '../../src/cli/style.ts';
import { clip, displayWidth, renderTable, type Column } from '../../src/cli/table.ts';
import type { CoverageRow } from '../../src/domain/coverage-matrix.ts';
import type { Deployment } from '../../src/domain/resources.ts';

const column = (i: number, head: string, right = false): Column<readonly string[]> => ({
  head,
  cell: (row) => row[i] ?? '',
  right,
});
const COLUMNS_3 = [column(0, 'NAME'), column(1, 'TITLE'), column(2, 'REV', true)];

describe('tables', () => {
  test('align, numbers to the right, nothing after the last word', () => {
    const rows = [
      ['regions/us-east', 'US', '5'],
      ['regions/eu', 'Europe', '1234'],
    ];
    expect(renderTable(COLUMNS_3, rows).split('\n')).toEqual([
      'NAME             TITLE    REV',
      'regions/us-east  US         5',
      'regions/eu       Europe  1234',
    ]);
  });

  test('what is too wide is cut at the widest columns, and marked', () => {
    const rows = [['a-very-long-name-indeed', 'short', '12']];
    const text = renderTable(COLUMNS_3, rows, { width: 24 });
    expect(text.split('\n')[1]).toBe('a-very-long…  short   12');
    expect(text.split('\n').every((line) => displayWidth(line) <= 24)).toBe(true);
  });

  test('no column goes below eight characters, however narrow the terminal', () => {
    const rows = [['abcdefghijkl', 'abcdefghijkl', '1']];
    expect(renderTable(COLUMNS_3, rows, { width: 5 }).split('\n')[1]).toBe('abcdefg…  abcdefg…    1');
  });

  test('wide characters take two columns, marks none', () => {
    expect([displayWidth('東京'), displayWidth('e\u0301'), displayWidth('🚂'), displayWidth('Zürich')]).toEqual([
      4, 1, 2, 6,
    ]);
    expect(clip('東京都庁', 6)).toBe('東京…');
    const rows = [
      ['東京', 'x', ''],
      ['ab', 'y', ''],
    ];
    expect(renderTable(COLUMNS_3, rows).split('\n').slice(1)).toEqual(['東京  x', 'ab    y']);
  });

  test('what could command a terminal is not printed', () => {
    expect(renderTable([column(0, 'A')], [['a\u001b[2Jb\u202ec']])).toBe('A\na\ufffd[2Jb\ufffdc');
  });

  test('colours are outside of the widths', () => {
    const painted = { ...column(0, 'A'), paint: styler(true).green };
    expect(renderTable([painted, column(1, 'B')], [['x', 'y']])).toBe('A  B\n\u001b[32mx\u001b[39m  y');
  });

  test('columns in which no row says anything are left out', () => {
    const deployment: Deployment = {
      name: 'services/iam.example.com/deployments/us-east',
      revision: 7,
      createTime: '',
      updateTime: '',
      regionalEndpoint: 'us-east.iam.example.com',
      currentVersion: 'v1',
      disabled: true,
      labels: {},
    };
    const columns = sayingColumns(COLUMNS.deployment, [deployment]);
    expect(renderTable(columns, [deployment])).toBe(
      'SERVICE          REGION   VERSION  STATE     ENDPOINT                 REVISION\niam.example.com  us-east  v1       disabled  us-east.iam.example.com         7',
    );
  });
});

const IDLE = { instances: { total: 0, passing: 0 }, live: false } as const;
const on = (currentVersion: string, disabled = false) =>
  ({ deployed: true, disabled, currentVersion, covered: true, imports: [], ...IDLE }) as const;

describe('coverage', () => {
  const rows: CoverageRow[] = [
    {
      service: 'iam.example.com',
      primaryRegion: 'us-east',
      regions: {
        'ap-south2': { deployed: false, newestVersion: 'v1', deployable: true, imports: [], ...IDLE },
        'eu-west': on('v1', true),
        'us-east': on('v1'),
      },
    },
    {
      service: 'fleet.example.com',
      primaryRegion: 'us-east',
      regions: {
        'ap-south2': {
          ...IDLE,
          deployed: false,
          newestVersion: 'v2',
          deployable: false,
          imports: [
            {
              version: 'v2',
              service: 'iam.example.com',
              importedVersion: 'v1',
              covered: false,
              reason: 'import-not-deployed',
            },
          ],
        },
        'eu-west': {
          ...IDLE,
          deployed: true,
          disabled: false,
          currentVersion: 'v2',
          covered: false,
          imports: [
            {
              version: 'v2',
              service: 'iam.example.com',
              importedVersion: 'v1',
              covered: false,
              reason: 'import-disabled',
            },
            { version: 'v2', service: 'meta.example.com', importedVersion: 'v1', covered: true },
          ],
        },
        'us-east': on('v2'),
      },
    },
  ];

  test('a matrix with marks, and below it the reason for each cross', () => {
    expect(coverageText(rows)).toBe(`SERVICE            ap-south2  eu-west  us-east
iam.example.com    –          ○ v1     ✓ v1*
fleet.example.com  ✗          ✗ v2     ✓ v2*

✓ deployed   ○ deployed, disabled   – not deployed   ✗ an import is missing there (below)   * primary region

In ap-south2:
  ✗ fleet.example.com would need iam.example.com v1 (not deployed there)

In eu-west:
  ✗ fleet.example.com is deployed without iam.example.com v1 (disabled there)`);
  });

  test('on a narrow terminal the regions continue below', () => {
    const [first, second] = coverageText(rows, { width: 40 }).split('\n\n');
    expect(first?.split('\n')[0]).toBe('SERVICE            ap-south2  eu-west');
    expect(second?.split('\n')).toEqual([
      'SERVICE            us-east',
      'iam.example.com    ✓ v1*',
      'fleet.example.com  ✓ v2*',
    ]);
  });

  test('a terminal narrower than any table still gets one region after the other', () => {
    expect(coverageText(rows, { width: 10 }).match(/SERVICE/g)).toHaveLength(3);
  });

  test('where instances are registered, how many of them can be called, and where the catalog does not agree', () => {
    const [iam, fleet] = rows;
    if (iam === undefined || fleet === undefined) throw new Error('rows');
    const live = { ...on('v1'), instances: { total: 4, passing: 3 }, live: true };
    const services = [{ ...iam, regions: { ...iam.regions, 'us-east': live } }];
    expect(coverageText(services)).toBe(`SERVICE          ap-south2  eu-west  us-east
iam.example.com  –          ○ v1     ✓ v1 3/4*

✓ deployed   ○ deployed, disabled   – not deployed   ✗ an import is missing there   * primary region   3/4 instances that can be called`);
    const count = { passing: 1, total: 1 };
    const coverage = {
      services,
      deployedWithoutLiveInstance: [{ service: 'iam.example.com', region: 'eu-west' }],
      liveWithoutDeployment: [
        { service: 'odd.example.com', region: '-', instances: count, inCatalog: false },
        { service: 'iam.example.com', region: 'ap-south2', instances: count, inCatalog: true },
      ],
    };
    expect(livenessLines(coverage)).toEqual([
      'Deployed, and no instance there can be called:\n  ! iam.example.com in eu-west',
      'Running, and not deployed in the catalog:\n  ! odd.example.com without a region: 1/1 (not in the catalog at all)\n  ! iam.example.com in ap-south2: 1/1',
    ]);
    expect(livenessLines({ ...coverage, services: rows, liveWithoutDeployment: [] })).toEqual([]);
  });
});
