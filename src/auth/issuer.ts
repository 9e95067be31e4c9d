import { loginAt, type Login } from './issuer-login.ts';
import { Fault, isText, listAt, objectAt, someAt, urlAt } from './read-settings.ts';

/** An identity provider whose tokens are taken, and what its claims mean here. */
export interface Issuer {
  /** The `iss` of its tokens, to the letter. */
  readonly issuer: string;
  /** Any of these has to be in `aud`. */
  readonly audience: readonly string[];
  readonly jwksUri?: string;
  /** Which `typ` its tokens may have, in lower case. */
  readonly types: readonly string[];
  readonly claims: ClaimPaths;
  readonly admins: readonly string[];
  readonly readers: readonly string[] | '*';
  readonly monitors: readonly string[];
  /** Groups, each with the apiIds that its members own. */
  readonly owners: Readonly<Record<string, readonly string[]>>;
  readonly projects?: readonly string[];
  /** Without it nobody signs in there: its tokens are brought along. */
  readonly login?: Login;
}

export interface ClaimPaths {
  readonly subject: string;
  /** The first that is there. */
  readonly clientId: readonly string[];
  /** All that are there. */
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
}

/** The members of an entry of OIDC_ISSUERS; docs/access.md lists them. */
export const ISSUER_FIELDS = {
  issuer: 'The URL of the issuer, exactly as it stands in `iss`.',
  audience: 'What has to stand in `aud`; of a list, one of them.',
  jwksUri: 'Where its keys are. Left out, `{issuer}/.well-known/openid-configuration` says it.',
  types:
    'Which `typ` its tokens have: `["at+jwt"]` (RFC 9068), or `["at+jwt", "JWT"]` for issuers that know no other; then a token without `typ` is taken too, and `audience` must have no client of `login` in it.',
  claims:
    'Where things stand in its tokens: `subject` (`"sub"`), `clientId` (`["client_id", "azp"]`), `groups` (`["groups"]`) and `scopes` (`["scope", "scp"]`). A claim by its name, or by a JSON pointer: `"/realm_access/roles"`.',
  admins: 'Groups whose members are platform administrators.',
  readers: 'Groups whose members are readers, or `"*"`: everyone with a token of this issuer reads.',
  monitors:
    'Groups whose members may read the metrics, such as the client of Prometheus; the scope `metrics` does the same.',
  owners: 'For groups, the apiIds that their members own: `{"team-iam": ["iam"]}`.',
  projects: 'The projects whose service accounts its tokens can be; left out, all; `[]`, none.',
  login: 'How people sign in there, with a browser or with `signalbox login`; left out, they do not.',
} as const;

export const DEFAULT_CLAIMS: ClaimPaths = {
  subject: 'sub',
  clientId: ['client_id', 'azp'],
  groups: ['groups'],
  scopes: ['scope', 'scp'],
};

const TYPES = ['at+jwt', 'jwt'];

export type ReadIssuers =
  { readonly ok: true; readonly issuers: readonly Issuer[] } | { readonly ok: false; readonly fault: string };

/** Reads the text of OIDC_ISSUERS; a fault ends the sentence "it is not right: ...". */
export function readIssuers(text: string): ReadIssuers {
  try {
    const entries = parse(text);
    const issuers = entries.map((entry, i) => issuerOf(entry, `/${i}`));
    const twice = issuers.find(({ issuer }, i) => issuers.findIndex((other) => other.issuer === issuer) < i);
    if (twice !== undefined) throw new Fault(`${twice.issuer} stands there twice`);
    return { ok: true, issuers };
  } catch (error) {
    if (error instanceof Fault) return { ok: false, fault: error.message };
    throw error;
  }
}

function parse(text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The message quotes what it stumbles over, which may be a secret.
    const why = (error as Error).message.replace(/,? ?(?:\.\.\.)?".*$/s, '');
    throw new Fault(`it is not JSON (${why.slice(0, 100)})`);
  }
  if (!Array.isArray(value) || value.length === 0) throw new Fault('it must be a list with at least one issuer');
  return value;
}

function issuerOf(value: unknown, where: string): Issuer {
  const raw = objectAt(value, where, Object.keys(ISSUER_FIELDS));
  const { jwksUri, projects } = raw;
  const audience = someAt(raw['audience'], `${where}/audience`);
  const types = typesAt(raw['types'] ?? ['at+jwt'], `${where}/types`);
  const login = raw['login'] === undefined ? undefined : loginAt(raw['login'], `${where}/login`);
  refuseIdTokens(audience, types, login, where);
  return {
    issuer: urlAt(raw['issuer'], `${where}/issuer`),
    audience,
    ...(jwksUri !== undefined && { jwksUri: urlAt(jwksUri, `${where}/jwksUri`) }),
    types,
    claims: claimsAt(raw['claims'] ?? {}, `${where}/claims`),
    admins: listAt(raw['admins'] ?? [], `${where}/admins`),
    readers: raw['readers'] === '*' ? '*' : listAt(raw['readers'] ?? [], `${where}/readers`),
    monitors: listAt(raw['monitors'] ?? [], `${where}/monitors`),
    owners: ownersAt(raw['owners'] ?? {}, `${where}/owners`),
    ...(projects !== undefined && { projects: listAt(projects, `${where}/projects`) }),
    ...(login !== undefined && { login }),
  };
}

/**
 * An ID token is for the client that somebody signs in with (`aud`), and is a JWT without a type of its own: with both taken,
 * it could not be told from an access token, whichever token of the login says who somebody is.
 */
function refuseIdTokens(
  audience: readonly string[],
  types: readonly string[],
  login: Login | undefined,
  where: string,
): void {
  if (!types.includes('jwt')) return;
  const client = [login?.clientId, login?.cliClientId].find((id) => id !== undefined && audience.includes(id));
  if (client === undefined) return;
  throw new Fault(
    `${where}/audience must not have ${client} in it, a client of ${where}/login, as long as ${where}/types has "JWT": ID tokens would be taken as access tokens. Have the issuer make access tokens for an audience of their own, or of the type "at+jwt"`,
  );
}

function claimsAt(value: unknown, where: string): ClaimPaths {
  const raw = objectAt(value, where, Object.keys(DEFAULT_CLAIMS));
  const list = (name: 'clientId' | 'groups' | 'scopes'): readonly string[] =>
    raw[name] === undefined ? DEFAULT_CLAIMS[name] : someAt(raw[name], `${where}/${name}`);
  const subject = raw['subject'] ?? DEFAULT_CLAIMS.subject;
  if (!isText(subject)) throw new Fault(`${where}/subject must be the name of a claim, or a JSON pointer to it`);
  return { subject, clientId: list('clientId'), groups: list('groups'), scopes: list('scopes') };
}

function ownersAt(value: unknown, where: string): Issuer['owners'] {
  const raw = objectAt(value, where);
  return Object.fromEntries(Object.entries(raw).map(([group, ids]) => [group, someAt(ids, `${where}/${group}`)]));
}

function typesAt(value: unknown, where: string): readonly string[] {
  const types = someAt(value, where).map((type) => type.toLowerCase());
  if (types.every((type) => TYPES.includes(type))) return types;
  throw new Fault(`${where} must have no others than "at+jwt" and "JWT"`);
}
