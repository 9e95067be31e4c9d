import type { Context } from 'oidc-provider';
import { pageHeaders } from '../html.ts';
import { codeDonePage, codePage, confirmCodePage, faultPage, loggedOutPage, logoutPage } from './pages.ts';
import { ACCOUNTS, AUDIENCE, BROWSER_CLIENT, CLI_CLIENT, MOUNT, PEOPLE } from './people.ts';
import type { Secrets } from './secrets.ts';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 24 * HOUR;
const ACCESS_TOKEN_S = 10 * MINUTE;

/** The configuration of oidc-provider: who its clients and people are, and what its tokens and pages look like. */
export function configuration(origin: string, secrets: Secrets): object {
  return {
    clients: clients(origin, secrets),
    jwks: { keys: secrets.keys },
    cookies: { keys: secrets.cookies },
    findAccount: (_context: unknown, id: string) => accountOf(id),
    claims: { openid: ['sub', 'name'] },
    // The name is wanted in the ID token, and nobody asks for userinfo.
    conformIdTokenClaims: false,
    scopes: ['openid'],
    responseTypes: ['code'],
    extraTokenClaims: (_context: unknown, { accountId }: { readonly accountId?: string }) =>
      accountId === undefined ? undefined : { groups: personOf(accountId)?.groups ?? [] },
    clientBasedCORS: () => false,
    issueRefreshToken: (_context: unknown, client: { grantTypeAllowed(type: string): boolean }) =>
      client.grantTypeAllowed('refresh_token'),
    // A command line stays logged in when somebody logs out in a browser.
    expiresWithSession: (_context: unknown, { clientId }: { readonly clientId: string }) => clientId !== CLI_CLIENT,
    interactions: { url: (_context: unknown, { uid }: { readonly uid: string }) => `${MOUNT}/interaction/${uid}` },
    pkce: { required: () => true },
    renderError: (context: Context, out: { readonly error: string; readonly error_description?: string }) =>
      show(context, faultPage('This cannot be done', out.error_description ?? out.error)),
    ttl: {
      AccessToken: ACCESS_TOKEN_S,
      AuthorizationCode: MINUTE,
      ClientCredentials: ACCESS_TOKEN_S,
      DeviceCode: 10 * MINUTE,
      Grant: 14 * DAY,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: 14 * DAY,
      Session: DAY,
    },
    features: features(),
  };
}

export const personOf = (id: string | undefined) => PEOPLE.find((person) => person.id === id);

function accountOf(id: string): object | undefined {
  const person = personOf(id);
  if (person === undefined) return undefined;
  return { accountId: id, claims: () => ({ sub: id, name: person.name }) };
}

function clients(origin: string, secrets: Secrets): object[] {
  return [
    {
      client_id: BROWSER_CLIENT,
      client_secret: secrets.browser,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${origin}/login/callback`],
      post_logout_redirect_uris: [`${origin}/login`],
    },
    {
      client_id: CLI_CLIENT,
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      // Of a native client any port will do (RFC 8252, section 7.3).
      redirect_uris: ['http://127.0.0.1/callback'],
    },
    ...ACCOUNTS.map((id) => ({
      client_id: id,
      client_secret: secrets.accounts[id],
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
  ];
}

function features(): object {
  return {
    devInteractions: { enabled: false },
    userinfo: { enabled: false },
    clientCredentials: { enabled: true },
    revocation: {
      enabled: true,
      allowedPolicy: (_context: unknown, client: { readonly clientId: string }, token: { readonly clientId: string }) =>
        client.clientId === token.clientId,
    },
    resourceIndicators: {
      enabled: true,
      // Without it the tokens are opaque, and for the provider alone.
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: '',
        audience: AUDIENCE,
        accessTokenFormat: 'jwt',
        accessTokenTTL: ACCESS_TOKEN_S,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (context: Context, form: string) =>
        show(context, logoutPage(form, personOf(context.oidc.session?.accountId))),
      postLogoutSuccessSource: (context: Context) => show(context, loggedOutPage()),
    },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (context: Context, form: string, _out: unknown, fault?: object) =>
        show(context, codePage(form, fault !== undefined)),
      userCodeConfirmSource: (
        context: Context,
        form: string,
        client: { readonly clientId: string },
        _device: unknown,
        code: string,
      ) => show(context, confirmCodePage(form, client.clientId, code)),
      successSource: (context: Context) => show(context, codeDonePage()),
    },
  };
}

function show(context: Context, text: string): void {
  context.set(pageHeaders('anywhere'));
  context.body = text;
}
