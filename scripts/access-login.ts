import { ACCOUNTS, MOUNT, PEOPLE } from '../src/auth/embedded/people.ts';
import { LOGIN_FIELDS } from '../src/auth/issuer-login.ts';
import { SIGN_IN_MS } from '../src/auth/logins.ts';
import { SESSION_CACHE_MS } from '../src/auth/sessions.ts';

/** What docs/access.md says about logging in. */
export const loginSections = (): string => `## Logging in

| path | what it is |
| --- | --- |
| \`GET /login\` | the issuers to choose from; \`?issuer=URL\` goes there at once, \`?return_to=/path\` says where to be afterwards: a path of this server, else \`/session\` |
| \`GET /login/callback\` | where issuers send browsers back to |
| \`GET /session\` | who one is, with a button to log out |
| \`POST /logout\` | ends the session, and has the issuer withdraw its refresh token where it can; goes on to the issuer's own logout where it has one (RP-initiated). Answers a page, or without \`Accept: text/html\` JSON with its \`url\` |
| \`GET /v1/whoami\` | who is calling: kind, subject, account, project, roles, services; of a session also its \`csrf\` |
| \`GET /v1/auth\` | how to log in: issuers, client ids for the command line, scopes |

An issuer that people log in at has a \`login\`. It is the authorization code flow with PKCE, state and nonce; a sign-in belongs to the
browser that began it, is good for one answer and for ${SIGN_IN_MS / 60_000} minutes. \`PUBLIC_URL\` has to say where browsers reach Signalbox, unless that is loopback.

| member of \`login\` | what it is |
| --- | --- |
${Object.entries(LOGIN_FIELDS)
  .map(([name, what]) => `| \`${name}\` | ${what} |`)
  .join('\n')}

\`\`\`json
{
  "issuer": "https://login.example.com/realms/main",
  "audience": "signalbox-api",
  "types": ["at+jwt", "JWT"],
  "claims": { "groups": "/realm_access/roles", "clientId": "azp" },
  "admins": ["platform"],
  "login": { "clientId": "signalbox", "clientSecretFile": "/run/secrets/signalbox", "cliClientId": "signalbox-cli" }
}
\`\`\`

\`signalbox login\` gets its tokens from the issuer, by the same flow with the redirect to loopback or with \`--device\`, and keeps them in
\`$XDG_CONFIG_HOME/signalbox/credentials.json\` (mode 0600) by server: a token is shown to the server that it is for, and to no other. It is renewed
by whichever command finds it ended; \`signalbox logout\` has it withdrawn.

## Sessions

A session is a row in the database; the browser has a cookie with 256 random bits, of which the row has the SHA-256 alone. The id is new
at every login, and the session that the browser had before ends. What the session holds is what the token said about its bearer; the
service account that this makes of them is looked up at each request. A session is good only as long as the issuer at which it began is configured as
it was then, in everything that decides rights: a node that starts with other OIDC_ISSUERS, or was in development mode before, takes none of the old ones.

- The cookie is \`__Host-signalbox\`: \`Secure\`, \`HttpOnly\`, \`SameSite=Lax\`, \`Path=/\`. Where PUBLIC_URL is \`http://\`, which is on loopback alone, it is
  \`signalbox-PORT\` and not \`Secure\`, since browsers differ in whether they take such cookies without TLS, and mix up those of two ports.
- It ends SESSION_MAX_AGE after logging in, when it was not used for SESSION_IDLE_TIME (an open stream is no use), and with the issuer's token.
  Where the issuer gave a refresh token too, the token is renewed a little before it ends, by one node, and with it what the session holds;
  an issuer that refuses ends the session. Who becomes somebody else by it loses their open streams.
- A node believes what it has read for ${SESSION_CACHE_MS / 1000} s: so long can a logout take to reach the other nodes, and the streams that are open there, a heartbeat more.
  While the database is away, the sessions that a node knows go on until they end, and others are answered 503.
- The refresh token and the ID token are in the row, as they are; whoever reads the database can use them at the issuer, with the client's
  secret if it has one. Neither is ever logged.
- Where a request has \`Authorization\` as well, or its connection a client certificate, that counts, and the cookie does not.

### Against cross-site requests

A cookie is sent by the browser, whichever page asked for it. So a request with one has to come from a page of Signalbox itself, by the \`Origin\` that
browsers send, or by \`Sec-Fetch-Site\` where they send none: PUBLIC_URL, or without TLS the \`Host\` of the request.

| request with a session cookie | has to show |
| --- | --- |
| \`GET\`, \`HEAD\`, \`OPTIONS\` | nothing that says it is from another page; following a link is fine |
| WebSocket, server-sent events | that it is from our page |
| all others | that it is from our page, and the \`csrf\` of \`/v1/whoami\` in \`X-Signalbox-CSRF\` |

What is refused is a 403 \`cross-site\`. The token is an HMAC under the cookie, so that no page that cannot read \`/v1/whoami\` can make it; answers have no
CORS headers. \`POST /logout\` takes it in its form, too.

Browsers show a client certificate to a page of somebody else just so. A request with one that says which page it is from, as browsers do, is held to
the first two rows, and writes to the second; programs say nothing of that, and need nothing.

## Development mode

Without OIDC_ISSUERS, on loopback alone, and not through a proxy: a request with \`Forwarded\`, \`X-Forwarded-*\`, \`X-Real-IP\` or \`Via\` is refused. A proxy or a
tunnel on this machine that rewrites \`Host\` and adds none of these cannot be told from a program here, and makes everyone who reaches it the
administrator: put none in front of development mode. Whoever brings nothing is the administrator (\`DEVELOPMENT_ACCESS=login\`: is nobody); who logs in, or brings a
token, is who that says and nothing more. A session that has ended makes nobody the administrator: its cookie has to go first, with the page
\`/session\` or \`/login\`, which says so.

The server is an OpenID provider too, with the issuer \`{PUBLIC_URL}${MOUNT}\`, and these people:

| subject | name | may |
| --- | --- | --- |
${PEOPLE.map(({ id, name, may }) => `| \`${id}\` | ${name} | ${may} |`).join('\n')}

They need no password, as nobody here does. With \`DEVELOPMENT_ACCESS=login\` they have one, the same for all: the start says it on a terminal, and it
stands in \`development.json\` in DATA_DIR, with the provider's keys and the secrets of the service accounts ${ACCOUNTS.map((id) => `\`${id}\``).join(' and ')} (client
credentials). That file is made once for each data directory, for its owner alone (mode 0600); remove it to have all of it made anew. What the
provider remembers is in memory: when Signalbox restarts, it has forgotten who was logged in, and sessions end when their tokens do, within
ten minutes. [examples/access](../examples/access/README.md) has the resources that make the service accounts and the owners somebody.
`;
