import { Fault, listAt, objectAt, textAt, type Raw } from './read-settings.ts';

/** How people sign in at an issuer. */
export interface Login {
  /** Of Signalbox itself, as the issuer knows it, for browsers. */
  readonly clientId: string;
  readonly clientSecret?: string;
  /** The file that holds the secret; never both. */
  readonly clientSecretFile?: string;
  /** What the choice on the login page is called. */
  readonly title?: string;
  readonly scopes: readonly string[];
  /** Of the command line: a public client. */
  readonly cliClientId?: string;
  /** Asked for as RFC 8707 says. */
  readonly resource?: string;
  /** What else the issuer wants with the authorization request. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Which of its tokens says who somebody is. */
  readonly token: 'access' | 'id';
}

/** The members of `login` in an entry of OIDC_ISSUERS; docs/access.md lists them. */
export const LOGIN_FIELDS = {
  clientId:
    'The client that Signalbox is to the issuer. Its redirect URI is `{PUBLIC_URL}/login/callback`, and `{PUBLIC_URL}/login` after logging out.',
  clientSecret: 'Its secret; left out, it is a public client. PKCE is used in any case.',
  clientSecretFile: 'Instead: the file that holds the secret.',
  title: 'What the login page calls the issuer; left out, its URL.',
  scopes: 'What to ask for: `["openid"]`; many issuers give a refresh token only for `offline_access` beside it.',
  cliClientId:
    'The public client for `signalbox login`, with the redirect URI `http://127.0.0.1/callback` on any port, or the device flow. Left out, the command line cannot log in.',
  resource: 'The `resource` to ask for (RFC 8707), where the issuer needs it to put the audience into its tokens.',
  parameters: 'Other parameters of the authorization request: `{"audience": "signalbox"}`.',
  token:
    '`"access"`: who somebody is stands in the access token, as everywhere else; `"id"`: in the ID token, for issuers whose access tokens are not for Signalbox.',
} as const;

/** These are Signalbox's to choose. */
const OURS: ReadonlySet<string> = new Set([
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'resource',
]);

export function loginAt(value: unknown, where: string): Login {
  const raw = objectAt(value, where, Object.keys(LOGIN_FIELDS));
  const text = (name: keyof typeof LOGIN_FIELDS): Raw =>
    raw[name] === undefined ? {} : { [name]: textAt(raw[name], `${where}/${name}`) };
  if (raw['clientSecret'] !== undefined && raw['clientSecretFile'] !== undefined) {
    throw new Fault(`${where} must not have both clientSecret and clientSecretFile`);
  }
  const scopes = listAt(raw['scopes'] ?? ['openid'], `${where}/scopes`);
  if (!scopes.includes('openid')) throw new Fault(`${where}/scopes must have "openid" among them`);
  const token = raw['token'] ?? 'access';
  if (token !== 'access' && token !== 'id') throw new Fault(`${where}/token must be "access" or "id"`);
  return {
    clientId: textAt(raw['clientId'], `${where}/clientId`),
    ...text('clientSecret'),
    ...text('clientSecretFile'),
    ...text('title'),
    ...text('cliClientId'),
    ...text('resource'),
    scopes,
    parameters: parametersAt(raw['parameters'] ?? {}, `${where}/parameters`),
    token,
  };
}

function parametersAt(value: unknown, where: string): Readonly<Record<string, string>> {
  const raw = objectAt(value, where);
  for (const [name, text] of Object.entries(raw)) {
    if (OURS.has(name)) throw new Fault(`${where}/${name} is not for settings`);
    textAt(text, `${where}/${name}`);
  }
  return raw as Readonly<Record<string, string>>;
}
