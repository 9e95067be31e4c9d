import { partsOf } from '../domain/names.ts';
import type { Instance } from '../domain/instances/instance.ts';
import type { Kind, Labels, ValueOf } from '../domain/resources.ts';
import { addressOf } from './instance-text.ts';
import type { Column } from './table.ts';

type Columns = { readonly [K in Kind]: readonly Column<ValueOf[K]>[] };

const id = (value: { readonly name: string }): string => partsOf(value.name).id;
const parent = (value: { readonly name: string }): string => partsOf(value.name).parent ?? '';
const labels = (all: Labels): string =>
  Object.entries(all)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
const revision: Column<{ readonly revision: number }> = {
  head: 'REVISION',
  cell: (value) => String(value.revision),
  right: true,
};
const since = (time: string): string => time.replace('T', ' ').replace(/\.[0-9]+Z$/, 'Z');
const labelled: Column<{ readonly labels: Labels }> = { head: 'LABELS', cell: (value) => labels(value.labels) };

/** What a table says of each kind. */
export const COLUMNS: Columns = {
  region: [
    { head: 'REGION', cell: id },
    { head: 'TITLE', cell: (value) => value.title },
    {
      head: 'LOCATION',
      cell: ({ location = {} }) => [location.city, location.country, location.continent].filter(Boolean).join(', '),
    },
    labelled,
    revision,
  ],
  project: [{ head: 'PROJECT', cell: id }, { head: 'TITLE', cell: (value) => value.title }, labelled, revision],
  serviceAccount: [
    { head: 'PROJECT', cell: parent },
    { head: 'ACCOUNT', cell: id },
    { head: 'TITLE', cell: (value) => value.title ?? '' },
    { head: 'SUBJECT', cell: (value) => value.subject ?? '' },
    { head: 'CLIENT ID', cell: (value) => value.clientId ?? '' },
    revision,
  ],
  service: [
    { head: 'SERVICE', cell: id },
    { head: 'DISPLAY NAME', cell: (value) => value.displayName },
    { head: 'PROJECT', cell: (value) => value.project },
    { head: 'PRIMARY REGION', cell: (value) => value.primaryRegion },
    { head: 'ENDPOINT', cell: (value) => value.globalEndpoint },
    { head: 'PUBLIC', cell: (value) => (value.public ? 'yes' : 'no') },
    labelled,
    revision,
  ],
  version: [
    { head: 'SERVICE', cell: parent },
    { head: 'VERSION', cell: id },
    {
      head: 'LIFECYCLE',
      cell: ({ lifecycle }) =>
        lifecycle.state === 'deprecated' ? `deprecated until ${lifecycle.sunset}` : lifecycle.state,
    },
    {
      head: 'IMPORTS',
      cell: (value) => value.imports.map(({ service, version }) => `${service} ${version}`).join(', '),
    },
    revision,
  ],
  resourceType: [
    { head: 'SERVICE', cell: parent },
    { head: 'TYPE', cell: id },
    { head: 'PLURAL', cell: (value) => value.plural },
    {
      head: 'VERSIONS',
      cell: (value) =>
        value.versions.map(({ version, regional }) => `${version} ${regional ? 'regional' : 'global'}`).join(', '),
    },
    revision,
  ],
  deployment: [
    { head: 'SERVICE', cell: parent },
    { head: 'REGION', cell: id },
    { head: 'VERSION', cell: (value) => value.currentVersion },
    { head: 'STATE', cell: (value) => (value.disabled ? 'disabled' : 'enabled') },
    { head: 'ENDPOINT', cell: (value) => value.regionalEndpoint },
    { head: 'PRIVATE', cell: (value) => [value.privateEndpoint, value.localNetworkId].filter(Boolean).join(' in ') },
    labelled,
    revision,
  ],
  bundle: [
    { head: 'BUNDLE', cell: id },
    { head: 'TITLE', cell: (value) => value.title ?? '' },
    { head: 'MEMBERS', cell: (value) => value.members.join(', ') },
    {
      head: 'RULES',
      cell: ({ rules }) =>
        Object.entries(rules)
          .filter(([, holds]) => holds)
          .map(([rule]) => rule)
          .join(', '),
    },
    revision,
  ],
  instance: [
    { head: 'SERVICE', cell: (value) => value.service },
    { head: 'ENVIRONMENT', cell: (value) => value.environment ?? '' },
    { head: 'ADDRESS', cell: addressOf },
    { head: 'REGION', cell: (value) => value.region ?? '' },
    { head: 'VERSION', cell: (value) => value.version ?? '' },
    { head: 'STATUS', cell: statusText },
    { head: 'SINCE', cell: (value) => since(value.statusSince) },
    { head: 'WEIGHT', cell: (value) => String(value.weight), right: true },
    { head: 'TAGS', cell: (value) => labels(value.tags) },
    { head: 'INSTANCE', cell: id },
  ],
  override: [
    { head: 'SERVICE', cell: (value) => value.service },
    { head: 'OF', cell: (value) => (value.instance === undefined ? `region ${value.region}` : value.instance) },
    { head: 'MODE', cell: (value) => value.mode ?? '' },
    { head: 'WEIGHT', cell: (value) => String(value.weight ?? ''), right: true },
    { head: 'REASON', cell: (value) => value.reason },
    { head: 'BY', cell: (value) => value.by },
    { head: 'SINCE', cell: (value) => since(value.updateTime) },
  ],
  advisory: [
    { head: 'CODE', cell: (value) => value.code },
    { head: 'SERVICE', cell: (value) => value.service },
    { head: 'REGION', cell: (value) => value.region ?? '' },
    { head: 'UNTIL', cell: (value) => since(value.until ?? '') },
    { head: 'MESSAGE', cell: (value) => value.message },
  ],
};

function statusText({ status, mode, displacedBy }: Instance): string {
  const also = [...(mode === 'serving' ? [] : [mode]), ...(displacedBy === undefined ? [] : ['displaced'])];
  return [status, ...also].join(', ');
}

/** The columns that say something: one whose cells are all empty takes room from the others. */
export const sayingColumns = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Column<Row>[] =>
  columns.filter((column) => rows.some((row) => column.cell(row) !== ''));
