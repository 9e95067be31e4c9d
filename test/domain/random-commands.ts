import type { CatalogCommand, Edit } from '../../src/domain/command.ts';
import type { Random } from '../support/random.ts';
import {
  ACCOUNT,
  bundle,
  commandOf,
  deployment,
  patch,
  put,
  region,
  remove,
  service,
  version,
  type Document,
} from './world.ts';

const SERVICES = ['a.test', 'b.test', 'c.test', 'd.test'];
const REGIONS = ['us', 'eu', 'ap'];
const VERSIONS = ['v1', 'v2', 'v3beta1'];
const BUNDLES = ['one', 'two'];

/** Where the random histories begin: a few services with versions, deployed nowhere. */
export const BEGINNING: readonly Document[] = [
  region('us'),
  region('eu'),
  { name: 'projects/core', title: 'Core' },
  { name: ACCOUNT },
  ...SERVICES.flatMap((id) => [service(id), version(id, 'v1'), version(id, 'v2')]),
];

const labelled = (random: Random): object => (random.chance(0.2) ? { labels: { team: random.pick(['x', 'y']) } } : {});

function randomVersion(random: Random): Edit {
  const of = random.pick(SERVICES);
  const imports: Record<string, string> = {};
  while (random.chance(0.45)) imports[random.pick(SERVICES)] = random.pick(VERSIONS);
  if (random.chance(0.9)) delete imports[of];
  const state = random.chance(0.15) ? 'retired' : 'active';
  return put(version(of, random.pick(VERSIONS), imports, { lifecycle: { state }, ...labelled(random) }));
}

function randomDeployment(random: Random): Edit {
  const disabled = random.chance(0.15);
  const more = { disabled, ...labelled(random) };
  return put(deployment(random.pick(SERVICES), random.pick(REGIONS), random.pick(VERSIONS), more));
}

function randomBundle(random: Random): Edit {
  const flag = (): boolean => random.chance(0.3);
  const rules = {
    deployedTogether: flag(),
    everyRegion: random.chance(0.1),
    onePrimaryRegion: flag(),
    oneDomain: flag(),
    upgradedTogether: flag(),
    public: flag(),
    usedByEveryone: flag(),
  };
  const members = SERVICES.filter(() => random.chance(0.4));
  return put(
    bundle(random.pick(BUNDLES), members.length === 0 ? [random.pick(SERVICES)] : members, rules, labelled(random)),
  );
}

function randomService(random: Random): Edit {
  const id = random.pick(SERVICES);
  const domain = random.pick(['apis.test', 'apis.test', 'other.test']);
  return put(
    service(id, {
      primaryRegion: random.pick(REGIONS),
      public: random.chance(0.5),
      uses: SERVICES.filter((other) => other !== id && random.chance(0.2)),
      globalEndpoint: `${id.slice(0, 1)}.${domain}`,
      ...labelled(random),
    }),
  );
}

function randomPatch(random: Random): Edit {
  const of = random.pick(SERVICES);
  switch (random.below(4)) {
    case 0:
      return patch(`services/${of}/deployments/${random.pick(REGIONS)}`, { disabled: random.chance(0.5) });
    case 1:
      return patch(`services/${of}/deployments/${random.pick(REGIONS)}`, { currentVersion: random.pick(VERSIONS) });
    case 2:
      return patch(`services/${of}/versions/${random.pick(VERSIONS)}`, {
        lifecycle: { state: random.pick(['retired', 'active']) },
      });
    default:
      return patch(`bundles/${random.pick(BUNDLES)}`, {
        rules: { [random.pick(['deployedTogether', 'upgradedTogether', 'public'])]: random.chance(0.5) },
      });
  }
}

function randomDelete(random: Random): Edit {
  const of = random.pick(SERVICES);
  switch (random.below(9)) {
    case 0:
      return remove(`services/${of}`);
    case 1:
      return remove(`regions/${random.pick(REGIONS)}`);
    case 2:
      return remove(`bundles/${random.pick(BUNDLES)}`);
    case 3:
      return remove(random.pick([ACCOUNT, 'projects/core', `services/${of}/resources/Thing`]));
    case 4:
    case 5:
      return remove(`services/${of}/versions/${random.pick(VERSIONS)}`);
    default:
      return remove(`services/${of}/deployments/${random.pick(REGIONS)}`);
  }
}

function randomEdit(random: Random): Edit {
  const dice = random.below(100);
  if (dice < 26) return randomVersion(random);
  if (dice < 52) return randomDeployment(random);
  if (dice < 58) return randomBundle(random);
  if (dice < 66) return randomService(random);
  if (dice < 82) return randomPatch(random);
  if (dice < 94) return randomDelete(random);
  if (dice < 97) return put(region(random.pick(REGIONS)));
  const types = { plural: 'Things', versions: [{ version: random.pick(VERSIONS), regional: random.chance(0.5) }] };
  return put({ name: `services/${random.pick(SERVICES)}/resources/Thing`, ...types });
}

/** One edit mostly, sometimes several at once, sometimes with a prune. */
export function randomCommand(random: Random): CatalogCommand {
  const count = random.chance(0.7) ? 1 : 2 + random.below(5);
  const edits = new Map<string, Edit>();
  while (edits.size < count) {
    const edit = randomEdit(random);
    edits.set(edit.name, edit);
  }
  const prune = random.chance(0.02) ? { prune: { team: random.pick(['x', 'y']) } } : {};
  return commandOf([...edits.values()], { at: 1_700_000_000_000 + random.below(1e9), ...prune });
}
