import { InvalidArgumentError } from 'commander';
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

export interface FilterOptions {
  readonly service?: readonly string[];
  readonly region?: readonly string[];
  readonly label?: Readonly<Record<string, string>>;
}

/** What to watch, from words: a kind or nothing, and filters. A filter that could match nothing of the kind is refused. */
export function selectOf(kindText: string | undefined, { service, region, label }: FilterOptions): Select {
  const kind = kindText === undefined || kindText === '*' || kindText === 'all' ? '*' : kindOf(kindText);
  if (kind !== '*') {
    const many = KIND_NAMES[kind].many;
    if (service !== undefined && !['service', 'version', 'resourceType', 'deployment'].includes(kind)) {
      throw usageError(`--service selects services and what stands below them; ${many} do not belong to a service.`);
    }
    if (region !== undefined && !['region', 'deployment'].includes(kind)) {
      throw usageError(`--region selects regions and deployments; ${many} are in no region.`);
    }
  }
  return {
    kind,
    ...(service !== undefined && { services: [...service] }),
    ...(region !== undefined && { regions: [...region] }),
    ...(label !== undefined && { labels: { ...label } }),
  };
}
