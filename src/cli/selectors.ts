import { InvalidArgumentError, type Command } from 'commander';
import { parseDuration } from '../domain/duration.ts';
import { isCatalogKind, RUNTIME_KINDS, type Kind } from '../domain/resources.ts';
import type { Select } from '../protocol/frames.ts';
import { usageError } from './errors.ts';
import { KIND_NAMES, kindOf } from './kinds.ts';

/** Commander's parser of an option that is given several times, each time with one value or several between commas. */
export const collectList = (text: string, before: readonly string[] = []): string[] => {
  const values = text.split(',').map((value) => value.trim());
  if (values.some((value) => value === ''))
    throw new InvalidArgumentError('It is one value, or several between commas.');
  return [...before, ...values];
};

/** The same for labels: `tier=core,team=identity`. */
export function collectLabels(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const labels = { ...before };
  for (const pair of text.split(',')) {
    const [, key, value] = /^\s*([^=\s]+)\s*={1,2}\s*(.*?)\s*$/.exec(pair) ?? [];
    if (key === undefined || value === undefined)
      throw new InvalidArgumentError('It is KEY=VALUE, or several between commas.');
    labels[key] = value;
  }
  return labels;
}

/** One pair, whose value may be anything. */
export function collectPair(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It is KEY=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Labels as a parameter of a request takes them. */
export const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

/** A whole number above zero. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It is a whole number above 0.');
  return value;
}

/** Some seconds, fractions allowed. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || value > 86_400)
    throw new InvalidArgumentError('It is a number of seconds above 0.');
  return value;
}

/** A length of time such as `500ms`, `10s` or `5m`. */
export function duration(text: string): string {
  if (parseDuration(text) === undefined)
    throw new InvalidArgumentError('It is a number and a unit, such as 500ms, 10s, 5m or 24h.');
  return text;
}

/** A port of TCP. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) throw new InvalidArgumentError('It is 1 to 65535.');
  return value;
}

/** A weight of an instance. */
export function weightNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('It is a whole number from 0 to 65535.');
  return value;
}

/** What only instances have. */
export interface InstanceFilters {
  readonly environment?: readonly string[];
  readonly protocol?: readonly string[];
  readonly version?: readonly string[];
  readonly tag?: Readonly<Record<string, string>>;
  readonly passing?: true;
}

export interface FilterOptions extends InstanceFilters {
  readonly service?: readonly string[];
  readonly region?: readonly string[];
  readonly label?: Readonly<Record<string, string>>;
}

/** The options of `get` and `watch` that only instances have. */
export function addInstanceFilters(command: Command): Command {
  return command
    .option('-e, --environment <environments>', 'only instances of these environments', collectList)
    .option('--protocol <protocols>', 'only instances that speak one of these', collectList)
    .option('--version <versions>', 'only instances of these versions', collectList)
    .option('--tag <tags>', 'only instances that carry all of these tags, KEY=VALUE', collectLabels)
    .option('--passing', 'only instances that can be called now');
}

const ONLY_INSTANCES = ['environment', 'protocol', 'version', 'tag', 'passing'] as const;
const HAVE_SERVICE: readonly Kind[] = ['service', 'version', 'resourceType', 'deployment', ...RUNTIME_KINDS];
const HAVE_REGION: readonly Kind[] = ['region', 'deployment', ...RUNTIME_KINDS];

/** A filter that could match nothing of the kind is a mistake, and not an empty answer. */
export function checkFilters(kind: Kind | '*', options: FilterOptions): void {
  const many = kind === '*' ? 'other resources' : KIND_NAMES[kind].many;
  const alien = kind === 'instance' ? undefined : ONLY_INSTANCES.find((option) => options[option] !== undefined);
  if (alien !== undefined) {
    throw usageError(`--${alien} is about instances; ${many} have no such thing. Say that it is instances you want.`);
  }
  if (kind === '*' || options.label === undefined || isCatalogKind(kind)) return;
  throw usageError(
    kind === 'instance'
      ? 'Instances carry tags, which they give themselves, and no labels: use --tag KEY=VALUE.'
      : `--label says nothing about ${many}: they carry no labels.`,
  );
}

/** What to watch, from words: a kind or nothing, and filters. */
export function selectOf(kindText: string | undefined, options: FilterOptions): Select {
  const { service, region, label, environment, protocol, version, tag, passing } = options;
  const kind = kindText === undefined || kindText === '*' || kindText === 'all' ? '*' : kindOf(kindText);
  checkFilters(kind, options);
  if (kind !== '*') {
    const many = KIND_NAMES[kind].many;
    if (service !== undefined && !HAVE_SERVICE.includes(kind)) {
      throw usageError(`--service selects services and what stands below them; ${many} do not belong to a service.`);
    }
    if (region !== undefined && !HAVE_REGION.includes(kind)) {
      throw usageError(`--region selects regions, deployments and instances; ${many} are in no region.`);
    }
  }
  return {
    kind,
    ...(service !== undefined && { services: [...service] }),
    ...(region !== undefined && { regions: [...region] }),
    ...(label !== undefined && { labels: { ...label } }),
    ...(environment !== undefined && { environments: [...environment] }),
    ...(protocol !== undefined && { protocols: [...protocol] }),
    ...(version !== undefined && { versions: [...version] }),
    ...(tag !== undefined && { tags: { ...tag } }),
    ...(passing !== undefined && { passing }),
  };
}
