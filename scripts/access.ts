/** Writes docs/access.md from src/auth; `--check` fails when it is not what the code says. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import { ACTIONS, type Action } from '../src/auth/actions.ts';
import { ALGORITHMS } from '../src/auth/issuer-keys.ts';
import { ISSUER_FIELDS } from '../src/auth/issuer.ts';
import { EXTENTS, RIGHTS, ROLES, type Extent, type Role } from '../src/auth/rights.ts';
import { FRESH_MS } from '../src/auth/registration-tokens.ts';
import { SKEW_MS } from '../src/auth/tokens.ts';
import { DEFAULT_LIFE_MS } from '../src/domain/registration-token.ts';
import { MAX_LIVE_TOKENS } from '../src/registry/registration-tokens.ts';
import { loginSections } from './access-login.ts';

const FILE = join(import.meta.dirname, '..', 'docs', 'access.md');
const DAY_MS = 24 * 3_600_000;
const CELLS: Readonly<Record<Extent, string>> = {
  all: 'all',
  theirs: 'theirs',
  'theirs and new': 'theirs, new',
  none: '',
};

const args = process.argv.slice(2);
const content = await format(page(), { parser: 'markdown', printWidth: 120 });
if (args.length > 1 || (args.length === 1 && args[0] !== '--check')) {
  console.error('usage: access.ts [--check]');
  process.exitCode = 2;
} else if (args[0] !== '--check') {
  await writeFile(FILE, content);
  console.log('Wrote docs/access.md');
} else if ((await readFile(FILE, 'utf8').catch(() => undefined)) === content) {
  console.log('docs/access.md is current');
} else {
  console.error('docs/access.md is not what src/auth says. Run: npm run access');
  process.exitCode = 1;
}

function page(): string {
  const roles = Object.keys(ROLES) as Role[];
  const rows = (Object.keys(ACTIONS) as Action[]).map((action) => {
    const cells = roles.map((role) => (role === 'administrator' ? 'all' : CELLS[RIGHTS[action][role]]));
    return `| \`${action}\` | ${ACTIONS[action]} | ${cells.join(' | ')} |`;
  });
  return `# Who may do what

Generated from \`src/auth\` by \`npm run access\`. Every request declares an action and goes through one \`authorize\` (SEC1); a change
is decided once more on the very state that it is made to.

## Roles

${roles.map((role) => `- **${role}**: ${ROLES[role].replace(/^[^:]+: /, '')}`).join('\n')}

One caller can have several of these, and may do what any of them may.

## Rights

| action | what it is | ${roles.join(' | ')} |
| --- | --- | ${roles.map(() => '---').join(' | ')} |
${rows.join('\n')}

${(Object.keys(EXTENTS) as Extent[]).map((extent) => `- ${CELLS[extent] || '(empty)'}: ${EXTENTS[extent]}`).join('\n')}

Regions, projects, service accounts and bundles are nobody's but the administrators'. In a manifest every document is decided, and with
\`prune\` everything that would be deleted; one that is not allowed refuses the whole.

## What is visible to whom

What a caller may not see is absent from lists, searches, counts, the export, coverage, the log, push and digests, and answered like what
does not exist: with 404 and not with 403 (SEC3).

| what | who sees it |
| --- | --- |
| regions, projects | every caller above but strangers |
| public services | the same |
| private services | the service accounts of their project and of the projects in \`importers\`; their API owners: by \`{apiId}.admin\`, by \`{serviceId}/admin\`, as a member of a group that \`owners\` in the settings binds to the apiId, or of one in the service's own \`owners\` |
| versions and their API documents, resource types, deployments, instances, overrides, advisories | whoever sees their service |
| those of a service that is not in the catalog | administrators, and \`{serviceId}/admin\` |
| bundles | whoever sees all of their members |
| service accounts | the service accounts of the same project |

Administrators see everything. Seeing is not owning: what of it a caller may change is in the table above.

**Consent (CAT4).** A private service is imported and used by services of its own project and of those in its \`importers\`, which its owners
write. It stays private to all others, and a project that is still needed there cannot be taken out. Who writes a new import sees what is
imported: an API owner who does not is answered as if it were not there, and may say again what the service said before.

**Refusals.** Where something hidden is in the way of a change (it imports what would go, or is in one bundle with it), the change is refused
with a violation of code \`hidden\`, once for each rule and resource of the caller's own, without a name and without a number. A fix that
something hidden would refuse is left out, and warnings do not speak of what is hidden.

**What is not hidden.**

- Revisions are of the whole registry: that there was a change, and how many, can be told from their numbers. The metrics count everything, too,
  and are for administrators and monitoring.
- The ids of services are taken whether or not one sees who has them: a service account that creates one is told that it \`cannot be had\`.
  So is one that creates a service under whose name something runs already that it does not see: an administrator may.
- What a visible resource says is its content: the services that it imports and uses by consent, those in \`effectiveUses\` through a bundle that
  an administrator made, the projects in \`importers\`, and the id of the instance that has its address now (\`displacedBy\`).

**When it changes.** Who sees a service from now on is told of it and of what belongs to it; for who does not any more, it is deleted. A watch
starts over when its bearer becomes somebody else, and ends with 4501 when that is nobody (openapi/PUSH.md).

## Tokens

\`Authorization: Bearer TOKEN\`, over HTTP, for server-sent events and at the upgrade of a WebSocket. Never in the URL: that is a 400.
What is wrong with a token is a 401 with \`WWW-Authenticate\`, what it does not allow a 403. A socket is asked for another
token before its own expires; without one it ends, as streams and waiting polls do, within a heartbeat (close code 4004, openapi/PUSH.md).
Service accounts may show a client certificate instead, over TLS: [hardening](hardening.md), which also has the limits that callers and
projects are held to.

A token is taken when it is an access token as RFC 9068 describes it: signed with ${Object.keys(ALGORITHMS).join(', ')} by a key that its issuer
publishes (\`kid\`), of a configured issuer (\`iss\`), for a configured audience (\`aud\`), of an allowed \`typ\`, and now valid (\`exp\`, \`nbf\`, with
${SKEW_MS / 1000} s for clocks that differ). Keys are read every JWKS_REFRESH, and when a token names one that is not known; while they cannot be
read, those that are known stay good. A token is refused once its key is no longer published. ID tokens are
refused whatever their type is, as far as they can be told (\`at_hash\`, \`c_hash\`), and so are the subjects that are Signalbox's to give:
\`anonymous\`, \`development\`, \`signalbox\`, and those that begin with \`cert:\` or \`registration-token:\`. Entra ID leaves the groups out of
tokens of people who are in very many (groups overage): such a token is refused, where groups matter, with what to do.

## Registration tokens

For services that cannot do OAuth, whoever manages a service makes it a token of its own, with \`signalbox tokens create SERVICE\` or

\`\`\`sh
curl -s -X POST localhost:4400/v1/services/orders.example.com/registration-tokens \\
  -H 'content-type: application/json' -d '{"title": "the old farm", "ttl": "720h"}'
\`\`\`

It is told once, in that answer. Signalbox keeps the SHA-256 of its secret, so nobody can look it up again; \`GET\` lists the tokens of a service
without them. It is shown like any other, \`Authorization: Bearer sbr_...\`, and its bearer registers, renews and deregisters instances
of that one service over HTTP, and does nothing else: it reads nothing, and the socket of the feed, where others register too, is closed to it.
To it, instances of other services are not there (404). In development mode it counts as well:
whoever shows one is the registrar, not the administrator. \`SIGNALBOX_TOKEN=sbr_... signalbox register\` works as with any token.

- It is good for ${DEFAULT_LIFE_MS / DAY_MS} days, or for \`ttl\` or until \`expireTime\`, and never longer than REGISTRATION_TOKEN_MAX_AGE. A service has ${MAX_LIVE_TOKENS} at most that are
  neither revoked nor expired, so that one can be replaced by the next while both are good.
- \`DELETE /v1/services/{service}/registration-tokens/{id}\` (\`signalbox tokens revoke\`) ends it: at once at that node, within ${FRESH_MS / 1000} s at the
  others. Instances that it registered stay until their leases run out, or somebody deregisters them.
- It ends with its service: when that is deleted, and when another of the same name is created.
- While the database is away, tokens that a node has seen stay good until they expire; without the database instances can only renew
  their leases. Others are answered with 503.
- \`sbr_\`, 24 hexadecimal digits (its id), \`_\`, 64 more (its secret) and 8 (the CRC-32 of all before them): a scanner for leaked
  secrets finds it by \`sbr_[0-9a-f]{24}_[0-9a-f]{72}\`, and by the checksum knows that it is one. What looks like it is never logged.

## OIDC_ISSUERS

Without it Signalbox runs in development mode: on loopback only, and whoever reaches it is the administrator. With it there is no
such administrator, \`HOST\` may be any address, and nobody is let in without a token or a session. It is a list in JSON; each issuer has

| member | what it is |
| --- | --- |
${Object.entries(ISSUER_FIELDS)
  .map(([name, what]) => `| \`${name}\` | ${what} |`)
  .join('\n')}

\`issuer\` and \`audience\` have to be there. URLs are \`https://\`, or \`http://\` on the same machine. Issuers are trusted alike: where two of them
could make tokens with the same subject or client id, \`projects\` says whose service accounts each may speak for.

A service account whose resource has a \`subject\` and a \`clientId\` is whoever has both; with one of them, whoever has that. Give a \`clientId\`
alone only to clients that nobody signs in with, since the tokens of people carry the id of the client that they use.

\`\`\`json
[
  {
    "issuer": "https://login.example.com/realms/main",
    "audience": "signalbox-api",
    "types": ["at+jwt", "JWT"],
    "claims": { "groups": "/realm_access/roles", "clientId": "azp" },
    "admins": ["platform"],
    "readers": "*",
    "owners": { "team-iam": ["iam"] }
  }
]
\`\`\`

${loginSections()}`;
}
