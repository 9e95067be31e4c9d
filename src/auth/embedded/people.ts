import { DEFAULT_CLAIMS, type Issuer } from '../issuer.ts';

/** Somebody who can sign in in development mode. */
export interface Person {
  readonly id: string;
  readonly name: string;
  /** What they may do, for the login page. */
  readonly may: string;
  readonly groups: readonly string[];
}

/** One of each sort. The services that the owners own are those of examples/access. */
export const PEOPLE: readonly Person[] = [
  {
    id: 'ada',
    name: 'Ada Admin',
    may: 'Platform administrator: may do everything.',
    groups: ['platform'],
  },
  {
    id: 'olga',
    name: 'Olga Orders',
    may: 'API owner of apiId "orders": may change that service, its versions, deployments and instances.',
    groups: ['team-orders'],
  },
  {
    id: 'pavel',
    name: 'Pavel Payments',
    may: 'API owner of apiId "payments": may change that service, its versions, deployments and instances.',
    groups: ['team-payments'],
  },
  {
    id: 'rita',
    name: 'Rita Reader',
    may: 'Reader: may look, and change nothing.',
    groups: ['staff'],
  },
];

/** Service accounts: clients with secrets. What each may do is up to who puts it into the catalog (examples/access). */
export const ACCOUNTS = ['orders-deployer', 'payments-deployer'] as const;

export const BROWSER_CLIENT = 'signalbox';
export const CLI_CLIENT = 'signalbox-cli';
/** Where the provider lives on the server. */
export const MOUNT = '/oidc';
/** What the tokens are for; a URI, as RFC 8707 wants it. */
export const AUDIENCE = 'urn:signalbox';

/** The entry in OIDC_ISSUERS that the embedded provider would have. */
export function embeddedIssuer(origin: string, clientSecret: string): Issuer {
  return {
    issuer: origin + MOUNT,
    audience: [AUDIENCE],
    types: ['at+jwt'],
    claims: DEFAULT_CLAIMS,
    admins: ['platform'],
    readers: ['staff'],
    monitors: [],
    owners: { 'team-orders': ['orders'], 'team-payments': ['payments'] },
    login: {
      clientId: BROWSER_CLIENT,
      clientSecret,
      title: 'the development provider',
      scopes: ['openid'],
      cliClientId: CLI_CLIENT,
      parameters: {},
      token: 'access',
    },
  };
}
