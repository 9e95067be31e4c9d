/**
 * Writes examples/aws/manifest.ndjson from examples/aws/endpoints.json; `--check` fails when the two differ.
 * One resource a line, sorted by name, so that a change of the facts is a small diff.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  deploymentName,
  nameOf,
  partsOf,
  projectName,
  regionName,
  serviceName,
  versionName,
} from '../src/domain/names.ts';
import type { Location } from '../src/domain/resources.ts';

interface Facts {
  readonly dnsSuffix: string;
  /** Region id to public name. */
  readonly regions: Readonly<Record<string, string>>;
  /** What a regional endpoint looks like, unless `hostnameExceptions` has the service, or `{service}/{region}`. */
  readonly hostname: string;
  readonly hostnameExceptions: Readonly<Record<string, string>>;
  /** Endpoint prefix to the ids of the regions where the service is, separated by spaces. */
  readonly services: Readonly<Record<string, string>>;
}

type Document = Readonly<Record<string, unknown>> & { readonly name: string };

const PROJECT = 'aws';
const ACCOUNT = nameOf('serviceAccount', 'catalog-import', PROJECT);
const VERSION = 'v1';
const PRIMARY = 'us-east-1';
const labels = { source: 'aws' };
// The parts of the regions' public names that are neither a city nor a state.
const CONTINENTS = new Set(['Africa', 'Europe', 'South America']);
const COUNTRIES = new Set(['Bahrain', 'Canada', 'Ireland', 'Spain', 'UAE', 'US']);

const examples = join(import.meta.dirname, '..', 'examples', 'aws');
const manifestFile = join(examples, 'manifest.ndjson');

const args = process.argv.slice(2);
if (args.length > 1 || (args.length === 1 && args[0] !== '--check')) {
  console.error('usage: aws-manifest.ts [--check]');
  process.exitCode = 2;
} else {
  const facts: Facts = JSON.parse(await readFile(join(examples, 'endpoints.json'), 'utf8'));
  const manifest = `${documents(facts)
    .map((document) => JSON.stringify(document))
    .join('\n')}\n`;
  if (args[0] === '--check') await check(manifest);
  else {
    await writeFile(manifestFile, manifest);
    console.log('Wrote examples/aws/manifest.ndjson');
  }
}

async function check(manifest: string): Promise<void> {
  const written = await readFile(manifestFile, 'utf8').catch(() => undefined);
  if (written === manifest) return console.log('examples/aws/manifest.ndjson is current');
  console.error('examples/aws/manifest.ndjson is not what endpoints.json makes. Run: npx tsx scripts/aws-manifest.ts');
  process.exitCode = 1;
}

function documents(facts: Facts): Document[] {
  const all: Document[] = [
    { name: projectName(PROJECT), title: 'Amazon Web Services', labels },
    { name: ACCOUNT, title: 'Imports the public endpoint table', labels },
    ...Object.entries(facts.regions).map(([region, title]) => ({
      name: regionName(region),
      title,
      location: locationOf(title),
      labels,
    })),
    ...Object.entries(facts.services).flatMap(([prefix, regions]) => service(facts, prefix, regions.split(' '))),
  ];
  for (const { name } of all) partsOf(name);
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function service(facts: Facts, prefix: string, regions: readonly string[]): Document[] {
  const id = `${prefix}.${facts.dnsSuffix}`;
  return [
    {
      name: serviceName(id),
      displayName: prefix,
      project: PROJECT,
      creator: ACCOUNT,
      globalEndpoint: id,
      primaryRegion: regions.includes(PRIMARY) ? PRIMARY : regions.toSorted()[0],
      public: true,
      labels,
    },
    { name: versionName(id, VERSION), labels },
    ...regions.map((region) => ({
      name: deploymentName(id, region),
      regionalEndpoint: hostname(facts, prefix, region),
      currentVersion: VERSION,
      labels,
    })),
  ];
}

function hostname(facts: Facts, prefix: string, region: string): string {
  const exceptions = facts.hostnameExceptions;
  const template = exceptions[`${prefix}/${region}`] ?? exceptions[prefix] ?? facts.hostname;
  return template.replace('{service}', prefix).replace('{region}', region).replace('{dnsSuffix}', facts.dnsSuffix);
}

/** What the title says: `Europe (Paris)` a continent and a city, `Europe (Spain)` a country, `US East (Ohio)` only a country. */
function locationOf(title: string): Location {
  const [, area = '', place = ''] = /^(.+) \((.+)\)$/.exec(title) ?? [];
  const areaCountry = area.replace(/ (East|West)$/, '');
  const country = [areaCountry, place].find((part) => COUNTRIES.has(part));
  return {
    ...(CONTINENTS.has(area) && { continent: area }),
    ...(country === undefined ? { city: place } : { country }),
    cloud: 'aws',
  };
}
