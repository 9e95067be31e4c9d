import type { Action } from './actions.ts';

/** What a caller can be; one caller can be several of these. */
export const ROLES = {
  administrator: "Platform administrator: a member of one of the issuer's `admins` groups, or the scope `admin`.",
  account: 'Service account: its subject and client id are those of a `projects/{project}/service-accounts/{account}`.',
  owner:
    'API owner: the scope `{apiId}.admin` or `{serviceId}/admin`, or a member of a group that `owners` in the settings binds to the apiId, or that the service itself lists in its `owners`.',
  registrar: 'Registration token: given out for one service, for whoever cannot do OAuth (docs/access.md).',
  reader: 'Reader: a member of one of the issuer\'s `readers` groups; with `"readers": "*"`, everyone with a token.',
  monitor: "Monitoring: the scope `metrics`, or a member of one of the issuer's `monitors` groups.",
  stranger: 'Everyone else: without a token, or with one that makes its bearer none of the above.',
} as const;

export type Role = keyof typeof ROLES;

/** How far a role may go with an action. */
export const EXTENTS = {
  all: 'On everything.',
  theirs:
    'On what is theirs: a service account’s are the services of its project, an API owner’s those that the token names, or that name one of its groups; a registration token’s its one service; with the versions, resources, deployments, instances and overrides of these.',
  'theirs and new': 'On what is theirs, and on services that do not exist yet: these join its project (CAT2).',
  none: 'Not at all.',
} as const;

export type Extent = keyof typeof EXTENTS;

type Row = Readonly<Record<Exclude<Role, 'administrator'>, Extent>>;

const EVERYONE: Row = {
  account: 'all',
  owner: 'all',
  registrar: 'all',
  reader: 'all',
  monitor: 'all',
  stranger: 'all',
};
const WHO_BELONGS: Row = { ...EVERYONE, registrar: 'none', monitor: 'none', stranger: 'none' };
const NOBODY: Row = {
  account: 'none',
  owner: 'none',
  registrar: 'none',
  reader: 'none',
  monitor: 'none',
  stranger: 'none',
};
const THEIRS: Row = { ...NOBODY, account: 'theirs', owner: 'theirs' };

/** Who may do what, beside administrators, who may do everything. docs/access.md is made of this. */
export const RIGHTS: Readonly<Record<Action, Row>> = {
  'catalog.read': WHO_BELONGS,
  'catalog.write': { ...THEIRS, account: 'theirs and new' },
  'catalog.delete': THEIRS,
  'catalog.apply': { ...THEIRS, account: 'theirs and new' },
  'catalog.export': WHO_BELONGS,
  'instance.read': WHO_BELONGS,
  'instance.register': { ...THEIRS, registrar: 'theirs' },
  'instance.override': THEIRS,
  'token.manage': THEIRS,
  'coverage.read': WHO_BELONGS,
  'log.read': WHO_BELONGS,
  'feed.watch': WHO_BELONGS,
  // Of who is connected, those who watch what is theirs.
  'feed.subscribers': THEIRS,
  // Entries about no service are for administrators alone.
  'audit.read': THEIRS,
  'session.use': EVERYONE,
  // Whoever restarts a process has no token to show.
  'health.read': EVERYONE,
  // They count what is private too.
  'metrics.read': { ...NOBODY, monitor: 'all' },
  'node.read': { ...NOBODY, monitor: 'all' },
  'docs.read': EVERYONE,
};
