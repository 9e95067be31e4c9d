import type { Identity } from '../../src/auth/identity.ts';
import type { Command, Edit } from '../../src/domain/command.ts';
import type { Mode, Registration } from '../../src/domain/instances/instance.ts';
import { readRegistration } from '../../src/domain/instances/registration.ts';
import type { View } from '../../src/domain/view.ts';
import { instanceIdOf } from '../../src/registry/instances.ts';
import type { Random } from '../support/random.ts';

export const PROJECTS = ['red', 'green', 'blue'];
/** No id is part of another, so that it can be searched for in bytes. The last two never come into the catalog. */
export const SERVICES = [
  'qa1.test',
  'qb2.test',
  'qc3.test',
  'qd4.test',
  'qe5.test',
  'qf6.test',
  'qx8.test',
  'qy9.test',
];
const CATALOGUED = SERVICES.slice(0, 6);
const REGIONS = ['us', 'eu'];
const VERSIONS = ['v1', 'v2'];
const GROUPS = ['g1', 'g2'];
const BUNDLES = ['one', 'two'];

const nobody: Identity = {
  subject: '',
  administrator: false,
  reader: false,
  owns: { apiIds: [], services: [], groups: [] },
};
const owns = (more: Partial<Identity['owns']>): Identity['owns'] => ({ ...nobody.owns, ...more });

/** By the token that says so. */
export const BEARERS: ReadonlyMap<string, Identity> = new Map(
  Object.entries({
    root: { ...nobody, administrator: true },
    red: { ...nobody, clientId: 'client-red' },
    green: { ...nobody, clientId: 'client-green' },
    blue: { ...nobody, clientId: 'client-blue', reader: true },
    redAndGroup: { ...nobody, clientId: 'client-red', owns: owns({ groups: ['g1'] }) },
    ofApi: { ...nobody, owns: owns({ apiIds: ['qa1', 'qc3'] }) },
    ofService: { ...nobody, owns: owns({ services: ['qb2.test', 'qx8.test'] }) },
    group1: { ...nobody, owns: owns({ groups: ['g1', 'others'] }) },
    group2: { ...nobody, reader: true, owns: owns({ groups: ['g2'] }) },
    reader: { ...nobody, reader: true },
    stranger: { ...nobody, owns: owns({ groups: ['others'] }) },
  } satisfies Record<string, Identity>).map(([token, identity]) => [token, { ...identity, subject: token }]),
);

const creatorOf = (project: string): string => `projects/${project}/service-accounts/creator`;
const watcherOf = (project: string): string => `projects/${project}/service-accounts/watcher`;

const some = (random: Random, values: readonly string[], chance: number): string[] =>
  values.filter(() => random.chance(chance));

const ADMIN = { kind: 'administrator', subject: 'root' } as const;
const SIGNALBOX = { kind: 'signalbox', subject: 'signalbox' } as const;
export const catalog = (edits: readonly Edit[]): Command => ({ caller: ADMIN, at: Date.now(), edits });
const put = (name: string, value: object): Edit => ({ op: 'put', name, value });

/** Where every history begins. */
export const GROUND: Command = catalog([
  ...REGIONS.map((id) => put(`regions/${id}`, { title: id })),
  ...PROJECTS.flatMap((id) => [
    put(`projects/${id}`, { title: id }),
    put(creatorOf(id), {}),
    put(watcherOf(id), { clientId: `client-${id}` }),
  ]),
]);

function serviceEdit(random: Random, view: View, id: string): Edit {
  const known = view.get(`services/${id}`) !== undefined;
  return put(`services/${id}`, {
    displayName: `Service ${random.below(5)}`,
    ...(!known && { creator: creatorOf(random.pick(PROJECTS)), apiId: id.slice(0, 3) }),
    globalEndpoint: 'apis.test',
    primaryRegion: random.pick(REGIONS),
    public: random.chance(0.4),
    importers: some(random, PROJECTS, 0.3),
    owners: some(random, GROUPS, 0.25),
    uses: some(random, CATALOGUED, 0.1).filter((used) => used !== id),
    labels: random.chance(0.5) ? { team: random.pick(['x', 'y']) } : {},
  });
}

/** Most services, none of which needs another. */
export function beginning(random: Random): Command {
  const edits = CATALOGUED.filter(() => random.chance(0.8)).flatMap((id) => [
    put(`services/${id}`, {
      displayName: id,
      creator: creatorOf(random.pick(PROJECTS)),
      apiId: id.slice(0, 3),
      globalEndpoint: 'apis.test',
      primaryRegion: 'us',
      public: random.chance(0.4),
      importers: some(random, PROJECTS, 0.3),
      owners: some(random, GROUPS, 0.25),
    }),
    put(`services/${id}/versions/v1`, {}),
  ]);
  return catalog(edits);
}

/** A service with all that is below it. */
function removal(view: View, id: string): Edit[] {
  const names = Array.from(view.all(), ({ name }) => name).filter(
    (name) => name === `services/${id}` || name.startsWith(`services/${id}/`),
  );
  const inCatalog = names.filter((name) => !name.endsWith('/override'));
  const bundles = BUNDLES.map((bundle) => view.get(`bundles/${bundle}`)).flatMap((item) =>
    item?.kind === 'bundle' && item.value.members.includes(id) ? [item.name] : [],
  );
  return [...inCatalog, ...bundles].map((name) => ({ op: 'delete', name }));
}

function catalogEdits(random: Random, view: View): Edit[] {
  const id = random.pick(CATALOGUED);
  const version = random.pick(VERSIONS);
  const region = random.pick(REGIONS);
  switch (random.below(13)) {
    case 0:
      return [serviceEdit(random, view, id), put(`services/${id}/versions/v1`, {})];
    case 1:
      return [serviceEdit(random, view, id)];
    case 2:
    case 3:
      return [{ op: 'patch', name: `services/${id}`, patch: { public: random.chance(0.5) } }];
    case 4:
      return [{ op: 'patch', name: `services/${id}`, patch: { importers: some(random, PROJECTS, 0.4) } }];
    case 5:
      return [{ op: 'patch', name: `services/${id}`, patch: { owners: some(random, GROUPS, 0.4) } }];
    case 6: {
      const imports = some(random, CATALOGUED, 0.2).map((service) => ({ service, version: 'v1' }));
      return [put(`services/${id}/versions/${version}`, { imports, labels: { team: random.pick(['x', 'y']) } })];
    }
    case 7:
      return [
        put(`services/${id}/deployments/${region}`, { regionalEndpoint: 'e.test', currentVersion: version }),
        { op: 'patch', name: `services/${id}`, patch: { primaryRegion: region } },
      ];
    case 8:
      return [put(`services/${id}/resources/Thing`, { plural: 'Things', versions: [] })];
    case 9: {
      const members = [...new Set([random.pick(CATALOGUED), ...some(random, CATALOGUED, 0.2)])];
      const rules = { usedByEveryone: random.chance(0.2), deployedTogether: random.chance(0.2) };
      return [put(`bundles/${random.pick(BUNDLES)}`, { members, rules })];
    }
    case 10:
      return removal(view, id);
    case 11: {
      const project = random.pick(PROJECTS);
      if (view.get(watcherOf(project)) !== undefined) return [{ op: 'delete', name: watcherOf(project) }];
      return [put(watcherOf(project), { clientId: `client-${project}` })];
    }
    default: {
      const others = [...new Set([id, random.pick(CATALOGUED)])];
      return others.map((one) => ({ op: 'patch', name: `services/${one}`, patch: { public: random.chance(0.5) } }));
    }
  }
}

function registrationOf(random: Random): Registration {
  const read = readRegistration({
    service: random.pick(SERVICES),
    protocol: 'http',
    address: `10.0.0.${1 + random.below(3)}`,
    port: 80,
    ...(random.chance(0.7) && { region: random.pick(REGIONS) }),
    tags: random.chance(0.5) ? { zone: random.pick(['a', 'b']) } : {},
  });
  if (!read.ok) throw new Error('not a registration');
  return read.value;
}

function runtimeCommand(random: Random, view: View): Command {
  const at = Date.now();
  const running = Array.from(view.all()).filter((item) => item.kind === 'instance');
  const one = running.length === 0 ? undefined : random.pick(running);
  const dice = random.below(6);
  if (dice < 2 || one === undefined) {
    const registration = registrationOf(random);
    return { caller: ADMIN, at, instances: [{ op: 'register', id: instanceIdOf(registration), registration }] };
  }
  if (dice === 2) return { caller: ADMIN, at, instances: [{ op: 'deregister', id: one.id }] };
  const override = random.chance(0.7)
    ? ({ mode: random.pick<Mode>(['drain', 'serving']), reason: 'r' } as const)
    : undefined;
  if (dice === 3) return { caller: ADMIN, at, instances: [{ op: 'override', target: { instance: one.id }, override }] };
  const { service } = one.value;
  const region = random.pick([...REGIONS, '-']);
  if (dice === 4) return { caller: ADMIN, at, instances: [{ op: 'override', target: { service, region }, override }] };
  const advisory = random.chance(0.7) ? { code: 'eviction-guard', service, message: `m${random.below(3)}` } : undefined;
  return { caller: SIGNALBOX, at, instances: [{ op: 'advise', id: `guard.${service}`, advisory }] };
}

/** Something that an administrator, an instance or a check does next; the registry may refuse it. */
export function nextCommand(random: Random, view: View): Command {
  if (random.chance(0.35)) return runtimeCommand(random, view);
  const edits = new Map(catalogEdits(random, view).map((edit) => [edit.name, edit]));
  return edits.size === 0 ? runtimeCommand(random, view) : catalog([...edits.values()]);
}
