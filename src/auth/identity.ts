import type { Owned } from '../domain/command.ts';
import { CERTIFICATE_SUBJECT } from './certificates.ts';
import type { Issuer } from './issuer.ts';

/** What a token says about its bearer, in Signalbox's words; what the catalog says is asked at each request. */
export interface Identity {
  readonly subject: string;
  readonly clientId?: string;
  readonly administrator: boolean;
  readonly reader: boolean;
  /** Whether the bearer reads the metrics. */
  readonly monitor?: true;
  readonly owns: Owned;
  /** The projects whose service accounts the bearer can be; without them, all. */
  readonly projects?: readonly string[];
  /** Of a registration token: the service whose instances it registers. Its bearer is nothing else. */
  readonly registers?: string;
  /** Of a registration token: milliseconds since 1970. A service that was created later is another one. */
  readonly givenOutAt?: number;
}

/** Before the id of a registration token, in the subject of its bearer. */
export const REGISTRATION_SUBJECT = 'registration-token:';

export type Claims = Readonly<Record<string, unknown>>;

const ADMIN = 'admin';
const METRICS = 'metrics';
const OF_API = '.admin';
const OF_SERVICE = '/admin';

/** Reads the claims of a token that was verified; a text says why they cannot be taken. */
export function identityOf(claims: Claims, issuer: Issuer): Identity | string {
  const { claims: paths, admins, readers, monitors, owners, projects } = issuer;
  const subject = at(claims, paths.subject);
  if (typeof subject !== 'string' || subject === '') return `the token has no ${paths.subject}`;
  const reserved = whyReserved(subject);
  if (reserved !== undefined) return `its ${paths.subject} ${reserved}`;
  if (usesGroups(issuer) && isOverage(claims, issuer)) return OVERAGE;
  // The name of a group may have spaces in it, and a scope has none.
  const groups = new Set(textsIn(claims, paths.groups));
  const scopes = textsIn(claims, paths.scopes).flatMap((text) => text.split(' ').filter((scope) => scope !== ''));
  const clientId = paths.clientId.map((path) => at(claims, path)).find((id) => typeof id === 'string' && id !== '');
  const isIn = (wanted: readonly string[]): boolean => wanted.some((group) => groups.has(group));
  const bound = Object.entries(owners).flatMap(([group, apiIds]) => (groups.has(group) ? apiIds : []));
  return {
    subject,
    ...(clientId !== undefined && { clientId: clientId as string }),
    administrator: scopes.includes(ADMIN) || isIn(admins),
    reader: readers === '*' || isIn(readers),
    ...((scopes.includes(METRICS) || isIn(monitors)) && { monitor: true }),
    owns: {
      apiIds: [...new Set([...bound, ...endingWith(scopes, OF_API)])],
      services: [...new Set(endingWith(scopes, OF_SERVICE))],
      groups: [...groups],
    },
    ...(projects !== undefined && { projects }),
  };
}

/** Whom the audit and the log name so is for Signalbox to say, and no issuer's token may pass for one of them. */
function whyReserved(subject: string): string | undefined {
  if (subject.startsWith(CERTIFICATE_SUBJECT)) return `begins with ${CERTIFICATE_SUBJECT}, as only certificates may`;
  if (subject.startsWith(REGISTRATION_SUBJECT))
    return `begins with ${REGISTRATION_SUBJECT}, as only registration tokens may`;
  return RESERVED.has(subject) ? `is ${subject}, which is reserved` : undefined;
}

const RESERVED: ReadonlySet<string> = new Set(['anonymous', 'development', 'signalbox']);

const endingWith = (scopes: readonly string[], end: string): string[] =>
  scopes
    .filter((scope) => scope.length > end.length && scope.endsWith(end))
    .map((scope) => scope.slice(0, -end.length));

/** A claim by its name, or by a JSON pointer into the claims. */
function at(claims: Claims, path: string): unknown {
  if (!path.startsWith('/')) return Object.hasOwn(claims, path) ? claims[path] : undefined;
  let value: unknown = claims;
  for (const part of path.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Claims)[key];
  }
  return value;
}

/** Of claims that are a text or a list of texts. */
function textsIn(claims: Claims, paths: readonly string[]): string[] {
  return paths.flatMap((path) => [at(claims, path)].flat()).filter((value) => typeof value === 'string');
}

const OVERAGE =
  'the token leaves its groups out, since there are too many of them (groups overage): have the identity provider send only the groups that are assigned to the application, or application roles';

/** Entra ID leaves out the groups of whoever is in too many, and says where they could be asked for instead. */
function isOverage(claims: Claims, { claims: paths }: Issuer): boolean {
  if (claims['hasgroups'] === true || claims['hasgroups'] === 'true') return true;
  const elsewhere = claims['_claim_names'];
  if (typeof elsewhere !== 'object' || elsewhere === null) return false;
  return paths.groups.some((path) => Object.hasOwn(elsewhere, path.replace(/^\//, '').split('/')[0] ?? ''));
}

const usesGroups = ({ admins, readers, monitors, owners }: Issuer): boolean =>
  admins.length > 0 || monitors.length > 0 || (readers !== '*' && readers.length > 0) || Object.keys(owners).length > 0;
