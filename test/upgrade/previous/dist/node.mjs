var __defProp = Object.defineProperty;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __esm = (fn, res, err) => function() {
  if (err) throw err[0];
  try {
    return fn && (res = (0, fn[__getOwnPropNames(fn)[0]])(fn = 0)), res;
  } catch (e) {
    throw err = [e], e;
  }
};
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: !0 });
};

// src/auth/read-settings.ts
function isSecureUrl(text2) {
  if (!URL.canParse(text2)) return !1;
  let { protocol, hostname, username, hash: hash2 } = new URL(text2);
  return username !== "" || hash2 !== "" ? !1 : protocol === "https:" || protocol === "http:" && isLoopbackName(hostname);
}
function urlAt(value, where) {
  if (isText(value) && isSecureUrl(value)) return value;
  throw new Fault(`${where} must be a URL that begins with https://, or with http:// on this machine`);
}
function textAt(value, where) {
  if (isText(value)) return value;
  throw new Fault(`${where} must be a text`);
}
function objectAt(value, where, known2) {
  if (typeof value != "object" || value === null || Array.isArray(value))
    throw new Fault(`${where} must be an object`);
  let stray = known2 === void 0 ? void 0 : Object.keys(value).find((key) => !known2.includes(key));
  if (stray === void 0) return value;
  throw new Fault(`${where}/${stray.slice(0, 80)} is not known; there are ${known2?.join(", ")}`);
}
function listAt(value, where) {
  if (Array.isArray(value) && value.every(isText)) return value;
  throw new Fault(`${where} must be a list of texts`);
}
function someAt(value, where) {
  let list5 = isText(value) ? [value] : value;
  if (Array.isArray(list5) && list5.length > 0 && list5.every(isText)) return list5;
  throw new Fault(`${where} must be a text or a list of texts, at least one`);
}
var Fault, isText, isLoopbackName, init_read_settings = __esm({
  "src/auth/read-settings.ts"() {
    "use strict";
    Fault = class extends Error {
    }, isText = (value) => typeof value == "string" && value !== "";
    isLoopbackName = (hostname) => /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])$/.test(hostname);
  }
});

// src/auth/issuer-login.ts
function loginAt(value, where) {
  let raw2 = objectAt(value, where, Object.keys(LOGIN_FIELDS)), text2 = (name) => raw2[name] === void 0 ? {} : { [name]: textAt(raw2[name], `${where}/${name}`) };
  if (raw2.clientSecret !== void 0 && raw2.clientSecretFile !== void 0)
    throw new Fault(`${where} must not have both clientSecret and clientSecretFile`);
  let scopes = listAt(raw2.scopes ?? ["openid"], `${where}/scopes`);
  if (!scopes.includes("openid")) throw new Fault(`${where}/scopes must have "openid" among them`);
  let token = raw2.token ?? "access";
  if (token !== "access" && token !== "id") throw new Fault(`${where}/token must be "access" or "id"`);
  return {
    clientId: textAt(raw2.clientId, `${where}/clientId`),
    ...text2("clientSecret"),
    ...text2("clientSecretFile"),
    ...text2("title"),
    ...text2("cliClientId"),
    ...text2("resource"),
    scopes,
    parameters: parametersAt(raw2.parameters ?? {}, `${where}/parameters`),
    token
  };
}
function parametersAt(value, where) {
  let raw2 = objectAt(value, where);
  for (let [name, text2] of Object.entries(raw2)) {
    if (OURS.has(name)) throw new Fault(`${where}/${name} is not for settings`);
    textAt(text2, `${where}/${name}`);
  }
  return raw2;
}
var LOGIN_FIELDS, OURS, init_issuer_login = __esm({
  "src/auth/issuer-login.ts"() {
    "use strict";
    init_read_settings();
    LOGIN_FIELDS = {
      clientId: "The client that Signalbox is to the issuer. Its redirect URI is `{PUBLIC_URL}/login/callback`, and `{PUBLIC_URL}/login` after logging out.",
      clientSecret: "Its secret; left out, it is a public client. PKCE is used in any case.",
      clientSecretFile: "Instead: the file that holds the secret.",
      title: "What the login page calls the issuer; left out, its URL.",
      scopes: 'What to ask for: `["openid"]`; many issuers give a refresh token only for `offline_access` beside it.',
      cliClientId: "The public client for `signalbox login`, with the redirect URI `http://127.0.0.1/callback` on any port, or the device flow. Left out, the command line cannot log in.",
      resource: "The `resource` to ask for (RFC 8707), where the issuer needs it to put the audience into its tokens.",
      parameters: 'Other parameters of the authorization request: `{"audience": "signalbox"}`.',
      token: '`"access"`: who somebody is stands in the access token, as everywhere else; `"id"`: in the ID token, for issuers whose access tokens are not for Signalbox.'
    }, OURS = /* @__PURE__ */ new Set([
      "client_id",
      "redirect_uri",
      "response_type",
      "response_mode",
      "scope",
      "state",
      "nonce",
      "code_challenge",
      "code_challenge_method",
      "resource"
    ]);
  }
});

// src/auth/issuer.ts
function readIssuers(text2) {
  try {
    let issuers2 = parse(text2).map((entry, i) => issuerOf(entry, `/${i}`)), twice2 = issuers2.find(({ issuer }, i) => issuers2.findIndex((other) => other.issuer === issuer) < i);
    if (twice2 !== void 0) throw new Fault(`${twice2.issuer} stands there twice`);
    return { ok: !0, issuers: issuers2 };
  } catch (error) {
    if (error instanceof Fault) return { ok: !1, fault: error.message };
    throw error;
  }
}
function parse(text2) {
  let value;
  try {
    value = JSON.parse(text2);
  } catch (error) {
    let why = error.message.replace(/,? ?(?:\.\.\.)?".*$/s, "");
    throw new Fault(`it is not JSON (${why.slice(0, 100)})`);
  }
  if (!Array.isArray(value) || value.length === 0) throw new Fault("it must be a list with at least one issuer");
  return value;
}
function issuerOf(value, where) {
  let raw2 = objectAt(value, where, Object.keys(ISSUER_FIELDS)), { jwksUri, projects } = raw2, audience = someAt(raw2.audience, `${where}/audience`), types = typesAt(raw2.types ?? ["at+jwt"], `${where}/types`), login2 = raw2.login === void 0 ? void 0 : loginAt(raw2.login, `${where}/login`);
  return refuseIdTokens(audience, types, login2, where), {
    issuer: urlAt(raw2.issuer, `${where}/issuer`),
    audience,
    ...jwksUri !== void 0 && { jwksUri: urlAt(jwksUri, `${where}/jwksUri`) },
    types,
    claims: claimsAt(raw2.claims ?? {}, `${where}/claims`),
    admins: listAt(raw2.admins ?? [], `${where}/admins`),
    readers: raw2.readers === "*" ? "*" : listAt(raw2.readers ?? [], `${where}/readers`),
    monitors: listAt(raw2.monitors ?? [], `${where}/monitors`),
    owners: ownersAt(raw2.owners ?? {}, `${where}/owners`),
    ...projects !== void 0 && { projects: listAt(projects, `${where}/projects`) },
    ...login2 !== void 0 && { login: login2 }
  };
}
function refuseIdTokens(audience, types, login2, where) {
  if (!types.includes("jwt")) return;
  let client = [login2?.clientId, login2?.cliClientId].find((id2) => id2 !== void 0 && audience.includes(id2));
  if (client !== void 0)
    throw new Fault(
      `${where}/audience must not have ${client} in it, a client of ${where}/login, as long as ${where}/types has "JWT": ID tokens would be taken as access tokens. Have the issuer make access tokens for an audience of their own, or of the type "at+jwt"`
    );
}
function claimsAt(value, where) {
  let raw2 = objectAt(value, where, Object.keys(DEFAULT_CLAIMS)), list5 = (name) => raw2[name] === void 0 ? DEFAULT_CLAIMS[name] : someAt(raw2[name], `${where}/${name}`), subject = raw2.subject ?? DEFAULT_CLAIMS.subject;
  if (!isText(subject)) throw new Fault(`${where}/subject must be the name of a claim, or a JSON pointer to it`);
  return { subject, clientId: list5("clientId"), groups: list5("groups"), scopes: list5("scopes") };
}
function ownersAt(value, where) {
  let raw2 = objectAt(value, where);
  return Object.fromEntries(Object.entries(raw2).map(([group, ids]) => [group, someAt(ids, `${where}/${group}`)]));
}
function typesAt(value, where) {
  let types = someAt(value, where).map((type) => type.toLowerCase());
  if (types.every((type) => TYPES.includes(type))) return types;
  throw new Fault(`${where} must have no others than "at+jwt" and "JWT"`);
}
var ISSUER_FIELDS, DEFAULT_CLAIMS, TYPES, init_issuer = __esm({
  "src/auth/issuer.ts"() {
    "use strict";
    init_issuer_login();
    init_read_settings();
    ISSUER_FIELDS = {
      issuer: "The URL of the issuer, exactly as it stands in `iss`.",
      audience: "What has to stand in `aud`; of a list, one of them.",
      jwksUri: "Where its keys are. Left out, `{issuer}/.well-known/openid-configuration` says it.",
      types: 'Which `typ` its tokens have: `["at+jwt"]` (RFC 9068), or `["at+jwt", "JWT"]` for issuers that know no other; then a token without `typ` is taken too, and `audience` must have no client of `login` in it.',
      claims: 'Where things stand in its tokens: `subject` (`"sub"`), `clientId` (`["client_id", "azp"]`), `groups` (`["groups"]`) and `scopes` (`["scope", "scp"]`). A claim by its name, or by a JSON pointer: `"/realm_access/roles"`.',
      admins: "Groups whose members are platform administrators.",
      readers: 'Groups whose members are readers, or `"*"`: everyone with a token of this issuer reads.',
      monitors: "Groups whose members may read the metrics, such as the client of Prometheus; the scope `metrics` does the same.",
      owners: 'For groups, the apiIds that their members own: `{"team-iam": ["iam"]}`.',
      projects: "The projects whose service accounts its tokens can be; left out, all; `[]`, none.",
      login: "How people sign in there, with a browser or with `signalbox login`; left out, they do not."
    }, DEFAULT_CLAIMS = {
      subject: "sub",
      clientId: ["client_id", "azp"],
      groups: ["groups"],
      scopes: ["scope", "scp"]
    }, TYPES = ["at+jwt", "jwt"];
  }
});

// src/auth/embedded/people.ts
function embeddedIssuer(origin, clientSecret) {
  return {
    issuer: origin + MOUNT,
    audience: [AUDIENCE],
    types: ["at+jwt"],
    claims: DEFAULT_CLAIMS,
    admins: ["platform"],
    readers: ["staff"],
    monitors: [],
    owners: { "team-orders": ["orders"], "team-payments": ["payments"] },
    login: {
      clientId: BROWSER_CLIENT,
      clientSecret,
      title: "the development provider",
      scopes: ["openid"],
      cliClientId: CLI_CLIENT,
      parameters: {},
      token: "access"
    }
  };
}
var PEOPLE, ACCOUNTS, BROWSER_CLIENT, CLI_CLIENT, MOUNT, AUDIENCE, init_people = __esm({
  "src/auth/embedded/people.ts"() {
    "use strict";
    init_issuer();
    PEOPLE = [
      {
        id: "ada",
        name: "Ada Admin",
        may: "Platform administrator: may do everything.",
        groups: ["platform"]
      },
      {
        id: "olga",
        name: "Olga Orders",
        may: 'API owner of apiId "orders": may change that service, its versions, deployments and instances.',
        groups: ["team-orders"]
      },
      {
        id: "pavel",
        name: "Pavel Payments",
        may: 'API owner of apiId "payments": may change that service, its versions, deployments and instances.',
        groups: ["team-payments"]
      },
      {
        id: "rita",
        name: "Rita Reader",
        may: "Reader: may look, and change nothing.",
        groups: ["staff"]
      }
    ], ACCOUNTS = ["orders-deployer", "payments-deployer"], BROWSER_CLIENT = "signalbox", CLI_CLIENT = "signalbox-cli", MOUNT = "/oidc", AUDIENCE = "urn:signalbox";
  }
});

// src/auth/html.ts
import { createHash as createHash4 } from "node:crypto";
function textOf(part) {
  return part === void 0 || part === !1 ? "" : part instanceof Html ? part.text : typeof part == "object" ? part.map(textOf).join("") : escapeHtml(String(part));
}
function page(title2, body) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title2)} · Signalbox</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title2)}</h1>
${body.text}
</main>
</body>
</html>
`;
}
function pageHeaders(formsTo = []) {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": [
      "default-src 'none'",
      `style-src ${STYLE_HASH}`,
      ...formsTo === "anywhere" ? [] : [`form-action ${["'self'", ...formsTo].join(" ")}`],
      "base-uri 'none'",
      "frame-ancestors 'none'"
    ].join("; "),
    "cache-control": "no-store",
    // Not "no-referrer": browsers would then send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY"
  };
}
var Html, html, escapeHtml, STYLE, STYLE_HASH, init_html = __esm({
  "src/auth/html.ts"() {
    "use strict";
    Html = class {
      text;
      constructor(text2) {
        this.text = text2;
      }
    }, html = (strings2, ...parts) => new Html(strings2.reduce((all, text2, i) => all + textOf(parts[i - 1]) + text2));
    escapeHtml = (text2) => text2.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`), STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { max-width: 40rem; margin: 4rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .75rem; overflow-wrap: anywhere; }
ul.choices { list-style: none; padding: 0; }
ul.choices li { margin: 0 0 .75rem; }
button, a.button { font: inherit; display: inline-block; padding: .5rem 1rem; border: 1px solid; border-radius: .4rem; background: none; color: inherit; cursor: pointer; text-decoration: none; }
ul.choices button, ul.choices a.button { width: 100%; box-sizing: border-box; text-align: left; }
button:hover, a.button:hover, button:focus-visible, a.button:focus-visible { background: #2563eb; border-color: #2563eb; color: #fff; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input { font: inherit; padding: .4rem .6rem; width: 100%; box-sizing: border-box; }
small { display: block; }
form { margin: 1rem 0; }
[role=alert] { border-left: 4px solid #dc2626; padding-left: .75rem; }
`, STYLE_HASH = `'sha256-${createHash4("sha256").update(STYLE).digest("base64")}'`;
  }
});

// src/auth/embedded/pages.ts
function loginPage2(action, askPassword, fault) {
  let people = PEOPLE.map(
    ({ id: id2, name, may }) => html` <li>
        <button name="person" value="${id2}"><strong>${name}</strong><small>${may}</small></button>
      </li>`
  ), password = html` <p>
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autocomplete="off" required autofocus />
    <small
      >All of them have the same one. Signalbox says it when it starts, and it stands in
      <code>development.json</code> in its data directory.</small
    >
  </p>`, open3 = html` <p>
    Nobody needs a password here: in development mode, whoever reaches this server may do everything anyway.
    <code>DEVELOPMENT_ACCESS=login</code> changes that.
  </p>`;
  return page(
    "Who are you?",
    html`${fault !== void 0 && html`<p role="alert">${fault}</p>`}
      <p>These are the people of development mode.</p>
      <form method="post" action="${action}/login">
        ${askPassword ? password : open3}
        <ul class="choices">
          ${people}
        </ul>
      </form>
      ${cancel(action)}`
  );
}
var CLIENTS, consentPage, cancel, logoutPage, loggedOutPage2, codePage, confirmCodePage, codeDonePage, faultPage2, init_pages = __esm({
  "src/auth/embedded/pages.ts"() {
    "use strict";
    init_html();
    init_people();
    CLIENTS = {
      [BROWSER_CLIENT]: "Signalbox",
      [CLI_CLIENT]: "The command line of Signalbox"
    }, consentPage = (action, client, person) => page(
      "May this be?",
      html`<p>
        <strong>${CLIENTS[client] ?? client}</strong> wants to act for you. You are <strong>${person.name}</strong>.
      </p>
      <p>${person.may}</p>
      <form method="post" action="${action}/consent"><button autofocus>Allow</button></form>
      ${cancel(action)}`
    ), cancel = (action) => html`<form method="post" action="${action}/cancel"><button>Cancel</button></form>`, logoutPage = (form, person) => page(
      "Log out of the development provider as well?",
      html`<p>
        You are logged out of Signalbox. The provider still knows
        you${person && html` as <strong>${person.name}</strong>`}, and would let you in again without asking.
      </p>
      ${new Html(form)}
      <p>
        <button form="op.logoutForm" name="logout" value="yes" autofocus>Log out</button>
        <button form="op.logoutForm">Stay</button>
      </p>`
    ), loggedOutPage2 = () => page("You are logged out", html`<p><a class="button" href="/login">Log in again</a></p>`), codePage = (form, wrong) => page(
      "Sign in a command line",
      html`${wrong && html`<p role="alert">This code is not known, or was used, or is too old.</p>`}
      <p>Enter the code that <code>signalbox login --device</code> shows.</p>
      ${new Html(form)}
      <p><button form="op.deviceInputForm">Continue</button></p>`
    ), confirmCodePage = (form, client, code) => page(
      "Is this the code?",
      html`<p><strong>${CLIENTS[client] ?? client}</strong> should show</p>
      <p>
        <strong><code>${code}</code></strong>
      </p>
      <p>If it does not, somebody else may be trying to sign in as you.</p>
      ${new Html(form)}
      <p>
        <button form="op.deviceConfirmForm" autofocus>It does: continue</button>
        <button form="op.deviceConfirmForm" name="abort" value="yes">It does not</button>
      </p>`
    ), codeDonePage = () => page("You are signed in", html`<p>The command line goes on by itself; this page can be closed.</p>`), faultPage2 = (title2, detail) => page(
      title2,
      html`<p role="alert">${detail}</p>
      <p><a class="button" href="/login">Start again</a></p>`
    );
  }
});

// src/auth/embedded/configuration.ts
function configuration(origin, secrets) {
  return {
    clients: clients(origin, secrets),
    jwks: { keys: secrets.keys },
    cookies: { keys: secrets.cookies },
    findAccount: (_context, id2) => accountOf(id2),
    claims: { openid: ["sub", "name"] },
    // The name is wanted in the ID token, and nobody asks for userinfo.
    conformIdTokenClaims: !1,
    scopes: ["openid"],
    responseTypes: ["code"],
    extraTokenClaims: (_context, { accountId }) => accountId === void 0 ? void 0 : { groups: personOf(accountId)?.groups ?? [] },
    clientBasedCORS: () => !1,
    issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
    // A command line stays logged in when somebody logs out in a browser.
    expiresWithSession: (_context, { clientId }) => clientId !== CLI_CLIENT,
    interactions: { url: (_context, { uid }) => `${MOUNT}/interaction/${uid}` },
    pkce: { required: () => !0 },
    renderError: (context, out) => show2(context, faultPage2("This cannot be done", out.error_description ?? out.error)),
    ttl: {
      AccessToken: ACCESS_TOKEN_S,
      AuthorizationCode: MINUTE,
      ClientCredentials: ACCESS_TOKEN_S,
      DeviceCode: 10 * MINUTE,
      Grant: 14 * DAY,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: 14 * DAY,
      Session: DAY
    },
    features: features()
  };
}
function accountOf(id2) {
  let person = personOf(id2);
  if (person !== void 0)
    return { accountId: id2, claims: () => ({ sub: id2, name: person.name }) };
}
function clients(origin, secrets) {
  return [
    {
      client_id: BROWSER_CLIENT,
      client_secret: secrets.browser,
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [`${origin}/login/callback`],
      post_logout_redirect_uris: [`${origin}/login`]
    },
    {
      client_id: CLI_CLIENT,
      token_endpoint_auth_method: "none",
      application_type: "native",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      // Of a native client any port will do (RFC 8252, section 7.3).
      redirect_uris: ["http://127.0.0.1/callback"]
    },
    ...ACCOUNTS.map((id2) => ({
      client_id: id2,
      client_secret: secrets.accounts[id2],
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: []
    }))
  ];
}
function features() {
  return {
    devInteractions: { enabled: !1 },
    userinfo: { enabled: !1 },
    clientCredentials: { enabled: !0 },
    revocation: {
      enabled: !0,
      allowedPolicy: (_context, client, token) => client.clientId === token.clientId
    },
    resourceIndicators: {
      enabled: !0,
      // Without it the tokens are opaque, and for the provider alone.
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => !0,
      getResourceServerInfo: () => ({
        scope: "",
        audience: AUDIENCE,
        accessTokenFormat: "jwt",
        accessTokenTTL: ACCESS_TOKEN_S,
        jwt: { sign: { alg: "RS256" } }
      })
    },
    rpInitiatedLogout: {
      enabled: !0,
      logoutSource: (context, form) => show2(context, logoutPage(form, personOf(context.oidc.session?.accountId))),
      postLogoutSuccessSource: (context) => show2(context, loggedOutPage2())
    },
    deviceFlow: {
      enabled: !0,
      userCodeInputSource: (context, form, _out, fault) => show2(context, codePage(form, fault !== void 0)),
      userCodeConfirmSource: (context, form, client, _device, code) => show2(context, confirmCodePage(form, client.clientId, code)),
      successSource: (context) => show2(context, codeDonePage())
    }
  };
}
function show2(context, text2) {
  context.set(pageHeaders("anywhere")), context.body = text2;
}
var MINUTE, HOUR, DAY, ACCESS_TOKEN_S, personOf, init_configuration = __esm({
  "src/auth/embedded/configuration.ts"() {
    "use strict";
    init_html();
    init_pages();
    init_people();
    MINUTE = 60, HOUR = 3600, DAY = 24 * HOUR, ACCESS_TOKEN_S = 10 * MINUTE;
    personOf = (id2) => PEOPLE.find((person) => person.id === id2);
  }
});

// src/auth/embedded/provider.ts
var provider_exports = {};
__export(provider_exports, {
  EmbeddedProvider: () => EmbeddedProvider
});
import { timingSafeEqual as timingSafeEqual2 } from "node:crypto";
function send(response, status2, text2) {
  response.writeHead(status2, pageHeaders("anywhere")).end(text2);
}
async function formOf(request) {
  let text2 = "";
  for await (let chunk of request.setEncoding("utf8"))
    if (text2 += String(chunk), text2.length > MAX_FORM_BYTES) return;
  return new URLSearchParams(text2);
}
function isSame(given2, wanted) {
  let [a, b] = [Buffer.from(given2), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual2(a, b);
}
async function quietly(log, load2) {
  let { info, warn: warn2 } = console, instead = (say) => (...args) => {
    String(args[0]).includes("oidc-provider") ? log.debug(String(args[0])) : say.apply(console, args);
  };
  console.info = instead(info), console.warn = instead(warn2);
  try {
    return await load2();
  } finally {
    console.info = info, console.warn = warn2;
  }
}
var MAX_FORM_BYTES, EmbeddedProvider, INTERACTION, CANCELLED, init_provider = __esm({
  "src/auth/embedded/provider.ts"() {
    "use strict";
    init_html();
    init_configuration();
    init_pages();
    init_people();
    MAX_FORM_BYTES = 4096, EmbeddedProvider = class _EmbeddedProvider {
      #provider;
      #answer;
      #deps;
      constructor(provider, deps) {
        this.#provider = provider, this.#answer = provider.callback(), this.#deps = deps;
      }
      static async open(deps) {
        let { origin, secrets, log } = deps, provider = await quietly(log, async () => {
          let library2 = await import("oidc-provider");
          return new library2.Provider(origin + MOUNT, configuration(origin, secrets));
        });
        return provider.on("server_error", (_context, error) => {
          log.error({ err: error }, "the development provider failed");
        }), new _EmbeddedProvider(provider, deps);
      }
      /** Answers whatever is asked below `/oidc`. The body must not have been read. */
      async handle(request, response) {
        let url2 = request.url ?? "", [, uid, step2] = INTERACTION.exec(url2) ?? [];
        if (uid !== void 0) return this.#interact(request, response, step2);
        Object.assign(request, { originalUrl: url2, url: url2.slice(MOUNT.length) || "/" }), await this.#answer(request, response);
      }
      async #interact(request, response, step2) {
        let interaction;
        try {
          interaction = await this.#provider.interactionDetails(request, response);
        } catch {
          return send(response, 400, faultPage2("This sign-in is not known", "It was done already, took too long, or was begun in another browser."));
        }
        if (request.method === "GET" && step2 === void 0) return this.#ask(response, interaction);
        if (request.method !== "POST") return send(response, 405, faultPage2("This cannot be done", "Start again."));
        let form = await formOf(request);
        if (form === void 0) return send(response, 413, faultPage2("This cannot be done", "The form is too large."));
        let { name } = interaction.prompt;
        return step2 === "cancel" ? this.#finish(request, response, CANCELLED) : step2 === "login" && name === "login" ? this.#login(request, response, interaction, form) : step2 === "consent" && name === "consent" ? this.#finish(request, response, { consent: { grantId: await this.#grant(interaction) } }) : this.#ask(response, interaction);
      }
      #ask(response, interaction) {
        let { uid, prompt, params, session: session2 } = interaction, action = `${MOUNT}/interaction/${uid}`, person = personOf(session2?.accountId), text2 = prompt.name === "consent" && person !== void 0 ? consentPage(action, params.client_id, person) : loginPage2(action, this.#deps.askPassword);
        send(response, 200, text2);
      }
      async #login(request, response, { uid }, form) {
        let { askPassword, secrets } = this.#deps, person = personOf(form.get("person") ?? void 0), again = (status2, fault) => send(response, status2, loginPage2(`${MOUNT}/interaction/${uid}`, askPassword, fault));
        if (person === void 0) return again(400, "Choose one of these people.");
        if (askPassword && !isSame(form.get("password") ?? "", secrets.password))
          return again(403, "This is not the password.");
        await this.#finish(request, response, { login: { accountId: person.id } });
      }
      async #grant({ session: session2, params, prompt }) {
        let grant = new this.#provider.Grant({ accountId: session2?.accountId ?? "", clientId: params.client_id }), { missingOIDCScope = [], missingResourceScopes = {} } = prompt.details;
        missingOIDCScope.length > 0 && grant.addOIDCScope(missingOIDCScope.join(" "));
        for (let [resource2, scopes] of Object.entries(missingResourceScopes))
          grant.addResourceScope(resource2, scopes.join(" "));
        return grant.save();
      }
      #finish(request, response, result) {
        return this.#provider.interactionFinished(request, response, result);
      }
    }, INTERACTION = new RegExp(`^${MOUNT}/interaction/([A-Za-z0-9_-]{10,64})(?:/(login|consent|cancel))?(?:\\?|$)`), CANCELLED = { error: "access_denied", error_description: "it was cancelled" };
  }
});

// src/main.ts
import { randomBytes as randomBytes4 } from "node:crypto";
import { readFileSync as readFileSync4 } from "node:fs";
import { isIP as isIP6 } from "node:net";
import { pathToFileURL } from "node:url";

// src/access.ts
init_people();
import { randomBytes } from "node:crypto";

// src/auth/embedded/secrets.ts
init_people();
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
var SECRETS_FILE = "development.json";
async function secretsIn(dir, random) {
  let file = join(dir, SECRETS_FILE);
  if (existsSync(file)) return read(file);
  let secrets = await make(random);
  return mkdirSync(dir, { recursive: !0, mode: 448 }), write(file, `${JSON.stringify(secrets, null, 2)}
`), secrets;
}
async function make(random) {
  let secret = () => random(24).toString("base64url"), { privateKey } = await generateKeyPair("RS256", { extractable: !0 });
  return {
    password: random(9).toString("base64url"),
    accounts: Object.fromEntries(ACCOUNTS.map((id2) => [id2, secret()])),
    browser: secret(),
    cookies: [secret()],
    keys: [{ ...await exportJWK(privateKey), kid: random(8).toString("hex"), alg: "RS256", use: "sig" }]
  };
}
function read(file) {
  try {
    let { password, accounts, browser, cookies, keys } = JSON.parse(readFileSync(file, "utf8"));
    if ([password, browser, ...cookies, ...ACCOUNTS.map((id2) => accounts[id2])].every((text2) => typeof text2 == "string" && text2.length >= 12) && keys.length > 0)
      return { password, accounts, browser, cookies, keys };
  } catch {
  }
  throw new Error(`${file} does not hold the secrets of development mode: move it away, and new ones are made`);
}
function write(file, text2) {
  let unfinished = `${file}.new`, fd = openSync(unfinished, "w", 384);
  try {
    writeSync(fd, text2), fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, file);
}

// src/auth/issuer-mark.ts
import { createHash } from "node:crypto";
function issuerMark({ login: login2, ...rights }, kind) {
  let signIn = login2 && { clientId: login2.clientId, token: login2.token };
  return createHash("sha256").update(JSON.stringify([kind, ordered(rights), signIn])).digest("hex");
}
function ordered(value) {
  return typeof value != "object" || value === null ? value : Array.isArray(value) ? value.map(ordered) : Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, member]) => [key, ordered(member)]);
}

// src/auth/credentials.ts
import { createHash as createHash2 } from "node:crypto";
var BYTES = 32, newCredential = (random) => random(BYTES).toString("base64url"), isCredential = (text2) => /^[A-Za-z0-9_-]{43}$/.test(text2), hashOf = (credential) => createHash2("sha256").update(credential).digest("hex");

// src/auth/logins.ts
var SIGN_IN_MS = 6e5, Logins = class {
  #deps;
  constructor(deps) {
    this.#deps = deps;
  }
  get clients() {
    return this.#deps.clients();
  }
  of(issuer) {
    return this.#deps.clients().find((client) => client.issuer.issuer === issuer);
  }
  /** Begins a sign-in, which belongs to the browser that holds the credential. Rejects when the issuer cannot be asked. */
  async begin(client, returnTo2) {
    let { rows, clock, random } = this.#deps, { url: url2, pending } = await client.begin(), credential = newCredential(random), createdAt = clock(), data = { ...pending, issuer: client.issuer.issuer, returnTo: returnTo2 };
    return await rows.insert({ id: hashOf(credential), kind: "sign-in", data, createdAt, expiresAt: createdAt + SIGN_IN_MS }), { url: url2, credential };
  }
  /** Takes what the issuer has sent back, once; `former` is the session that the browser had, which ends. */
  async finish(credential, query, former) {
    let { rows, sessions, clock } = this.#deps, row = credential !== void 0 && isCredential(credential) ? await rows.take(hashOf(credential)) : void 0;
    if (row?.kind !== "sign-in" || row.expiresAt <= clock()) return { ok: !1, away: !1, why: NOT_BEGUN };
    let { issuer, returnTo: returnTo2, ...pending } = row.data, client = this.of(issuer);
    if (client === void 0) return { ok: !1, away: !1, why: NOT_BEGUN, issuer };
    let answer5 = await client.finish(query, pending);
    if (!answer5.ok) return { ...answer5, issuer };
    former !== void 0 && await sessions.end(former);
    let { credential: session2, data } = await sessions.start(answer5.signedIn, issuer);
    return { ok: !0, credential: session2, data, returnTo: returnTo2 };
  }
}, NOT_BEGUN = "this browser has not begun to log in, or took longer than ten minutes, or has been here with this answer before", renewAt = (clients2) => async (issuer, refreshToken) => {
  let client = clients2().find((one3) => one3.issuer.issuer === issuer);
  if (client === void 0) return { ok: !1, why: "refused" };
  let answer5 = await client.renew(refreshToken);
  return answer5.ok ? answer5 : { ok: !1, why: answer5.away ? "away" : "refused" };
};

// src/auth/provider-client.ts
import { readFileSync as readFileSync2 } from "node:fs";
import { decodeJwt as decodeJwt2 } from "jose";

// src/auth/fetch-json.ts
async function fetchJson(url2, timeoutMs) {
  let response = await fetch(url2, {
    headers: { accept: "application/json" },
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs)
  });
  if (!response.ok)
    throw await response.body?.cancel(), new Error(`${url2} answered ${response.status}`);
  let parts = [], bytes = 0;
  for await (let part of response.body ?? []) {
    if (bytes += part.byteLength, bytes > 1048576) throw new Error(`${url2} answered more than 1048576 bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw new Error(`${url2} did not answer JSON`);
  }
}
function whyFailed(error) {
  if (!(error instanceof Error)) return String(error);
  let { cause } = error;
  return error.name === "TimeoutError" ? "it did not answer in time" : cause instanceof Error && (cause.message || cause.code) || error.message;
}

// src/auth/certificates.ts
var CERTIFICATE_SUBJECT = "cert:", Certificates = class {
  /** A connection that was verified against authorities that have been replaced since says nothing any more. */
  #generation = 0;
  #clock;
  /** `clock` is in milliseconds since 1970. */
  constructor(clock) {
    this.#clock = clock;
  }
  /** Counts how often the authorities have been replaced. */
  get generation() {
    return this.#generation;
  }
  /** The authorities are others from now on. */
  replaced() {
    this.#generation += 1;
  }
  /** Whether what was verified at the beginning of a connection is still worth anything. */
  stillHolds(grant) {
    return grant.holds(this.#clock());
  }
  /**
   * `undefined` when no certificate was shown, which is no mistake. To be asked once for a connection; `generation` is what
   * it was when that began, since TLS holds certificates against the authorities of then.
   */
  verify({ authorized, error, certificate }, generation = this.#generation) {
    if (!Object.hasOwn(certificate, "subject")) return;
    if (!authorized) return refuse(`TLS does not accept it (${error ?? "it is not of a known authority"})`);
    let subject = subjectOf(certificate);
    if (typeof subject != "string") return refuse(subject.fault);
    let expiresAt = Date.parse(certificate.valid_to);
    return this.#clock() < expiresAt ? { ok: !0, grant: {
      identity: identityOf(subject),
      expiresAt,
      holds: (at2) => at2 < expiresAt && generation === this.#generation
    } } : refuse("it has expired");
  }
}, refuse = (detail) => ({ ok: !1, away: !1, detail }), identityOf = (subject) => ({
  subject,
  administrator: !1,
  reader: !1,
  owns: { apiIds: [], services: [], groups: [] }
});
function subjectOf({ subject, subjectaltname }) {
  let uris = urisIn(subjectaltname ?? "");
  if (uris === void 0) return { fault: "its alternative names cannot be read" };
  if (uris.length > 1) return { fault: "it has several URIs, of which nobody can say which one is meant" };
  let [uri] = uris;
  if (uri !== void 0) return `${CERTIFICATE_SUBJECT}uri:${uri}`;
  let name = subject.CN;
  return typeof name == "string" && name !== "" ? `${CERTIFICATE_SUBJECT}cn:${name}` : { fault: "it has neither a URI nor one common name" };
}
var NAME = /([A-Za-z][A-Za-z ]*):(?:"((?:[^"\\]|\\.)*)"|([^",]*))(?:, |$)/y;
function urisIn(names2) {
  let uris = [];
  NAME.lastIndex = 0;
  for (let at2 = 0; at2 < names2.length; at2 = NAME.lastIndex) {
    let found = NAME.exec(names2);
    if (found === null) return;
    let [, type, quoted, plain2] = found;
    if (type === "URI") {
      if (quoted !== void 0 || plain2 === void 0 || plain2 === "") return;
      uris.push(plain2);
    }
  }
  return uris;
}

// src/auth/identity.ts
var REGISTRATION_SUBJECT = "registration-token:", ADMIN = "admin", METRICS = "metrics", OF_API = ".admin", OF_SERVICE = "/admin";
function identityOf2(claims, issuer) {
  let { claims: paths, admins, readers, monitors, owners, projects } = issuer, subject = at(claims, paths.subject);
  if (typeof subject != "string" || subject === "") return `the token has no ${paths.subject}`;
  let reserved = whyReserved(subject);
  if (reserved !== void 0) return `its ${paths.subject} ${reserved}`;
  if (usesGroups(issuer) && isOverage(claims, issuer)) return OVERAGE;
  let groups = new Set(textsIn(claims, paths.groups)), scopes = textsIn(claims, paths.scopes).flatMap((text2) => text2.split(" ").filter((scope) => scope !== "")), clientId = paths.clientId.map((path2) => at(claims, path2)).find((id2) => typeof id2 == "string" && id2 !== ""), isIn = (wanted) => wanted.some((group) => groups.has(group)), bound = Object.entries(owners).flatMap(([group, apiIds]) => groups.has(group) ? apiIds : []);
  return {
    subject,
    ...clientId !== void 0 && { clientId },
    administrator: scopes.includes(ADMIN) || isIn(admins),
    reader: readers === "*" || isIn(readers),
    ...(scopes.includes(METRICS) || isIn(monitors)) && { monitor: !0 },
    owns: {
      apiIds: [.../* @__PURE__ */ new Set([...bound, ...endingWith(scopes, OF_API)])],
      services: [...new Set(endingWith(scopes, OF_SERVICE))],
      groups: [...groups]
    },
    ...projects !== void 0 && { projects }
  };
}
function whyReserved(subject) {
  return subject.startsWith(CERTIFICATE_SUBJECT) ? `begins with ${CERTIFICATE_SUBJECT}, as only certificates may` : subject.startsWith(REGISTRATION_SUBJECT) ? `begins with ${REGISTRATION_SUBJECT}, as only registration tokens may` : RESERVED.has(subject) ? `is ${subject}, which is reserved` : void 0;
}
var RESERVED = /* @__PURE__ */ new Set(["anonymous", "development", "signalbox"]), endingWith = (scopes, end) => scopes.filter((scope) => scope.length > end.length && scope.endsWith(end)).map((scope) => scope.slice(0, -end.length));
function at(claims, path2) {
  if (!path2.startsWith("/")) return Object.hasOwn(claims, path2) ? claims[path2] : void 0;
  let value = claims;
  for (let part of path2.slice(1).split("/")) {
    let key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value != "object" || value === null || !Object.hasOwn(value, key)) return;
    value = value[key];
  }
  return value;
}
function textsIn(claims, paths) {
  return paths.flatMap((path2) => [at(claims, path2)].flat()).filter((value) => typeof value == "string");
}
var OVERAGE = "the token leaves its groups out, since there are too many of them (groups overage): have the identity provider send only the groups that are assigned to the application, or application roles";
function isOverage(claims, { claims: paths }) {
  if (claims.hasgroups === !0 || claims.hasgroups === "true") return !0;
  let elsewhere = claims._claim_names;
  return typeof elsewhere != "object" || elsewhere === null ? !1 : paths.groups.some((path2) => Object.hasOwn(elsewhere, path2.replace(/^\//, "").split("/")[0] ?? ""));
}
var usesGroups = ({ admins, readers, monitors, owners }) => admins.length > 0 || monitors.length > 0 || readers !== "*" && readers.length > 0 || Object.keys(owners).length > 0;

// src/auth/tokens.ts
import { createHash as createHash3 } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from "jose";

// src/domain/recent.ts
var Recent = class {
  #max;
  #young = /* @__PURE__ */ new Map();
  #old = /* @__PURE__ */ new Map();
  constructor(max) {
    this.#max = max;
  }
  /** To find what was used not long ago changes nothing, so it costs one lookup. */
  get(key) {
    let young = this.#young.get(key);
    if (young !== void 0) return young;
    let old = this.#old.get(key);
    return old !== void 0 && this.set(key, old), old;
  }
  set(key, value) {
    this.#young.size >= this.#max && !this.#young.has(key) && (this.#old = this.#young, this.#young = /* @__PURE__ */ new Map()), this.#young.set(key, value);
  }
};

// src/auth/issuer-keys.ts
import { importJWK } from "jose";
init_read_settings();
var ALGORITHMS = { RS256: "RSA", PS256: "RSA", ES256: "EC", EdDSA: "OKP" }, IssuerKey = class {
  jwk;
  text;
  published = !0;
  #imported = /* @__PURE__ */ new Map();
  constructor(jwk) {
    this.jwk = jwk, this.text = JSON.stringify(jwk);
  }
  fits(kid, alg) {
    let { jwk } = this;
    return jwk.kid === kid && jwk.kty === ALGORITHMS[alg] && (jwk.alg ?? alg) === alg && (jwk.use ?? "sig") === "sig";
  }
  imported(alg) {
    let key = this.#imported.get(alg);
    return key === void 0 && (this.#imported.set(alg, key = importJWK(this.jwk, alg)), key.catch(() => {
    })), key;
  }
}, COOLDOWN_MS = 3e4, RETRY_MS = 1e3, TIMEOUT_MS = 5e3, MAX_KEYS = 200, IssuerKeys = class {
  #issuer;
  #deps;
  #keys = [];
  #jwksUri;
  #readAt = Number.NEGATIVE_INFINITY;
  #away = !1;
  #reading;
  constructor(issuer, deps) {
    this.#issuer = issuer, this.#deps = deps;
  }
  /** A key that is not known is looked for once more, since issuers begin to use new ones at any time. */
  async find(kid, alg) {
    let known2 = this.#find(kid, alg);
    if (known2 !== void 0) return known2;
    let { now: now2, cooldownMs = COOLDOWN_MS } = this.#deps, pause = this.#away ? Math.min(RETRY_MS, cooldownMs) : cooldownMs;
    return (this.#reading !== void 0 || now2() - this.#readAt >= pause) && await this.refresh(), this.#find(kid, alg) ?? (this.#away ? "away" : "unknown");
  }
  /** Reads the keys anew; whoever asks meanwhile waits for the same answer. Never rejects. */
  refresh() {
    return this.#reading ??= this.#read().finally(() => {
      this.#reading = void 0, this.#readAt = this.#deps.now();
    }), this.#reading;
  }
  #find(kid, alg) {
    return this.#keys.find((key) => key.fits(kid, alg));
  }
  async #read() {
    let { issuer } = this.#issuer;
    try {
      this.#publish(jwksIn(await fetchJson(await this.#locate(), this.#timeoutMs))), this.#away && this.#deps.log.info({ issuer }, "the keys of the issuer can be read again"), this.#away = !1;
    } catch (error) {
      let why = whyFailed(error), message = `the keys of ${issuer} cannot be read (${why}); those that are known stay good, tokens signed with others are answered 503`;
      this.#away || this.#deps.log.warn({ issuer }, message), this.#away = !0;
    }
  }
  get #timeoutMs() {
    return this.#deps.timeoutMs ?? TIMEOUT_MS;
  }
  /** Issuers move their keys; where they were last is good enough while they cannot be asked. */
  async #locate() {
    let { issuer, jwksUri } = this.#issuer;
    if (jwksUri !== void 0) return jwksUri;
    try {
      let url2 = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
      this.#jwksUri = discovered(await fetchJson(url2, this.#timeoutMs), issuer);
    } catch (error) {
      if (this.#jwksUri === void 0) throw error;
    }
    return this.#jwksUri;
  }
  #publish(jwks) {
    let before = new Map(this.#keys.map((key) => [key.text, key]));
    this.#keys = jwks.map((jwk) => {
      let text2 = JSON.stringify(jwk), kept = before.get(text2);
      return before.delete(text2), kept ?? new IssuerKey(jwk);
    });
    for (let gone of before.values()) gone.published = !1;
  }
};
function discovered(document, issuer) {
  let { issuer: named2, jwks_uri: uri } = document ?? {};
  if (named2 !== issuer)
    throw new Error(`its discovery document is of the issuer ${JSON.stringify(named2)?.slice(0, 200)}`);
  if (typeof uri == "string" && isSecureUrl(uri)) return uri;
  throw new Error("its discovery document names no jwks_uri with https://");
}
function jwksIn(document) {
  let { keys } = document ?? {};
  if (!Array.isArray(keys)) throw new Error("it answered no list of keys");
  let types = new Set(Object.values(ALGORITHMS));
  return keys.filter((jwk) => types.has(String(jwk?.kty))).slice(0, MAX_KEYS);
}

// src/auth/tokens.ts
var SKEW_MS = 1e4, MAX_REMEMBERED = 1e4, MAX_RECENT = 500, OF_ID_TOKENS = ["at_hash", "c_hash"], TokenGrant = class {
  identity;
  expiresAt;
  #key;
  constructor(identity, expiresAt, key) {
    this.identity = identity, this.expiresAt = expiresAt, this.#key = key;
  }
  /** Until it expires, or its issuer withdraws the key that signed it. */
  holds(at2) {
    return this.#key.published && at2 < this.expiresAt + SKEW_MS;
  }
}, Tokens = class {
  #issuers;
  #deps;
  #grants = /* @__PURE__ */ new Map();
  #recent;
  constructor(issuers2, deps) {
    this.#issuers = new Map(
      issuers2.map((issuer) => [issuer.issuer, { issuer, keys: new IssuerKeys(issuer, deps) }])
    ), this.#deps = deps, this.#recent = new Recent(Math.min(MAX_RECENT, deps.maxRemembered ?? MAX_REMEMBERED));
  }
  /** To be called every so often: a key that is withdrawn is noticed by nothing else. Never rejects. */
  async refresh() {
    await Promise.all(Array.from(this.#issuers.values(), ({ keys }) => keys.refresh()));
  }
  /** Answers at once for a token that has been seen before. */
  verify(token) {
    let now2 = this.#deps.clock(), recent = this.#recent.get(token);
    if (recent?.grant.holds(now2) === !0) return recent;
    let hash2 = createHash3("sha256").update(token).digest("base64"), grant = this.#grants.get(hash2);
    if (grant?.holds(now2) === !0) {
      this.#remember(hash2, grant);
      let verified = { ok: !0, grant };
      return this.#recent.set(token, verified), verified;
    }
    return this.#grants.delete(hash2), this.#verify(token, hash2);
  }
  async #verify(token, hash2) {
    let parts = read2(token);
    if (parts === void 0) return refuse2("it is not a JWT");
    let { alg, kid, typ, iss } = parts;
    if (typeof alg != "string" || !Object.hasOwn(ALGORITHMS, alg))
      return refuse2(`it is not signed with one of ${Object.keys(ALGORITHMS).join(", ")}`);
    let known2 = typeof iss == "string" ? this.#issuers.get(iss) : void 0;
    if (known2 === void 0) return refuse2("it is of another issuer");
    let { issuer, keys } = known2;
    if (!issuer.types.includes(typeOf(typ))) return refuse2(`its typ is not ${issuer.types.join(" or ")}`);
    if (typeof kid != "string") return refuse2("it does not say which key signed it (kid)");
    let key = await keys.find(kid, alg);
    if (key === "away") return { ok: !1, away: !0, detail: `the keys of ${issuer.issuer} cannot be read now` };
    if (key === "unknown") return refuse2("its issuer has no such key (kid)");
    try {
      let { payload } = await jwtVerify(token, await key.imported(alg), {
        algorithms: [alg],
        issuer: issuer.issuer,
        audience: [...issuer.audience],
        clockTolerance: SKEW_MS / 1e3,
        currentDate: new Date(this.#deps.clock()),
        requiredClaims: ["exp"]
      }), stray = OF_ID_TOKENS.find((claim) => Object.hasOwn(payload, claim));
      if (stray !== void 0) return refuse2(`it is an ID token: access tokens have no ${stray}`);
      let identity = identityOf2(payload, issuer);
      if (typeof identity == "string") return refuse2(identity);
      let grant = new TokenGrant(identity, (payload.exp ?? 0) * 1e3, key);
      return this.#remember(hash2, grant), { ok: !0, grant };
    } catch (error) {
      return refuse2(inWords(error));
    }
  }
  #remember(hash2, grant) {
    if (this.#grants.delete(hash2), this.#grants.set(hash2, grant), this.#grants.size <= (this.#deps.maxRemembered ?? MAX_REMEMBERED)) return;
    let [oldest] = this.#grants.keys();
    oldest !== void 0 && this.#grants.delete(oldest);
  }
};
function read2(token) {
  try {
    let { alg, kid, typ } = decodeProtectedHeader(token);
    return { alg, kid, typ, iss: decodeJwt(token).iss };
  } catch {
    return;
  }
}
function typeOf(typ) {
  return typ === void 0 ? "jwt" : typeof typ == "string" ? typ.toLowerCase().replace(/^application\//, "") : "";
}
var refuse2 = (detail) => ({ ok: !1, away: !1, detail });
function inWords(error) {
  return error instanceof errors.JWTExpired ? "it has expired" : error instanceof errors.JWTClaimValidationFailed ? error.claim === "aud" ? "it is for another audience (aud)" : error.claim === "nbf" ? "it is not valid yet (nbf)" : `its ${error.claim} is missing or not what it should be` : error instanceof errors.JWSSignatureVerificationFailed ? "its signature is not right" : "it cannot be verified";
}

// src/auth/provider-client.ts
var TIMEOUT_S = 10, REVOKE_MS = 2e3, KEPT_MS = 36e5, ProviderClient = class {
  issuer;
  login;
  #deps;
  #discovered;
  /** Throws when the file of the secret cannot be read. */
  constructor(issuer, login2, deps) {
    this.issuer = issuer, this.login = login2, this.#deps = deps, secretOf(login2);
  }
  /** Where to send the browser, and what to remember meanwhile. Rejects when the issuer cannot be asked. */
  async begin() {
    let { calculatePKCECodeChallenge, buildAuthorizationUrl } = await library(), secret = () => this.#deps.random(32).toString("base64url"), pending = { state: secret(), nonce: secret(), verifier: secret() };
    return { url: buildAuthorizationUrl(await this.#configuration(), {
      ...this.login.parameters,
      ...this.#resource,
      redirect_uri: this.#redirectUri,
      scope: this.login.scopes.join(" "),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: "S256"
    }).href, pending };
  }
  /** With what the issuer has sent the browser back with: the query, with its question mark. */
  async finish(query, { state, nonce, verifier }) {
    try {
      let { authorizationCodeGrant } = await library(), tokens = await authorizationCodeGrant(
        await this.#configuration(),
        new URL(this.#redirectUri + query),
        { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: !0 },
        this.#resource
      );
      return await this.#read(tokens);
    } catch (error) {
      return failed(error);
    }
  }
  async renew(refreshToken) {
    try {
      let { refreshTokenGrant } = await library();
      return await this.#read(await refreshTokenGrant(await this.#configuration(), refreshToken, this.#resource));
    } catch (error) {
      return failed(error);
    }
  }
  /** Where to send the browser to log out of the issuer as well; `undefined` where that is not possible. */
  async logoutUrl(idToken) {
    try {
      let configuration2 = await this.#configuration();
      if (configuration2.serverMetadata().end_session_endpoint === void 0) return;
      let { buildEndSessionUrl } = await library();
      return buildEndSessionUrl(configuration2, {
        post_logout_redirect_uri: `${this.#deps.site.origin}/login`,
        ...idToken !== void 0 && { id_token_hint: idToken }
      }).href;
    } catch {
      return;
    }
  }
  /** Has the issuer withdraw a refresh token, where it can and does so in time. Never rejects. */
  async revoke(refreshToken) {
    let timer, late = new Promise((resolve2) => timer = setTimeout(resolve2, REVOKE_MS));
    await Promise.race([late, this.#revoke(refreshToken).catch(() => {
    })]), clearTimeout(timer);
  }
  async #revoke(refreshToken) {
    let configuration2 = await this.#configuration();
    if (configuration2.serverMetadata().revocation_endpoint === void 0) return;
    let { tokenRevocation } = await library();
    await tokenRevocation(configuration2, refreshToken, { token_type_hint: "refresh_token" });
  }
  get #redirectUri() {
    return `${this.#deps.site.origin}/login/callback`;
  }
  get #resource() {
    return this.login.resource === void 0 ? {} : { resource: this.login.resource };
  }
  async #read(tokens) {
    let claims = tokens.claims(), said = await this.#identity(tokens, claims);
    if ("why" in said) return { ok: !1, ...said };
    let name = [claims?.name, claims?.preferred_username, claims?.email].find(
      (text2) => typeof text2 == "string" && text2 !== ""
    );
    return {
      ok: !0,
      signedIn: {
        ...said,
        ...name !== void 0 && { name: name.slice(0, 200) },
        ...tokens.refresh_token !== void 0 && { refreshToken: tokens.refresh_token },
        ...tokens.id_token !== void 0 && { idToken: tokens.id_token }
      }
    };
  }
  async #identity(tokens, claims) {
    if (this.login.token === "access") {
      let verified = await this.#deps.tokens.verify(tokens.access_token);
      if (verified.ok) {
        let { iss } = decodeJwt2(tokens.access_token);
        return iss !== this.issuer.issuer ? { away: !1, why: NOT_ITS_OWN } : { identity: verified.grant.identity, tokenEndsAt: verified.grant.expiresAt };
      }
      return { away: verified.away, why: `the access token of the issuer is not taken: ${verified.detail}` };
    }
    if (claims === void 0) return { away: !1, why: "the issuer sent no ID token" };
    let identity = identityOf2(claims, this.issuer);
    if (typeof identity == "string") return { away: !1, why: identity };
    let now2 = this.#deps.clock(), seconds = tokens.expires_in ?? Number(claims.exp) - now2 / 1e3;
    return { identity, tokenEndsAt: now2 + seconds * 1e3 };
  }
  #configuration() {
    let now2 = this.#deps.clock();
    if (this.#discovered === void 0 || now2 - this.#discovered.at > KEPT_MS) {
      let configuration2 = this.#discover(), discovered2 = { configuration: configuration2, at: now2 };
      this.#discovered = discovered2, configuration2.catch(() => {
        this.#discovered === discovered2 && (this.#discovered = void 0);
      });
    }
    return this.#discovered.configuration;
  }
  async #discover() {
    let { discovery, clockTolerance, allowInsecureRequests, enableNonRepudiationChecks, ...auth } = await library(), secret = secretOf(this.login), { issuer } = this.issuer;
    return discovery(
      new URL(issuer),
      this.login.clientId,
      { [clockTolerance]: SKEW_MS / 1e3 },
      secret === void 0 ? auth.None() : withSecret(auth, secret),
      {
        timeout: TIMEOUT_S,
        execute: [
          // Settings let no other than loopback issuers be without TLS.
          ...issuer.startsWith("http:") ? [allowInsecureRequests] : [],
          ...this.login.token === "id" ? [enableNonRepudiationChecks] : []
        ]
      }
    );
  }
}, NOT_ITS_OWN = "the access token that the issuer gave is of another issuer", library = () => import("openid-client");
function withSecret({ ClientSecretBasic, ClientSecretPost }, secret) {
  let basic = ClientSecretBasic(secret), post = ClientSecretPost(secret);
  return (server, client, body, headers) => ((server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"]).includes("client_secret_basic") ? basic : post)(server, client, body, headers);
}
function secretOf({ clientSecret, clientSecretFile }) {
  if (clientSecretFile === void 0) return clientSecret;
  let secret = readFileSync2(clientSecretFile, "utf8").trim();
  if (secret === "") throw new Error(`${clientSecretFile}, the clientSecretFile of an issuer, is empty`);
  return secret;
}
function failed(error) {
  let { error: code, error_description: text2, status: status2 } = error;
  if (typeof code == "string") {
    let said = typeof text2 == "string" ? `${code}: ${text2}` : code;
    return { ok: !1, away: typeof status2 == "number" && status2 >= 500, why: `the issuer answered ${said.slice(0, 300)}` };
  }
  let { name, code: kind, cause } = error, answered2 = cause instanceof Response ? cause.status : 0;
  return answered2 >= 500 || answered2 === 429 ? { ok: !1, away: !0, why: `the issuer answered ${answered2}` } : name === "TypeError" || kind === "OAUTH_TIMEOUT" ? { ok: !1, away: !0, why: `the issuer cannot be asked: ${whyFailed(error)}` } : { ok: !1, away: !1, why: `the answer of the issuer is not right: ${error.message}` };
}

// src/auth/gathered.ts
var TooManyLookups = class extends Error {
}, Gathered = class {
  #find;
  #limits;
  #waiting = /* @__PURE__ */ new Map();
  #underWay = !1;
  constructor(find3, limits) {
    this.#find = find3, this.#limits = limits;
  }
  /** Rejects when the lookup fails, or with `TooManyLookups`. */
  find(id2) {
    let before = this.#waiting.get(id2);
    if (before !== void 0) return before.found;
    if (this.#waiting.size >= this.#limits.waiting) return Promise.reject(new TooManyLookups());
    let waiting = wait();
    return this.#waiting.set(id2, waiting), this.#underWay || this.#run(), waiting.found;
  }
  async #run() {
    for (this.#underWay = !0; this.#waiting.size > 0; ) {
      let batch = [...this.#waiting].slice(0, this.#limits.batch);
      for (let [id2] of batch) this.#waiting.delete(id2);
      await this.#answer(new Map(batch));
    }
    this.#underWay = !1;
  }
  async #answer(batch) {
    try {
      let found = await this.#find([...batch.keys()]);
      for (let item of found) batch.get(item.id)?.resolve(item);
      for (let { resolve: resolve2 } of batch.values()) resolve2(void 0);
    } catch (error) {
      for (let { reject } of batch.values()) reject(error);
    }
  }
};
function wait() {
  let settle, found = new Promise((resolve2, reject) => settle = { resolve: resolve2, reject });
  if (settle === void 0) throw new Error("a promise runs its executor at once");
  return { found, ...settle };
}

// src/auth/session-data.ts
function endOf({ tokenEndsAt, endsAt, refreshToken }, usedAt, idleMs) {
  let end = Math.min(usedAt + idleMs, endsAt);
  return refreshToken === void 0 ? Math.min(end, tokenEndsAt) : end;
}
var EARLY_MS = 6e4, EARLY_SHARE = 0.2, isDue = ({ tokenEndsAt, refreshToken }, renewedAt, now2) => refreshToken !== void 0 && now2 >= tokenEndsAt - Math.min(EARLY_MS, Math.max(0, tokenEndsAt - renewedAt) * EARLY_SHARE);

// src/auth/session-grant.ts
import { isDeepStrictEqual } from "node:util";
var KnownSession = class {
  id;
  data;
  /** As the database has it: that it is not used ends it then. */
  expiresAt;
  /** When it was read, and when its token was new (milliseconds since 1970). */
  readAt;
  renewedAt;
  ended = !1;
  /** Its token is not renewed again before. */
  retryAt = Number.NEGATIVE_INFINITY;
  /** When an open stream last asked whether it holds. */
  heldAt = Number.NEGATIVE_INFINITY;
  #grant;
  /** What the grant was last held against. */
  #judged;
  #onHeld;
  constructor(row, at2, onHeld) {
    this.id = row.id, this.data = row.data, this.expiresAt = row.expiresAt, this.readAt = at2, this.renewedAt = at2, this.#onHeld = onHeld;
  }
  /** When it ends if nothing more happens to it. */
  get endsAt() {
    return Math.min(this.expiresAt, this.data.endsAt, this.data.tokenEndsAt);
  }
  /** The same one for as long as it says the same. */
  get grant() {
    let { data } = this;
    return (this.#grant === void 0 || this.#judged !== data && !isDeepStrictEqual(this.#grant.identity, data.identity)) && (this.#grant = new SessionGrant(data.identity, this)), this.#judged = data, this.#grant;
  }
  /** Takes over what another read of it has found. */
  found({ data, expiresAt }, at2) {
    data.tokenEndsAt !== this.data.tokenEndsAt && (this.renewedAt = at2), this.data = data, this.expiresAt = Math.max(expiresAt, this.expiresAt), this.readAt = at2;
  }
  /** It is in use; answers the new end where that is far enough from the old one to be written. */
  used(at2, idleMs) {
    let end = endOf(this.data, at2, idleMs);
    if (!(end - this.expiresAt < idleMs / 10))
      return this.expiresAt = end, end;
  }
  held(at2) {
    this.heldAt = at2, this.#onHeld(this);
  }
}, SessionGrant = class {
  identity;
  #session;
  constructor(identity, session2) {
    this.identity = identity, this.#session = session2;
  }
  get expiresAt() {
    return this.#session.endsAt;
  }
  holds(at2) {
    return this.#session.held(at2), !this.#session.ended && at2 < this.#session.endsAt && this.#session.grant === this;
  }
};

// src/auth/session-renewal.ts
import { setTimeout as sleep } from "node:timers/promises";
var LOCK_MS = 2e4, LOOK_AGAIN_MS = 200, Renewals = class {
  #deps;
  #running = /* @__PURE__ */ new Map();
  constructor(deps) {
    this.#deps = deps;
  }
  /** Whoever asks meanwhile waits for the same answer. Never rejects. */
  renew(session2) {
    let running = this.#running.get(session2.id);
    return running === void 0 && (running = this.#renew(session2).catch((error) => (this.#deps.log.warn({ err: error }, "the tokens of a session were not renewed; they will be tried again"), "away")).finally(() => this.#running.delete(session2.id)), this.#running.set(session2.id, running)), running;
  }
  async #renew(session2) {
    let { rows, clock } = this.#deps;
    if (session2.data.refreshToken === void 0)
      return await rows.take(session2.id), "ended";
    let lock2 = `${session2.id}.renewal`, until = clock() + LOCK_MS, mine = { id: lock2, kind: "renewal", data: {}, createdAt: clock(), expiresAt: until };
    if (!await rows.insert(mine)) return this.#awaitAnother(session2, until);
    try {
      return await this.#renewHere(session2);
    } finally {
      await rows.take(lock2);
    }
  }
  async #renewHere(session2) {
    let { rows, renew: renew2, clock, idleMs } = this.#deps, found = await this.#look(session2);
    if (found !== void 0) return found;
    let { data } = session2, answer5 = await renew2(data.issuer, data.refreshToken ?? "");
    if (!answer5.ok && answer5.why === "away") return "away";
    if (!answer5.ok || answer5.signedIn.identity.subject !== data.identity.subject)
      return await rows.take(session2.id), "ended";
    let { issuer, mark, endsAt } = data, { signedIn } = answer5, renewed = {
      // Some issuers send neither again, and the old ones go on.
      ...data.refreshToken !== void 0 && { refreshToken: data.refreshToken },
      ...data.idToken !== void 0 && { idToken: data.idToken },
      ...data.name !== void 0 && { name: data.name },
      ...signedIn,
      issuer,
      ...mark !== void 0 && { mark },
      endsAt
    }, expiresAt = endOf(renewed, clock(), idleMs);
    return await rows.update(session2.id, { data: renewed, expiresAt }) ? (session2.found({ data: renewed, expiresAt }, clock()), "renewed") : "ended";
  }
  async #awaitAnother(session2, until) {
    let { clock } = this.#deps;
    if (clock() < session2.data.tokenEndsAt) return "away";
    for (; clock() < until; ) {
      await sleep(LOOK_AGAIN_MS);
      let found = await this.#look(session2);
      if (found !== void 0) return found;
    }
    return "away";
  }
  /** What has become of it in the database; `undefined`: nothing. */
  async #look(session2) {
    let [row] = await this.#deps.rows.read([session2.id]);
    if (row === void 0) return "ended";
    let data = row.data;
    if (data.tokenEndsAt !== session2.data.tokenEndsAt)
      return session2.found({ data, expiresAt: row.expiresAt }, this.#deps.clock()), "renewed";
  }
};

// src/auth/sessions.ts
var SESSION_CACHE_MS = 5e3, MAX_REMEMBERED2 = 1e4, MISSING_MS = 1e4, HELD_MS = 12e4, BATCH = 500, LOOKUPS = { batch: BATCH, waiting: 2e3 }, RETRY_MS2 = 5e3, Sessions = class {
  #deps;
  #cacheMs;
  #known = /* @__PURE__ */ new Map();
  #held = /* @__PURE__ */ new Set();
  /** Ids that are nobody's, and until when that counts; apart, so that guessing pushes out no session. */
  #missing = /* @__PURE__ */ new Map();
  #lookups;
  #loading = /* @__PURE__ */ new Map();
  #renewals;
  constructor(deps) {
    this.#deps = deps, this.#cacheMs = deps.cacheMs ?? SESSION_CACHE_MS, this.#renewals = new Renewals(deps), this.#lookups = new Gathered((ids) => deps.rows.read(ids), LOOKUPS);
  }
  /** Begins a session; its credential is for the cookie, and is nowhere else. */
  async start(signedIn, issuer) {
    let { rows, clock, random, markOf, maxAgeMs, idleMs } = this.#deps, credential = newCredential(random), createdAt = clock(), mark = markOf(issuer), data = {
      ...signedIn,
      issuer,
      ...mark !== void 0 && { mark },
      endsAt: createdAt + maxAgeMs
    }, expiresAt = endOf(data, createdAt, idleMs);
    return await rows.insert({ id: hashOf(credential), kind: "session", data, createdAt, expiresAt }), { credential, data };
  }
  /** Answers at once for a session that was read a moment ago. */
  verify(credential) {
    if (!isCredential(credential)) return ENDED;
    let id2 = hashOf(credential), known2 = this.#known.get(id2), now2 = this.#deps.clock();
    return known2 === void 0 && this.#isMissing(id2) ? ENDED : known2 === void 0 || now2 - known2.readAt >= this.#cacheMs || !this.#isGood(known2, now2) ? this.#load(id2) : this.#use(known2, now2);
  }
  knows(credential) {
    if (!isCredential(credential)) return !0;
    let id2 = hashOf(credential);
    return this.#known.has(id2) || this.#isMissing(id2);
  }
  /** Ends a session; answers what it held. Other nodes know within `SESSION_CACHE_MS`. */
  async end(credential) {
    if (!isCredential(credential)) return;
    let id2 = hashOf(credential), row = await this.#deps.rows.take(id2);
    return this.#forget(id2), row?.kind === "session" ? row.data : void 0;
  }
  /** What a session holds, for its own page. */
  async read(credential) {
    return (await this.verify(credential)).ok ? this.#known.get(hashOf(credential))?.data : void 0;
  }
  /**
   * To be called every `SESSION_CACHE_MS`: a session that nobody but open streams uses is noticed to end by nothing else.
   * While the database is away, they go on as they are known.
   */
  refresh() {
    return this.#refresh().catch(unlessAway);
  }
  /** Removes what has expired from the database. */
  async sweep() {
    await this.#deps.rows.removeExpired(this.#deps.clock()).catch(unlessAway);
  }
  async #refresh() {
    let now2 = this.#deps.clock();
    for (let known2 of this.#held) (known2.ended || now2 - known2.heldAt > HELD_MS) && this.#held.delete(known2);
    let held = [...this.#held];
    for (let at2 = 0; at2 < held.length; at2 += BATCH) {
      let batch = held.slice(at2, at2 + BATCH), rows = await this.#deps.rows.read([...new Set(batch.map(({ id: id2 }) => id2))]), byId = new Map(rows.map((row) => [row.id, row]));
      for (let known2 of batch)
        this.#take(known2, byId.get(known2.id), now2), known2.ended || this.#renewEarly(known2, now2);
    }
  }
  #load(id2) {
    let loading = this.#loading.get(id2);
    return loading === void 0 && (loading = this.#read(id2).finally(() => this.#loading.delete(id2)), this.#loading.set(id2, loading)), loading;
  }
  async #read(id2) {
    let { clock } = this.#deps, known2 = this.#known.get(id2), row;
    try {
      row = await this.#lookups.find(id2);
    } catch (error) {
      if (!isAway(error) && !(error instanceof TooManyLookups)) throw error;
      return known2 !== void 0 && this.#isGood(known2, clock()) ? this.#use(known2, clock()) : error instanceof TooManyLookups ? TOO_MANY : AWAY;
    }
    let session2 = known2 ?? (row && this.#remember(row));
    if (session2 !== void 0 && this.#take(session2, row, clock()), session2 === void 0 || session2.ended) return this.#isNobodys(id2);
    if (clock() >= session2.data.tokenEndsAt) {
      let renewed = await this.#renewals.renew(session2);
      if (renewed === "away") return ISSUER_AWAY;
      if (renewed === "ended")
        return this.#forget(id2), this.#isNobodys(id2);
    }
    return this.#use(session2, clock());
  }
  #isMissing(id2) {
    let until = this.#missing.get(id2);
    return until !== void 0 && this.#deps.clock() < until;
  }
  #isNobodys(id2) {
    return this.#missing.delete(id2), this.#missing.set(id2, this.#deps.clock() + MISSING_MS), forgetOldest(this.#missing, this.#deps.maxRemembered ?? MAX_REMEMBERED2), ENDED;
  }
  #use(session2, now2) {
    let { rows, idleMs, log } = this.#deps;
    this.#known.delete(session2.id), this.#known.set(session2.id, session2);
    let end = session2.used(now2, idleMs);
    return end !== void 0 && rows.update(session2.id, { expiresAt: end }).catch((error) => {
      log.warn({ err: error }, "that a session is in use was not written; it may end early");
    }), this.#renewEarly(session2, now2), { ok: !0, grant: session2.grant };
  }
  #renewEarly(session2, now2) {
    now2 < session2.retryAt || !isDue(session2.data, session2.renewedAt, now2) || (session2.retryAt = now2 + RETRY_MS2, this.#renewals.renew(session2).then((renewed) => {
      renewed === "ended" && this.#forget(session2.id);
    }));
  }
  #isGood(session2, now2) {
    return !session2.ended && now2 < session2.endsAt;
  }
  #take(session2, row, now2) {
    if (row === void 0 || row.kind !== "session" || row.expiresAt <= now2) return this.#forget(session2.id, session2);
    session2.found({ data: row.data, expiresAt: row.expiresAt }, now2), (now2 >= session2.data.endsAt || !this.#isOfItsIssuer(session2.data)) && this.#forget(session2.id, session2);
  }
  /** The row stays, for nodes that are configured otherwise. */
  #isOfItsIssuer({ issuer, mark }) {
    return mark !== void 0 && mark === this.#deps.markOf(issuer);
  }
  #remember(row) {
    if (row.kind !== "session") return;
    let session2 = new KnownSession(
      { id: row.id, data: row.data, expiresAt: row.expiresAt },
      this.#deps.clock(),
      (held) => this.#held.add(held)
    );
    return this.#known.set(row.id, session2), forgetOldest(this.#known, this.#deps.maxRemembered ?? MAX_REMEMBERED2), session2;
  }
  #forget(id2, session2 = this.#known.get(id2)) {
    session2 !== void 0 && (session2.ended = !0), this.#known.delete(id2);
    for (let held of this.#held) held.id === id2 && (held.ended = !0);
  }
};
function forgetOldest(map, max) {
  let [oldest] = map.keys();
  map.size > max && oldest !== void 0 && map.delete(oldest);
}
function unlessAway(error) {
  if (!isAway(error)) throw error;
}
var isAway = (error) => error.name === "StoreUnavailable", ENDED = { ok: !1, away: !1, detail: "the session has ended; log in again at /login" }, TOO_MANY = { ok: !1, away: !0, detail: "too many others are looked at" }, AWAY = { ok: !1, away: !0, detail: "the database cannot be reached" }, ISSUER_AWAY = { ok: !1, away: !0, detail: "the issuer that would renew it cannot be reached" };

// src/auth/site.ts
init_read_settings();
var SESSION = "signalbox", SIGN_IN = "signalbox-login", Site = class {
  #origin;
  #cookies;
  /** `https://signalbox.example.com`, without a path. */
  constructor(origin) {
    this.#origin = origin;
  }
  /** What it listens on, for who has not said where it is reached. */
  listens(origin) {
    this.#origin ??= origin;
  }
  get origin() {
    if (this.#origin === void 0) throw new Error("the address of the server is not known before it listens");
    return this.#origin;
  }
  get isSecure() {
    return this.origin.startsWith("https:");
  }
  get isLoopback() {
    return isLoopbackName(new URL(this.origin).hostname);
  }
  /** Of a session, and of a sign-in that is under way. */
  get cookies() {
    return this.#cookies ??= { session: this.#cookie(SESSION), signIn: this.#cookie(SIGN_IN) };
  }
  /**
   * `__Host-` keeps other hosts of the domain from setting it; browsers take such names over TLS alone. Without TLS, which
   * is on this machine only, the port is in the name: cookies do not tell ports apart, so two servers would overwrite each
   * other's.
   */
  #cookie(name) {
    return this.isSecure ? `__Host-${name}` : `${name}-${new URL(this.origin).port || "80"}`;
  }
};

// src/domain/names.ts
var TOP = {
  regions: "region",
  projects: "project",
  services: "service",
  bundles: "bundle",
  instances: "instance",
  advisories: "advisory"
}, BELOW = {
  projects: { "service-accounts": "serviceAccount" },
  services: { versions: "version", resources: "resourceType", deployments: "deployment" }
}, PATHS = {
  region: ["regions"],
  project: ["projects"],
  serviceAccount: ["projects", "service-accounts"],
  service: ["services"],
  version: ["services", "versions"],
  resourceType: ["services", "resources"],
  deployment: ["services", "deployments"],
  bundle: ["bundles"],
  instance: ["instances"],
  advisory: ["advisories"]
}, LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", ID_PATTERNS = {
  region: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  project: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  serviceAccount: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  service: `^(?=.{2,253}$)${LABEL}(?:\\.${LABEL})*$`,
  version: "^v[0-9]{1,9}(?:(?:alpha|beta)[0-9]{1,9}|(?:\\.[0-9]{1,9}){1,7})?$",
  resourceType: "^[a-zA-Z]{1,128}$",
  deployment: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  bundle: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  instance: "^[0-9a-f]{24}$",
  // An instance, or a region; `-` stands for the instances that name no region.
  override: "^(?:[0-9a-f]{24}|[a-z][a-z0-9-]{0,61}[a-z0-9]|-)$",
  advisory: "^[a-z0-9-]{1,64}(?:\\.[a-z0-9.-]{1,320})?$"
}, ID_REGEXPS = Object.fromEntries(Object.entries(ID_PATTERNS).map(([kind, p]) => [kind, new RegExp(p)])), NO_REGION = "-";
function parseName(name) {
  let parts = name.split("/"), top = own(TOP, parts[0] ?? ""), first = parts[1];
  if (top === void 0 || first === void 0 || !ID_REGEXPS[top].test(first)) return;
  if (parts.length === 2) return { kind: top, id: first };
  if (parts.at(-1) === "override") return parseOverride(parts);
  let kind = own(own(BELOW, parts[0] ?? "") ?? {}, parts[2] ?? ""), id2 = parts[3];
  if (!(parts.length !== 4 || kind === void 0 || id2 === void 0 || !ID_REGEXPS[kind].test(id2)))
    return { kind, id: id2, parent: first };
}
function parseOverride(parts) {
  let [top, first = "", below, region = ""] = parts;
  if (top === "instances") return parts.length === 3 ? { kind: "override", id: first } : void 0;
  if (!(!(top === "services" && parts.length === 5 && below === "regions") || !(region === NO_REGION || ID_REGEXPS.region.test(region))))
    return { kind: "override", id: region, parent: first };
}
function own(table, key) {
  return Object.hasOwn(table, key) ? table[key] : void 0;
}
function partsOf(name) {
  let parts = parseName(name);
  if (parts === void 0) throw new Error(`not a resource name: ${name}`);
  return parts;
}
function nameOf(kind, id2, parent) {
  if (kind === "override") return parent === void 0 ? instanceOverrideName(id2) : regionOverrideName(parent, id2);
  let [top, below] = PATHS[kind];
  return below === void 0 ? `${top}/${id2}` : `${top}/${parent ?? ""}/${below}/${id2}`;
}
var regionName = (region) => `regions/${region}`, projectName = (project) => `projects/${project}`, serviceName = (service) => `services/${service}`, versionName = (service, version) => `services/${service}/versions/${version}`, deploymentName = (service, region) => `services/${service}/deployments/${region}`, instanceName = (id2) => `instances/${id2}`, instanceOverrideName = (id2) => `instances/${id2}/override`, regionOverrideName = (service, region) => `services/${service}/regions/${region}/override`, advisoryName = (id2) => `advisories/${id2}`;

// src/domain/indexes.ts
var byKind = (kind) => `kind:${kind}`, children = (kind, parent) => `in:${kind}:${parent}`, inRegion = (region) => `region:${region}`, importersOf = (service) => `imports:${service}`, referrersOf = (name) => `ref:${name}`, bundlesOf = (service) => `member:${service}`, atAddress = (address, port2) => `at:${address}:${port2}`, byApiId = (apiId) => `apiId:${apiId}`, ownedBy = (group) => `owner:${group}`, bySubject = (subject) => `subject:${subject}`, byClient = (clientId) => `client:${clientId}`;
function indexKeys(item) {
  let keys = [byKind(item.kind)];
  for (let name of references(item)) keys.push(referrersOf(name));
  switch (item.kind) {
    case "service":
      keys.push(byApiId(item.value.apiId));
      for (let group of item.value.owners ?? []) keys.push(ownedBy(group));
      break;
    case "serviceAccount": {
      let { subject, clientId } = item.value;
      keys.push(children(item.kind, item.parent)), subject !== void 0 && keys.push(bySubject(subject)), clientId !== void 0 && keys.push(byClient(clientId));
      break;
    }
    case "resourceType":
      keys.push(children(item.kind, item.parent));
      break;
    case "version":
      keys.push(children("version", item.parent));
      for (let service of new Set(item.value.imports.map((i) => i.service))) keys.push(importersOf(service));
      break;
    case "deployment":
      keys.push(children("deployment", item.parent), inRegion(item.id));
      break;
    case "bundle":
      for (let service of item.value.members) keys.push(bundlesOf(service));
      break;
    case "instance":
      keys.push(children("instance", item.value.service), atAddress(item.value.address, item.value.port));
      break;
    case "override":
    case "advisory":
      keys.push(children(item.kind, item.value.service));
      break;
    default:
      break;
  }
  return keys;
}
function references(item) {
  switch (item.kind) {
    case "region":
    case "project":
      return [];
    case "serviceAccount":
      return [projectName(item.parent)];
    case "service":
      return [
        .../* @__PURE__ */ new Set([
          projectName(item.value.project),
          item.value.creator,
          regionName(item.value.primaryRegion),
          ...item.value.uses.map(serviceName),
          ...(item.value.importers ?? []).map(projectName)
        ])
      ];
    case "version":
      return [
        .../* @__PURE__ */ new Set([serviceName(item.parent), ...item.value.imports.map((i) => versionName(i.service, i.version))])
      ];
    case "resourceType":
      return [
        .../* @__PURE__ */ new Set([serviceName(item.parent), ...item.value.versions.map((v) => versionName(item.parent, v.version))])
      ];
    case "deployment":
      return [serviceName(item.parent), regionName(item.id), versionName(item.parent, item.value.currentVersion)];
    case "bundle":
      return item.value.members.map(serviceName);
    case "instance":
    case "override":
    case "advisory":
      return [];
  }
}

// src/domain/lookup.ts
var serviceOf = (state, service) => state.get(serviceName(service)), versionOf = (state, service, version) => state.get(versionName(service, version)), deploymentOf = (state, service, region) => state.get(deploymentName(service, region)), allOf = (state, kind) => state.bucket(byKind(kind)), versionsOf = (state, service) => state.bucket(children("version", service)), deploymentsOf = (state, service) => state.bucket(children("deployment", service)), importingVersions = (state, service) => state.bucket(importersOf(service)), bundlesWith = (state, service) => state.bucket(bundlesOf(service));
function isEmpty(items) {
  for (let _ of items) return !1;
  return !0;
}
var isRetired = (version) => version.value.lifecycle.state === "retired";

// src/auth/caller.ts
var STRANGER = {
  kind: "person",
  subject: "anonymous",
  reader: !1,
  owns: { apiIds: [], services: [], groups: [] }
};
function callerOf(identity, state) {
  let { subject, reader, owns, registers } = identity, monitor = identity.monitor === !0 && { monitor: !0 };
  if (registers !== void 0) return { ok: !0, caller: registrarOf(identity, registers, state) };
  if (identity.administrator) return { ok: !0, caller: { kind: "administrator", subject } };
  let [account, another] = accountsOf(identity, state);
  return account === void 0 ? { ok: !0, caller: { kind: "person", subject, reader, owns, ...monitor } } : another !== void 0 ? { ok: !1, detail: `Several service accounts are ${subject}: an administrator has to leave one of them its subject and client id.` } : { ok: !0, caller: { kind: "serviceAccount", subject, account: account.name, owns, ...monitor } };
}
function registrarOf({ subject, owns, givenOutAt = 0 }, service, state) {
  let item = serviceOf(state, service);
  return item !== void 0 && Date.parse(item.value.createTime) <= givenOutAt ? { kind: "registrar", subject, service } : { kind: "person", subject, reader: !1, owns };
}
function accountsOf({ subject, clientId, projects }, state) {
  let found = /* @__PURE__ */ new Map(), keys = clientId === void 0 ? [bySubject(subject)] : [bySubject(subject), byClient(clientId)];
  for (let key of keys)
    for (let item of state.bucket(key)) {
      if (item.kind !== "serviceAccount" || projects?.includes(item.parent) === !1) continue;
      let wanted = item.value, isSubject = wanted.subject === void 0 || wanted.subject === subject, isClient = wanted.clientId === void 0 || wanted.clientId === clientId;
      isSubject && isClient && found.set(item.name, item);
    }
  return [...found.values()];
}
function belongs(caller, state) {
  return caller.kind !== "person" || caller.reader || isOwner(caller.owns, state);
}
function isOwner(owns, state) {
  return owns === void 0 ? !1 : owns.apiIds.length > 0 || owns.services.length > 0 ? !0 : owns.groups.some((group) => !isEmpty(state.bucket(ownedBy(group))));
}

// src/auth/csrf.ts
import { createHmac, timingSafeEqual } from "node:crypto";
function whyNotFromPage(source, need, own2) {
  if (!(source.origin === void 0 && source.secFetchSite === void 0))
    return whyNotFrom(source, need, own2) && FOREIGN;
}
var isSafe = (method) => method === "GET" || method === "HEAD" || method === "OPTIONS";
function whyNotFrom(source, need, own2) {
  let from = pageOf(source, own2);
  if (from !== "ours") {
    if (from === "unknown") return need === "read" ? void 0 : NOT_SAID;
    if (!(need === "read" && source.origin === void 0 && source.secFetchMode === "navigate"))
      return FOREIGN;
  }
}
var NOT_SAID = "With a session cookie this needs an Origin (or Sec-Fetch-Site) that says which page it comes from; programs send a token instead.", FOREIGN = "A page of another origin sent this with the session cookie, or the client certificate, that is for this one.";
function pageOf({ host, origin, secFetchSite }, own2) {
  return origin !== void 0 ? isOwn(origin, host, own2) ? "ours" : "foreign" : secFetchSite === void 0 ? "unknown" : secFetchSite === "same-origin" || secFetchSite === "none" ? "ours" : "foreign";
}
function isOwn(origin, host, own2) {
  return origin === own2 ? !0 : !own2.startsWith("https:") && host !== void 0 && origin.toLowerCase() === `http://${host.toLowerCase()}`;
}
var csrfToken = (credential) => createHmac("sha256", credential).update("signalbox csrf").digest("base64url");
function isCsrfToken(given2, credential) {
  if (typeof given2 != "string") return !1;
  let wanted = Buffer.from(csrfToken(credential)), found = Buffer.from(given2);
  return found.length === wanted.length && timingSafeEqual(found, wanted);
}

// src/edge/http/login.ts
init_html();

// src/auth/return-to.ts
var HERE = "http://here.invalid";
function returnTo(asked, otherwise) {
  if (typeof asked != "string" || asked.length > 2e3 || !/^\/(?![/\\])[\x21-\x7e]*$/.test(asked) || asked.includes("\\") || !URL.canParse(asked, HERE)) return otherwise;
  let { origin, pathname, search, hash: hash2 } = new URL(asked, HERE);
  return origin !== HERE || pathname.startsWith("//") ? otherwise : pathname + search + hash2;
}

// src/auth/who-is.ts
function whoIs(caller, state) {
  let { subject } = caller;
  if (caller === STRANGER) return { kind: "stranger", subject, roles: ["stranger"], services: [] };
  switch (caller.kind) {
    case "administrator":
    case "signalbox":
      return { kind: caller.kind, subject, roles: ["administrator"], services: [] };
    case "registrar":
      return { kind: caller.kind, subject, roles: ["registrar"], services: [caller.service] };
    case "serviceAccount": {
      let project = parseName(caller.account)?.parent, owned = ownedBy2(caller, state), roles = owned.size > 0 ? ["account", "owner"] : ["account"];
      for (let id2 of project === void 0 ? [] : servicesOf(project, state)) owned.add(id2);
      return {
        kind: caller.kind,
        subject,
        account: caller.account,
        ...project !== void 0 && { project },
        roles,
        services: [...owned].sort()
      };
    }
    case "person": {
      let { apiIds, services } = caller.owns, roles = [];
      return (apiIds.length > 0 || services.length > 0) && roles.push("owner"), caller.reader && roles.push("reader"), roles.length === 0 && roles.push("stranger"), { kind: caller.kind, subject, roles, services: [...ownedBy2(caller, state)].sort() };
    }
  }
}
function ownedBy2({ owns }, state) {
  let found = /* @__PURE__ */ new Set();
  for (let apiId of owns?.apiIds ?? []) for (let item of state.bucket(byApiId(apiId))) found.add(item.id);
  for (let id2 of owns?.services ?? []) state.get(serviceName(id2)) !== void 0 && found.add(id2);
  return found;
}
function* servicesOf(project, state) {
  for (let item of state.bucket(referrersOf(projectName(project)))) item.kind === "service" && (yield item.id);
}

// src/protocol/problem-catalogue.ts
var PROBLEMS = {
  invalid: {
    status: 400,
    title: "The request is not valid",
    meaning: "A body, parameter or header does not have the form it must have. `errors` says for each what is wrong and what would be right. Mend it; sending it again changes nothing."
  },
  "malformed-body": {
    status: 400,
    title: "The body cannot be read",
    meaning: "The body is not the JSON, NDJSON or YAML that its Content-Type says. The detail says where reading stopped."
  },
  "malformed-request": {
    status: 400,
    title: "The request cannot be read",
    meaning: "The request is not HTTP as RFC 9110 and RFC 9112 describe it, or its URL is not properly encoded."
  },
  unauthenticated: {
    status: 401,
    title: "Who is calling is not known",
    meaning: "The request carries no token, and needs one: send `Authorization: Bearer TOKEN`. An access token comes from one of the issuers in OIDC_ISSUERS. Browsers log in at `/login`; their session has ended, or never began."
  },
  "invalid-token": {
    status: 401,
    title: "The token is not accepted",
    meaning: "The token is malformed, has expired, is of another issuer or for another audience, or its signature is not right, or it is a registration token that was revoked; the detail says which. Get a new one from whoever gave it out."
  },
  "invalid-certificate": {
    status: 401,
    title: "The client certificate is not accepted",
    meaning: "The certificate that was shown in the TLS handshake is not of an authority in TLS_CLIENT_CA, has expired, or names nobody; the detail says which. Connect with another one, with none, or with a token in Authorization."
  },
  forbidden: {
    status: 403,
    title: "The caller may not do this",
    meaning: "docs/access.md says who may do what. In development mode only programs on the same machine are answered: the connection, the Host header and, from a browser, the Origin header all have to be loopback (localhost, 127.0.0.1, [::1])."
  },
  "cross-site": {
    status: 403,
    title: "The request may be the wish of another page",
    meaning: "A request with a session cookie has to come from a page of Signalbox itself, by its Origin (or Sec-Fetch-Site), and one that changes something has to carry the session's `csrf` of `/v1/whoami` in X-Signalbox-CSRF. Programs send a token instead of a cookie. docs/access.md says more."
  },
  "not-found": {
    status: 404,
    title: "There is no such resource",
    meaning: "The resource does not exist at the revision in X-Signalbox-Revision, or the caller may not see it."
  },
  "unknown-path": {
    status: 404,
    title: "Nothing lives at this path",
    meaning: "No route has this path. `/` lists what is where; `/openapi.json` has all of it."
  },
  "method-not-allowed": {
    status: 405,
    title: "The path does not take this method",
    meaning: "The Allow header lists the methods that the path takes."
  },
  "not-acceptable": {
    status: 406,
    title: "The answer has none of the accepted forms",
    meaning: "The Accept header names no media type that the route can answer; the detail lists those it can."
  },
  timeout: {
    status: 408,
    title: "The request did not arrive in time",
    meaning: "Headers and body have to arrive within REQUEST_TIMEOUT."
  },
  conflict: {
    status: 409,
    title: "The change would break a rule",
    meaning: "The catalog as it would be after the change breaks rules of docs/rules.md. `violations` lists every one: `code`, `rule`, `resource`, where it applies `importer`, `importerVersion`, `imported`, `importedVersion` and `region`, a `message`, and a `fix`: the request that would mend it. Nothing was changed."
  },
  "too-many-tokens": {
    status: 409,
    title: "The service has too many registration tokens",
    meaning: "So many registration tokens of the service are neither revoked nor expired that no other is made. Revoke one that is no longer used; `GET /v1/services/{service}/registration-tokens` lists them."
  },
  "quota-exceeded": {
    status: 409,
    title: "The project holds as much as it may",
    meaning: "PROJECT_MAX_SERVICES, PROJECT_MAX_INSTANCES or PROJECT_MAX_SUBSCRIPTIONS is reached; the detail names the limit and what is there. Nothing was changed. Remove what is not needed, or have the operator raise the setting."
  },
  "start-over": {
    status: 410,
    title: "The position is not in the log",
    meaning: "The history after `since` cannot be told: it was trimmed, belongs to another epoch, or lies in the future (`reason`: `trimmed`, `epoch`, `future`). Read the state anew and go on from `head`."
  },
  "precondition-failed": {
    status: 412,
    title: "The resource is not as the request expects",
    meaning: "If-Match or If-None-Match does not hold. `revision`, where there is one, is what the resource has now: read it, decide again, and send the new ETag."
  },
  "too-large": {
    status: 413,
    title: "The body is too large",
    meaning: "BODY_MAX_BYTES bounds the body of one resource, APPLY_MAX_BYTES that of `/v1/apply`."
  },
  "uri-too-long": {
    status: 414,
    title: "The URL is too long",
    meaning: "A URL has at most 8,192 characters and each part of its path at most 300."
  },
  "unsupported-media-type": {
    status: 415,
    title: "The body has a form that the route does not take",
    meaning: "The detail lists the Content-Types that the route takes. Compressed bodies are not taken."
  },
  "upgrade-required": {
    status: 426,
    title: "The path is a WebSocket",
    meaning: "`/v1/watch` is a WebSocket: connect with the subprotocol `signalbox.v1`, as openapi/PUSH.md tells; or ask for a stream of events with `Accept: text/event-stream`."
  },
  "rate-limited": {
    status: 429,
    title: "There are too many such requests",
    meaning: "The caller asks for more than RATE_LIMIT_RENEW, RATE_LIMIT_RESUME, RATE_LIMIT_READ, RATE_LIMIT_LIST or RATE_LIMIT_WRITE gives to one, or too many requests come from an address without a credential that is taken (RATE_LIMIT_UNKNOWN), or the node is late (OVERLOAD_LAG) and gives up what can wait: writes first, then lists, reads, the resuming of watches, and renewals last. Nothing was done. Try again after `retryAfter` seconds."
  },
  "headers-too-large": {
    status: 431,
    title: "The header fields are too large",
    meaning: "All header fields together have at most 16 KiB."
  },
  internal: {
    status: 500,
    title: "Signalbox made a mistake",
    meaning: "The log of the server says more under the `requestId`. Please report it."
  },
  "not-ready": {
    status: 503,
    title: "The catalog is not loaded yet",
    meaning: "The server has just started. Until it knows everything it answers nothing, rather than an empty list (PUSH7). Try again after `retryAfter` seconds."
  },
  "revision-not-reached": {
    status: 503,
    title: "The server has not reached the revision",
    meaning: "X-Signalbox-Min-Revision names a revision that this server did not reach within READ_WAIT_MAX. Try again after `retryAfter` seconds, or at another server."
  },
  "store-unavailable": {
    status: 503,
    title: "The database cannot be reached",
    meaning: "Nothing was written. Reads and watches go on. Try again after `retryAfter` seconds."
  },
  "outcome-unknown": {
    status: 503,
    title: "It is not known whether the change was made",
    meaning: "The database went away during the commit. Every write can be sent again: if it was made, sending it again changes nothing. With If-Match, read the resource first."
  },
  overloaded: {
    status: 503,
    title: "Too many requests are waiting",
    meaning: "Too many writes wait for their commit, or too many polls and watchers for changes. The request was not queued and nothing was written. Try again after `retryAfter` seconds."
  },
  "issuer-unavailable": {
    status: 503,
    title: "The token cannot be verified now",
    meaning: "The keys of the issuer that the token names cannot be read, and it is signed with none that is known; or it is a registration token, and the database is away. Try again after `retryAfter` seconds."
  },
  "session-unavailable": {
    status: 503,
    title: "The session cannot be looked at now",
    meaning: "The database that keeps the sessions cannot be reached, or the issuer that would renew this one. Try again after `retryAfter` seconds."
  },
  "health-checks-off": {
    status: 503,
    title: "This node keeps no leases",
    meaning: "The node runs with HEALTH_CHECKS=off, so it does not renew leases. Nothing was renewed: send renewals to the node that has it on."
  },
  draining: {
    status: 503,
    title: "The server is shutting down",
    meaning: "Nothing was written. Try again after `retryAfter` seconds: another server, or this one restarted, will answer."
  }
}, problemType = (code) => `/problems/${code}`;

// src/protocol/problem.ts
var Problem = class extends Error {
  code;
  details;
  constructor(code, details) {
    let all = typeof details == "string" ? { detail: details } : details;
    super(all.detail), this.name = "Problem", this.code = code, this.details = all;
  }
  get status() {
    return PROBLEMS[this.code].status;
  }
}, badParameter = (parameter, detail) => new Problem("invalid", { detail: `${parameter} ${detail}`, errors: [{ parameter, detail }] }), badHeader = (header, detail) => new Problem("invalid", { detail: `${header} ${detail}`, errors: [{ header, detail }] }), MAX_LISTED = 5e3;
function conflict(detail, violations) {
  if (violations.length <= MAX_LISTED) return { detail, violations };
  let listed = violations.slice(0, MAX_LISTED);
  return {
    detail: `${detail} The first ${MAX_LISTED} are listed; the rest shows when these are mended.`,
    violations: listed
  };
}
function fromRefusal(refusal2) {
  switch (refusal2.code) {
    case "invalid":
      return new Problem("invalid", { detail: refusal2.detail, errors: refusal2.errors.slice(0, MAX_LISTED) });
    case "forbidden":
      return new Problem("forbidden", refusal2.detail);
    case "not-found":
      return new Problem("not-found", refusal2.detail);
    case "quota-exceeded":
      return new Problem("quota-exceeded", `${refusal2.detail}.`);
    case "precondition-failed":
      return new Problem("precondition-failed", {
        detail: refusal2.detail,
        ...refusal2.revision !== void 0 && { revision: refusal2.revision }
      });
    case "conflict":
      return new Problem("conflict", conflict(refusal2.detail, refusal2.violations));
  }
}
var renderProblem = (code, details, requestId) => JSON.stringify({
  type: problemType(code),
  title: PROBLEMS[code].title,
  status: PROBLEMS[code].status,
  ...details,
  requestId
});

// src/edge/answers.ts
var REVISION_HEADER = "x-signalbox-revision", JSON_TYPE = "application/json; charset=utf-8", PROBLEM_TYPE = "application/problem+json; charset=utf-8", etagOf = (revision) => `"${revision}"`;
function sendJson(reply, json2) {
  return reply.header("content-type", JSON_TYPE).send(json2);
}
function sendItem(reply, item) {
  return sendJson(reply.header("etag", etagOf(item.revision)), item.json);
}
function sendProblem(reply, { code, details }) {
  return PROBLEMS[code].status === 401 && reply.header("www-authenticate", challenge(code, details.detail)), details.retryAfter !== void 0 && reply.header("retry-after", details.retryAfter), reply.code(PROBLEMS[code].status).header("content-type", PROBLEM_TYPE).header("cache-control", "no-store").send(renderProblem(code, details, reply.request.id));
}
function challenge(code, detail) {
  return code !== "invalid-token" ? 'Bearer realm="signalbox"' : `Bearer realm="signalbox", error="invalid_token", error_description="${detail.replaceAll('"', "'").replaceAll(/[^\x20-\x7e]|\\/g, " ")}"`;
}

// src/edge/json-fault.ts
function findJsonFault(text2) {
  let open3 = [], expected = "value", at2 = 0;
  for (; ; ) {
    for (; at2 < text2.length && ` 	\r
`.includes(text2[at2]); ) at2++;
    let char = text2[at2];
    if (char === void 0) return at2;
    let closes = char === "}" ? "{" : char === "]" ? "[" : void 0;
    if (closes !== void 0) {
      let empty2 = expected === (closes === "{" ? "key or }" : "value or ]");
      if (open3.at(-1) !== closes || !(empty2 || expected === ", or end")) return at2;
      open3.pop(), expected = ", or end", at2++;
    } else if (expected === ", or end") {
      if (char !== "," || open3.length === 0) return at2;
      expected = open3.at(-1) === "{" ? "key" : "value", at2++;
    } else if (expected === ":") {
      if (char !== ":") return at2;
      expected = "value", at2++;
    } else if (char === "{" || char === "[") {
      if (expected.startsWith("key")) return at2;
      open3.push(char), expected = char === "{" ? "key or }" : "value or ]", at2++;
    } else {
      let isKey = expected.startsWith("key"), end = char === '"' ? stringEnd(text2, at2) : isKey ? -at2 : literalEnd(text2, at2);
      if (end <= 0) return -end;
      at2 = end, expected = isKey ? ":" : ", or end";
    }
  }
}
function stringEnd(text2, start2) {
  for (let at2 = start2 + 1; at2 < text2.length; at2++) {
    let char = text2[at2];
    if (char === '"') return at2 + 1;
    if (char < " ") return -at2;
    if (char !== "\\") continue;
    at2++;
    let escape = text2[at2] ?? "";
    if (escape === "u" && /^[0-9a-fA-F]{4}$/.test(text2.slice(at2 + 1, at2 + 5))) at2 += 4;
    else if (!'"\\/bfnrt'.includes(escape) || escape === "") return -at2;
  }
  return -text2.length;
}
var LITERAL = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-])/y;
function literalEnd(text2, start2) {
  return LITERAL.lastIndex = start2, LITERAL.test(text2) ? LITERAL.lastIndex : -start2;
}

// src/edge/body.ts
var JSON_BODY = ["application/json"], MAX_UNWANTED_BYTES = 1024;
function acceptOnly(scope, types) {
  if (scope.removeAllContentTypeParsers(), types.length === 0) {
    scope.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_UNWANTED_BYTES }, (_request, body, done) => {
      done(body.length === 0 ? null : new Problem("unsupported-media-type", "This route takes no body; send none."));
    });
    return;
  }
  scope.addContentTypeParser([...types], { parseAs: "buffer" }, (_request, body, done) => {
    done(null, body);
  }), scope.addHook("onRequest", (request, _reply, done) => {
    let coding = request.headers["content-encoding"];
    if (coding === void 0 || coding === "identity") return done();
    done(new Problem("unsupported-media-type", "Compressed bodies are not taken; send it without Content-Encoding."));
  });
}
var decoder = new TextDecoder("utf-8", { fatal: !0 });
function textOf2(request) {
  if (!Buffer.isBuffer(request.body)) throw new Problem("malformed-body", "The request has no body.");
  try {
    return decoder.decode(request.body);
  } catch {
    throw new Problem("malformed-body", "The body is not UTF-8.");
  }
}
var jsonOf = (request) => parseJson(textOf2(request));
function parseJson(text2, firstLine = 1) {
  try {
    return JSON.parse(text2);
  } catch {
    throw new Problem("malformed-body", faultOf(text2, firstLine));
  }
}
function faultOf(text2, firstLine) {
  let at2 = findJsonFault(text2), before = text2.slice(0, at2).split(`
`), place3 = `line ${before.length - 1 + firstLine}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return at2 >= text2.length ? `The body is not JSON: it ends too early, at ${place3}.` : `The body is not JSON: ${JSON.stringify(String.fromCodePoint(text2.codePointAt(at2) ?? 0))} is not expected at ${place3}.`;
}

// src/auth/cookies.ts
function readCookie(header, name) {
  for (let pair of header?.split(";") ?? []) {
    let at2 = pair.indexOf("=");
    if (at2 !== -1 && pair.slice(0, at2).trim() === name) return pair.slice(at2 + 1).trim();
  }
}
function writeCookie(name, value, options) {
  let seconds = value === "" ? 0 : options.seconds, parts = [`${name}=${value}`, "Path=/", "HttpOnly", "SameSite=Lax"];
  return options.secure && parts.push("Secure"), seconds !== void 0 && parts.push(`Max-Age=${seconds}`), parts.join("; ");
}

// src/edge/sse/accept.ts
var wantsEvents = (accept) => accept !== void 0 && accept.split(",").some((type) => /^\s*text\/event-stream\s*(?:;|$)/i.test(type));

// src/edge/session-access.ts
var CSRF_HEADER = "x-signalbox-csrf", sessionIn = (request, site) => cookieIn(request, () => site.cookies.session);
function cookieIn(request, name) {
  let { cookie } = request.raw.headers;
  return cookie === void 0 ? void 0 : readCookie(cookie, name());
}
function setCookie(reply, site, name, value, seconds) {
  let text2 = writeCookie(name, value, { secure: site.isSecure, ...seconds !== void 0 && { seconds } });
  reply.header("set-cookie", text2);
}
function whyNotWith(request, credential, site, credentials) {
  let { headers } = request.raw, need = needOf(request), detail = whyNotFrom(sourceOf(request), need, site.origin);
  if (detail !== void 0) return new Problem("cross-site", detail);
  if (!(need !== "write" || credentials === "form") && !isCsrfToken(headers[CSRF_HEADER], credential))
    return new Problem(
      "cross-site",
      "With a session cookie a write needs the header X-Signalbox-CSRF, with the csrf of /v1/whoami."
    );
}
function whyNotByPage(request, site) {
  let source = sourceOf(request), detail = whyNotFromPage(source, needOf(request), site?.origin ?? `https://${source.host}`);
  return detail === void 0 ? void 0 : new Problem("cross-site", detail);
}
function sourceOf({ raw: { method = "GET", headers } }) {
  return {
    method,
    host: headers.host,
    origin: headers.origin,
    secFetchSite: one(headers["sec-fetch-site"]),
    secFetchMode: one(headers["sec-fetch-mode"])
  };
}
function needOf({ raw: raw2 }) {
  return isSafe(raw2.method ?? "GET") ? raw2.headers.upgrade !== void 0 || wantsEvents(raw2.headers.accept) ? "stream" : "read" : "write";
}
var one = (header) => [header].flat()[0];

// src/edge/http/login-pages.ts
init_html();

// src/auth/rights.ts
var ROLES = {
  administrator: "Platform administrator: a member of one of the issuer's `admins` groups, or the scope `admin`.",
  account: "Service account: its subject and client id are those of a `projects/{project}/service-accounts/{account}`.",
  owner: "API owner: the scope `{apiId}.admin` or `{serviceId}/admin`, or a member of a group that `owners` in the settings binds to the apiId, or that the service itself lists in its `owners`.",
  registrar: "Registration token: given out for one service, for whoever cannot do OAuth (docs/access.md).",
  reader: 'Reader: a member of one of the issuer\'s `readers` groups; with `"readers": "*"`, everyone with a token.',
  monitor: "Monitoring: the scope `metrics`, or a member of one of the issuer's `monitors` groups.",
  stranger: "Everyone else: without a token, or with one that makes its bearer none of the above."
};
var EVERYONE = {
  account: "all",
  owner: "all",
  registrar: "all",
  reader: "all",
  monitor: "all",
  stranger: "all"
}, WHO_BELONGS = { ...EVERYONE, registrar: "none", monitor: "none", stranger: "none" }, NOBODY = {
  account: "none",
  owner: "none",
  registrar: "none",
  reader: "none",
  monitor: "none",
  stranger: "none"
}, THEIRS = { ...NOBODY, account: "theirs", owner: "theirs" }, RIGHTS = {
  "catalog.read": WHO_BELONGS,
  "catalog.write": { ...THEIRS, account: "theirs and new" },
  "catalog.delete": THEIRS,
  "catalog.apply": { ...THEIRS, account: "theirs and new" },
  "catalog.export": WHO_BELONGS,
  "instance.read": WHO_BELONGS,
  "instance.register": { ...THEIRS, registrar: "theirs" },
  "instance.override": THEIRS,
  "token.manage": THEIRS,
  "coverage.read": WHO_BELONGS,
  "log.read": WHO_BELONGS,
  "feed.watch": WHO_BELONGS,
  // Of who is connected, those who watch what is theirs.
  "feed.subscribers": THEIRS,
  // Entries about no service are for administrators alone.
  "audit.read": THEIRS,
  "session.use": EVERYONE,
  // Whoever restarts a process has no token to show.
  "health.read": EVERYONE,
  // They count what is private too.
  "metrics.read": { ...NOBODY, monitor: "all" },
  "docs.read": EVERYONE
};

// src/edge/http/login-pages.ts
function loginPage(choices, returnTo2, who, open3) {
  let items = choices.map(
    ({ issuer, title: title2 }) => html` <li>
        <a class="button" href="/login?issuer=${encodeURIComponent(issuer)}&return_to=${encodeURIComponent(returnTo2)}"
          >Log in with ${title2}</a
        >
      </li>`
  );
  return page(
    "Log in",
    html`${who.kind !== "stranger" && html`<p>You are <strong>${who.subject}</strong> now: <a href="/session">more about that</a>.</p>`}
      ${open3 && html`<p>This is development mode, where nobody has to log in: who does not is the administrator. Who logs in is who they say, with the rights of that person alone.</p>`}
      ${choices.length === 0 && html`<p role="alert">Nobody can log in here with a browser: no issuer in <code>OIDC_ISSUERS</code> has a <code>login</code>. Programs send a token.</p>`}
      <ul class="choices">
        ${items}
      </ul>`
  );
}
function sessionPage(who, session2, csrf) {
  return who.kind === "stranger" ? page("You are not logged in", html`<p><a class="button" href="/login">Log in</a></p>`) : page(
    `You are ${session2?.name ?? who.subject}`,
    html`<dl>
        <dt>Subject</dt>
        <dd>${who.subject}</dd>
        ${session2 !== void 0 && html`<dt>Signed in at</dt>
            <dd>${session2.issuer}</dd>
            <dt>Until</dt>
            <dd>${new Date(session2.endsAt).toISOString()} at the latest</dd>`}
        ${who.account !== void 0 && html`<dt>Service account</dt>
            <dd>${who.account}</dd>`}
        ${who.project !== void 0 && html`<dt>Project</dt>
            <dd>${who.project}</dd>`}
        <dt>Roles</dt>
        ${who.roles.map((role) => html`<dd>${ROLES[role].split(":")[0]}</dd>`)}
        <dt>Services</dt>
        ${servicesOf2(who)}
      </dl>
      ${csrf !== void 0 && html`<form method="post" action="/logout"><input type="hidden" name="csrf" value="${csrf}" /><button>Log out</button></form>`}
      ${csrf === void 0 && html`<p>Nobody has logged in with this browser. <a href="/login">Log in</a></p>`}`
  );
}
function servicesOf2({ kind, services }) {
  return kind === "administrator" ? html`<dd>all of them</dd>` : services.length === 0 ? html`<dd>none</dd>` : html`${services.map((id2) => html`<dd>${id2}</dd>`)}`;
}
var loggedOutPage = (url2) => page(
  "You are logged out",
  url2 === void 0 ? html`<p><a class="button" href="/login">Log in again</a></p>` : html`<meta http-equiv="refresh" content="0; url=${url2}" />
          <p>Your identity provider may still know you. <a href="${url2}">Go on to log out there</a></p>`
), faultPage = (title2, detail) => page(
  title2,
  html`<p role="alert">${detail}</p>
      <p><a class="button" href="/login">Try again</a></p>`
);

// src/edge/http/login.ts
var HOME = "/session", FORM = "application/x-www-form-urlencoded", loginRoutes = (deps) => (app, _options, done) => {
  let hidden = { schema: { hide: !0 }, exposeHeadRoute: !1 }, own2 = { ...hidden, config: { action: "session.use", credentials: "none" } };
  app.get(
    "/login",
    { ...hidden, config: { action: "session.use" } },
    (request, reply) => login(deps, request, reply)
  ), app.get("/login/callback", own2, (request, reply) => callback(deps, request, reply)), app.get(
    "/session",
    { ...hidden, config: { action: "session.use" } },
    (request, reply) => session(deps, request, reply)
  ), app.register((scope, _scoped, scopeDone) => {
    acceptOnly(scope, [FORM]);
    let config2 = { action: "session.use", credentials: "form", accepts: [FORM] };
    scope.post("/logout", { ...hidden, config: config2 }, (request, reply) => logout(deps, request, reply)), scopeDone();
  }), done();
};
async function login(deps, request, reply) {
  let { site, logins, state, open: open3, log } = deps, { host } = new URL(site.origin);
  if (site.isLoopback && request.headers.host !== host) return reply.redirect(site.origin + request.url, 302);
  let query = request.query, back = returnTo(query.return_to, HOME), client = logins.of(String(query.issuer));
  if (client === void 0) {
    clearEnded(deps, request, reply);
    let choices = logins.clients.map(({ issuer, login: { title: title2 } }) => ({
      issuer: issuer.issuer,
      title: title2 ?? issuer.issuer
    }));
    return show(reply, loginPage(choices, back, whoIs(request.caller, state.view), open3));
  }
  try {
    let { url: url2, credential } = await logins.begin(client, back);
    return setCookie(reply, site, site.cookies.signIn, credential, SIGN_IN_MS / 1e3), reply.header("cache-control", "no-store").redirect(url2, 303);
  } catch (error) {
    if (error.name === "StoreUnavailable") throw error;
    log.warn({ err: error, issuer: client.issuer.issuer }, "the issuer cannot be asked how to log in");
    let detail = `${client.login.title ?? client.issuer.issuer} does not answer, or not as it should.`;
    return show(reply.code(503), faultPage("You cannot log in now", detail));
  }
}
async function callback(deps, request, reply) {
  let { site, logins } = deps, question2 = request.url.indexOf("?"), query = question2 === -1 ? "" : request.url.slice(question2), credential = cookieIn(request, () => site.cookies.signIn), finished = await logins.finish(credential, query, sessionIn(request, site));
  if (setCookie(reply, site, site.cookies.signIn, ""), !finished.ok) {
    note(deps, request, { subject: "anonymous", action: "login", result: "refused", detail: finished.why });
    let status2 = finished.away ? 503 : 403;
    return show(reply.code(status2), faultPage("You are not logged in", `${capital(finished.why)}.`));
  }
  let { data } = finished;
  return note(deps, request, {
    ...named(deps, data.identity),
    action: "login",
    result: "ok",
    detail: `Signed in at ${data.issuer}.`
  }), setCookie(reply, site, site.cookies.session, finished.credential), reply.header("cache-control", "no-store").redirect(finished.returnTo, 303);
}
async function session(deps, request, reply) {
  let { site, sessions, state } = deps, credential = request.knownBy === "session" ? sessionIn(request, site) : void 0, data = credential === void 0 ? void 0 : await sessions.read(credential);
  clearEnded(deps, request, reply);
  let csrf = data === void 0 || credential === void 0 ? void 0 : csrfToken(credential);
  return show(reply, sessionPage(whoIs(request.caller, state.view), data, csrf));
}
async function logout(deps, request, reply) {
  let { site, sessions, logins } = deps, credential = sessionIn(request, site), { headers, body } = request, url2;
  if (credential !== void 0 && credential !== "") {
    let form = Buffer.isBuffer(body) ? new URLSearchParams(body.toString()).get("csrf") : void 0;
    if (!isCsrfToken(headers[CSRF_HEADER] ?? form, credential)) throw new Problem("cross-site", NO_TOKEN);
    let data = await sessions.end(credential);
    if (setCookie(reply, site, site.cookies.session, ""), data !== void 0) {
      note(deps, request, { ...named(deps, data.identity), action: "logout", result: "ok" });
      let client = logins.of(data.issuer), withdrawn = data.refreshToken === void 0 ? void 0 : client?.revoke(data.refreshToken);
      url2 = await client?.logoutUrl(data.idToken), await withdrawn;
    }
  }
  return headers.accept?.includes("text/html") === !0 ? show(reply, loggedOutPage(url2)) : sendJson(reply.header("cache-control", "no-store"), JSON.stringify({ loggedOut: !0, ...url2 && { url: url2 } }));
}
function clearEnded({ site }, request, reply) {
  request.headers.authorization !== void 0 || request.grant !== void 0 || sessionIn(request, site) !== void 0 && setCookie(reply, site, site.cookies.session, "");
}
var NO_TOKEN = "Logging out needs the csrf of the session, in the form or in X-Signalbox-CSRF: reload the page and try again.", show = (reply, text2) => reply.headers(pageHeaders()).send(text2), capital = (text2) => text2.charAt(0).toUpperCase() + text2.slice(1);
function named({ state }, identity) {
  let { subject } = identity, found = state.ready ? callerOf(identity, state.view) : void 0;
  if (found?.ok !== !0) return { subject };
  let { account, project } = whoIs(found.caller, state.view);
  return { subject, ...account !== void 0 && { account }, ...project !== void 0 && { project } };
}
function note({ audit: audit2 }, request, entry) {
  let address = request.raw.socket.remoteAddress;
  audit2?.note({ category: "login", ...entry, ...address !== void 0 && { address }, requestId: request.id });
}

// src/edge/http/oidc.ts
var oidcRoutes = (provider, log) => (app, _options, done) => {
  app.removeAllContentTypeParsers(), app.addContentTypeParser("*", (_request, _body, parsed2) => parsed2(null));
  for (let method of ["GET", "POST", "OPTIONS"])
    app.route({
      method,
      url: "/oidc/*",
      exposeHeadRoute: !1,
      config: { action: "session.use", credentials: "none" },
      schema: { hide: !0 },
      handler: (request, reply) => {
        reply.hijack();
        let { raw: response } = reply, fail2 = (error) => {
          log.error({ err: error, requestId: request.id }, "the development provider failed"), response.headersSent || response.writeHead(500), response.end();
        }, open3 = provider();
        if (open3 === void 0) return void response.writeHead(503, { "retry-after": "1" }).end();
        open3.then((ready) => ready.handle(request.raw, response)).catch(fail2);
      }
    });
  done();
};

// src/edge/http/whoami.ts
import { Type as Type6 } from "typebox";

// src/edge/openapi.ts
import swagger from "@fastify/swagger";
import { Type as Type5 } from "typebox";

// src/domain/resources.ts
var CATALOG_KINDS = [
  "region",
  "project",
  "serviceAccount",
  "service",
  "version",
  "resourceType",
  "deployment",
  "bundle"
], RUNTIME_KINDS = ["instance", "override", "advisory"], KINDS = [...CATALOG_KINDS, ...RUNTIME_KINDS], isCatalogKind = (kind) => kind !== "instance" && kind !== "override" && kind !== "advisory";

// src/protocol/registration.ts
import { Type as Type3 } from "typebox";

// src/domain/duration.ts
var DURATION = "^[0-9]{1,12}(?:ms|s|m|h)$", UNITS = { ms: 1, s: 1e3, m: 6e4, h: 36e5 }, REGEXP = /^([0-9]{1,12})(ms|s|m|h)$/;
function parseDuration(text2) {
  let [, digits, unit] = REGEXP.exec(text2) ?? [];
  return digits === void 0 ? void 0 : Number(digits) * UNITS[unit];
}
function milliseconds(duration4) {
  let value = parseDuration(duration4);
  if (value === void 0) throw new Error(`not a duration: ${duration4}`);
  return value;
}
function formatDuration(ms) {
  let whole2 = Math.round(ms);
  for (let unit of ["h", "m", "s"])
    if (whole2 > 0 && whole2 % UNITS[unit] === 0) return `${whole2 / UNITS[unit]}${unit}`;
  return `${whole2}ms`;
}

// src/domain/instances/registration.ts
function readRegistration(raw2) {
  let errors2 = [], check3 = checkOf(raw2.check ?? { type: "ttl" }, raw2.protocol, errors2), metadata = sorted(raw2.metadata), characters = Object.entries(metadata).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return characters > METADATA_CHARACTERS && errors2.push({
    pointer: "/metadata",
    detail: `must have at most ${METADATA_CHARACTERS} characters in all, not ${characters}`
  }), errors2.length > 0 ? { ok: !1, errors: errors2 } : { ok: !0, value: {
    service: raw2.service,
    ...raw2.environment !== void 0 && { environment: raw2.environment },
    protocol: raw2.protocol,
    address: canonicalAddress(raw2.address),
    port: raw2.port,
    ...raw2.version !== void 0 && { version: raw2.version },
    ...raw2.region !== void 0 && { region: raw2.region },
    weight: raw2.weight ?? 1,
    tags: sorted(raw2.tags),
    metadata,
    check: check3
  } };
}
function readOverride(raw2) {
  let { mode, weight, evictionGuard, reason: reason2 } = raw2;
  return mode === void 0 && weight === void 0 && evictionGuard === void 0 ? {
    ok: !1,
    errors: [{ pointer: "", detail: "must set a mode, a weight, or both; DELETE lifts an override" }]
  } : {
    ok: !0,
    value: {
      ...mode !== void 0 && { mode },
      ...weight !== void 0 && { weight },
      ...evictionGuard !== void 0 && { evictionGuard },
      reason: reason2
    }
  };
}
var METADATA_CHARACTERS = 32 * 1024;
function canonicalAddress(address) {
  return address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}
function sorted(raw2) {
  let entries = Object.entries(raw2 ?? {});
  return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : 1));
}
var LIMITS = {
  ttl: ["500ms", "24h"],
  interval: ["500ms", "1h"],
  timeout: ["50ms", "1h"],
  deregisterAfter: ["1s", "720h"]
};
function lengthOf(raw2, field, fallback, errors2) {
  let text2 = raw2[field];
  if (text2 === void 0) return fallback;
  let [min = "", max = ""] = LIMITS[field] ?? [], ms = parseDuration(text2) ?? -1;
  return ms >= (parseDuration(min) ?? 0) && ms <= (parseDuration(max) ?? 1 / 0) ? ms : (errors2.push({ pointer: `/check/${field}`, detail: `must be from ${min} to ${max}, not ${text2}` }), fallback);
}
function checkOf(raw2, protocol, errors2) {
  let deregisterAfter2 = formatDuration(lengthOf(raw2, "deregisterAfter", 6e5, errors2)), initialStatus = raw2.initialStatus;
  if (raw2.type === "ttl")
    return { type: "ttl", ttl: formatDuration(lengthOf(raw2, "ttl", 3e4, errors2)), initialStatus: initialStatus ?? "passing", deregisterAfter: deregisterAfter2 };
  let interval = lengthOf(raw2, "interval", 1e4, errors2), timeout = lengthOf(raw2, "timeout", Math.min(2e3, interval), errors2);
  if (timeout > interval) {
    let detail = `must not be longer than the interval, which is ${formatDuration(interval)}`;
    errors2.push({ pointer: "/check/timeout", detail });
  }
  let active2 = {
    interval: formatDuration(interval),
    timeout: formatDuration(timeout),
    unhealthyAfter: raw2.unhealthyAfter ?? 2,
    healthyAfter: raw2.healthyAfter ?? 1,
    ...raw2.port !== void 0 && { port: raw2.port },
    initialStatus: initialStatus ?? "critical",
    deregisterAfter: deregisterAfter2
  };
  return { ...ownFields(raw2, protocol, errors2), ...active2 };
}
function ownFields(raw2, protocol, errors2) {
  let tls2 = raw2.tls ?? (protocol === "https" || protocol === "grpcs"), tlsVerify2 = raw2.tlsVerify ?? !0;
  return raw2.type === "tcp" ? { type: "tcp" } : raw2.type === "grpc" ? {
    type: "grpc",
    service: raw2.service ?? "",
    tls: tls2,
    tlsVerify: tlsVerify2
  } : {
    type: "http",
    path: raw2.path ?? "/",
    method: raw2.method ?? "GET",
    headers: headersOf(raw2.headers, errors2),
    ...raw2.expectedStatuses !== void 0 && { expectedStatuses: statusesOf(raw2.expectedStatuses, errors2) },
    tls: tls2,
    tlsVerify: tlsVerify2
  };
}
var FORBIDDEN_HEADERS = /* @__PURE__ */ new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "proxy-connection"
]);
function headersOf(raw2, errors2) {
  let headers = {};
  for (let [name, value] of Object.entries(raw2 ?? {})) {
    let lower = name.toLowerCase();
    FORBIDDEN_HEADERS.has(lower) && errors2.push({ pointer: `/check/headers/${name}`, detail: "a check may not send it: credentials would be seen by whoever sees the instance" }), headers[lower] = value;
  }
  return sorted(headers);
}
function statusesOf(raw2, errors2) {
  let statuses = [...new Set(raw2)].sort();
  for (let status2 of statuses) {
    let [from = "", to = from] = status2.split("-");
    Number(from) > Number(to) && errors2.push({ pointer: "/check/expectedStatuses", detail: `${status2} is a range that ends before it begins` });
  }
  return statuses;
}

// src/protocol/assigned.ts
import { Type as Type2 } from "typebox";

// src/protocol/text.ts
import { Type } from "typebox";
var PLAIN = "^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069]*$", SELECT_KEY = "^[^=\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069]{0,63}$", LABEL_KEY = "^[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?$", API_ID = "^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?$", PLURAL = "^[A-Z][a-zA-Z]{1,132}$", PROTOCOL_NAME = "^[a-z][a-z0-9+.-]{0,31}$", BUILD = "^[a-zA-Z0-9](?:[a-zA-Z0-9._+-]{0,62}[a-zA-Z0-9])?$", CHECK_PATH = "^/[\\x21-\\x7e]{0,1023}$", HEADER_NAME = "^[A-Za-z0-9-]{1,64}$", HEADER_VALUE = "^[\\x20-\\x7e]{0,1024}$", STATUSES = "^[1-5][0-9]{2}(?:-[1-5][0-9]{2})?$", GRPC_SERVICE = "^[A-Za-z0-9_./{}-]{0,256}$", SLUG = "2 to 63 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen", PATTERN_IN_WORDS = /* @__PURE__ */ new Map([
  [PLAIN, "must not contain control characters, line separators, lone surrogates or text direction overrides"],
  [SELECT_KEY, 'must have 63 characters at most, no "=" and no control characters'],
  [LABEL_KEY, 'must be 1 to 63 lower-case letters, digits, ".", "_", "/" and "-", with a letter or digit at both ends'],
  [API_ID, 'must be 1 to 64 letters, digits, ".", "_" and "-", with a letter or digit at both ends'],
  [PLURAL, "must be 2 to 133 letters, the first of them upper-case"],
  [ID_PATTERNS.region, `must be ${SLUG}`],
  [ID_PATTERNS.service, 'must be a lower-case domain name such as "iam.example.com"'],
  [ID_PATTERNS.version, 'must be a version such as "v1", "v1alpha2", "v2beta1" or "v1.4.2"'],
  [ID_PATTERNS.resourceType, "must be 1 to 128 letters"],
  [ID_PATTERNS.instance, "must be the id of an instance: 24 hexadecimal digits"],
  [ID_PATTERNS.override, 'must be a region, or "-" for instances without one'],
  [DURATION, 'must be a duration such as "500ms", "10s", "5m" or "24h"'],
  [PROTOCOL_NAME, 'must be the name of a protocol in lower case, such as "http" or "grpc"'],
  [BUILD, 'must be 1 to 64 letters, digits, ".", "_", "+" and "-", with a letter or digit at both ends'],
  [CHECK_PATH, 'must be a path that begins with "/", of printable ASCII characters without spaces'],
  [HEADER_NAME, 'must be the name of a header: letters, digits and "-"'],
  [HEADER_VALUE, "must be at most 1024 printable ASCII characters"],
  [STATUSES, 'must be a status such as "204", or a range such as "200-299"'],
  [GRPC_SERVICE, "must be the name of a gRPC service"]
]), text = (maxLength, doc) => Type.String({ minLength: 1, maxLength, pattern: PLAIN, ...spread(doc) }), id = (kind, doc) => Type.String({ maxLength: 253, pattern: ID_PATTERNS[kind], ...spread(doc) }), endpoint = (doc) => Type.String({ maxLength: 260, format: "endpoint", ...spread(doc) }), spread = ({ examples, ...doc }) => examples === void 0 ? doc : { ...doc, examples: [...examples] }, labels = (description = "Your own keys and values, for filters, selectors and pruning.") => Type.Unsafe({
  type: "object",
  description,
  default: {},
  examples: [{ team: "identity", "example.com/tier": "1" }],
  maxProperties: 64,
  propertyNames: { type: "string", maxLength: 63, pattern: LABEL_KEY },
  additionalProperties: { type: "string", maxLength: 63, pattern: PLAIN }
}), closed = (properties, doc) => Type.Object(properties, { additionalProperties: !1, ...spread(doc) });

// src/protocol/assigned.ts
var optional = Type2.Optional, assigned = {
  name: optional(
    Type2.String({
      maxLength: 600,
      pattern: PLAIN,
      description: "The path of the resource under `/v1`. In `apply` it says which resource is meant."
    })
  ),
  revision: optional(
    Type2.Integer({
      minimum: 0,
      readOnly: !0,
      description: "The revision of the resource's last change; also its ETag."
    })
  ),
  createTime: optional(Type2.String({ format: "date-time", readOnly: !0, description: "RFC 3339, UTC." })),
  warnings: optional(
    Type2.Array(Type2.Object({ code: Type2.String(), resource: Type2.String(), message: Type2.String() }), {
      readOnly: !0,
      description: "What is odd about it; only in the answer to a write, and only when there is any."
    })
  ),
  updateTime: optional(Type2.String({ format: "date-time", readOnly: !0, description: "RFC 3339, UTC." }))
};

// src/protocol/registration.ts
var optional2 = Type3.Optional, duration = (fallback, description) => optional2(
  Type3.String({
    pattern: DURATION,
    description,
    examples: [fallback ?? "10s"],
    ...fallback !== void 0 && { default: fallback }
  })
), flag = (fallback, description) => optional2(Type3.Boolean({ description, default: fallback })), count = (fallback, description) => optional2(Type3.Integer({ minimum: 1, maximum: 100, default: fallback, description })), port = (doc) => Type3.Integer({ minimum: 1, maximum: 65535, ...spread(doc) }), status = (fallback) => optional2(
  Type3.Enum(["passing", "warning", "critical"], {
    default: fallback,
    description: "What the instance counts as until its check has said something."
  })
), deregisterAfter = duration("10m", "An instance that was critical for so long is removed; 1s to 720h."), active = {
  interval: duration("10s", "From the start of one check to the start of the next; 500ms to 1h."),
  timeout: duration(
    void 0,
    "A check that takes longer has failed; 50ms to the interval. By default 2s, or the interval if that is less."
  ),
  unhealthyAfter: count(2, "So many failures in a row make the instance critical."),
  healthyAfter: count(1, "So many passes in a row make it passing again."),
  port: optional2(port({ description: "The port to check, where it is not the instance's own." })),
  initialStatus: status("critical"),
  deregisterAfter
}, tls = flag(!1, "Whether to speak TLS; by default whether the protocol of the instance is https or grpcs."), tlsVerify = flag(!0, "Whether the certificate has to be valid for the address."), CheckSchema = Type3.Unsafe({
  type: "object",
  title: "Check",
  description: "How Signalbox knows whether the instance can be called; by default a lease of 30 s.",
  default: { type: "ttl" },
  discriminator: { propertyName: "type" },
  required: ["type"],
  oneOf: [
    closed(
      {
        type: Type3.Literal("ttl"),
        ttl: duration("30s", "The instance renews its lease at the latest every so often; 500ms to 24h."),
        initialStatus: status("passing"),
        deregisterAfter
      },
      { title: "TtlCheck", description: "The instance renews a lease." }
    ),
    closed(
      {
        type: Type3.Literal("http"),
        path: optional2(
          Type3.String({
            pattern: CHECK_PATH,
            default: "/",
            description: "What to ask for. `{serviceId}` in it is replaced by the service's id: then nobody else who has this address answers in its place (INS6).",
            examples: ["/health/{serviceId}"]
          })
        ),
        method: optional2(Type3.Enum(["GET", "HEAD", "OPTIONS"], { default: "GET", description: "The method." })),
        headers: optional2(
          Type3.Unsafe({
            type: "object",
            default: {},
            maxProperties: 16,
            description: "Sent along; whoever may see the instance sees them, so they carry no credentials.",
            propertyNames: { type: "string", pattern: HEADER_NAME },
            additionalProperties: { type: "string", pattern: HEADER_VALUE }
          })
        ),
        expectedStatuses: optional2(
          Type3.Array(Type3.String({ pattern: STATUSES }), {
            minItems: 1,
            maxItems: 16,
            description: "Statuses that pass. By default 200-299 passes, 429 warns, and all else fails; redirects are not followed.",
            examples: [["200", "204"]]
          })
        ),
        tls,
        tlsVerify,
        ...active
      },
      { title: "HttpCheck", description: "Signalbox asks the instance over HTTP." }
    ),
    closed(
      { type: Type3.Literal("tcp"), ...active },
      { title: "TcpCheck", description: "Signalbox connects to the instance." }
    ),
    closed(
      {
        type: Type3.Literal("grpc"),
        service: optional2(
          Type3.String({
            pattern: GRPC_SERVICE,
            default: "",
            description: "What to ask about; empty for the whole server. `{serviceId}` is replaced by the service's id."
          })
        ),
        tls,
        tlsVerify,
        ...active
      },
      { title: "GrpcCheck", description: "Signalbox asks the instance over grpc.health.v1." }
    )
  ]
}), registrationFields = {
  service: id("service", {
    description: "The id of the service; unless REGISTRATION=catalog, it need not be in the catalog.",
    examples: ["orders.example.com"]
  }),
  environment: optional2(Type3.String({ pattern: API_ID, description: "Part of its identity.", examples: ["prod"] })),
  protocol: Type3.String({
    pattern: PROTOCOL_NAME,
    description: "What it speaks.",
    examples: ["http", "https", "grpc"]
  }),
  address: Type3.String({
    maxLength: 253,
    format: "host-address",
    description: "An IP address, or a host name in lower case.",
    examples: ["10.0.4.17"]
  }),
  port: port({ description: "Where it listens.", examples: [8080] }),
  version: optional2(Type3.String({ pattern: BUILD, description: "Of the API, or of the build.", examples: ["v1"] })),
  region: optional2(
    id("region", {
      description: "Where it runs; with its service it is joined to a deployment of the catalog.",
      examples: ["eu-central"]
    })
  ),
  weight: optional2(
    Type3.Integer({
      minimum: 0,
      maximum: 65535,
      default: 1,
      description: "Its share of the calls, beside the others."
    })
  ),
  tags: optional2(labels("Your own keys and values, for filters and selectors.")),
  metadata: optional2(
    Type3.Unsafe({
      type: "object",
      default: {},
      description: `What else its callers should know; ${METADATA_CHARACTERS} characters in all.`,
      maxProperties: 64,
      propertyNames: { type: "string", minLength: 1, maxLength: 128, pattern: PLAIN },
      additionalProperties: { type: "string", maxLength: 8192, pattern: PLAIN }
    })
  ),
  check: optional2(CheckSchema)
}, RegistrationSchema = closed(registrationFields, {
  title: "Registration",
  description: "What an instance says about itself. Service, environment, protocol, address and port are its identity."
}), reason = text(500, { description: "Why; whoever may see the instance sees it.", examples: ["kernel upgrade"] }), told = (description) => optional2(Type3.String({ maxLength: 600, readOnly: !0, description })), overrideFields = {
  mode: optional2(
    Type3.Enum(["serving", "drain", "maintenance"], {
      description: "`drain`: no new calls. `maintenance`: out of service. `serving`: served although its region is not."
    })
  ),
  weight: optional2(Type3.Integer({ minimum: 0, maximum: 65535, description: "Instead of what it registered." })),
  reason,
  // So that what was read can be sent back.
  ...assigned,
  service: told("The id of the service."),
  instance: told("The id of the instance."),
  region: told("The region."),
  by: told("Who set it.")
}, InstanceOverrideSchema = Type3.Object(overrideFields, {
  title: "InstanceOverride",
  additionalProperties: !1,
  description: "What an operator sets for an instance (INS5); a mode, a weight, or both."
}), RegionOverrideSchema = Type3.Object(
  {
    ...overrideFields,
    evictionGuard: optional2(
      Type3.Boolean({ description: "false: failing instances are given up without the eviction guard (INS4)." })
    )
  },
  {
    title: "RegionOverride",
    additionalProperties: !1,
    description: "What an operator sets for all instances of a service in a region (INS5)."
  }
);

// src/protocol/resources.ts
import { Type as Type4 } from "typebox";
var optional3 = Type4.Optional, place = (description, example) => optional3(text(64, { description, examples: [example] })), location = optional3(
  closed(
    {
      continent: place("Continent", "Europe"),
      country: place("Country", "Germany"),
      agglomeration: place("Agglomeration", "Rhine-Main"),
      city: place("City", "Frankfurt"),
      cloud: place("Cloud provider", "aws")
    },
    { description: "Hints for routing; every part is free text." }
  )
), title = (what, example) => text(128, { description: `What people call the ${what}.`, examples: [example] }), flag2 = (description) => optional3(Type4.Boolean({ description, default: !1 })), SERVICE = { description: "A service id.", examples: ["iam.example.com"] }, VERSION = { description: "A version id.", examples: ["v1"] }, serviceIds = (description, options = {}) => Type4.Array(id("service", SERVICE), { maxItems: 512, description, ...options }), importSchema = closed(
  { service: id("service", SERVICE), version: id("version", VERSION) },
  { description: "A version of another service whose resources may be referenced." }
), lifecycle = Type4.Unsafe({
  type: "object",
  description: "Where the version is in its life.",
  default: { state: "active" },
  discriminator: { propertyName: "state" },
  required: ["state"],
  oneOf: [
    closed({ state: Type4.Literal("active") }, { title: "Active", description: "In use." }),
    closed(
      {
        state: Type4.Literal("deprecated"),
        sunset: Type4.String({ format: "date", description: "The day it goes away.", examples: ["2027-06-30"] })
      },
      { title: "Deprecated", description: "Still served, until the sunset." }
    ),
    closed({ state: Type4.Literal("retired") }, { title: "Retired", description: "No longer to be used." })
  ]
}), resourceVersion = closed(
  {
    version: id("version", VERSION),
    regional: flag2("Whether the resources live in regions; otherwise they are global.")
  },
  { description: "A version of the service that has the type." }
), rules = closed(
  {
    deployedTogether: flag2("Wherever one member is deployed, all are."),
    everyRegion: flag2("Every member is deployed in every region of the catalog."),
    onePrimaryRegion: flag2("All members have the same primary region."),
    oneDomain: flag2("Global endpoints are equal after their first label."),
    upgradedTogether: flag2("In one region all members run the same current version."),
    public: flag2("All members are public."),
    usedByEveryone: flag2("The members are added to the effective uses of every service outside the bundle.")
  },
  { description: "Which rules hold for the members (COV4); a rule left out does not.", default: {} }
), RESOURCES = {
  region: closed(
    {
      ...assigned,
      title: title("region", "Europe (Frankfurt)"),
      location,
      labels: optional3(labels())
    },
    { title: "Region", description: "A place where services can be deployed, whether or not any is (CAT1)." }
  ),
  project: closed(
    { ...assigned, title: title("project", "Identity"), labels: optional3(labels()) },
    { title: "Project", description: "Owns services and service accounts." }
  ),
  serviceAccount: closed(
    {
      ...assigned,
      title: optional3(title("account", "Deployer of the identity services")),
      subject: optional3(text(255, { description: "The OAuth `sub` that this account is.", examples: ["2f6c1e"] })),
      clientId: optional3(
        text(255, { description: "The OAuth client id that this account is.", examples: ["iam-deployer"] })
      ),
      labels: optional3(labels())
    },
    { title: "ServiceAccount", description: "Who creates and runs services in the name of a project (CAT2)." }
  ),
  service: closed(
    {
      ...assigned,
      displayName: text(128, { description: "What people call the service.", examples: ["iam"] }),
      apiId: optional3(
        Type4.String({
          pattern: API_ID,
          description: "Unique and never changed; assigned at creation unless a restored catalog names it.",
          examples: ["iam-7k2m"]
        })
      ),
      project: optional3(
        id("project", { description: "A project id; by default the creator's (CAT2).", examples: ["core"] })
      ),
      creator: optional3(
        Type4.String({
          maxLength: 200,
          pattern: PLAIN,
          description: "The name of the service account that created the service; by default the caller (CAT2).",
          examples: ["projects/core/service-accounts/deployer"]
        })
      ),
      globalEndpoint: endpoint({
        description: "Where the service is reached from anywhere.",
        examples: ["iam.example.com:443"]
      }),
      primaryRegion: id("region", {
        description: "A region id; one where the service is deployed, once it is anywhere (CAT3).",
        examples: ["eu-central"]
      }),
      public: flag2(
        "Whether everyone may see, use and import the service. A private one is seen by the service accounts of its project and of `importers`, and by its API owners; for all others it is not there (SEC3)."
      ),
      importers: optional3(
        Type4.Array(id("project", { description: "A project id.", examples: ["shop"] }), {
          maxItems: 512,
          description: "Projects whose services may use and import this one although it is private, and whose service accounts see it (CAT4)."
        })
      ),
      owners: optional3(
        Type4.Array(text(255, { description: "A group, as tokens name it.", examples: ["team-iam"] }), {
          maxItems: 64,
          description: "Groups of the identity provider whose members are API owners of the service."
        })
      ),
      uses: optional3(serviceIds("Services that this one may call as a client.", { default: [] })),
      effectiveUses: optional3(
        serviceIds("`uses` and the members of the bundles that everyone uses (COV4).", {
          readOnly: !0,
          maxItems: 4096
        })
      ),
      labels: optional3(labels())
    },
    { title: "Service", description: "A service, named by a domain-like id." }
  ),
  version: closed(
    {
      ...assigned,
      imports: optional3(
        Type4.Array(importSchema, {
          maxItems: 512,
          default: [],
          description: "At most one version of each other service (COV1, COV3)."
        })
      ),
      lifecycle: optional3(lifecycle),
      labels: optional3(labels())
    },
    { title: "Version", description: "A version of the API of a service. Order: v1alpha1 < v1beta1 < v1 < v1.1 < v2." }
  ),
  resourceType: closed(
    {
      ...assigned,
      plural: Type4.String({
        pattern: PLURAL,
        maxLength: 133,
        description: "The name of several.",
        examples: ["Devices"]
      }),
      versions: Type4.Array(resourceVersion, {
        minItems: 1,
        maxItems: 64,
        description: "The versions that have the type; answered newest first."
      }),
      labels: optional3(labels())
    },
    { title: "ResourceType", description: "A type of resource that a service manages." }
  ),
  deployment: {
    ...closed(
      {
        ...assigned,
        regionalEndpoint: endpoint({
          description: "Where the service is reached in this region; by convention `{region}.{domain}`.",
          examples: ["eu-central.iam.example.com"]
        }),
        privateEndpoint: optional3(
          endpoint({ description: "Where it is reached from inside its local network.", examples: ["10.0.4.17:8443"] })
        ),
        localNetworkId: optional3(
          text(64, {
            description: "Deployments in one region with equal ids use the private endpoints.",
            examples: ["vpc-1"]
          })
        ),
        currentVersion: id("version", {
          description: "The newest version served here; the older ones that the service still lists are served too.",
          examples: ["v1"]
        }),
        disabled: flag2("Takes no new routing; the first step before a deployment is deleted."),
        location,
        labels: optional3(labels())
      },
      { title: "Deployment", description: "A service in a region; its id is the region (CAT1)." }
    ),
    dependentRequired: { privateEndpoint: ["localNetworkId"] }
  },
  bundle: closed(
    {
      ...assigned,
      title: optional3(title("bundle", "Core services")),
      members: serviceIds("The services of the bundle; a service is in one bundle at most.", { minItems: 1 }),
      rules: optional3(rules),
      labels: optional3(labels())
    },
    { title: "Bundle", description: "Services that are deployed and upgraded as one." }
  ),
  instance: closed(
    {
      ...assigned,
      service: registrationFields.service,
      environment: registrationFields.environment,
      protocol: registrationFields.protocol,
      address: registrationFields.address,
      port: registrationFields.port,
      version: registrationFields.version,
      region: registrationFields.region,
      weight: Type4.Integer({ description: "What callers balance by: the override's, or else what it registered." }),
      registeredWeight: Type4.Integer({ description: "What it registered." }),
      tags: labels("Its own keys and values."),
      metadata: registrationFields.metadata,
      check: CheckSchema,
      detectionBound: Type4.String({
        description: "The longest time from its death to the moment its watchers were told (INS1).",
        examples: ["31s"]
      }),
      generation: Type4.Integer({
        description: "The revision at which it came to be; a new one after it was gone (INS6)."
      }),
      passing: Type4.Boolean({ description: "Whether it is to be called: not critical, serving, not displaced." }),
      status: Type4.Enum(["passing", "warning", "critical"], { description: "What its check says." }),
      statusSince: Type4.String({ format: "date-time", description: "When the status was last changed." }),
      statusReason: Type4.String({ description: "Why the status is what it is." }),
      mode: Type4.Enum(["serving", "drain", "maintenance"], { description: "What operators have set (INS5)." }),
      override: optional3(
        closed(
          {
            scope: Type4.Enum(["instance", "region"]),
            mode: optional3(Type4.String()),
            weight: optional3(Type4.Integer()),
            reason: Type4.String(),
            by: Type4.String()
          },
          { description: "The override that applies: the instance's own, or else that of its service and region." }
        )
      ),
      displacedBy: optional3(
        Type4.String({
          description: "Another instance that registered at this address and port; this one has to show itself (INS6)."
        })
      )
    },
    { title: "Instance", description: "A live instance of a service." }
  ),
  override: closed(
    {
      ...assigned,
      service: id("service", SERVICE),
      instance: optional3(Type4.String({ description: "The id of the instance that it is about." })),
      region: optional3(
        Type4.String({
          description: "The region whose instances of the service it is about; `-` for those without one."
        })
      ),
      mode: optional3(Type4.Enum(["serving", "drain", "maintenance"], { description: "What is set, if anything." })),
      weight: optional3(Type4.Integer({ description: "What is set, if anything." })),
      evictionGuard: optional3(Type4.Boolean({ description: "false: without the eviction guard (INS4)." })),
      reason: Type4.String({ description: "Why." }),
      by: Type4.String({ description: "Who set it." })
    },
    { title: "Override", description: "What an operator has set; it outlives instances and restarts (INS5)." }
  ),
  advisory: closed(
    {
      ...assigned,
      code: Type4.String({ description: "Stable.", examples: ["eviction-guard"] }),
      service: id("service", SERVICE),
      region: optional3(Type4.String({ description: "Where; `-` for instances without a region." })),
      message: Type4.String({ description: "What is the matter." }),
      until: optional3(Type4.String({ format: "date-time", description: "When it ends at the latest." }))
    },
    { title: "Advisory", description: "Something that people should know about now; it goes away by itself." }
  )
};

// src/edge/openapi.ts
var componentOf = (kind) => String(RESOURCES[kind].title), ref = (component) => ({ $ref: `${component}#` }), json = (description, schema) => ({
  description,
  content: { "application/json": { schema } }
}), JsonObject = (description) => json(description, { type: "object", additionalProperties: !0 }), pageOf2 = (component) => ({
  type: "object",
  required: ["items", "nextPageToken", "revision"],
  properties: {
    items: { type: "array", items: ref(component) },
    nextPageToken: { type: "string", description: "For the next page; empty on the last one." },
    revision: { type: "integer", description: "The revision at which the page was read." }
  }
}), ETAG = { ETag: { type: "string", description: "The revision of the resource in double quotes." } }, NO_QUERY = Type5.Object({}, { additionalProperties: !1 }), UNAVAILABLE = ["not-ready", "store-unavailable", "outcome-unknown", "overloaded", "draining"], REFUSALS = [
  "invalid",
  "conflict",
  "quota-exceeded",
  "precondition-failed",
  ...UNAVAILABLE
], BODY_REFUSALS = ["malformed-body", "too-large", "unsupported-media-type"], READ_PROBLEMS = ["invalid", "not-found", "not-ready", "revision-not-reached"], RUNTIME_REFUSALS = ["invalid", "quota-exceeded", ...UNAVAILABLE], LIST_PROBLEMS = ["invalid", "not-ready", "revision-not-reached"], APPLY_PROBLEMS = [
  "invalid",
  "conflict",
  "quota-exceeded",
  ...UNAVAILABLE,
  ...BODY_REFUSALS
], MIN_REVISION = {
  "x-signalbox-min-revision": Type5.Optional(
    Type5.Integer({ description: "Wait until the server has reached this revision." })
  )
}, ReadHeaders = Type5.Object(MIN_REVISION), REVISION = { type: "integer", description: "The head of the log at the answer." }, REQUEST_ID = {
  type: "string",
  description: "The request's X-Request-Id; with a problem always, made for it when the request has none."
};
function answers(own2, problems = []) {
  let all = {};
  for (let [status2, answer5] of Object.entries(own2))
    all[status2] = {
      ...answer5,
      headers: { "X-Signalbox-Revision": REVISION, "X-Request-Id": REQUEST_ID, ...answer5.headers }
    };
  for (let code of [...problems, "unauthenticated", "forbidden", "rate-limited", "internal"]) {
    let status2 = String(PROBLEMS[code].status), title2 = `${PROBLEMS[code].title} (\`${problemType(code)}\`).`, known2 = all[status2];
    all[status2] = {
      ...known2,
      description: known2 === void 0 ? title2 : `${known2.description} ${title2}`,
      content: { ...known2?.content, "application/problem+json": { schema: ref("Problem") } }
    };
  }
  return all;
}
var assignedFields = ["name", "revision", "createTime", "updateTime"], Problem2 = Type5.Object(
  {
    type: Type5.String({
      description: "A stable reference; docs/problems.md lists all.",
      examples: [problemType("conflict")]
    }),
    title: Type5.String(),
    status: Type5.Integer(),
    detail: Type5.String({ description: "What is wrong with this request." }),
    requestId: Type5.Optional(Type5.String()),
    errors: Type5.Optional(
      Type5.Array(
        Type5.Object({
          pointer: Type5.Optional(Type5.String({ description: "JSON pointer into the body." })),
          parameter: Type5.Optional(Type5.String({ description: "A parameter of the path or the query." })),
          header: Type5.Optional(Type5.String()),
          resource: Type5.Optional(Type5.String({ description: "The name of the document, where a body has several." })),
          detail: Type5.String({ description: "What is wrong and what would be right." })
        })
      )
    ),
    violations: Type5.Optional(
      Type5.Array(
        Type5.Object({
          code: Type5.String(),
          rule: Type5.String({ description: "A rule of docs/rules.md." }),
          resource: Type5.String({ description: "The name of the resource that would be wrong." }),
          importer: Type5.Optional(Type5.String()),
          importerVersion: Type5.Optional(Type5.String()),
          imported: Type5.Optional(Type5.String()),
          importedVersion: Type5.Optional(Type5.String()),
          region: Type5.Optional(Type5.String()),
          message: Type5.String(),
          fix: Type5.Optional(
            Type5.Object(
              {
                method: Type5.Enum(["PUT", "PATCH", "DELETE", "POST"]),
                path: Type5.String(),
                body: Type5.Optional(Type5.Unknown()),
                summary: Type5.String()
              },
              { description: "The request that would mend it." }
            )
          )
        })
      )
    ),
    retryAfter: Type5.Optional(Type5.Integer({ description: "Seconds; also in Retry-After." })),
    revision: Type5.Optional(Type5.Integer({ description: "With precondition-failed: what the resource has." })),
    reason: Type5.Optional(Type5.String({ description: "With start-over: trimmed, epoch or future." })),
    head: Type5.Optional(Type5.Object({ epoch: Type5.String(), revision: Type5.Integer() }))
  },
  { description: "RFC 9457." }
), Warning = Type5.Object(
  { code: Type5.String(), resource: Type5.String(), message: Type5.String() },
  { description: "Something odd in an accepted change." }
), COMPONENTS = {
  Problem: Problem2,
  Warning,
  Check: CheckSchema,
  Registration: withCheck(RegistrationSchema),
  InstanceOverride: InstanceOverrideSchema,
  RegionOverride: RegionOverrideSchema
}, BODILESS_PATHS = ["/v1/instances/{instance}/renew", "/v1/services/{service}/registration-tokens"];
async function documentRoutes(app, version) {
  for (let [name, schema] of Object.entries(COMPONENTS)) app.addSchema({ ...schema, $id: name, title: name });
  for (let kind of KINDS)
    app.addSchema({ ...answered(schemaOf(kind)), $id: componentOf(kind) });
  await app.register(swagger, {
    convertConstToEnum: !1,
    openapi: {
      openapi: "3.1.0",
      info: { title: "Signalbox", version, description: DESCRIPTION },
      tags: TAGS,
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
          session: {
            type: "apiKey",
            in: "cookie",
            name: "__Host-signalbox",
            description: "Of a browser, from /login."
          }
        }
      },
      // Without issuers no token is needed.
      security: [{ bearer: [] }, { session: [] }, {}]
    },
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      for (let path2 of BODILESS_PATHS) {
        let body = document.openapiObject.paths?.[path2]?.post?.requestBody;
        body !== void 0 && "content" in body && (body.required = !1);
      }
      return document.openapiObject;
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, i) => typeof schema.$id == "string" ? schema.$id : `def-${i}`
    }
  });
}
var answered = (schema) => {
  let { required: required2 = [] } = schema;
  return { ...schema, required: [...assignedFields, ...required2] };
}, schemaOf = (kind) => kind === "instance" ? withCheck(RESOURCES.instance) : RESOURCES[kind];
function extended(kind, more) {
  let schema = answered(schemaOf(kind));
  return { ...schema, properties: { ...schema.properties, ...more } };
}
function withCheck(schema) {
  let { properties } = schema;
  return { ...schema, properties: { ...properties, check: ref("Check") } };
}
var DESCRIPTION = "A control plane for distributed services: one catalog, one revision log, one ordered push feed.\n\nEvery answer carries `X-Signalbox-Revision`, the head of the log. A read with `X-Signalbox-Min-Revision` waits until the\nserver has reached that revision, so that a client reads its own writes at any server. Errors are `application/problem+json`\n(RFC 9457). Unknown fields and unknown query parameters are errors. Changes arrive over `/v1/watch`.", TAGS = [
  { name: "catalog", description: "Regions, projects, services and what belongs to them." },
  { name: "manifests", description: "Many resources at once." },
  {
    name: "instances",
    description: "What runs. Services register where they are and how it is seen that they live; operators drain them, take them out of service and set their weight."
  },
  { name: "tokens", description: "Registration tokens of services, for what cannot do OAuth." },
  { name: "discovery", description: "Where a service can be called now." },
  { name: "coverage", description: "Which services are covered where, and whether they run there." },
  { name: "log", description: "The revision log." },
  { name: "feed", description: "The push feed." },
  { name: "access", description: "Who one is, and how one becomes somebody." },
  { name: "operations", description: "Running Signalbox." }
];

// src/edge/http/whoami.ts
var whoamiRoutes = ({ site, sessions, state, issuers: issuers2, mode, open: open3 }) => (app, _options, done) => {
  app.route({
    method: "GET",
    url: "/v1/whoami",
    config: { action: "session.use" },
    schema: {
      operationId: "WhoAmI",
      tags: ["access"],
      summary: "Who is calling, as Signalbox sees them",
      description: "For every caller, also one that brings nothing.",
      querystring: NO_QUERY,
      response: answers({ 200: json("Who is calling.", WHO) }, ["not-ready"])
    },
    handler: async (request, reply) => {
      if (!state.ready)
        throw new Problem("not-ready", { detail: "The catalog is still being loaded.", retryAfter: 1 });
      let { grant, knownBy: by = "nothing" } = request, cookie = by === "session" ? sessionIn(request, site) : void 0, session2 = cookie === void 0 ? void 0 : await sessions.read(cookie), expiresAt = session2?.endsAt ?? grant?.expiresAt, answer5 = {
        ...whoIs(request.caller, state.view),
        by,
        ...expiresAt !== void 0 && { expiresAt: new Date(expiresAt).toISOString() },
        ...session2 !== void 0 && cookie !== void 0 && { name: session2.name, issuer: session2.issuer, csrf: csrfToken(cookie) }
      };
      return sendJson(reply.header("cache-control", "no-store"), JSON.stringify(answer5));
    }
  }), app.route({
    method: "GET",
    url: "/v1/auth",
    config: { action: "session.use", credentials: "none" },
    schema: {
      operationId: "GetAuth",
      tags: ["access"],
      summary: "How to log in: the issuers, and what to ask them for",
      querystring: NO_QUERY,
      response: answers({ 200: json("How to log in.", AUTH) })
    },
    handler: (_request, reply) => sendJson(reply, JSON.stringify({ mode, open: open3, issuers: issuers2().map(describe) }))
  }), done();
};
function describe({ issuer, audience, login: login2 }) {
  return {
    issuer,
    audience,
    browser: login2 !== void 0,
    ...login2 !== void 0 && {
      title: login2.title ?? issuer,
      scopes: login2.scopes,
      ...login2.cliClientId !== void 0 && { cliClientId: login2.cliClientId },
      ...login2.resource !== void 0 && { resource: login2.resource },
      parameters: login2.parameters
    }
  };
}
var Texts = (description) => Type6.Array(Type6.String(), { description }), WHO = Type6.Object({
  kind: Type6.Enum(["administrator", "serviceAccount", "person", "registrar", "stranger"]),
  subject: Type6.String({ description: "As the identity provider names them." }),
  account: Type6.Optional(Type6.String({ description: "The name of the service account that the caller is." })),
  project: Type6.Optional(Type6.String({ description: "That of the service account." })),
  roles: Type6.Array(Type6.Enum(Object.keys(ROLES))),
  services: Texts("Service ids that are theirs; of an administrator none, since all are."),
  by: Type6.Enum(["token", "session", "certificate", "nothing"], { description: "What they are known by." }),
  expiresAt: Type6.Optional(
    Type6.String({
      format: "date-time",
      description: "When the token or the certificate ends, or the session at the latest."
    })
  ),
  name: Type6.Optional(Type6.String({ description: "Of a session: what the identity provider calls them." })),
  issuer: Type6.Optional(Type6.String({ description: "Of a session: where they have signed in." })),
  csrf: Type6.Optional(
    Type6.String({ description: "Of a session: what writes have to carry in the header X-Signalbox-CSRF." })
  )
}), AUTH = Type6.Object({
  mode: Type6.Enum(["development", "tokens"]),
  open: Type6.Boolean({ description: "Whether who brings nothing is let in, as the administrator (development mode)." }),
  issuers: Type6.Array(
    Type6.Object({
      issuer: Type6.String(),
      audience: Texts("What its tokens have to be for; one of them."),
      browser: Type6.Boolean({ description: "Whether people log in there at `/login`." }),
      title: Type6.Optional(Type6.String()),
      scopes: Type6.Optional(Texts("What to ask for.")),
      cliClientId: Type6.Optional(Type6.String({ description: "The public client for command lines." })),
      resource: Type6.Optional(Type6.String({ description: "To ask for as RFC 8707 says." })),
      parameters: Type6.Optional(
        Type6.Object({}, { additionalProperties: !0, description: "Other parameters of the authorization request." })
      )
    })
  )
});

// src/access.ts
var SWEEP_MS = 6e4;
function composeAccess(deps) {
  let { config: config2, rows, state, log, audit: audit2 } = deps, site = new Site(config2.publicUrl), verifier = new LateVerifier(), clients2 = [], issuers2 = [], marks = /* @__PURE__ */ new Map(), use = (tokens, of) => {
    let client = { site, tokens, clock: Date.now, random: randomBytes };
    verifier.tokens = tokens, issuers2 = of;
    let kind = config2.oidcIssuers === void 0 ? "embedded" : "configured";
    marks = new Map(of.map((issuer) => [issuer.issuer, issuerMark(issuer, kind)])), clients2 = of.flatMap(
      (issuer) => issuer.login === void 0 ? [] : new ProviderClient(issuer, issuer.login, client)
    );
  }, tokensOf2 = (of) => new Tokens(of, { log, now: () => performance.now(), clock: Date.now }), sessions = new Sessions({
    rows,
    renew: renewAt(() => clients2),
    markOf: (url2) => marks.get(url2),
    maxAgeMs: config2.sessionMaxAge,
    idleMs: config2.sessionIdleTime,
    clock: Date.now,
    random: randomBytes,
    log
  }), logins = new Logins({ clients: () => clients2, rows, sessions, clock: Date.now, random: randomBytes }), development = config2.oidcIssuers === void 0 ? composeDevelopment(deps) : void 0;
  config2.oidcIssuers !== void 0 && use(tokensOf2(config2.oidcIssuers), config2.oidcIssuers);
  let open3 = development !== void 0 && config2.developmentAccess === "open", mode = development === void 0 ? "tokens" : "development";
  return {
    access: {
      development: development !== void 0,
      mustLogIn: !open3,
      tokens: verifier,
      sessions: { sessions, site }
    },
    plugins: [
      loginRoutes({ site, logins, sessions, state, open: open3, log, ...audit2 && { audit: audit2 } }),
      whoamiRoutes({ site, sessions, state, issuers: () => issuers2, mode, open: open3 }),
      ...development === void 0 ? [] : [development.routes]
    ],
    jobs: [
      // Those of the embedded provider do not change.
      ...development === void 0 ? [{ pauseMs: config2.jwksRefresh, run: () => verifier.refresh() }] : [],
      { pauseMs: SESSION_CACHE_MS, run: () => sessions.refresh() },
      { pauseMs: SWEEP_MS, run: () => sessions.sweep() }
    ],
    listening: async (origin) => {
      if (site.listens(origin), development !== void 0) {
        let issuer = await development.open(site.origin);
        return use(tokensOf2([issuer]), [issuer]);
      }
      verifier.refresh();
    },
    hints: () => development?.hints(site.origin) ?? []
  };
}
var LateVerifier = class {
  tokens;
  verify(token) {
    return this.tokens?.verify(token) ?? STARTING;
  }
  async refresh() {
    await this.tokens?.refresh();
  }
}, STARTING = { ok: !1, away: !0, detail: "the server is just starting" };
function composeDevelopment({ config: config2, log }) {
  let making = secretsIn(config2.dataDir, randomBytes);
  making.catch(() => {
  });
  let askPassword = config2.developmentAccess === "login", secrets, loading, at2, load2 = async (origin) => {
    let { EmbeddedProvider: EmbeddedProvider2 } = await Promise.resolve().then(() => (init_provider(), provider_exports));
    return EmbeddedProvider2.open({ origin, secrets: await making, askPassword, log });
  };
  return {
    routes: oidcRoutes(() => at2 === void 0 ? void 0 : loading ??= load2(at2), log),
    open: async (origin) => (secrets = await making, at2 = origin, embeddedIssuer(origin, secrets.browser)),
    hints: (origin) => [
      `Log in    ${origin}/login${askPassword ? `, with the password ${secrets?.password}` : ", as whoever you like"}`,
      `Issuer    ${origin}${MOUNT}; its service accounts have their secrets in ${config2.dataDir}/${SECRETS_FILE}`
    ]
  };
}

// src/store/port.ts
var StoreUnavailable = class extends Error {
  outcomeUnknown;
  constructor(message, options = {}) {
    super(message, { cause: options.cause }), this.name = "StoreUnavailable", this.outcomeUnknown = options.outcomeUnknown ?? !1;
  }
};

// src/audit/throttle.ts
var Throttle = class {
  #limits;
  #sorts = /* @__PURE__ */ new Map();
  constructor(limits) {
    this.#limits = limits;
  }
  /** Whether the entry is to be written; otherwise it is counted. `now`: monotonic milliseconds. */
  takes(entry, now2) {
    let sort = this.#sortOf(entry, now2);
    return sort.taken < this.#limits.perWindow ? (sort.taken += 1, !0) : (sort.more += 1, sort.last = sort.last === void 0 ? entry : inCommon(sort.last, entry), !1);
  }
  /** Ends the windows that are over, or all of them, and answers what is to be said of those that were full. */
  summaries(now2, { all = !1 } = {}) {
    let found = [];
    for (let [key, { since: since2, more, last }] of this.#sorts)
      !all && now2 - since2 < this.#limits.windowMs || (this.#sorts.delete(key), last !== void 0 && found.push({ ...last, detail: moreLikeThis(more, this.#limits.windowMs) }));
    return found;
  }
  #sortOf(entry, now2) {
    let { address, subject, action, result } = entry, own2 = JSON.stringify([address, subject, action, result]), key = this.#sorts.has(own2) || this.#sorts.size < this.#limits.maxSorts ? own2 : OTHERS, sort = this.#sorts.get(key);
    return sort === void 0 && this.#sorts.set(key, sort = { since: now2, taken: 0, more: 0, last: void 0 }), sort;
  }
}, OTHERS = "", moreLikeThis = (count3, windowMs) => {
  let within2 = windowMs === 6e4 ? "minute" : `${windowMs / 1e3} seconds`;
  return `and ${count3.toLocaleString("en")} more like this in the last ${within2}`;
};
function inCommon(before, { at: at2, category, subject, action, result, ...rest }) {
  let { account, project, target, service, address } = rest, same = {
    ...account !== void 0 && account === before.account && { account },
    ...project !== void 0 && project === before.project && { project },
    ...target !== void 0 && target === before.target && { target },
    ...service !== void 0 && service === before.service && { service },
    ...address !== void 0 && address === before.address && { address }
  };
  return {
    at: at2,
    category,
    subject: subject === before.subject ? subject : SEVERAL,
    action: action === before.action ? action : SEVERAL,
    result: result === before.result ? result : SEVERAL,
    ...same
  };
}
var SEVERAL = "several";

// src/audit/writer.ts
var MAX_BATCH = 500, MAX_TEXT = 300, AuditWriter = class {
  #deps;
  #throttle;
  #waiting = [];
  #isAway = !1;
  #isLosing = !1;
  constructor(deps) {
    this.#deps = deps, this.#throttle = new Throttle(deps.limits);
  }
  note(told2) {
    let entry = { ...clipped(told2), at: this.#deps.clock() };
    isBounded(entry) && !this.#throttle.takes(entry, this.#deps.now()) || this.#add([entry]);
  }
  /** Writes what waits; while the store is away it still waits after this. Never two at once. */
  async flush() {
    for (this.#add(this.#throttle.summaries(this.#deps.now())); this.#waiting.length > 0; )
      if (!await this.#write(this.#waiting.splice(0, MAX_BATCH))) return;
    (this.#isAway || this.#isLosing) && this.#deps.log.info("audit entries are written again"), this.#isAway = !1, this.#isLosing = !1;
  }
  /** Writes everything there is to say. What cannot be written now is lost, and counted. */
  async close() {
    this.#add(this.#throttle.summaries(this.#deps.now(), { all: !0 })), await this.flush(), this.#lose(this.#waiting.splice(0).length);
  }
  #add(entries) {
    let room = Math.max(0, this.#deps.limits.maxWaiting - this.#waiting.length);
    for (let entry of entries.slice(0, room)) this.#waiting.push(entry);
    entries.length > room && this.#lose(entries.length - room);
  }
  /** Whether the batch is done with. */
  async #write(batch) {
    let { store, metrics, log } = this.#deps;
    try {
      await store.appendAudit(batch);
    } catch (error) {
      return error instanceof StoreUnavailable ? (this.#waiting = [...batch, ...this.#waiting], this.#isAway || log.error({ err: error }, "audit entries wait: the database is away"), this.#isAway = !0, !1) : (this.#lose(batch.length, error), !0);
    }
    for (let entry of batch) metrics.written(entry);
    return !0;
  }
  #lose(count3, error) {
    if (count3 === 0 || (this.#deps.metrics.dropped(count3), this.#isLosing)) return;
    this.#isLosing = !0;
    let why = error === void 0 ? { waiting: this.#waiting.length } : { err: error };
    this.#deps.log.error(why, "audit entries are lost; signalbox_audit_dropped_total says how many");
  }
}, isBounded = ({ category, result }) => category === "refusal" || category === "login" && result !== "ok";
function clipped(entry) {
  return Object.fromEntries(
    Object.entries(entry).map(([field, value]) => [
      field,
      typeof value == "string" && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value
    ])
  );
}

// src/domain/visibility.ts
var projectKey = (project) => `p:${project}`, apiKey = (apiId) => `a:${apiId}`, serviceKey = (service) => `s:${service}`, groupKey = (group) => `g:${group}`, EVERYTHING = { id: "*", keys: "all" };
function sightOf(keys) {
  let sorted3 = [...new Set(keys)].sort();
  return { id: JSON.stringify(sorted3), keys: new Set(sorted3) };
}
function sees({ keys }, audience) {
  return audience === void 0 || keys === "all" ? !0 : audience.every((clause) => clause.some((key) => keys.has(key)));
}
var AUDIENCES = /* @__PURE__ */ new WeakMap();
function audienceOfService(item) {
  if (item.value.public) return;
  let audience = AUDIENCES.get(item);
  return audience === void 0 && AUDIENCES.set(item, audience = audienceOfPrivate(item)), audience;
}
function audienceOfPrivate({ id: id2, value }) {
  let { project, importers = [], apiId, owners = [] } = value;
  return [[...[project, ...importers].map(projectKey), apiKey(apiId), serviceKey(id2), ...owners.map(groupKey)]];
}
function audienceOfServiceId(service, state) {
  let item = serviceOf(state, service);
  return item === void 0 ? [[serviceKey(service)]] : audienceOfService(item);
}
function audienceOf(item, state) {
  switch (item.kind) {
    case "region":
    case "project":
      return;
    // Its subject and client id say whom to impersonate.
    case "serviceAccount":
      return [[projectKey(item.parent)]];
    case "service":
      return audienceOfService(item);
    case "version":
    case "resourceType":
    case "deployment":
      return audienceOfServiceId(item.parent, state);
    case "instance":
    case "override":
    case "advisory":
      return audienceOfServiceId(item.value.service, state);
    // It names all of its members.
    case "bundle": {
      let clauses = item.value.members.flatMap((member) => audienceOfServiceId(member, state) ?? []);
      return clauses.length === 0 ? void 0 : clauses;
    }
  }
}
function sameAudience(a, b) {
  return a === b ? !0 : a === void 0 || b === void 0 ? !1 : JSON.stringify(a) === JSON.stringify(b);
}
var OF_A_SERVICE = ["version", "resourceType", "deployment", "instance", "override", "advisory"];
function* followersOf(service, state) {
  for (let kind of OF_A_SERVICE) yield* state.bucket(children(kind, service));
  yield* state.bucket(bundlesOf(service));
}

// src/auth/sight.ts
var BY_CALLER = /* @__PURE__ */ new WeakMap(), SIGHTS = /* @__PURE__ */ new WeakMap();
function sightOf2(caller) {
  let sight = BY_CALLER.get(caller);
  return sight === void 0 && BY_CALLER.set(caller, sight = makeSight(caller)), sight;
}
function makeSight(caller) {
  switch (caller.kind) {
    case "administrator":
    case "signalbox":
      return EVERYTHING;
    case "registrar":
      return sightOf([serviceKey(caller.service)]);
    case "serviceAccount":
      return remembered(caller.owns ?? NOTHING, parseName(caller.account)?.parent);
    case "person":
      return remembered(caller.owns, void 0);
  }
}
var NOTHING = { apiIds: [], services: [], groups: [] };
function remembered(owns, project) {
  let sights = SIGHTS.get(owns);
  sights === void 0 && SIGHTS.set(owns, sights = /* @__PURE__ */ new Map());
  let sight = sights.get(project ?? "");
  if (sight === void 0) {
    let { apiIds, services, groups } = owns, own2 = [...apiIds.map(apiKey), ...services.map(serviceKey), ...groups.map(groupKey)];
    sight = sightOf(project === void 0 ? own2 : [projectKey(project), ...own2]), sights.set(project ?? "", sight);
  }
  return sight;
}

// src/auth/target.ts
function find({ name, service: named2 }, sight, state) {
  let item = seen(name, sight, state);
  if (item?.kind === "instance") return ofService("instance", !0, named2 ?? item.value.service, sight, state);
  let parts = parseName(name);
  if (parts === void 0) return;
  let { kind, id: id2, parent } = parts;
  return ofService(kind, item !== void 0, named2 ?? (kind === "service" ? id2 : kind === "serviceAccount" ? void 0 : parent) ?? runsFor(item, id2, kind, sight, state), sight, state);
}
function ofService(kind, exists, service, sight, state) {
  if (service === void 0) return { kind, exists };
  let owner = serviceOf(state, service);
  if (owner === void 0 || !sees(sight, audienceOfService(owner))) return { kind, exists, service };
  let { project, apiId, owners } = owner.value;
  return { kind, exists, service, project, apiId, ...owners !== void 0 && { owners } };
}
function runsFor(item, id2, kind, sight, state) {
  if (kind !== "instance" && kind !== "override") return;
  let instance = kind === "instance" ? void 0 : seen(instanceName(id2), sight, state);
  return instance?.kind === "instance" ? instance.value.service : item?.kind === "override" ? item.value.service : void 0;
}
function seen(name, sight, state) {
  let item = state.get(name);
  return item !== void 0 && sees(sight, audienceOf(item, state)) ? item : void 0;
}
function isHidden(name, sight, state) {
  let item = state.get(name);
  return item !== void 0 && !sees(sight, audienceOf(item, state));
}

// src/auth/authorize.ts
var ALLOWED = { allowed: !0 };
function authorize(caller, action, target, state) {
  if (caller.kind === "administrator" || caller.kind === "signalbox") return ALLOWED;
  let row = RIGHTS[action], found;
  for (let role of rolesOf(caller, state)) {
    let extent = row[role];
    if (extent === "all") return ALLOWED;
    if (extent !== "none" && (target === void 0 || (found ??= find(target, sightOf2(caller), state), found === void 0 || covers(caller, role, extent, action, found))))
      return ALLOWED;
  }
  return { allowed: !1, detail: whyNot(caller, action, target) };
}
function permitOf(caller) {
  if (caller.kind === "administrator" || caller.kind === "signalbox") return;
  let sight = sightOf2(caller);
  return (state, wishes) => {
    let created = createdBy(caller, wishes, state);
    for (let wish of wishes) {
      if (created.size > 0 && created.has(parentOf(wish.name) ?? "")) continue;
      let verdict = authorize(caller, wish.action, wish, state);
      if (isHidden(wish.name, sight, state)) return whyNot(caller, wish.action, wish);
      if (!verdict.allowed) return verdict.detail;
    }
  };
}
function createdBy(caller, wishes, state) {
  let created = /* @__PURE__ */ new Set();
  for (let { action, name } of wishes)
    action !== "catalog.write" || parseName(name)?.kind !== "service" || state.get(name) !== void 0 || authorize(caller, action, { name }, state).allowed && created.add(name);
  return created;
}
function parentOf(name) {
  let parts = parseName(name);
  if (!(parts?.parent === void 0 || parts.kind === "serviceAccount"))
    return serviceName(parts.parent);
}
function* rolesOf(caller, state) {
  if (caller.kind === "registrar") {
    yield "registrar", yield "stranger";
    return;
  }
  caller.kind === "serviceAccount" && state.get(caller.account) !== void 0 && (yield "account"), caller.kind === "person" && caller.reader && (yield "reader"), caller.monitor === !0 && (yield "monitor"), isOwner(caller.owns, state) && (yield "owner"), yield "stranger";
}
function covers(caller, role, extent, action, found) {
  if (!found.exists && action === "catalog.delete") return !0;
  if (!found.exists && found.kind === "service") return extent === "theirs and new";
  if (!found.exists && action !== "catalog.write" && found.service === void 0) return isOfService(found);
  if (role === "account")
    return caller.kind !== "serviceAccount" || found.project === void 0 ? !1 : caller.account.startsWith(`${projectName(found.project)}/`);
  if (caller.kind === "registrar") return found.service === caller.service;
  if (role !== "owner" || caller.owns === void 0 || found.service === void 0) return !1;
  if (found.apiId !== void 0 && caller.owns.apiIds.includes(found.apiId)) return !0;
  let { groups, services } = caller.owns;
  return services.includes(found.service) || (found.owners ?? []).some((group) => groups.includes(group));
}
var isOfService = ({ kind }) => kind === "instance" || kind === "override", WHO2 = {
  all: "",
  theirs: "the service accounts of its project and its API owners",
  "theirs and new": "the service accounts of its project and its API owners",
  none: "nobody else"
};
function whyNot({ subject }, action, target) {
  let what = target === void 0 ? action : `${action} on ${target.name.slice(0, 300)}`;
  return `${subject.slice(0, 200)} may not do ${what}: ${whoMay(action, target)} may.`;
}
function whoMay(action, target) {
  let row = RIGHTS[action];
  return row.account === "all" ? "administrators, service accounts, API owners and readers" : row.monitor === "all" ? "administrators and monitoring" : (target === void 0 || isServices(target)) && row.account !== "none" ? `administrators, ${WHO2[row.account]}` : "administrators";
}
var isServices = ({ name }) => /^(?:services|instances)\//.test(name);

// src/auth/registration-tokens.ts
import { createHash as createHash5, timingSafeEqual as timingSafeEqual3 } from "node:crypto";

// src/domain/registration-token.ts
var REGISTRATION_TOKEN_ID = "^[0-9a-f]{24}$", REGISTRATION_TOKEN_PREFIX = "sbr_", ID_BYTES = 12, SECRET_BYTES = 32, FORM2 = /^sbr_([0-9a-f]{24})_([0-9a-f]{64})([0-9a-f]{8})$/, registrationTokenText = (id2, secret) => {
  let text2 = `${REGISTRATION_TOKEN_PREFIX}${id2}_${secret}`;
  return text2 + checksum(text2);
};
function readRegistrationToken(text2) {
  let [, id2, secret, sum] = FORM2.exec(text2) ?? [];
  if (!(id2 === void 0 || secret === void 0 || sum !== checksum(text2.slice(0, -8))))
    return { id: id2, secret };
}
function checksum(text2) {
  let crc = 4294967295;
  for (let i = 0; i < text2.length; i++) {
    crc ^= text2.charCodeAt(i) & 255;
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? 3988292384 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, "0");
}
var MINUTE_MS = 6e4, DAY_MS = 1440 * MINUTE_MS, DEFAULT_LIFE_MS = 90 * DAY_MS, SHORTEST_LIFE_MS = MINUTE_MS;
function expiryOf({ ttl, expireTime }, at2, maxLifeMs) {
  if (ttl !== void 0 && expireTime !== void 0)
    return { pointer: "/expireTime", detail: "says the same as ttl; leave one of them out" };
  let pointer = expireTime === void 0 ? "/ttl" : "/expireTime", asked = ttl === void 0 ? Math.min(DEFAULT_LIFE_MS, maxLifeMs) : parseDuration(ttl) ?? Number.NaN, until = expireTime === void 0 ? at2 + asked : Date.parse(expireTime);
  if (until - at2 >= SHORTEST_LIFE_MS && until - at2 <= maxLifeMs) return until;
  let hours = Math.floor(maxLifeMs / (60 * MINUTE_MS));
  return { pointer, detail: `must be from 1m to ${hours}h from now (REGISTRATION_TOKEN_MAX_AGE)` };
}

// src/auth/registration-tokens.ts
var FRESH_MS = 3e3, MISSING_MS2 = 1e4, MAX_REMEMBERED3 = 1e4, LOOKUPS2 = { batch: 500, waiting: 2e3 }, RegistrationGrant = class {
  identity;
  expiresAt;
  hash;
  revoked = !1;
  /** Monotonic milliseconds. */
  readAt;
  constructor({ id: id2, service, hash: hash2, createdAt, expiresAt }, readAt) {
    this.identity = {
      subject: `${REGISTRATION_SUBJECT}${id2}`,
      administrator: !1,
      reader: !1,
      owns: { apiIds: [], services: [], groups: [] },
      registers: service,
      givenOutAt: createdAt
    }, this.expiresAt = expiresAt, this.hash = Buffer.from(hash2, "hex"), this.readAt = readAt;
  }
  holds(at2) {
    return !this.revoked && at2 < this.expiresAt;
  }
}, RegistrationTokens = class {
  #deps;
  #lookups;
  #known = /* @__PURE__ */ new Map();
  /** Ids that nobody has, and until when that counts; apart, so that guessing pushes out no token. */
  #missing = /* @__PURE__ */ new Map();
  /** Ids that were revoked here: what was read before that is not believed when it arrives after. */
  #revoked = /* @__PURE__ */ new Map();
  #away = !1;
  constructor(deps) {
    this.#deps = deps, this.#lookups = new Gathered(deps.find, LOOKUPS2);
  }
  /** To be called when a token was revoked at this node: it holds no longer from now on. */
  revoked(id2) {
    this.#remember(this.#revoked, id2, !0);
    let grant = this.#known.get(id2);
    grant !== void 0 && (grant.revoked = !0);
  }
  verify(credential) {
    let parts = readRegistrationToken(credential);
    if (parts === void 0) return refuse3("it is no whole registration token");
    let { id: id2 } = parts, hash2 = createHash5("sha256").update(parts.secret).digest(), grant = this.#known.get(id2);
    if (grant === void 0)
      return this.#isMissing(id2) ? refuse3(UNKNOWN) : this.#lookUp(id2, hash2, void 0);
    if (this.#remember(this.#known, id2, grant), this.#isFresh(grant) || !timingSafeEqual3(grant.hash, hash2) || !grant.holds(this.#deps.clock()))
      return this.#judge(grant, hash2);
    let late = this.#lookUp(id2, hash2, grant);
    return this.#away ? this.#judge(grant, hash2) : late;
  }
  knows(credential) {
    let id2 = readRegistrationToken(credential)?.id;
    return id2 === void 0 || this.#known.has(id2) || this.#isMissing(id2);
  }
  #isMissing(id2) {
    let until = this.#missing.get(id2);
    return until !== void 0 && this.#deps.now() < until;
  }
  #isFresh({ readAt }) {
    return this.#deps.now() - readAt < FRESH_MS;
  }
  /** Never rejects. */
  async #lookUp(id2, hash2, before) {
    try {
      let token = await this.#lookups.find(id2);
      this.#away = !1;
      let grant = token === void 0 ? this.#forget(id2) : this.#know(token);
      return grant === void 0 ? refuse3(UNKNOWN) : this.#judge(grant, hash2);
    } catch (error) {
      return error instanceof TooManyLookups || (this.#away = !0), before !== void 0 ? this.#judge(before, hash2) : { ok: !1, away: !0, detail: "registration tokens cannot be looked up now" };
    }
  }
  #know(token) {
    let readAt = this.#deps.now(), grant = this.#known.get(token.id) ?? new RegistrationGrant(token, readAt);
    return grant.readAt = readAt, (token.revokedAt !== void 0 || this.#revoked.has(token.id)) && (grant.revoked = !0), this.#remember(this.#known, token.id, grant), grant;
  }
  #forget(id2) {
    let grant = this.#known.get(id2);
    grant !== void 0 && (grant.revoked = !0), this.#known.delete(id2), this.#remember(this.#missing, id2, this.#deps.now() + MISSING_MS2);
  }
  #judge(grant, hash2) {
    return timingSafeEqual3(grant.hash, hash2) ? grant.revoked ? refuse3("it was revoked") : grant.holds(this.#deps.clock()) ? { ok: !0, grant } : refuse3("it has expired") : refuse3(UNKNOWN);
  }
  #remember(map, id2, value) {
    if (map.delete(id2), map.set(id2, value), map.size <= (this.#deps.maxRemembered ?? MAX_REMEMBERED3)) return;
    let [oldest] = map.keys();
    oldest !== void 0 && map.delete(oldest);
  }
}, UNKNOWN = "there is no such registration token", refuse3 = (detail) => ({ ok: !1, away: !1, detail });

// src/auth/rate-limits.ts
import { isIPv6 } from "node:net";

// src/domain/rate.ts
var RATE_CLASSES = ["renew", "resume", "read", "list", "write"], FULL = Number.NEGATIVE_INFINITY;
function take(state, now2, { perSecond, burst }) {
  let oneMs = 1e3 / perSecond, full = Math.max(state, now2), waitMs = full - now2 - (burst - 1) * oneMs;
  return waitMs > 1e-6 ? { ok: !1, waitMs } : { ok: !0, state: full + oneMs };
}
var BEARS = { renew: 16, resume: 8, read: 4, list: 2, write: 1 }, isShed = (rateClass, lagMs, bearableMs) => lagMs > bearableMs * BEARS[rateClass];

// src/auth/rate-limits.ts
var MAX_REMEMBERED4 = 2e4, LATE_WAIT_MS = 1e3, RateLimits = class {
  #deps;
  #rates;
  #callers;
  #addresses;
  constructor(deps) {
    this.#deps = deps;
    let max = deps.maxRemembered ?? MAX_REMEMBERED4;
    this.#rates = RATE_CLASSES.map((rateClass) => deps.settings.rates[rateClass]), this.#callers = new Remembered(max, () => RATE_CLASSES.map(() => FULL)), this.#addresses = new Remembered(max, () => [FULL]);
  }
  /** One request of a caller who is known. An administrator is not turned away because the node is late, to be able to mend that. */
  caller(caller, rateClass) {
    let { settings, lag } = this.#deps;
    if (caller.kind !== "administrator" && settings.bearableLagMs !== void 0 && isShed(rateClass, lag(), settings.bearableLagMs))
      return this.#refuse("node", rateClass, LATE_WAIT_MS);
    let index = INDEX[rateClass], rate2 = this.#rates[index];
    return rate2 === void 0 ? void 0 : this.#take(this.#callers.of(keyOf(caller)), index, rate2, rateClass);
  }
  /** One request of nobody who is known. */
  unknown(address) {
    let { unknown } = this.#deps.settings;
    if (unknown !== void 0)
      return this.#take(this.#addresses.of(networkOf(address ?? "")), 0, unknown, "unknown");
  }
  /** Whether one more request of nobody who is known would be turned away; takes nothing. */
  spent(address) {
    let { unknown } = this.#deps.settings;
    if (unknown === void 0) return;
    let [state = FULL] = this.#addresses.of(networkOf(address ?? "")), taken = take(state, this.#deps.now(), unknown);
    return taken.ok ? void 0 : { why: "caller", rateClass: "unknown", waitMs: taken.waitMs };
  }
  #take(buckets, index, rate2, rateClass) {
    let taken = take(buckets[index] ?? FULL, this.#deps.now(), rate2);
    if (!taken.ok) return this.#refuse("caller", rateClass, taken.waitMs);
    buckets[index] = taken.state;
  }
  #refuse(why, rateClass, waitMs) {
    return this.#deps.refused(rateClass, why), { why, rateClass, waitMs };
  }
}, INDEX = { renew: 0, resume: 1, read: 2, list: 3, write: 4 };
function keyOf(caller) {
  return caller.kind === "serviceAccount" ? caller.account : `${caller.kind} ${caller.subject}`;
}
function networkOf(address) {
  if (!isIPv6(address) || /^::ffff:/i.test(address)) return address;
  let [head5 = "", tail] = address.split("::"), words2 = head5 === "" ? [] : head5.split(":");
  return `${(tail === void 0 ? words2 : [...words2, "0", "0", "0", "0"]).slice(0, 4).join(":")}::/64`;
}
var Remembered = class {
  #make;
  #half;
  #young = /* @__PURE__ */ new Map();
  #old = /* @__PURE__ */ new Map();
  constructor(max, make2) {
    this.#half = Math.max(1, Math.floor(max / 2)), this.#make = make2;
  }
  of(key) {
    let known2 = this.#young.get(key);
    if (known2 !== void 0) return known2;
    let value = this.#old.get(key) ?? this.#make();
    return this.#young.size >= this.#half && (this.#old = this.#young, this.#young = /* @__PURE__ */ new Map()), this.#young.set(key, value), value;
  }
};

// src/config.ts
init_issuer();
init_read_settings();

// src/health/egress-addresses.ts
import { BlockList, isIP, isIPv4 } from "node:net";
var isCidr = (text2) => parseCidr(text2) !== void 0;
function parseCidr(text2) {
  let [, address = "", digits] = /^([0-9a-fA-F:.]{2,45})\/(0|[1-9][0-9]{0,2})$/.exec(text2) ?? [], version = isIP(address), prefix = Number(digits);
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return;
  if (version === 4) return { address, prefix, family: "ipv4" };
  let mapped = prefix >= 96 ? embeddedIPv4(address) : void 0;
  return mapped?.by === "mapped" ? { address: mapped.address, prefix: prefix - 96, family: "ipv4" } : { address, prefix, family: "ipv6" };
}
function isWithin(text2, outerText) {
  let inner = parseCidr(text2), outer = parseCidr(outerText);
  return inner === void 0 || outer === void 0 || inner.family !== outer.family ? !1 : inner.prefix >= outer.prefix && new Ranges([outerText]).has(inner.address);
}
var Ranges = class {
  #lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  constructor(cidrs) {
    for (let text2 of cidrs) {
      let cidr = parseCidr(text2);
      if (cidr === void 0) throw new Error(`not a range of addresses: ${text2}`);
      this.#lists[cidr.family].addSubnet(cidr.address, cidr.prefix, cidr.family);
    }
  }
  has(ip) {
    let family = isIPv4(ip) ? "ipv4" : "ipv6";
    return this.#lists[family].check(ip, family);
  }
};
function embeddedIPv4(ip) {
  let words2 = wordsOf(ip), startsWith = (...prefix) => prefix.every((word, index) => words2[index] === word), at2 = (index) => {
    let [high = 0, low = 0] = words2.slice(index);
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  };
  if (startsWith(0, 0, 0, 0, 0, 65535)) return { address: at2(6), by: "mapped" };
  if (startsWith(0, 0, 0, 0, 65535, 0)) return { address: at2(6), by: "translated" };
  if (startsWith(100, 65435, 0, 0, 0, 0)) return { address: at2(6), by: "translated" };
  if (startsWith(8194)) return { address: at2(1), by: "6to4" };
  if (words2[5] === 24318 && ((words2[4] ?? 0) & 65023) === 0) return { address: at2(6), by: "isatap" };
}
function wordsOf(ip) {
  let dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip), [, start2 = "", ...octets] = dotted ?? [], [a = 0, b = 0, c = 0, d = 0] = octets.map(Number), text2 = dotted === null ? ip : `${start2}${hex(a * 256 + b)}:${hex(c * 256 + d)}`, [head5 = [], tail] = text2.split("::").map((half) => half === "" ? [] : half.split(":")), gap = tail === void 0 ? [] : Array(8 - head5.length - tail.length).fill("0");
  return [...head5, ...gap, ...tail ?? []].map((word) => Number.parseInt(word, 16));
}
var hex = (value) => value.toString(16);

// src/config-units.ts
var TIMES = { ms: 1, s: 1e3, m: 6e4, h: 36e5 }, SIZES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }, duration2 = (min, max) => scaled(TIMES, `a duration from ${min} to ${max}, such as 250ms, 10s, 5m or 24h`, min, max), size = (min, max) => scaled(SIZES, `a size from ${min} to ${max}, such as 512B, 64KiB, 1MiB or 2GiB`, min, max), integer = (min, max) => ({
  expects: `a whole number from ${min} to ${max}`,
  read: (text2) => within(/^[0-9]{1,15}$/.test(text2) ? Number(text2) : void 0, min, max),
  write: String
}), flag3 = {
  expects: "true or false",
  read: (text2) => text2 === "true" ? !0 : text2 === "false" ? !1 : void 0,
  write: String
}, choice = (choices) => ({
  expects: `one of ${choices.join(", ")}`,
  read: (text2) => choices.find((candidate) => candidate === text2),
  write: String
}), matching = (expects, pattern) => ({
  expects,
  read: (text2) => pattern.test(text2) ? text2 : void 0,
  write: String
}), networks = {
  expects: "networks such as 10.0.0.0/8 or fd00::/8, several between commas",
  read: (text2) => {
    let all = text2.split(",").map((network) => network.trim());
    return all.every(isCidr) ? all : void 0;
  },
  write: (value) => value.join(",")
}, rate = {
  expects: "a rate such as 100/s or 100/s burst 500, or off",
  read: (text2) => {
    if (text2 === "off") return "off";
    let [, perSecond, burst] = /^([1-9][0-9]{0,6})\/s(?: +burst +([1-9][0-9]{0,7}))?$/.exec(text2) ?? [];
    if (perSecond !== void 0)
      return { perSecond: Number(perSecond), burst: burst === void 0 ? Number(perSecond) * 10 : Number(burst) };
  },
  write: (value) => value === "off" ? "off" : `${value.perSecond}/s burst ${value.burst}`
}, atMost = (max) => ({
  expects: `a whole number from 1 to ${max}, or off`,
  read: (text2) => text2 === "off" ? "off" : integer(1, max).read(text2),
  write: String
}), durationOrOff = (min, max) => {
  let unit = duration2(min, max);
  return {
    expects: `${unit.expects}, or off`,
    read: (text2) => text2 === "off" ? "off" : unit.read(text2),
    write: (value) => value === "off" ? "off" : unit.write(value)
  };
}, url = (schemes) => ({
  expects: `a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(" or ")}`,
  read: (text2) => URL.canParse(text2) && schemes.includes(new URL(text2).protocol) ? text2 : void 0,
  write: String
});
function scaled(units, expects, min, max) {
  let parse3 = (text2) => {
    let [, digits, unit] = /^([0-9]{1,12})([a-zA-Z]{1,3})$/.exec(text2) ?? [], factor = unit !== void 0 && Object.hasOwn(units, unit) ? units[unit] : void 0;
    return factor === void 0 ? void 0 : Number(digits) * factor;
  }, lowest = parse3(min) ?? 0, highest = parse3(max) ?? Number.MAX_SAFE_INTEGER;
  return {
    expects,
    read: (text2) => within(parse3(text2), lowest, highest),
    write: (value) => {
      let fitting = Object.entries(units).filter(([, factor2]) => value % factor2 === 0), [unit, factor] = fitting.at(-1) ?? ["", 1];
      return `${value / factor}${unit}`;
    }
  };
}
var within = (value, min, max) => value !== void 0 && value >= min && value <= max ? value : void 0;

// src/config.ts
var required = (setting) => setting, optional4 = (setting) => setting, issuers = {
  expects: "a list of issuers in JSON, as docs/access.md describes them",
  read: (text2) => {
    let read7 = readIssuers(text2);
    return read7.ok ? read7.issuers : void 0;
  },
  fault: (text2) => {
    let read7 = readIssuers(text2);
    return read7.ok ? void 0 : read7.fault;
  },
  write: (value) => JSON.stringify(value)
}, filePath = matching("the path of a file", /^[^\0]+$/), publicUrl = {
  expects: "an https:// URL without a path, such as https://signalbox.example.com; on this machine, http:// will do",
  read: (text2) => isSecureUrl(text2) && new URL(text2).origin === text2.replace(/\/$/, "") ? new URL(text2).origin : void 0,
  write: String
}, S = 1e3, KIB = 1024, MIB = 1024 * KIB, SETTINGS = {
  host: required({
    env: "HOST",
    unit: matching("a host name or an address", /^[a-zA-Z0-9.:_-]{1,253}$/),
    default: "127.0.0.1",
    description: "Address to listen on. Without OIDC_ISSUERS only loopback addresses are taken."
  }),
  port: required({
    env: "PORT",
    unit: integer(0, 65535),
    default: 4400,
    description: "TCP port to listen on; 0 takes a free one."
  }),
  oidcIssuers: optional4({
    env: "OIDC_ISSUERS",
    unit: issuers,
    otherwise: "development mode: loopback only, with an OpenID provider of its own",
    // It may hold the secrets of clients.
    secret: !0,
    description: 'The OpenID providers whose access tokens are taken, such as [{"issuer":"https://login.example.com","audience":"signalbox","admins":["platform"],"readers":"*"}].'
  }),
  jwksRefresh: required({
    env: "JWKS_REFRESH",
    unit: duration2("1s", "24h"),
    default: 300 * S,
    description: "How often the keys of issuers are read anew. Tokens that were signed with a withdrawn key are refused after this; a new key is looked for at once."
  }),
  registrationTokenMaxAge: required({
    env: "REGISTRATION_TOKEN_MAX_AGE",
    unit: duration2("1h", "87600h"),
    default: 365 * 24 * 3600 * S,
    description: "The longest that a registration token of a service may be good (docs/access.md)."
  }),
  developmentAccess: required({
    env: "DEVELOPMENT_ACCESS",
    unit: choice(["open", "login"]),
    default: "open",
    description: "In development mode: open makes whoever brings neither token nor session the administrator; login lets nobody in who does not, and asks the people of the embedded provider for their password. Not used with OIDC_ISSUERS."
  }),
  publicUrl: optional4({
    env: "PUBLIC_URL",
    unit: publicUrl,
    otherwise: "the address that it listens on, which has to be loopback where people log in",
    description: "Where browsers reach Signalbox. The redirect URI of its client at an issuer is this with /login/callback."
  }),
  sessionMaxAge: required({
    env: "SESSION_MAX_AGE",
    unit: duration2("1m", "720h"),
    default: 8 * 3600 * S,
    description: "A session of a browser ends so long after logging in, however much it is used."
  }),
  sessionIdleTime: required({
    env: "SESSION_IDLE_TIME",
    unit: duration2("1m", "720h"),
    default: 3600 * S,
    description: "A session ends when no request came with it for so long. An open stream does not count."
  }),
  dataDir: required({
    env: "DATA_DIR",
    unit: matching("a path", /^[^\0]+$/),
    default: "./data",
    description: "Directory of the embedded database, and of the keys and secrets of development mode. Not used with both DATABASE_URL and OIDC_ISSUERS."
  }),
  databaseUrl: optional4({
    env: "DATABASE_URL",
    unit: url(["postgres:", "postgresql:"]),
    otherwise: "the embedded database",
    secret: !0,
    description: "PostgreSQL 14 or newer, as postgresql://user:password@host:5432/database."
  }),
  redisUrl: optional4({
    env: "REDIS_URL",
    unit: url(["redis:", "rediss:"]),
    otherwise: "one node alone",
    secret: !0,
    description: "Redis that carries news of commits between nodes."
  }),
  logLevel: required({
    env: "LOG_LEVEL",
    unit: choice(["fatal", "error", "warn", "info", "debug", "trace", "silent"]),
    default: "info",
    description: "The least severe messages to log; debug logs every request."
  }),
  logFormat: optional4({
    env: "LOG_FORMAT",
    unit: choice(["json", "pretty"]),
    otherwise: "pretty on a terminal, otherwise json",
    description: "One JSON object a line, or text for people."
  }),
  newEpoch: required({
    env: "NEW_EPOCH",
    unit: flag3,
    default: !1,
    description: "Start a new history at this start. Set it once after the database was restored from a backup, so that no client mistakes the old history for the new one; then unset it."
  }),
  historyMaxAge: required({
    env: "HISTORY_MAX_AGE",
    unit: duration2("1m", "87600h"),
    default: 24 * 3600 * S,
    description: "Revisions older than this leave the log; a client that was away longer starts over."
  }),
  historyMaxBytes: required({
    env: "HISTORY_MAX_BYTES",
    unit: size("1MiB", "1024GiB"),
    default: 256 * MIB,
    description: "The oldest revisions leave the log when it is larger than this."
  }),
  auditRetention: required({
    env: "AUDIT_RETENTION",
    unit: duration2("1h", "87600h"),
    default: 2160 * 3600 * S,
    description: "Audit entries older than this are dropped."
  }),
  historyMemoryBytes: required({
    env: "HISTORY_MEMORY_BYTES",
    unit: size("1MiB", "16GiB"),
    default: 64 * MIB,
    description: "Recent revisions that are kept in memory as well, for watchers that catch up."
  }),
  tailInterval: required({
    env: "TAIL_INTERVAL",
    unit: duration2("50ms", "1m"),
    default: S,
    description: "How often a node looks for revisions that no announcement told it of."
  }),
  watchHeartbeat: required({
    env: "WATCH_HEARTBEAT",
    unit: duration2("100ms", "5m"),
    default: 10 * S,
    description: "Time between bookmarks on a watch socket."
  }),
  watchMaxQueuedBytes: required({
    env: "WATCH_MAX_QUEUED_BYTES",
    unit: size("64KiB", "1GiB"),
    default: MIB,
    description: "Bytes that may wait for one watch socket; past them it is caught up by state or cut off."
  }),
  watchMaxSubscriptions: required({
    env: "WATCH_MAX_SUBSCRIPTIONS",
    unit: integer(1, 1e4),
    default: 64,
    description: "Subscriptions on one watch socket."
  }),
  watchMaxFrameBytes: required({
    env: "WATCH_MAX_FRAME_BYTES",
    unit: size("1KiB", "16MiB"),
    default: 64 * KIB,
    description: "Size of one frame that a watcher sends."
  }),
  watchMaxSockets: required({
    env: "WATCH_MAX_SOCKETS",
    unit: integer(1, 1e6),
    default: 2e4,
    description: "Watch sockets at one time; each also needs a file descriptor."
  }),
  watchStallTimeout: required({
    env: "WATCH_STALL_TIMEOUT",
    unit: duration2("1s", "1h"),
    default: 30 * S,
    description: "A watch socket that does not empty its queue once within this time after it has overflowed is cut off."
  }),
  writeMaxPending: required({
    env: "WRITE_MAX_PENDING",
    unit: integer(1, 1e6),
    default: 1e4,
    description: "Writes that may wait for their commit; more are refused with 503."
  }),
  writeTimeout: required({
    env: "WRITE_TIMEOUT",
    unit: duration2("100ms", "5m"),
    default: 10 * S,
    description: "How long a write may wait for its commit."
  }),
  readWaitMax: required({
    env: "READ_WAIT_MAX",
    unit: duration2("0ms", "1m"),
    default: 5 * S,
    description: "How long a read waits for the revision in X-Signalbox-Min-Revision."
  }),
  registration: required({
    env: "REGISTRATION",
    unit: choice(["open", "catalog"]),
    default: "open",
    description: "Which instances may register: those of any service, or only those of services in the catalog, in regions where these are deployed."
  }),
  healthChecks: required({
    env: "HEALTH_CHECKS",
    unit: choice(["on", "off"]),
    default: "on",
    description: "Whether this node keeps the leases of instances and checks them. Where several nodes share a database, exactly one of them has to have it on, and renewals and watch sockets of instances have to reach that one."
  }),
  checkConcurrency: required({
    env: "CHECK_CONCURRENCY",
    unit: integer(1, 1e4),
    default: 1e3,
    description: "Health checks that may be under way at once. A target that hangs takes one of them until its timeout."
  }),
  evictionGuardMin: required({
    env: "EVICTION_GUARD_MIN",
    unit: integer(1, 1e6),
    default: 5,
    description: "A service with fewer instances up in a region is not guarded against mass eviction."
  }),
  evictionGuardShare: required({
    env: "EVICTION_GUARD_SHARE",
    unit: integer(1, 100),
    default: 50,
    description: "Percentage of the instances of a service in a region that may fail within EVICTION_GUARD_WINDOW; those beyond are kept for EVICTION_GUARD_HOLD, since then the checks are likelier to be wrong than the instances. 100 turns the guard off."
  }),
  evictionGuardWindow: required({
    env: "EVICTION_GUARD_WINDOW",
    unit: duration2("1s", "1h"),
    default: 60 * S,
    description: "The time within which failures count as one."
  }),
  evictionGuardHold: required({
    env: "EVICTION_GUARD_HOLD",
    unit: duration2("1s", "1h"),
    default: 300 * S,
    description: "So long the eviction guard keeps instances at most; then it lets go."
  }),
  egressDeny: optional4({
    env: "EGRESS_DENY",
    unit: networks,
    otherwise: "only what is always denied",
    description: "Networks that Signalbox never calls, beside link-local, multicast, unspecified and metadata addresses, which it never does (SEC4)."
  }),
  egressAllow: optional4({
    env: "EGRESS_ALLOW",
    unit: networks,
    otherwise: "all that are not denied",
    description: "Networks that Signalbox may call: those of your instances. Nothing else is called then. With OIDC_ISSUERS loopback is called only where a range inside 127.0.0.0/8 or ::1/128 is named here."
  }),
  tlsCert: optional4({
    env: "TLS_CERT",
    unit: filePath,
    otherwise: "no TLS: HTTP and WebSocket in the clear",
    description: "File with the certificate and those between it and its authority, in PEM. With TLS_KEY, only HTTPS is spoken. When the files change, they are taken on within seconds; what cannot be used is logged, and the old ones stay."
  }),
  tlsKey: optional4({
    env: "TLS_KEY",
    unit: filePath,
    otherwise: "no TLS",
    description: "File with the private key of TLS_CERT, in PEM."
  }),
  tlsClientCa: optional4({
    env: "TLS_CLIENT_CA",
    unit: filePath,
    otherwise: "clients are not asked for certificates",
    description: "File with the authorities, in PEM, whose client certificates are taken: who shows one, and no token, is the service account with the subject cert:uri:URI or cert:cn:NAME (docs/hardening.md)."
  }),
  rateLimitRenew: required({
    env: "RATE_LIMIT_RENEW",
    unit: rate,
    default: { perSecond: 2e3, burst: 2e4 },
    description: "Renewals of leases, for each caller. Rate limits are those of one node; in development mode there are none."
  }),
  rateLimitResume: required({
    env: "RATE_LIMIT_RESUME",
    unit: rate,
    default: { perSecond: 500, burst: 1e4 },
    description: "Watches that connect, subscriptions and polls, for each caller."
  }),
  rateLimitRead: required({
    env: "RATE_LIMIT_READ",
    unit: rate,
    default: { perSecond: 5e3, burst: 2e4 },
    description: "Reads of one resource, and of the instances of one service, for each caller."
  }),
  rateLimitList: required({
    env: "RATE_LIMIT_LIST",
    unit: rate,
    default: { perSecond: 50, burst: 500 },
    description: "Lists, exports, the coverage matrix and pages of the log, for each caller."
  }),
  rateLimitWrite: required({
    env: "RATE_LIMIT_WRITE",
    unit: rate,
    default: { perSecond: 500, burst: 5e3 },
    description: "Changes, registrations among them, for each caller."
  }),
  rateLimitUnknown: required({
    env: "RATE_LIMIT_UNKNOWN",
    unit: rate,
    default: { perSecond: 20, burst: 400 },
    description: "Requests without a credential, or with one that is not taken, for each address (IPv6: each /64). Callers who are known are not counted here, whatever address they share."
  }),
  overloadLag: required({
    env: "OVERLOAD_LAG",
    unit: durationOrOff("10ms", "1m"),
    default: 150,
    description: "While the event loop is late by more than this, writes are answered 429; lists at twice, reads at 4, resuming watches at 8 and renewals at 16 times this. Not in development mode, nor for administrators."
  }),
  projectMaxServices: required({
    env: "PROJECT_MAX_SERVICES",
    unit: atMost(1e7),
    default: 1e4,
    description: "Services in one project. Administrators may go beyond the limits of projects."
  }),
  projectMaxInstances: required({
    env: "PROJECT_MAX_INSTANCES",
    unit: atMost(1e7),
    default: 1e5,
    description: "Instances of all services of one project."
  }),
  projectMaxSubscriptions: required({
    env: "PROJECT_MAX_SUBSCRIPTIONS",
    unit: atMost(1e7),
    default: 5e4,
    description: "Subscriptions of all service accounts of one project on one node, waiting polls among them."
  }),
  bodyMaxBytes: required({
    env: "BODY_MAX_BYTES",
    unit: size("1KiB", "64MiB"),
    default: MIB,
    description: "Body of a request for one resource."
  }),
  applyMaxBytes: required({
    env: "APPLY_MAX_BYTES",
    unit: size("1KiB", "256MiB"),
    default: 16 * MIB,
    description: "Body of POST /v1/apply."
  }),
  requestTimeout: required({
    env: "REQUEST_TIMEOUT",
    unit: duration2("1s", "10m"),
    default: 30 * S,
    description: "A request has to arrive whole within this time; its header within a third of it, and in 10 s at most."
  }),
  shutdownTimeout: required({
    env: "SHUTDOWN_TIMEOUT",
    unit: duration2("0ms", "10m"),
    default: 15 * S,
    description: "How long a shutdown may take before the rest is cut off."
  }),
  listenBacklog: required({
    env: "LISTEN_BACKLOG",
    unit: integer(1, 65535),
    default: 4096,
    description: "Connections that may wait to be accepted; the kernel has a limit of its own (net.core.somaxconn)."
  })
};
function loadConfig(env, { isTTY = !1 } = {}) {
  let errors2 = [], values = {};
  for (let [key, setting] of Object.entries(SETTINGS)) {
    let text2 = env[setting.env];
    if (text2 === void 0 || text2 === "") {
      values[key] = setting.default;
      continue;
    }
    values[key] = setting.unit.read(text2), values[key] === void 0 && errors2.push(badValue(setting, text2));
  }
  values.logFormat ??= isTTY ? "pretty" : "json";
  let config2 = values, isDevelopment = !env[SETTINGS.oidcIssuers.env];
  errors2.push(...contradictions(config2)), isDevelopment && config2.host !== void 0 && !isLoopbackHost(config2.host) && errors2.push(notLoopback(config2.host));
  let { oidcIssuers, publicUrl: reached } = config2;
  return oidcIssuers?.some(({ login: login2 }) => login2 !== void 0) === !0 && reached === void 0 && !isLoopbackHost(config2.host) && errors2.push(noPublicUrl), isDevelopment && reached !== void 0 && !isLoopbackHost(hostOf(reached)) && errors2.push(notReachable(reached)), errors2.length > 0 ? { ok: !1, errors: errors2 } : { ok: !0, config: config2, warnings: warningsOf(env) };
}
function* contradictions({ tlsCert, tlsKey, tlsClientCa }) {
  tlsCert === void 0 != (tlsKey === void 0) ? yield `${tlsCert === void 0 ? "TLS_CERT" : "TLS_KEY"} must be set too: a certificate and its key belong together. Set both, or neither for HTTP.` : tlsClientCa !== void 0 && tlsCert === void 0 && (yield "TLS_CLIENT_CA must not be set without TLS_CERT and TLS_KEY: certificates of clients are shown over TLS. Set all three, or leave it out.");
}
var isLoopbackHost = (host) => host === "localhost" || host === "::1" || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
function badValue(setting, text2) {
  let shown3 = setting.secret === !0 ? "" : `, not ${JSON.stringify(text2.slice(0, 80))}`, fallback = setting.default === void 0 ? setting.otherwise : `its default, ${setting.unit.write(setting.default)}`, fault = setting.unit.fault?.(text2), because = fault === void 0 ? shown3 : `: ${fault}`;
  return `${setting.env} must be ${setting.unit.expects}${because}. Set it so, or leave it out for ${fallback}.`;
}
var notLoopback = (host) => `HOST must be a loopback address such as 127.0.0.1, not ${JSON.stringify(host)}, unless OIDC_ISSUERS says whose tokens are taken: without it, whoever reaches Signalbox may change everything (SEC2). Leave HOST out, or set OIDC_ISSUERS.`, hostOf = (origin) => new URL(origin).hostname.replace(/^\[|\]$/g, ""), noPublicUrl = "PUBLIC_URL must say where browsers reach Signalbox, since an issuer in OIDC_ISSUERS has a login and HOST is not loopback: the issuer sends them back there. Set it to the https:// URL of the proxy in front.", notReachable = (origin) => `PUBLIC_URL must be of this machine in development mode, not ${JSON.stringify(origin)}: nobody else is answered. Leave it out, or set OIDC_ISSUERS.`, OF_COMMAND_LINE = /* @__PURE__ */ new Set(["SIGNALBOX_URL", "SIGNALBOX_TOKEN"]);
function warningsOf(env) {
  let known2 = new Set(Object.values(SETTINGS).map((setting) => setting.env));
  return Object.keys(env).filter((name) => name.startsWith("SIGNALBOX_") && !OF_COMMAND_LINE.has(name)).toSorted().map((name) => {
    let meant = name.slice(10), hint = known2.has(meant) ? `did you mean ${meant}?` : "docs/settings.md lists those there are.";
    return `${name} is not a setting: ${hint}`;
  });
}

// src/banner.ts
function banner(config2, address, log, { hints, ...facts }) {
  let isTls = config2.tlsCert !== void 0, origin = originOf(address, isTls), database = config2.databaseUrl === void 0 ? `embedded, in ${config2.dataDir}` : "PostgreSQL", bus = config2.redisUrl === void 0 ? "in this process" : "Redis", access = accessOf(config2), feed = `${origin.replace(/^http/, "ws")}/v1/watch`, lines = [
    `Signalbox ${facts.version} is ready after ${facts.ms} ms with ${facts.resources} resources.`,
    `  API       ${origin}/v1`,
    `  Docs      ${origin}/docs`,
    `  Feed      ${feed}`,
    `  Database  ${database}; bus: ${bus}`,
    `  Access    ${access.text}`,
    // They may hold a password, so no log gets them.
    ...hints.map((hint) => `  ${hint}`)
  ];
  config2.logFormat === "pretty" && process.stdout.write(`
${lines.join(`
`)}

`), log.info(
    { api: `${origin}/v1`, docs: `${origin}/docs`, feed, database, bus, mode: access.mode, ...facts },
    `ready, ${access.text}`
  ), access.mode === "tokens" && !isTls && !isLoopbackHost(config2.host) && log.warn(IN_CLEAR);
}
var originOf = ({ family, address, port: port2 }, isTls) => `http${isTls ? "s" : ""}://${family === "IPv6" ? `[${address}]` : address}:${port2}`, IN_CLEAR = "tokens arrive here unencrypted: set TLS_CERT and TLS_KEY, or put a proxy that speaks TLS in front and let nobody else reach this address";
function accessOf({ oidcIssuers, developmentAccess }) {
  return oidcIssuers === void 0 ? { mode: "development", text: developmentAccess === "open" ? "in development mode: whoever reaches this address, which is loopback only, is the administrator, unless they log in" : "in development mode, on loopback only: for who has logged in" } : { mode: "tokens", text: `for who has a token of ${oidcIssuers.map(({ issuer }) => issuer).join(" or ")}` };
}

// src/bus/in-process.ts
var InProcessNetwork = class {
  #buses = /* @__PURE__ */ new Set();
  join() {
    let bus = new InProcessBus(this.#buses);
    return this.#buses.add(bus), bus;
  }
}, InProcessBus = class {
  #all;
  #listeners = [];
  constructor(all) {
    this.#all = all;
  }
  publish(announcement2) {
    if (this.#all.has(this))
      for (let other of this.#all)
        other !== this && queueMicrotask(() => other.#deliver(announcement2));
  }
  subscribe(listener) {
    this.#listeners.push(listener);
  }
  #deliver(announcement2) {
    for (let listener of this.#listeners) listener.onAnnouncement(announcement2);
  }
  close() {
    return this.#all.delete(this), this.#listeners.length = 0, Promise.resolve();
  }
};

// src/bus/redis.ts
import { randomUUID } from "node:crypto";
import { isIP as isIP2 } from "node:net";
import { Redis } from "ioredis";

// src/domain/item.ts
function makeItem(value, json2 = JSON.stringify(value)) {
  let { kind, id: id2, parent } = partsOf(value.name);
  return { kind, name: value.name, id: id2, parent: parent ?? id2, revision: value.revision, value, json: json2 };
}
var changeName = (change) => change.op === "put" ? change.item.name : change.name, changeKind = (change) => change.op === "put" ? change.item.kind : change.kind, NO_LABELS = Object.freeze({});
function labelsOf({ kind, value }) {
  switch (kind) {
    case "instance":
      return value.tags;
    case "override":
    case "advisory":
      return NO_LABELS;
    default:
      return value.labels;
  }
}

// src/domain/codec.ts
function encodeChanges(changes2) {
  return `[${changes2.map((change) => {
    let head5 = change.op === "delete" ? `"delete","name":${JSON.stringify(change.name)}` : `"put","value":${change.item.json}`, was = change.was === void 0 ? "" : `,"was":${JSON.stringify(change.was)}`, facets = change.facets === void 0 ? "" : `,"facets":${JSON.stringify(change.facets)}`;
    return `{"op":${head5}${was}${facets}${encodeAudience(change)}}`;
  }).join(",")}]`;
}
var AUDIENCES2 = /* @__PURE__ */ new WeakMap();
function audienceJson(audience) {
  let json2 = AUDIENCES2.get(audience);
  return json2 === void 0 && AUDIENCES2.set(audience, json2 = JSON.stringify(audience)), json2;
}
function encodeAudience(change) {
  let audience = change.audience === void 0 ? "" : `,"audience":${audienceJson(change.audience)}`;
  return change.op === "delete" || change.audienceBefore === void 0 ? audience : `${audience},"audienceBefore":${JSON.stringify(change.audienceBefore)}`;
}
function decodeChanges(stored) {
  return stored.map((change) => {
    let { facets, audience, audienceBefore } = change, seen2 = { ...facets !== void 0 && { facets }, ...audience !== void 0 && { audience } };
    return change.op === "delete" ? { op: "delete", kind: partsOf(change.name).kind, name: change.name, was: change.was, ...seen2 } : {
      op: "put",
      item: makeItem(change.value),
      ...change.was !== void 0 && { was: change.was },
      ...seen2,
      ...audienceBefore !== void 0 && { audienceBefore }
    };
  });
}

// src/bus/wire.ts
var BUS_PROTOCOL = 1, headOf = (node) => `${BUS_PROTOCOL} ${node} `;
function encodeAnnouncement(node, { epoch, from, to, entries }) {
  let tail = entries === void 0 ? "" : `,"entries":[${entries.map(encodeEntry).join(",")}]`;
  return `${headOf(node)}{"epoch":${JSON.stringify(epoch)},"from":${from},"to":${to}${tail}}`;
}
function decodeAnnouncement(message) {
  let [, protocol, json2] = /^(\d{1,9}) \S{1,64} (.*)$/su.exec(message) ?? [];
  if (protocol === void 0 || json2 === void 0) throw new Error("not a message of Signalbox");
  if (Number(protocol) !== BUS_PROTOCOL) throw new Error(`a message of protocol ${protocol}, not ${BUS_PROTOCOL}`);
  let { epoch, from, to, entries } = JSON.parse(json2);
  if (typeof epoch != "string" || !isRevision(from) || !isRevision(to)) throw new Error("not an announcement");
  return entries === void 0 ? { epoch, from, to } : { epoch, from, to, entries: entries.map(decodeEntry) };
}
function encodeEntry({ revision, at: at2, author, changes: changes2 }) {
  return `{"revision":${revision},"at":${at2},"author":${JSON.stringify(author)},"changes":${encodeChanges(changes2)}}`;
}
function decodeEntry({ revision, at: at2, author, changes: changes2 }) {
  if (!isRevision(revision) || typeof at2 != "number" || typeof author != "string") throw new Error("not an entry");
  return { revision, at: at2, author, changes: decodeChanges(changes2) };
}
var isRevision = (value) => Number.isSafeInteger(value) && value >= 0;

// src/bus/redis.ts
var MAX_UNCONFIRMED = 256, CHECK_MS = 1e4, ANSWER_MS = 5e3, DISCONNECT_MS = 500, QUIET_MS = 6e4;
function openRedisBus(options) {
  return new RedisBus(options);
}
var RedisBus = class {
  #node = randomUUID();
  #head = headOf(this.#node);
  #log;
  #channel;
  #outage;
  #publisher;
  #subscriber;
  #check;
  #listeners = [];
  #unconfirmed = 0;
  #subscribed = !1;
  #closing;
  #unreadable = 0;
  #quietUntil = 0;
  constructor({ url: url2, log, channel = "signalbox:commits" }) {
    this.#log = log, this.#channel = channel, this.#outage = new Outage(log), this.#publisher = this.#connect(url2, "signalbox-publish"), this.#publisher.on("ready", () => this.#outage.ended(this.#publisher)), this.#subscriber = this.#connect(url2, "signalbox-subscribe"), this.#subscriber.on("ready", () => {
      this.#listen();
    }), this.#subscriber.on("close", () => {
      this.#subscribed = !1;
    }), this.#subscriber.on("message", (_channel, message) => this.#receive(message)), this.#check = setInterval(() => this.#checkSubscription(), CHECK_MS).unref();
  }
  publish(announcement2) {
    let redis = this.#publisher;
    if (!(this.#closing !== void 0 || redis.status !== "ready")) {
      if (this.#unconfirmed >= MAX_UNCONFIRMED) {
        this.#outage.began(redis, "it does not confirm what is published");
        return;
      }
      this.#unconfirmed++, redis.publish(this.#channel, encodeAnnouncement(this.#node, announcement2)).then(
        () => this.#outage.ended(redis),
        (error) => this.#failed(redis, error)
      ).finally(() => this.#unconfirmed--);
    }
  }
  subscribe(listener) {
    this.#listeners.push(listener);
  }
  async close() {
    this.#listeners.length = 0, clearInterval(this.#check), this.#closing ??= Promise.all([disconnect(this.#publisher), disconnect(this.#subscriber)]), await this.#closing;
  }
  #connect(url2, connectionName) {
    let redis = new Redis(url2, { ...CONNECTION, ...serverName(url2), connectionName });
    return redis.on("error", (error) => this.#failed(redis, error)), redis.on("close", () => this.#failed(redis, new Error("the connection was closed"))), redis;
  }
  #failed(redis, error) {
    this.#closing === void 0 && this.#outage.began(redis, reasonOf(error));
  }
  async #listen() {
    try {
      await this.#subscriber.subscribe(this.#channel);
    } catch (error) {
      this.#failed(this.#subscriber, error);
      return;
    }
    this.#subscribed = !0, this.#outage.ended(this.#subscriber), this.#gap();
  }
  #checkSubscription() {
    this.#subscriber.status === "ready" && (this.#subscribed ? this.#subscriber.ping().catch((error) => this.#failed(this.#subscriber, error)) : this.#listen());
  }
  #receive(message) {
    if (message.startsWith(this.#head)) return;
    let announcement2;
    try {
      announcement2 = decodeAnnouncement(message);
    } catch (error) {
      this.#reportUnreadable(error), this.#gap();
      return;
    }
    for (let listener of this.#listeners) listener.onAnnouncement(announcement2);
  }
  #gap() {
    for (let listener of this.#listeners) listener.onGap();
  }
  #reportUnreadable(error) {
    this.#unreadable++;
    let now2 = performance.now();
    if (now2 < this.#quietUntil) return;
    this.#quietUntil = now2 + QUIET_MS;
    let facts = { channel: this.#channel, reason: reasonOf(error), messages: this.#unreadable };
    this.#unreadable = 0, this.#log.warn(facts, "unreadable news on the bus: the log is read instead");
  }
}, Outage = class {
  #log;
  #down = /* @__PURE__ */ new Set();
  constructor(log) {
    this.#log = log;
  }
  began(redis, reason2) {
    let known2 = this.#down.size > 0;
    this.#down.add(redis), known2 || this.#log.warn({ reason: reason2 }, "Redis is away: nodes learn of each other’s commits later, from the log");
  }
  ended(redis) {
    this.#down.delete(redis) && this.#down.size === 0 && this.#log.info("Redis is back");
  }
}, CONNECTION = {
  // Nothing is kept for later: an old announcement is of no use, and the subscription is made anew here.
  enableOfflineQueue: !1,
  autoResendUnfulfilledCommands: !1,
  autoResubscribe: !1,
  maxRetriesPerRequest: 0,
  socketTimeout: ANSWER_MS,
  connectTimeout: ANSWER_MS,
  disconnectTimeout: DISCONNECT_MS,
  retryStrategy: (attempt) => Math.min(50 * 2 ** (attempt - 1), 2e3) * (0.75 + Math.random() / 2)
};
function serverName(url2) {
  let { protocol, hostname } = new URL(url2);
  return protocol === "rediss:" && isIP2(hostname.replace(/^\[|\]$/gu, "")) === 0 ? { tls: { servername: hostname } } : {};
}
async function disconnect(redis) {
  let timer, ended = new Promise((resolve2) => {
    redis.once("end", resolve2), timer = setTimeout(resolve2, DISCONNECT_MS);
  });
  redis.disconnect(), await ended, clearTimeout(timer);
}
function reasonOf(error) {
  let { message, code } = error;
  return message || code || String(error);
}

// src/edge/app.ts
import Fastify from "fastify";

// src/auth/rate-class.ts
var DISCOVERY = "/v1/services/:service/instances", CHANGES = "/v1/changes";
function rateClassOf({ action, method, url: url2 }) {
  if (action !== "health.read")
    return action === "feed.watch" ? "resume" : action === "docs.read" || action === "metrics.read" || url2 === DISCOVERY ? "read" : url2.endsWith("/renew") ? "renew" : method !== "GET" && method !== "HEAD" ? "write" : url2 === "/v1/state" || isOfOne(url2) ? "read" : "list";
}
var isPoll = (route, url2) => route === CHANGES && /[?&]wait=/.test(url2), isOfOne = (url2) => /\/:[a-zA-Z]+(?:\/override)?$/.test(url2);

// src/auth/development.ts
var ADMINISTRATOR = { ok: !0, caller: { kind: "administrator", subject: "development" } };
function resolveDevelopmentCaller({ remoteAddress, host, origin, proxyHeader }) {
  return isLoopbackAddress(remoteAddress) ? host === void 0 || !isLoopbackAuthority(host) ? refuse4("The Host header must be localhost, 127.0.0.1 or [::1], with an optional port") : origin !== void 0 && !isLoopbackOrigin(origin) ? refuse4("Requests from web pages of other hosts are not answered") : proxyHeader !== void 0 ? {
    ok: !1,
    detail: `This came through a proxy or a tunnel (${proxyHeader}), at whose other end may be anyone, and in development mode everyone is the administrator. Ask without it, or set OIDC_ISSUERS so that people log in.`
  } : ADMINISTRATOR : refuse4("Only connections from this machine are answered");
}
var PROXY_HEADER = /^(?:forwarded|via|x-real-ip|x-forwarded(?:-.*)?)$/, proxyHeaderIn = (headers) => Object.keys(headers).find((name) => PROXY_HEADER.test(name)), refuse4 = (detail) => ({ ok: !1, detail: `${detail} in development mode.` }), LOOPBACK = String.raw`(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])`, AUTHORITY = new RegExp(`^${LOOPBACK}(?::[0-9]{1,5})?$`, "i"), ORIGIN = new RegExp(`^https?://${LOOPBACK}(?::[0-9]{1,5})?$`, "i"), isLoopbackAuthority = (host) => AUTHORITY.test(host), isLoopbackOrigin = (origin) => ORIGIN.test(origin);
function isLoopbackAddress(address) {
  return address === "127.0.0.1" || address === "::1" ? !0 : address !== void 0 && /^(?:::ffff:)?127(?:\.[0-9]{1,3}){3}$/.test(address);
}

// src/auth/known-callers.ts
var KNOWN = /* @__PURE__ */ new WeakMap();
function knownCaller(identity, view) {
  if (identity.registers !== void 0) return callerOf(identity, view);
  let { accounts } = view, known2 = KNOWN.get(identity);
  if (known2?.accounts === accounts) return known2.found;
  let found = callerOf(identity, view);
  return KNOWN.set(identity, { accounts, found }), found;
}

// src/auth/registrar.ts
function isAbsentFor(caller, action, target, state) {
  if (caller.kind !== "registrar" || action !== "instance.register" || target === void 0) return !1;
  let item = state.get(target.name);
  return item?.kind !== "instance" || item.value.service !== caller.service;
}

// src/edge/bearer.ts
var READ = /* @__PURE__ */ new WeakMap();
function bearerToken({ socket, headers }) {
  let { authorization: header = "", upgrade } = headers, read7 = READ.get(socket);
  if (read7?.header === header) return read7.token;
  let token = /^bearer +([^\s,]+) *$/i.exec(header)?.[1];
  return token !== void 0 && upgrade === void 0 && READ.set(socket, { header, token }), token;
}

// src/edge/client-certificate.ts
import { TLSSocket } from "node:tls";
var known = /* @__PURE__ */ new WeakMap(), begunWith = /* @__PURE__ */ new WeakMap(), UNSEEN = -1;
function noteBeginnings(server, certificates) {
  let coming = /* @__PURE__ */ new Map();
  server.prependListener("connection", (socket) => {
    let ends = endsOf(socket);
    coming.set(ends, certificates.generation), socket.once("close", () => coming.delete(ends));
  }), server.prependListener("secureConnection", (socket) => {
    begunWith.set(socket, coming.get(endsOf(socket)) ?? UNSEEN);
  });
}
var endsOf = ({ remoteAddress, remotePort, localAddress, localPort }) => `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
function certificateOf(certificates, { socket }) {
  if (!(socket instanceof TLSSocket)) return;
  let found = known.get(socket);
  if (found === void 0) {
    let { authorized, authorizationError } = socket, error = authorizationError, certificate = socket.getPeerCertificate(), shown3 = { authorized, error: error === void 0 ? void 0 : String(error), certificate };
    known.set(socket, found = { verified: certificates.verify(shown3, begunWith.get(socket) ?? UNSEEN) });
  }
  return found.verified;
}

// src/edge/identify.ts
var MAX_URL_LENGTH = 8192;
function identify(access, request, credentials, before = () => {
}) {
  let url2 = request.raw.url ?? "";
  if (url2.length > MAX_URL_LENGTH)
    return new Problem("uri-too-long", `The URL has ${url2.length} characters; ${MAX_URL_LENGTH} are taken.`);
  request.caller = STRANGER;
  let refused2 = access.development ? identifyLocally(request, access.mustLogIn === !0) : void 0;
  if (refused2 !== void 0) return refused2;
  if (hasToken(url2)) return badParameter("access_token", IN_URL);
  if (credentials === "none") return;
  let { authorization } = request.raw.headers, token = authorization === void 0 ? void 0 : bearerToken(request.raw);
  if (access.registrationTokens !== void 0 && token?.startsWith(REGISTRATION_TOKEN_PREFIX) === !0)
    return request.caller = STRANGER, verify(access.registrationTokens, request, token, before);
  if (authorization === void 0 && access.certificates !== void 0) {
    let problem = identifyByTls(access.certificates, request, access.sessions?.site);
    if (problem !== void 0 || request.grant !== void 0) return problem;
  }
  return authorization === void 0 || access.tokens === void 0 ? identifySession(access, request, credentials, before) : (request.caller = STRANGER, token === void 0 ? new Problem("unauthenticated", `Authorization has another form; ${HOW}`) : verify(access.tokens, request, token, before));
}
function verify(verifier, request, token, before) {
  let first = verifier.knows?.(token) === !1 ? before(request) : void 0;
  if (first !== void 0) return first === "nobody" ? void 0 : first;
  let verified = verifier.verify(token);
  return verified instanceof Promise ? verified.then((late) => take2(request, late)) : take2(request, verified);
}
function identifySession({ sessions }, request, credentials, before) {
  let credential = sessions && sessionIn(request, sessions.site);
  if (sessions === void 0 || credential === void 0 || credential === "") return;
  request.caller = STRANGER;
  let foreign = whyNotWith(request, credential, sessions.site, credentials);
  if (foreign !== void 0) return foreign;
  let first = sessions.sessions.knows?.(credential) === !1 ? before(request) : void 0;
  if (first !== void 0) return first === "nobody" ? void 0 : first;
  let verified = sessions.sessions.verify(credential);
  return verified instanceof Promise ? verified.then((late) => takeSession(request, late)) : takeSession(request, verified);
}
function takeSession(request, verified) {
  if (verified.ok)
    request.grant = verified.grant, request.knownBy = "session";
  else if (verified.away)
    return new Problem("session-unavailable", {
      detail: `The session cannot be looked at: ${verified.detail}.`,
      retryAfter: 2
    });
}
function decide(request, action, target, state) {
  let { grant } = request;
  if (grant !== void 0) {
    let found = knownCaller(grant.identity, state);
    if (!found.ok && action !== "session.use") return new Problem("forbidden", found.detail);
    request.caller = found.ok ? found.caller : STRANGER;
  }
  if (isAbsentFor(request.caller, action, target, state)) return new Problem("not-found", NOT_YOURS);
  let verdict = authorize(request.caller, action, target, state);
  if (!verdict.allowed)
    return request.caller === STRANGER ? new Problem("unauthenticated", `This needs a token, or a session; ${HOW}`) : new Problem("forbidden", verdict.detail);
}
var NOT_YOURS = "The service of this registration token has no such instance: if it runs, register it with POST /v1/instances.", HOW = 'send the header "Authorization: Bearer TOKEN", or log in at /login.', IN_URL = 'is not taken: URLs are written to logs and histories. Send the header "Authorization: Bearer TOKEN"';
function identifyLocally(request, mustLogIn) {
  let { raw: raw2 } = request, { host, origin } = raw2.headers, resolution = resolveDevelopmentCaller({
    remoteAddress: raw2.socket.remoteAddress,
    host,
    origin,
    proxyHeader: proxyHeaderIn(raw2.headers)
  });
  if (!resolution.ok) return new Problem("forbidden", resolution.detail);
  mustLogIn || (request.caller = resolution.caller);
}
function identifyByTls(certificates, request, site) {
  let verified = certificateOf(certificates, request.raw);
  if (verified === void 0) return;
  if (!verified.ok)
    return new Problem("invalid-certificate", `The client certificate is not taken: ${verified.detail}.`);
  if (!certificates.stillHolds(verified.grant)) return new Problem("invalid-certificate", OUTLIVED);
  let foreign = whyNotByPage(request, site);
  if (foreign !== void 0) return foreign;
  request.grant = verified.grant, request.knownBy = "certificate";
}
var OUTLIVED = "The client certificate of this connection has expired, or the authorities that are taken have changed: connect again.";
function take2(request, verified) {
  if (!verified.ok) return refusal(verified);
  request.grant = verified.grant, request.knownBy = "token";
}
function refusal({ away, detail }) {
  return away ? new Problem("issuer-unavailable", { detail: `The token cannot be verified: ${detail}.`, retryAfter: 2 }) : new Problem("invalid-token", `The token is not taken: ${detail}.`);
}
var hasToken = (url2) => {
  let question2 = url2.indexOf("?");
  return question2 !== -1 && /access(?:_|%5f)token/i.test(url2.slice(question2));
};

// src/edge/rate-limiting.ts
function limitedBy(limits, route) {
  if (limits === void 0) return (_request, problem) => problem;
  let rateClass = rateClassOf(route);
  return (request, problem) => limit(limits, classNow(rateClass, route, request), request, problem);
}
var limitedNowhere = (limits) => limits === void 0 ? (_request, problem) => problem : (request, problem) => limit(limits, "read", request, problem);
function beforeLookUp(limits, rateClass) {
  return limits === void 0 ? () => {
  } : rateClass === void 0 ? () => "nobody" : ({ raw: raw2 }) => {
    let turnedAway = limits.spent(raw2.socket.remoteAddress);
    return turnedAway && tooMany(turnedAway);
  };
}
function classNow(rateClass, { url: url2 }, request) {
  return rateClass === "list" && isPoll(url2, request.raw.url ?? "") ? "resume" : rateClass;
}
var NOT_COUNTED = /* @__PURE__ */ new Set(["not-ready", "issuer-unavailable"]);
function limit(limits, rateClass, { caller, raw: raw2 }, problem) {
  if (problem !== void 0 && NOT_COUNTED.has(problem.code)) return problem;
  let isKnown2 = caller !== void 0 && caller !== STRANGER;
  if (rateClass === void 0 && (isKnown2 || problem === void 0)) return problem;
  let turnedAway = isKnown2 && rateClass !== void 0 ? limits.caller(caller, rateClass) : limits.unknown(raw2.socket.remoteAddress);
  return turnedAway === void 0 ? problem : tooMany(turnedAway);
}
var tooMany = (turnedAway) => new Problem("rate-limited", {
  detail: `${whyOf(turnedAway)} Nothing was done.`,
  retryAfter: Math.max(1, Math.ceil(turnedAway.waitMs / 1e3))
});
function whyOf({ why, rateClass }) {
  return why === "node" ? `The node is too busy for requests of the class ${rateClass} now.` : rateClass === "unknown" ? "Too many requests without a credential that is taken come from this address." : `The caller makes more requests of the class ${rateClass} than RATE_LIMIT_${rateClass.toUpperCase()} lets one make.`;
}
var frameGateOf = (limits) => ({
  turnAway({ caller }, rateClass) {
    let turnedAway = limits.caller(caller, rateClass);
    return turnedAway && { message: whyOf(turnedAway), retryAfterMs: Math.max(1, Math.ceil(turnedAway.waitMs)) };
  }
});

// src/edge/security-headers.ts
var pagePolicy = (...styles) => [
  "default-src 'none'",
  "script-src 'self'",
  ["style-src 'self'", ...styles.map((hash2) => `'${hash2}'`)].join(" "),
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'"
].join("; "), ALWAYS = [["x-content-type-options", "nosniff"]], NOT_KEPT = [["cache-control", "no-store"]], PAGES = [
  ["content-security-policy", pagePolicy()],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"]
], OVER_TLS = [["strict-transport-security", "max-age=31536000"]];
function securityHeaders(url2, action, tls2) {
  let headers = [
    ...ALWAYS,
    ...action === "docs.read" ? [] : NOT_KEPT,
    // No browser renders what the interface answers, and it is asked all the time.
    ...isInterface(url2) ? [] : PAGES,
    ...tls2 ? OVER_TLS : []
  ], [first, second] = headers;
  return headers.length === 2 && first !== void 0 && second !== void 0 ? (reply) => {
    reply.header(first[0], first[1]).header(second[0], second[1]);
  } : (reply) => {
    for (let [name, value] of headers) reply.header(name, value);
  };
}
var isInterface = (url2) => /^\/(?:v1|livez|readyz|metrics)(?:\/|$)/.test(url2);

// src/edge/target-of.ts
var NO_NAMES = /* @__PURE__ */ new Set(["renew", "registration-tokens"]), UNKNOWN2 = () => {
};
function targetOf(url2) {
  let [, version, ...path2] = url2.split("/"), end = path2.findIndex((part) => NO_NAMES.has(part)), parts = end === -1 ? path2 : path2.slice(0, end);
  return version !== "v1" || !parts.some((part) => part.startsWith(":")) ? UNKNOWN2 : (params) => ({
    name: parts.map((part) => part.startsWith(":") ? params[part.slice(1)] ?? "" : part).join("/")
  });
}

// src/edge/admission.ts
var READS = /* @__PURE__ */ new Set([
  "catalog.read",
  "catalog.export",
  "coverage.read",
  "log.read",
  "feed.watch",
  "feed.subscribers",
  "instance.read",
  "audit.read"
]), WRITES = /* @__PURE__ */ new Set([
  "catalog.write",
  "catalog.delete",
  "catalog.apply",
  "instance.register",
  "instance.override",
  "token.manage"
]), NOT_READY_RETRY_S = 1;
function admission({ state, config: config2, access, limits, tls: tls2 }, route) {
  let { action, url: url2, credentials } = route, reads = READS.has(action), needsCatalog = reads || WRITES.has(action), target = WRITES.has(action) ? targetOf(url2) : void 0, limited = limitedBy(limits, route), before = beforeLookUp(limits, rateClassOf(route)), setHeaders = securityHeaders(url2, action, tls2 !== void 0), whyNot2 = (request) => needsCatalog && (request.grant !== void 0 || request.caller !== STRANGER) && !state.ready ? notReady() : decide(request, action, target?.(request.params), state.view), answer5 = (request, reply, done, problem) => {
    if (problem !== void 0) return done(problem);
    state.ready && belongs(request.caller, state.view) && reply.header(REVISION_HEADER, state.head.revision), request.headers["x-request-id"] !== void 0 && reply.header("x-request-id", request.id);
    let seen2 = reads ? request.headers["x-signalbox-min-revision"] : void 0;
    if (seen2 === void 0) return done();
    awaitRevision(state, config2.readWaitMax, String(seen2), reply, done);
  };
  return (request, reply, done) => {
    request.arrivedAt = performance.now(), setHeaders(reply);
    let identified = identify(access, request, credentials, before);
    if (!(identified instanceof Promise))
      return answer5(request, reply, done, limited(request, identified ?? whyNot2(request)));
    identified.then((problem) => limited(request, problem ?? whyNot2(request))).then((problem) => answer5(request, reply, done, problem), done);
  };
}
var notReady = () => new Problem("not-ready", { detail: "The catalog is still being loaded.", retryAfter: NOT_READY_RETRY_S });
async function awaitRevision(state, timeoutMs, header, reply, done) {
  let revision = /^[0-9]{1,15}$/.test(header) ? Number(header) : void 0;
  if (revision === void 0)
    return done(badHeader("X-Signalbox-Min-Revision", "must be a revision: a whole number"));
  let reached;
  try {
    reached = state.head.revision >= revision || await state.waitFor(revision, timeoutMs);
  } catch (error) {
    return done(error);
  }
  let head5 = state.head.revision;
  if (reply.header(REVISION_HEADER, head5), reached) return done();
  let detail = `The server is at revision ${head5} and did not reach ${revision} within ${timeoutMs} ms.`;
  done(new Problem("revision-not-reached", { detail, retryAfter: 1 }));
}

// src/edge/client-error.ts
import { STATUS_CODES } from "node:http";
var CODES = {
  ERR_HTTP_REQUEST_TIMEOUT: "timeout",
  HPE_HEADER_OVERFLOW: "headers-too-large"
}, clientErrorHandler = (logger) => (error, socket) => {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  let code = CODES[error.code ?? ""] ?? "malformed-request";
  logger.debug({ code: error.code, problem: code }, "a connection was refused"), socket.writable && socket.write(answer(code)), socket.destroy();
};
function answer(code) {
  let { status: status2, title: title2 } = PROBLEMS[code], body = renderProblem(code, { detail: `${title2}.` }, void 0);
  return [
    `HTTP/1.1 ${status2} ${STATUS_CODES[status2] ?? ""}`,
    "Connection: close",
    "Content-Type: application/problem+json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body
  ].join(`\r
`);
}

// src/edge/edge-log.ts
import { LogController } from "fastify";
var EdgeLog = class extends LogController {
  #logger;
  constructor(logger) {
    super({ disableRequestLogging: !0 }), this.#logger = logger;
  }
  streamError(error, request) {
    this.#logger.debug({ err: error, requestId: request.id, url: request.url }, "an answer was cut off");
  }
  writeHeadError(error, request) {
    this.#logger.error({ err: error, requestId: request.id, url: request.url }, "an answer could not be begun");
  }
};

// src/registry/errors.ts
var RegistryUnavailable = class extends Error {
  code;
  /** Whole seconds, at least 1. */
  retryAfterSeconds;
  constructor(code, retryAfterSeconds, options = {}) {
    super(`the registry cannot carry out commands: ${code}`, options), this.name = "RegistryUnavailable", this.code = code, this.retryAfterSeconds = retryAfterSeconds;
  }
};

// src/domain/audit-changes.ts
function auditOf(command, outcomes, revision) {
  let { caller, at: at2, origin } = command;
  if (caller.kind === "signalbox") return [];
  let who = whoIs2(caller), entries = [];
  for (let { name, op, before, after } of outcomes) {
    if (op === "unchanged") continue;
    let item = after ?? before, service = item && serviceOfItem(item);
    entries.push({
      at: at2,
      category: "change",
      ...who,
      action: actionOf(command, op),
      target: name,
      ...service !== void 0 && { service },
      ...before !== void 0 && { before: before.revision },
      after: revision,
      result: op,
      ...origin
    });
  }
  return entries;
}
function whoIs2(caller) {
  let { subject } = caller;
  if (caller.kind !== "serviceAccount") return { subject };
  let project = parseName(caller.account)?.parent;
  return { subject, account: caller.account, ...project !== void 0 && { project } };
}
function actionOf(command, op) {
  return "instances" in command ? command.instances[0]?.op === "override" ? "instance.override" : "instance.register" : op === "deleted" ? "catalog.delete" : "catalog.write";
}
function serviceOfItem(item) {
  switch (item.kind) {
    case "service":
      return item.id;
    case "version":
    case "resourceType":
    case "deployment":
      return item.parent;
    case "instance":
    case "override":
    case "advisory":
      return item.value.service;
    default:
      return;
  }
}

// src/edge/origin.ts
function originOf2({ raw: raw2, id: id2 }) {
  let address = raw2.socket.remoteAddress;
  return address === void 0 ? { requestId: id2 } : { address, requestId: id2 };
}

// src/edge/refusals.ts
var NOT_ALLOWED = /* @__PURE__ */ new Set([401, 403]), AGAINST_RULES = /* @__PURE__ */ new Set([404, 409, 412, 422]);
function refusalOf(request, { code, status: status2, details }, state) {
  if (request.caller === void 0 || !NOT_ALLOWED.has(status2) && !(AGAINST_RULES.has(status2) && isMutation(request))) return;
  let { target, service } = aboutOf(request, state);
  return {
    category: "refusal",
    ...callerOf2(request),
    // Where there is no route, only the documentation was asked for.
    action: request.routeOptions.config?.action ?? "docs.read",
    ...target !== void 0 && { target },
    ...service !== void 0 && { service },
    result: code,
    ...originOf2(request),
    // What a change would break may be what the owners of its target may not see.
    ...code !== "conflict" && { detail: details.detail }
  };
}
function isMutation({ method, query, routeOptions }) {
  return method === "GET" || method === "HEAD" || routeOptions.config?.action === void 0 || routeOptions.url?.endsWith("/renew") === !0 ? !1 : query?.dryRun !== !0;
}
function callerOf2({ caller, grant }) {
  return caller === STRANGER && grant !== void 0 ? { subject: grant.identity.subject } : whoIs2(caller);
}
function aboutOf(request, state) {
  let params = request.params ?? {}, named2 = targetOf(request.routeOptions.url ?? "")(params)?.name ?? "", above = serviceName(params.service ?? request.bodyService ?? ""), target = [named2, above].find((name) => parseName(name) !== void 0);
  if (target === void 0) return {};
  let service = find({ name: target }, EVERYTHING, state)?.service;
  return { ...target === named2 || "service" in params ? { target } : {}, ...service !== void 0 && { service } };
}

// src/edge/error-handler.ts
var isKnown = ({ caller }, view) => caller !== void 0 && belongs(caller, view), UNKNOWN_TO = /* @__PURE__ */ new Set([
  "forbidden",
  "unauthenticated",
  "invalid-token",
  "issuer-unavailable",
  "cross-site",
  "session-unavailable"
]), errorHandler = ({ logger, state, tls: tls2, audit: audit2 }) => {
  let setHeaders = securityHeaders("", void 0, tls2 !== void 0);
  return (error, request, reply) => {
    setHeaders(reply);
    let problem = problemOf(error, request), fields = { requestId: request.id, method: request.method, url: request.url, problem: problem.code };
    problem.code === "internal" ? logger.error({ ...fields, err: error }, "a request failed") : logger.debug({ ...fields, detail: problem.details.detail }, "a request was refused");
    let refusal2 = audit2 && refusalOf(request, problem, state.view);
    refusal2 !== void 0 && audit2?.note(refusal2), reply.header("x-request-id", request.id), state.ready && !UNKNOWN_TO.has(problem.code) && isKnown(request, state.view) && reply.header(REVISION_HEADER, state.head.revision), sendProblem(reply, problem);
  };
};
function problemOf(error, request) {
  if (error instanceof Problem) return error;
  if (error instanceof RegistryUnavailable)
    return new Problem(error.code, { detail: PROBLEMS[error.code].title, retryAfter: error.retryAfterSeconds });
  if (isError(error)) {
    if (error.name === "StoreUnavailable")
      return new Problem("store-unavailable", { detail: "The log cannot be read now.", retryAfter: 1 });
    let known2 = fromFastify(error, request);
    if (known2 !== void 0) return known2;
  }
  return new Problem("internal", "The server made a mistake; its log has more under this requestId.");
}
var isError = (error) => typeof error == "object" && error !== null && "name" in error;
function fromFastify(error, request) {
  switch (error.code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE": {
      let accepted = request.routeOptions.config.accepts ?? [], sent = request.headers["content-type"], found = sent === void 0 ? "The body has no Content-Type" : `Content-Type ${JSON.stringify(sent.slice(0, 80))} is not taken`, wanted = accepted.length === 0 ? "this route takes no body." : `send ${accepted.join(" or ")}.`;
      return new Problem("unsupported-media-type", `${found}; ${wanted}`);
    }
    case "FST_ERR_CTP_BODY_TOO_LARGE": {
      let { bodyLimit, config: config2 } = request.routeOptions;
      return config2.accepts === void 0 ? new Problem("unsupported-media-type", "This route takes no body; send none.") : new Problem("too-large", `The body has more than the ${bodyLimit} bytes that this route takes.`);
    }
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new Problem("malformed-request", "The body is not as long as Content-Length says.");
    case "FST_ERR_BAD_URL":
      return new Problem("malformed-request", "The path of the URL is not properly percent-encoded.");
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new Problem("uri-too-long", `A part of the path has more than ${MAX_PARAM_LENGTH} characters.`);
    default:
      return fromStatus(error);
  }
}
var MAX_PARAM_LENGTH = 400, BY_STATUS = {
  400: "malformed-request",
  404: "unknown-path",
  408: "timeout",
  413: "too-large",
  414: "uri-too-long",
  415: "unsupported-media-type"
};
function fromStatus(error) {
  let code = error.statusCode === void 0 ? void 0 : BY_STATUS[error.statusCode];
  return code === void 0 ? void 0 : new Problem(code, `${PROBLEMS[code].title}.`);
}

// src/edge/gate.ts
var standingOf = (caller, grant) => ({
  caller,
  sight: sightOf2(caller),
  ...grant !== void 0 && { grant }
});
function gateOf({ tokens }, state) {
  let look = ({ caller, grant }) => {
    let found = grant === void 0 ? { ok: !0, caller } : knownCaller(grant.identity, state.view);
    if (!(!found.ok || !authorize(found.caller, "feed.watch", void 0, state.view).allowed))
      return standingOf(found.caller, grant);
  };
  return {
    look,
    admit: async (token) => {
      if (tokens === void 0) return "no tokens are known here";
      let verified = await tokens.verify(token);
      if (!verified.ok) return verified.detail;
      let { grant } = verified, found = knownCaller(grant.identity, state.view);
      return (found.ok ? look(standingOf(found.caller, grant)) : void 0) ?? "its bearer may not watch";
    }
  };
}

// src/edge/http/advisories.ts
import { Type as Type8 } from "typebox";

// src/edge/http/collections.ts
var WORDS = {
  region: ["region", "regions"],
  project: ["project", "projects"],
  serviceAccount: ["service account", "service accounts", "project"],
  service: ["service", "services"],
  version: ["version", "versions", "service"],
  resourceType: ["resource type", "resource types", "service"],
  deployment: ["deployment", "deployments", "service"],
  bundle: ["bundle", "bundles"]
}, idParamOf = (kind) => kind === "deployment" ? "region" : kind, COLLECTIONS = CATALOG_KINDS.map((kind) => {
  let [noun, plural, parent] = WORDS[kind], idParam = idParamOf(kind), itemPath = `/v1/${nameOf(kind, `:${idParam}`, parent === void 0 ? void 0 : `:${parent}`)}`;
  return {
    kind,
    noun,
    plural,
    operation: { one: camel(noun), many: camel(plural) },
    itemPath,
    listPath: itemPath.slice(0, itemPath.lastIndexOf("/")),
    idParam,
    ...parent !== void 0 && { parent: { kind: parent, param: parent } }
  };
});
function camel(words2) {
  return words2.split(" ").map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
var INSTANCES = runtime("instance", "instance", "instances"), ADVISORIES = runtime("advisory", "advisory", "advisories"), OVERRIDES = runtime("override", "override", "overrides");
function runtime(kind, noun, plural) {
  let listPath = `/v1/${plural}`, operation = { one: camel(noun), many: camel(plural) };
  return { kind, noun, plural, operation, itemPath: `${listPath}/:${kind}`, listPath, idParam: kind };
}
var INSTANCE_OVERRIDE = {
  ...OVERRIDES,
  operation: { one: "InstanceOverride", many: "Overrides" },
  itemPath: "/v1/instances/:instance/override",
  idParam: "instance"
}, REGION_OVERRIDE = {
  ...OVERRIDES,
  operation: { one: "RegionOverride", many: "Overrides" },
  itemPath: "/v1/services/:service/regions/:region/override",
  idParam: "region",
  parent: { kind: "service", param: "service" }
};
function nameIn({ kind, idParam, parent }, params) {
  return nameOf(kind, params[idParam] ?? "", parent === void 0 ? void 0 : params[parent.param]);
}
var ID_REGEXPS2 = Object.fromEntries(KINDS.map((kind) => [kind, new RegExp(ID_PATTERNS[kind])]));
function checkIds({ kind, idParam, parent }, params) {
  parent !== void 0 && checkId(parent.kind, parent.param, params), checkId(kind, idParam, params);
}
function checkId(kind, param, params) {
  let id2 = params[param] ?? "";
  if (!ID_REGEXPS2[kind].test(id2))
    throw badParameter(param, `${JSON.stringify(id2.slice(0, 80))} ${PATTERN_IN_WORDS.get(ID_PATTERNS[kind]) ?? ""}`);
}

// src/edge/http/list.ts
import { Type as Type7 } from "typebox";

// src/domain/filter-tokens.ts
var SyntaxProblem = class extends Error {
  position;
  constructor(position, message) {
    super(`at character ${position}: ${message}`), this.name = "SyntaxProblem", this.position = position;
  }
};
function faultsOf(parse3) {
  try {
    return { ok: !0, value: parse3() };
  } catch (error) {
    if (error instanceof SyntaxProblem)
      return { ok: !1, error: { position: error.position, message: error.message } };
    throw error;
  }
}
var SPACE = /[ \t\r\n]*/y, WORD = /[\p{L}\p{N}_.\-/+@*~]+/uy, SIGNS = ["(", ")", ",", "=", ":"];
function tokenize(text2) {
  let tokens = [], at2 = 0;
  for (; ; ) {
    let start2 = skip(SPACE, text2, at2), joined = start2 === at2 && tokens.length > 0, [type, value, next] = readToken(text2, start2);
    if (tokens.push({ type, text: value, at: start2, joined }), type === "end") return tokens;
    at2 = next;
  }
}
function readToken(text2, at2) {
  let char = text2[at2];
  if (char === void 0) return ["end", "", at2];
  let sign = SIGNS.find((candidate) => candidate === char);
  if (sign !== void 0) return [sign, sign, at2 + 1];
  if (char === "!") {
    if (text2[at2 + 1] === "=") return ["!=", "!=", at2 + 2];
    throw new SyntaxProblem(at2 + 1, 'expected "!="; write "not" to negate a condition');
  }
  if (char === '"' || char === "'") return readString(text2, at2, char);
  let end = skip(WORD, text2, at2);
  if (end > at2) return ["word", text2.slice(at2, end), end];
  throw new SyntaxProblem(at2 + 1, `${quoteChar(text2, at2)} is not known here; put values that hold it in quotes`);
}
function readString(text2, start2, quote) {
  let value = "";
  for (let at2 = start2 + 1; at2 < text2.length; at2++) {
    let char = text2[at2];
    if (char === quote) return ["string", value, at2 + 1];
    if (char !== "\\") {
      value += char;
      continue;
    }
    at2++;
    let escaped = text2[at2];
    if (escaped !== quote && escaped !== "\\")
      throw new SyntaxProblem(at2, `in a string, \\ may only stand before ${quote} or another \\`);
    value += escaped;
  }
  throw new SyntaxProblem(start2 + 1, `the string that begins here has no closing ${quote}`);
}
function skip(pattern, text2, at2) {
  return pattern.lastIndex = at2, pattern.test(text2) ? pattern.lastIndex : at2;
}
var quoteChar = (text2, at2) => JSON.stringify(String.fromCodePoint(text2.codePointAt(at2) ?? 0));

// src/domain/filter-reader.ts
var TokenReader = class {
  #tokens;
  #next = 0;
  constructor(text2) {
    this.#tokens = tokenize(text2);
  }
  get token() {
    return this.#tokens[this.#next];
  }
  is(type) {
    return this.token.type === type;
  }
  take() {
    let token = this.token;
    return token.type !== "end" && this.#next++, token;
  }
  /** Takes the token if it is the one asked for. */
  accept(type) {
    return this.is(type) ? (this.take(), !0) : !1;
  }
  /** Keywords are words without regard to case. */
  atKeyword(keyword) {
    return this.token.type === "word" && this.token.text.toLowerCase() === keyword;
  }
  acceptKeyword(keyword) {
    return this.atKeyword(keyword) ? (this.take(), !0) : !1;
  }
  fail(expected, token = this.token) {
    let found = token.type === "end" ? "the end" : JSON.stringify(token.text);
    throw new SyntaxProblem(token.at + 1, `expected ${expected}, found ${found}`);
  }
};
function readField(reader, fields) {
  let word = reader.token;
  word.type !== "word" && reader.fail("a field"), reader.take();
  let key = reader.token;
  if (word.text.endsWith(".") && key.type === "string" && key.joined) {
    reader.take();
    let base2 = word.text.slice(0, -1);
    if (fields.get(base2) === "map") return { path: [...base2.split("."), key.text], type: "value", at: word.at };
    throw unknownField(word, `${base2}."${key.text}"`, fields);
  }
  let type = fields.get(word.text);
  if (type !== void 0) return { path: word.text.split("."), type, at: word.at };
  for (let dot = word.text.indexOf("."); dot !== -1; dot = word.text.indexOf(".", dot + 1)) {
    let base2 = word.text.slice(0, dot), rest = word.text.slice(dot + 1);
    if (fields.get(base2) === "map" && rest !== "")
      return { path: [...base2.split("."), rest], type: "value", at: word.at };
  }
  throw unknownField(word, word.text, fields);
}
function unknownField(word, name, fields) {
  let known2 = [...fields].filter(([, type]) => type !== "group").map(([path2, type]) => type === "map" ? `${path2}.KEY` : path2);
  return new SyntaxProblem(word.at + 1, `there is no field ${JSON.stringify(name)}; there are ${known2.join(", ")}`);
}

// src/domain/filter-parser.ts
var NUMBER = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$/, OPERATORS = '"=", "!=", ":" or "in"';
function parseFilterText(text2, fields) {
  if (text2.length > 2048)
    throw new SyntaxProblem(2049, `a filter has at most ${2048} characters`);
  return new Parser(text2, fields).parse();
}
var Parser = class {
  #reader;
  #fields;
  #literals = 0;
  constructor(text2, fields) {
    this.#reader = new TokenReader(text2), this.#fields = fields;
  }
  parse() {
    let reader = this.#reader;
    if (reader.is("end")) return { kind: "and", parts: [] };
    let filter = this.#or(0);
    return reader.is("end") || reader.fail('"and", "or" or the end (quote a value that has spaces or any of =!:(),)'), filter;
  }
  #or(depth) {
    return this.#chain("or", () => this.#chain("and", () => this.#not(depth)));
  }
  #chain(keyword, part) {
    let parts = [part()];
    for (; this.#reader.acceptKeyword(keyword); ) parts.push(part());
    return parts.length === 1 ? parts[0] : { kind: keyword, parts };
  }
  #not(depth) {
    let reader = this.#reader, { at: at2 } = reader.token;
    if (depth > 32)
      throw new SyntaxProblem(at2 + 1, `parentheses and "not" may be nested ${32} deep at most`);
    if (reader.acceptKeyword("not")) return { kind: "not", part: this.#not(depth + 1) };
    if (!reader.accept("(")) return this.#condition();
    let inner = this.#or(depth + 1);
    return reader.accept(")") || reader.fail(`"and", "or" or ")" for the "(" at character ${at2 + 1}`), inner;
  }
  #condition() {
    let reader = this.#reader;
    reader.is("word") || reader.fail('a field, "not" or "("');
    let field = readField(reader, this.#fields);
    if (reader.acceptKeyword("in")) return this.#in(field);
    let operator = reader.token;
    if (operator.type !== "=" && operator.type !== "!=" && operator.type !== ":") return reader.fail(OPERATORS);
    reader.take(), this.#check(field, operator.type);
    let literal = this.#literal(), { path: path2 } = field;
    if (operator.type === ":") return { kind: "contains", path: path2, literal };
    let equals2 = { kind: "equals", path: path2, literals: [literal] };
    return operator.type === "=" ? equals2 : { kind: "not", part: equals2 };
  }
  #in(field) {
    let reader = this.#reader;
    this.#check(field, "in"), reader.accept("(") || reader.fail('"(" and the values that "in" may be');
    let literals = [];
    do
      literals.push(this.#literal());
    while (reader.accept(","));
    return reader.accept(")") || reader.fail('"," or ")"'), { kind: "equals", path: field.path, literals };
  }
  /** A group has no value, and a map only keys: a condition on them could never hold. */
  #check(field, operator) {
    let name = field.path.join(".");
    if (field.type === "group") {
      let parts = [...this.#fields.keys()].filter((path2) => path2.startsWith(`${name}.`));
      throw new SyntaxProblem(field.at + 1, `${name} has parts; name one of ${parts.join(", ")}`);
    }
    if (field.type === "map" && operator !== ":")
      throw new SyntaxProblem(
        field.at + 1,
        `${name} is a map; write ${name}.KEY ${operator} ..., or ${name}:KEY to ask for a key`
      );
  }
  #literal() {
    let reader = this.#reader, { type, text: text2, at: at2 } = reader.token;
    if (type !== "word" && type !== "string" && reader.fail("a value"), ++this.#literals > 128)
      throw new SyntaxProblem(at2 + 1, `a filter has at most ${128} values`);
    return reader.take(), type === "string" ? { text: text2 } : text2 === "true" || text2 === "false" ? { text: text2, boolean: text2 === "true" } : NUMBER.test(text2) ? { text: text2, number: Number(text2) } : { text: text2 };
  }
};

// src/domain/fields.ts
var PARENT_FIELD = "parent";
function someValue(item, path2, test) {
  return path2[0] === "id" ? test(item.id) : path2[0] === PARENT_FIELD ? test(item.parent) : walk(item.value, path2, 0, test);
}
function valueAt(item, path2) {
  let found;
  return someValue(item, path2, (value) => (found = value, !0)), found;
}
function walk(value, path2, depth, test) {
  let name = path2[depth];
  return name === void 0 ? value !== void 0 && test(value) : Array.isArray(value) ? value.some((element) => walk(element, path2, depth, test)) : typeof value != "object" || value === null || !Object.hasOwn(value, name) ? !1 : walk(value[name], path2, depth + 1, test);
}

// src/domain/filter-evaluate.ts
function matchesFilter(filter, item) {
  switch (filter.kind) {
    case "and":
      return filter.parts.every((part) => matchesFilter(part, item));
    case "or":
      return filter.parts.some((part) => matchesFilter(part, item));
    case "not":
      return !matchesFilter(filter.part, item);
    case "equals":
      return someValue(item, filter.path, (value) => filter.literals.some((literal) => equals(value, literal)));
    case "contains":
      return someValue(item, filter.path, (value) => contains(value, filter.literal));
  }
}
function equals(value, literal) {
  switch (typeof value) {
    case "string":
      return value === literal.text;
    case "number":
      return value === literal.number;
    case "boolean":
      return value === literal.boolean;
    default:
      return Array.isArray(value) && value.some((element) => equals(element, literal));
  }
}
function contains(value, literal) {
  return typeof value == "string" ? value.includes(literal.text) : typeof value != "object" || value === null || Array.isArray(value) ? equals(value, literal) : Object.hasOwn(value, literal.text);
}

// src/domain/filter.ts
function parseFilter(text2, fields) {
  return faultsOf(() => parseFilterText(text2, fields));
}

// src/domain/versions.ts
function compareVersions(a, b) {
  if (a === b) return 0;
  let left = numbersOf(a), right = numbersOf(b), length = Math.max(left.length, right.length);
  for (let i = 0; i < length; i++) {
    let difference = (left[i] ?? END) - (right[i] ?? END);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : 1;
}
function newestOf(versions) {
  let newest;
  for (let version of versions)
    (newest === void 0 || compareVersions(version, newest) > 0) && (newest = version);
  return newest;
}
var FORM3 = /^v([0-9]{1,9})(?:(alpha|beta)([0-9]{1,9})|((?:\.[0-9]{1,9}){1,7}))?$/, NOT_A_VERSION = [-1], END = -0.5, STAGES = { alpha: -2, beta: -1 }, parsed = /* @__PURE__ */ new Map(), KEPT = 1e4;
function numbersOf(version) {
  let numbers = parsed.get(version);
  return numbers === void 0 && (parsed.size >= KEPT && parsed.clear(), parsed.set(version, numbers = parse2(version))), numbers;
}
function parse2(version) {
  let [, major, stage, stageNumber, dotted] = FORM3.exec(version) ?? [];
  return major === void 0 ? NOT_A_VERSION : stage !== void 0 ? [Number(major), STAGES[stage] ?? 0, Number(stageNumber)] : dotted !== void 0 ? [Number(major), ...dotted.slice(1).split(".").map(Number)] : [Number(major)];
}

// src/domain/order-by.ts
var BY_NAME = [], MAX_LENGTH = 512, MAX_KEYS2 = 8;
function parseOrderBy(text2, kind, fields) {
  return faultsOf(() => {
    if (text2.length > MAX_LENGTH)
      throw new SyntaxProblem(MAX_LENGTH + 1, `an order has at most ${MAX_LENGTH} characters`);
    let reader = new TokenReader(text2);
    if (reader.is("end")) return BY_NAME;
    let keys = [];
    do
      keys.push(readKey(reader, kind, fields));
    while (reader.accept(","));
    if (reader.is("end") || reader.fail('",", "asc", "desc" or the end'), keys.length > MAX_KEYS2) throw new SyntaxProblem(1, `an order has at most ${MAX_KEYS2} fields`);
    let [first] = keys;
    return keys.length === 1 && first?.path[0] === "name" && !first.descending ? BY_NAME : keys;
  });
}
function readKey(reader, kind, fields) {
  let { path: path2, type, at: at2 } = readField(reader, fields);
  if (type !== "value") throw new SyntaxProblem(at2 + 1, `${path2.join(".")} has not one value to order by`);
  let descending = reader.acceptKeyword("desc");
  return descending || reader.acceptKeyword("asc"), { path: path2, descending, versions: holdsVersions(kind, path2) };
}
var holdsVersions = (kind, path2) => kind === "deployment" && path2[0] === "currentVersion" || kind === "version" && path2[0] === "id";
function sortKeyOf(item, order) {
  return { values: order.map((key) => valueAt(item, key.path) ?? null), name: item.name };
}
function compareSortKeys(a, b, order) {
  for (let [i, key] of order.entries()) {
    let difference = compareValues(a.values[i] ?? null, b.values[i] ?? null, key.versions);
    if (difference !== 0) return key.descending ? -difference : difference;
  }
  return a.name === b.name ? 0 : a.name < b.name ? -1 : 1;
}
function compareValues(a, b, versions) {
  if (a === b) return 0;
  if (versions && typeof a == "string" && typeof b == "string") return compareVersions(a, b);
  let rank = rankOf(a) - rankOf(b);
  return rank !== 0 ? rank : a < b ? -1 : 1;
}
var RANKS = { object: 0, boolean: 1, number: 2, string: 3 }, rankOf = (value) => RANKS[typeof value] ?? 0;

// src/domain/page.ts
function pageOf3(items, query) {
  return query.order.length === 0 ? pageByName(items, query) : pageByKeys(items, query);
}
function pageByName(items, { filter, after, size: size2 }) {
  let found = [];
  for (let i = after === void 0 ? 0 : firstAfter(items, after.name); i < items.length; i++) {
    let item = items[i];
    if (!(filter !== void 0 && !matchesFilter(filter, item))) {
      if (found.length === size2) return { items: found, next: { values: [], name: found[size2 - 1].name } };
      found.push(item);
    }
  }
  return { items: found, next: void 0 };
}
function pageByKeys(items, { filter, order, after, size: size2 }) {
  let rows = [];
  for (let item of items) {
    if (filter !== void 0 && !matchesFilter(filter, item)) continue;
    let key = sortKeyOf(item, order);
    (after === void 0 || compareSortKeys(key, after, order) > 0) && rows.push({ item, key });
  }
  rows.sort((a, b) => compareSortKeys(a.key, b.key, order));
  let page2 = rows.slice(0, size2);
  return { items: page2.map((row) => row.item), next: rows.length > size2 ? page2.at(-1)?.key : void 0 };
}
function firstAfter(items, name) {
  let low = 0, high = items.length;
  for (; low < high; ) {
    let middle = low + high >>> 1;
    items[middle].name <= name ? low = middle + 1 : high = middle;
  }
  return low;
}

// src/domain/page-token.ts
function encodePageToken(query, last) {
  let bytes = new TextEncoder().encode(JSON.stringify([1, hashOf2(query), last.name, ...last.values]));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
function decodePageToken(query, token, keys) {
  let parts = read3(token);
  if (parts === void 0) return "broken";
  let [version, hash2, name, ...values] = parts;
  return version !== 1 || typeof name != "string" ? "broken" : hash2 !== hashOf2(query) ? "other-query" : values.length === keys && values.every(isSortValue) ? { values, name } : "broken";
}
function read3(token) {
  if (!(token.length > 8192))
    try {
      let binary = atob(token.replaceAll("-", "+").replaceAll("_", "/")), bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0)), value = JSON.parse(new TextDecoder("utf-8", { fatal: !0 }).decode(bytes));
      return Array.isArray(value) ? value : void 0;
    } catch {
      return;
    }
}
var isSortValue = (value) => value === null || typeof value != "object";
function hashOf2({ collection, filter, orderBy }) {
  let text2 = JSON.stringify([collection, filter, orderBy]), hash2 = 2166136261;
  for (let i = 0; i < text2.length; i++) hash2 = Math.imul(hash2 ^ text2.charCodeAt(i), 16777619);
  return hash2 >>> 0;
}

// src/protocol/fields.ts
var HAS_PARENT = /* @__PURE__ */ new Set(["serviceAccount", "version", "resourceType", "deployment"]), FIELDS = Object.fromEntries(
  KINDS.map((kind) => [kind, fieldsOf(kind)])
);
function fieldsOf(kind) {
  let fields = /* @__PURE__ */ new Map([
    ["name", "value"],
    ["id", "value"]
  ]);
  return HAS_PARENT.has(kind) && fields.set(PARENT_FIELD, "value"), addProperties(fields, "", RESOURCES[kind], !1), fields;
}
function addProperties(fields, prefix, schema, inList) {
  for (let branch of schema.oneOf ?? [schema])
    for (let [name, field] of Object.entries(branch.properties ?? {}))
      prefix + name !== "warnings" && addField(fields, prefix + name, field, inList);
}
function addField(fields, path2, schema, inList) {
  if (schema.type === "array") {
    let isGroup = schema.items?.type === "object";
    fields.set(path2, isGroup ? "group" : "list"), isGroup && schema.items !== void 0 && addProperties(fields, `${path2}.`, schema.items, !0);
  } else typeof schema.additionalProperties == "object" ? fields.set(path2, "map") : schema.type === "object" ? (fields.set(path2, "group"), addProperties(fields, `${path2}.`, schema, inList)) : fields.set(path2, inList ? "list" : "value");
}

// src/edge/seen.ts
var seenBy = ({ caller }, { view }) => view.seenBy(sightOf2(caller));

// src/edge/http/list.ts
var DEFAULT_PAGE_SIZE = 100, ListQuery = Type7.Object(
  {
    filter: Type7.Optional(
      Type7.String({
        description: "Only what passes, such as `displayName:iam and not labels.tier = 1`. docs/filters.md has the language.",
        examples: ["labels.team = identity"]
      })
    ),
    orderBy: Type7.Optional(
      Type7.String({
        description: "Fields, each with `asc` or `desc`, such as `displayName desc, name`. By default by name."
      })
    ),
    pageSize: Type7.Optional(
      Type7.Integer({
        minimum: 1,
        maximum: 1e3,
        default: DEFAULT_PAGE_SIZE,
        description: "How many items a page has at most."
      })
    ),
    pageToken: Type7.Optional(
      Type7.String({
        description: "The `nextPageToken` of the page before, with the same filter and orderBy. What is there throughout is listed exactly once, whatever changes between the pages."
      })
    )
  },
  { additionalProperties: !1 }
);
function list({ state }, collection) {
  let firstPage = firstPageCache();
  return (request, reply) => {
    let query = request.query, parent = collection.parent === void 0 ? void 0 : request.params[collection.parent.param], items = itemsOf(seenBy(request, state), collection, parent), isPlain = query.filter === void 0 && query.orderBy === void 0 && query.pageToken === void 0, size2 = query.pageSize ?? DEFAULT_PAGE_SIZE, { revision } = state.head, answer5 = isPlain ? firstPage(items, size2, revision, collection, parent) : `${queried(items, size2, query, collection, parent)}${revision}}`;
    sendJson(reply, answer5);
  };
}
function itemsOf(view, { kind, parent }, id2) {
  if (parent === void 0 || id2 === void 0 || id2 === "-") return view.sorted(byKind(kind));
  let items = view.sorted(children(kind, id2));
  if (items.length > 0) return items;
  let name = nameOf(parent.kind, id2);
  if (view.get(name)?.kind === parent.kind) return items;
  throw new Problem("not-found", `There is no ${parent.kind} ${JSON.stringify(name.slice(0, 400))}.`);
}
function firstPageCache() {
  let pages = /* @__PURE__ */ new WeakMap();
  return (items, size2, revision, collection, parent) => {
    let kept = pages.get(items);
    if (kept?.size === size2 && kept.revision === revision) return kept.bytes;
    let body = kept?.size === size2 ? kept.body : encode(pageOf3(items, { order: BY_NAME, size: size2 }), tokenQuery(collection, parent, {})), bytes = Buffer.from(`${body}${revision}}`);
    return pages.set(items, { size: size2, body, revision, bytes }), bytes;
  };
}
function queried(items, size2, query, collection, parent) {
  let token = tokenQuery(collection, parent, query), filter = filterOf(collection, query), order = orderOf(collection, query), after = query.pageToken === void 0 || query.pageToken === "" ? void 0 : cursorOf(token, query.pageToken, order), page2 = pageOf3(items, { order, size: size2, ...filter && { filter }, ...after && { after } });
  return encode(page2, token);
}
var tokenQuery = (collection, parent, query) => ({
  collection: `${collection.kind}/${parent ?? ""}`,
  filter: query.filter ?? "",
  orderBy: query.orderBy ?? ""
});
function filterOf({ kind }, { filter }) {
  if (filter === void 0) return;
  let parsed2 = parseFilter(filter, FIELDS[kind]);
  if (!parsed2.ok) throw badParameter("filter", parsed2.error.message);
  return parsed2.value;
}
function orderOf({ kind }, { orderBy }) {
  if (orderBy === void 0) return BY_NAME;
  let parsed2 = parseOrderBy(orderBy, kind, FIELDS[kind]);
  if (!parsed2.ok) throw badParameter("orderBy", parsed2.error.message);
  return parsed2.value;
}
function cursorOf(query, token, order) {
  let cursor = decodePageToken(query, token, order.length);
  if (cursor === "other-query")
    throw badParameter(
      "pageToken",
      "belongs to a list with another path, filter or orderBy; send the same ones, or no token"
    );
  if (cursor === "broken")
    throw badParameter("pageToken", "is not one that a list has answered; send a nextPageToken as it is, or no token");
  return cursor;
}
function encode({ items, next }, query) {
  let token = next === void 0 ? "" : encodePageToken(query, next);
  return `{"items":[${items.map((item) => item.json).join(",")}],"nextPageToken":"${token}","revision":`;
}

// src/edge/preconditions.ts
function expectationOf(headers) {
  let match = headers["if-match"], noneMatch = headers["if-none-match"];
  if (match !== void 0 && noneMatch !== void 0)
    throw new Problem("invalid", "If-Match and If-None-Match exclude each other; send one of them.");
  if (noneMatch !== void 0) {
    if (noneMatch.trim() === "*") return { expect: "absent" };
    throw badHeader("If-None-Match", "of a write must be *, which means that the resource must not exist");
  }
  if (match === void 0) return {};
  if (match.trim() === "*") return { expect: "*" };
  let revision = /^\s*"([0-9]{1,15})"\s*$/.exec(match)?.[1];
  if (revision !== void 0) return { expect: Number(revision) };
  throw badHeader("If-Match", 'must be * or the ETag of the resource: its revision in double quotes, such as "42"');
}
function isFresh(ifNoneMatch, revision) {
  return ifNoneMatch.split(",").some((tag) => {
    let text2 = tag.trim();
    return text2 === "*" || text2 === `"${revision}"` || text2 === `W/"${revision}"`;
  });
}

// src/edge/http/read-one.ts
function readOne({ state }, collection) {
  return (request, reply) => {
    let name = nameIn(collection, request.params), item = seenBy(request, state).get(name);
    if (item === void 0 || item.kind !== collection.kind)
      throw new Problem("not-found", `There is no ${collection.noun} ${JSON.stringify(name.slice(0, 400))}.`);
    let held = request.headers["if-none-match"];
    held !== void 0 && isFresh(held, item.revision) ? reply.code(304).header("etag", etagOf(item.revision)).send() : sendItem(reply, item);
  };
}

// src/edge/http/advisories.ts
function advisoryRoutes(app, deps) {
  app.route({
    method: "GET",
    url: ADVISORIES.listPath,
    config: { action: "instance.read" },
    schema: {
      operationId: "ListAdvisories",
      tags: ["instances"],
      summary: "List advisories: what people should know about now",
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json("A page of advisories, in order.", pageOf2("Advisory")) }, LIST_PROBLEMS)
    },
    handler: list(deps, ADVISORIES)
  }), app.route({
    method: "GET",
    url: ADVISORIES.itemPath,
    config: { action: "instance.read" },
    schema: {
      operationId: "GetAdvisory",
      tags: ["instances"],
      summary: "Read an advisory",
      params: Type8.Object({ advisory: Type8.String({ description: "The id of the advisory." }) }),
      querystring: NO_QUERY,
      headers: ReadHeaders,
      response: answers({ 200: { ...json("The advisory.", ref("Advisory")), headers: ETAG } }, READ_PROBLEMS)
    },
    handler: readOne(deps, ADVISORIES)
  });
}

// src/edge/http/catalog.ts
import { Type as Type10 } from "typebox";

// src/edge/http/write-one.ts
import { Type as Type9 } from "typebox";

// src/edge/http/execute.ts
async function execute({ registry, clock }, request, wish, dryRun2) {
  let result = await registry.execute(
    { caller: request.caller, origin: originOf2(request), at: clock(), ...wish },
    { dryRun: dryRun2 }
  );
  if (!result.ok) throw fromRefusal(result.refusal);
  return result;
}

// src/edge/http/write-one.ts
var dryRun = Type9.Optional(
  Type9.Boolean({
    default: !1,
    description: "Answer exactly what the write would, and change nothing (COV5)."
  })
), WriteQuery = Type9.Object({ dryRun }, { additionalProperties: !1 }), putOne = (deps, collection) => write2(deps, collection, (name, request) => ({ op: "put", name, value: documentOf(request, name) })), patchOne = (deps, collection) => write2(deps, collection, (name, request) => ({ op: "patch", name, patch: documentOf(request, name) })), deleteOne = (deps, collection) => write2(deps, collection, (name) => ({ op: "delete", name }));
function write2(deps, collection, editOf) {
  return async (request, reply) => {
    let params = request.params;
    checkIds(collection, params);
    let name = nameIn(collection, params), edits = [editOf(name, request)], query = request.query, accepted = await execute(deps, request, { edits, ...expectationOf(request.headers) }, query.dryRun === !0);
    return query.dryRun === !0 ? reply.header("x-signalbox-dry-run", "true") : reply.header(REVISION_HEADER, accepted.revision), answer2(reply, name, accepted);
  };
}
function documentOf(request, name) {
  let document = jsonOf(request);
  if (typeof document != "object" || document === null || Array.isArray(document))
    throw new Problem("invalid", {
      detail: "The body must be a JSON object.",
      errors: [{ pointer: "", detail: "must be an object" }]
    });
  let own2 = document.name;
  if (own2 !== void 0 && own2 !== name) {
    let detail = `must be ${JSON.stringify(name)}, as in the path, or be left out`;
    throw new Problem("invalid", { detail: `name ${detail}`, errors: [{ pointer: "/name", detail }] });
  }
  return document;
}
function answer2(reply, name, { outcomes, warnings, revision }) {
  let outcome = outcomes.find((candidate) => candidate.name === name), after = outcome?.after;
  if (after === void 0)
    return sendJson(reply, JSON.stringify({ name, revision, deleted: !0, ...warnings.length > 0 && { warnings } }));
  isCreation(outcome) && reply.code(201).header("location", `/v1/${name}`), reply.header("etag", etagOf(after.revision));
  let json2 = warnings.length === 0 ? after.json : `${after.json.slice(0, -1)},"warnings":${JSON.stringify(warnings)}}`;
  return sendJson(reply, json2);
}
var isCreation = (outcome) => outcome?.op === "created";

// src/edge/http/catalog.ts
var PATCH_TYPES = ["application/merge-patch+json", ...JSON_BODY], IF_MATCH = {
  "if-match": Type10.Optional(Type10.String({ description: "The ETag the resource must have, or * for any." }))
}, IF_NONE_MATCH = {
  "if-none-match": Type10.Optional(Type10.String({ description: "* : the resource must not exist." }))
};
function catalogRoutes(app, deps) {
  app.register((scope, _options, done) => {
    acceptOnly(scope, []);
    for (let collection of COLLECTIONS) readRoutes(scope, deps, collection);
    done();
  }), app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY);
    for (let collection of COLLECTIONS) putRoute(scope, deps, collection);
    done();
  }), app.register((scope, _options, done) => {
    acceptOnly(scope, PATCH_TYPES);
    for (let collection of COLLECTIONS) patchRoute(scope, deps, collection);
    done();
  });
}
function readRoutes(app, deps, collection) {
  let { noun, plural, operation, itemPath, listPath, parent, kind } = collection;
  app.route({
    method: "GET",
    url: listPath,
    config: { action: "catalog.read" },
    schema: {
      ...head(`List${operation.many}`, `List ${plural}`),
      ...parent && {
        description: `With \`-\` in place of the ${parent.kind}, the ${plural} of all ${parent.kind}s.`
      },
      ...parent && { params: listParams(collection) },
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json(`A page of ${plural}, in order.`, pageOf2(componentOf(kind))) }, READ_PROBLEMS)
    },
    handler: list(deps, collection)
  }), app.route({
    method: "GET",
    url: itemPath,
    config: { action: "catalog.read" },
    schema: {
      ...head(`Get${operation.one}`, `Read a ${noun}`),
      params: itemParams(collection),
      querystring: NO_QUERY,
      headers: Type10.Object({
        ...MIN_REVISION,
        "if-none-match": Type10.Optional(Type10.String({ description: "ETags that the caller has." }))
      }),
      response: answers(
        { 200: resource(kind, `The ${noun}.`), 304: { description: "The caller has it already.", headers: ETAG } },
        READ_PROBLEMS
      )
    },
    handler: readOne(deps, collection)
  }), app.route({
    method: "DELETE",
    url: itemPath,
    config: { action: "catalog.delete" },
    schema: {
      ...head(`Delete${operation.one}`, `Delete a ${noun}`),
      params: itemParams(collection),
      querystring: WriteQuery,
      headers: Type10.Object(IF_MATCH),
      response: answers({ 200: json("It is gone.", DELETED) }, ["not-found", ...REFUSALS])
    },
    handler: deleteOne(deps, collection)
  });
}
function putRoute(app, deps, collection) {
  let { noun, operation, itemPath, kind } = collection;
  app.route({
    method: "PUT",
    url: itemPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: "catalog.write", accepts: JSON_BODY },
    schema: {
      ...head(`Put${operation.one}`, `Create or replace a ${noun}`),
      description: "Fields that are left out take their defaults. A body that says what is there already changes nothing and makes no revision (REV3).",
      params: itemParams(collection),
      querystring: WriteQuery,
      headers: Type10.Object({ ...IF_MATCH, ...IF_NONE_MATCH }),
      body: { content: { "application/json": { schema: ref(componentOf(kind)) } } },
      response: answers({ 200: written(kind, "Replaced, or unchanged."), 201: written(kind, "Created.") }, [
        ...REFUSALS,
        ...BODY_REFUSALS
      ])
    },
    handler: putOne(deps, collection)
  });
}
function patchRoute(app, deps, collection) {
  let { noun, operation, itemPath, kind } = collection, schema = {
    type: "object",
    description: "A JSON merge patch (RFC 7396): null removes a field, lists are replaced whole."
  };
  app.route({
    method: "PATCH",
    url: itemPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: "catalog.write", accepts: PATCH_TYPES },
    schema: {
      ...head(`Patch${operation.one}`, `Change a ${noun}`),
      params: itemParams(collection),
      querystring: WriteQuery,
      headers: Type10.Object(IF_MATCH),
      body: { content: Object.fromEntries(PATCH_TYPES.map((type) => [type, { schema }])) },
      response: answers({ 200: written(kind, "Changed, or unchanged.") }, ["not-found", ...REFUSALS, ...BODY_REFUSALS])
    },
    handler: patchOne(deps, collection)
  });
}
var head = (operationId, summary) => ({ operationId, tags: ["catalog"], summary }), resource = (kind, description) => ({
  ...json(description, ref(componentOf(kind))),
  headers: ETAG
}), written = (kind, description) => ({
  ...resource(kind, description),
  headers: { ...ETAG, "X-Signalbox-Dry-Run": { type: "string", description: "true when nothing was written." } }
}), DELETED = Type10.Object({
  name: Type10.String(),
  revision: Type10.Integer({ description: "The revision that deleted it." }),
  deleted: Type10.Literal(!0)
});
function itemParams({ kind, noun, idParam, parent }) {
  let own2 = { [idParam]: id(kind, { description: `The id of the ${noun}.` }) };
  return Type10.Object(
    parent === void 0 ? own2 : { [parent.param]: id(parent.kind, { description: `The id of the ${parent.kind}.` }), ...own2 }
  );
}
var listParams = ({ parent }) => Type10.Object({
  [parent?.param ?? ""]: Type10.String({ description: `The id of a ${parent?.kind}, or \`-\` for all.` })
});

// src/edge/http/coverage.ts
import { Type as Type11 } from "typebox";

// src/domain/coverage.ts
function importProblem(state, { service, version }, region) {
  let deployment = deploymentOf(state, service, region)?.value;
  return deployment === void 0 ? "import-not-deployed" : deployment.disabled ? "import-disabled" : compareVersions(version, deployment.currentVersion) > 0 ? "import-version-too-old" : void 0;
}
function serves(deployment, version) {
  let order = compareVersions(version.id, deployment.value.currentVersion);
  return order === 0 || order < 0 && !isRetired(version);
}
function checkCoverage(delta, found) {
  let importers = /* @__PURE__ */ new Map(), weakened = [];
  for (let { before, after } of delta.touches.values())
    if (after?.kind === "version") {
      if (before?.kind === "version" && !needsMore(before, after)) continue;
      for (let deployment of deploymentsOf(delta.after, after.parent))
        serves(deployment, after) && importers.set(deployment.name, deployment);
    } else if (after?.kind === "deployment") {
      let old = before?.kind === "deployment" ? before : void 0;
      old?.value.currentVersion !== after.value.currentVersion && importers.set(after.name, after), old !== void 0 && weakens(old, after) && weakened.push({ service: after.parent, region: after.id });
    } else before?.kind === "deployment" && weakened.push({ service: before.parent, region: before.id });
  for (let deployment of importers.values()) checkCoverageOf(delta.after, deployment, found);
  for (let { service, region } of weakened) checkImporters(delta.after, service, region, importers, found);
}
function checkCoverageOf(state, deployment, found) {
  for (let version of versionsOf(state, deployment.parent))
    if (!(version.value.imports.length === 0 || !serves(deployment, version)))
      for (let imported of version.value.imports) checkImport(state, version, imported, deployment.id, found);
}
function checkImporters(state, service, region, checked, found) {
  for (let version of importingVersions(state, service)) {
    let deployment = deploymentOf(state, version.parent, region);
    if (!(deployment === void 0 || checked.has(deployment.name) || !serves(deployment, version)))
      for (let imported of version.value.imports)
        imported.service === service && checkImport(state, version, imported, region, found);
  }
}
function checkImport(state, importer, imported, region, found) {
  if (imported.service === importer.parent) return;
  let problem = importProblem(state, imported, region);
  if (problem === void 0) return;
  let version = versionOf(state, imported.service, imported.version);
  if (version === void 0 || isRetired(version)) return;
  let { service, version: importedVersion } = imported, running = deploymentOf(state, service, region)?.value.currentVersion ?? "", why = {
    "import-not-deployed": `${service} is not deployed there`,
    "import-disabled": `${service} is disabled there`,
    "import-version-too-old": `${service} runs only ${running} there`
  }[problem];
  found.push({
    about: deploymentName(service, region),
    violation: {
      code: problem,
      rule: "COV1",
      resource: importer.name,
      importer: importer.parent,
      importerVersion: importer.id,
      imported: service,
      importedVersion,
      region,
      message: `${importer.parent} ${importer.id} runs in ${region} and imports ${service} ${importedVersion}, but ${why}.`
    }
  });
}
function needsMore(before, after) {
  if (isRetired(before) && !isRetired(after)) return !0;
  let had = new Map(before.value.imports.map(({ service, version }) => [service, version]));
  return after.value.imports.some(({ service, version }) => had.get(service) !== version);
}
var weakens = ({ value: before }, { value: after }) => after.disabled && !before.disabled || compareVersions(after.currentVersion, before.currentVersion) < 0;

// src/domain/normalise.ts
function bodyOf(kind, raw2, identity) {
  switch (kind) {
    case "region":
      return { title: raw2.title, ...locationOf(raw2), labels: labelsOf2(raw2) };
    case "project":
      return { title: raw2.title, labels: labelsOf2(raw2) };
    case "serviceAccount":
      return { ...given(raw2, ACCOUNT_FIELDS), labels: labelsOf2(raw2) };
    case "service": {
      let { apiId, project, creator, effectiveUses: effectiveUses2 } = identity, { displayName, globalEndpoint, primaryRegion } = raw2, uses = setOf(raw2.uses);
      return {
        ...{ displayName, apiId, project, creator, globalEndpoint, primaryRegion, public: raw2.public === !0 },
        ...filled(raw2, "importers"),
        ...filled(raw2, "owners"),
        uses,
        effectiveUses: effectiveUses2,
        labels: labelsOf2(raw2)
      };
    }
    case "version":
      return { imports: importsOf(raw2.imports), lifecycle: lifecycleOf(raw2.lifecycle), labels: labelsOf2(raw2) };
    case "resourceType":
      return { plural: raw2.plural, versions: typeVersionsOf(raw2.versions), labels: labelsOf2(raw2) };
    case "deployment":
      return deploymentOf2(raw2);
    case "bundle":
      return {
        ...given(raw2, TITLE),
        members: setOf(raw2.members),
        rules: rulesOf(raw2.rules),
        labels: labelsOf2(raw2)
      };
  }
}
function contradictions2(kind, raw2) {
  return kind === "version" ? twice("imports", raw2.imports, "service", "version") : kind === "resourceType" ? twice("versions", raw2.versions, "version", "regional") : [];
}
function itemOf(parts, assigned2, body, bodyJson) {
  let { name, revision, createTime, updateTime } = assigned2, value = { name, revision, createTime, updateTime, ...body }, json2 = jsonOf2(assigned2, bodyJson);
  return { kind: parts.kind, name, id: parts.id, parent: parts.parent ?? parts.id, revision, value, json: json2 };
}
var hasBody = (item, bodyJson) => item.json === jsonOf2(item.value, bodyJson);
function jsonOf2({ name, revision, createTime, updateTime }, bodyJson) {
  return `{"name":"${name}","revision":${revision},"createTime":"${createTime}","updateTime":"${updateTime}",${bodyJson.slice(1)}`;
}
var TITLE = ["title"], ACCOUNT_FIELDS = ["title", "subject", "clientId"], LOCATION_FIELDS = ["continent", "country", "agglomeration", "city", "cloud"], RULES = [
  "deployedTogether",
  "everyRegion",
  "onePrimaryRegion",
  "oneDomain",
  "upgradedTogether",
  "public",
  "usedByEveryone"
];
function given(raw2, fields) {
  let found = {};
  for (let field of fields) raw2[field] !== void 0 && (found[field] = raw2[field]);
  return found;
}
function deploymentOf2(raw2) {
  let body = { regionalEndpoint: raw2.regionalEndpoint };
  return raw2.privateEndpoint !== void 0 && (body.privateEndpoint = raw2.privateEndpoint), raw2.localNetworkId !== void 0 && (body.localNetworkId = raw2.localNetworkId), body.currentVersion = raw2.currentVersion, body.disabled = raw2.disabled === !0, raw2.location !== void 0 && Object.assign(body, locationOf(raw2)), body.labels = labelsOf2(raw2), body;
}
var NO_LABELS2 = Object.freeze({});
function labelsOf2(raw2) {
  let labels2 = raw2.labels;
  if (labels2 === void 0) return NO_LABELS2;
  let keys = Object.keys(labels2);
  return keys.length === 0 ? NO_LABELS2 : Object.fromEntries(keys.sort().map((key) => [key, labels2[key]]));
}
function locationOf(raw2) {
  if (raw2.location === void 0) return {};
  let location2 = given(raw2.location, LOCATION_FIELDS);
  return Object.keys(location2).length === 0 ? {} : { location: location2 };
}
function setOf(raw2) {
  return raw2 === void 0 ? [] : [...new Set(raw2)].sort();
}
function filled(raw2, field) {
  let set2 = setOf(raw2[field]);
  return set2.length === 0 ? {} : { [field]: set2 };
}
function importsOf(raw2) {
  return [...new Map(
    raw2?.map(({ service, version }) => [service, { service, version }])
  ).values()].sort((a, b) => a.service < b.service ? -1 : 1);
}
function lifecycleOf(raw2) {
  let lifecycle2 = raw2;
  return lifecycle2?.state === "deprecated" ? { state: "deprecated", sunset: lifecycle2.sunset } : { state: lifecycle2?.state ?? "active" };
}
function typeVersionsOf(raw2) {
  return [...new Map(
    raw2?.map((v) => [
      v.version,
      { version: v.version, regional: v.regional === !0 }
    ])
  ).values()].sort((a, b) => compareVersions(b.version, a.version));
}
function rulesOf(raw2) {
  let rules2 = raw2;
  return Object.fromEntries(RULES.map((rule) => [rule, rules2?.[rule] === !0]));
}
function twice(field, raw2, key, says) {
  let seen2 = /* @__PURE__ */ new Map(), errors2 = [];
  for (let [i, entry] of (raw2 ?? []).entries()) {
    let other = seen2.get(entry[key]), mine = entry[says] ?? !1;
    other !== void 0 && other !== mine && errors2.push({
      pointer: `/${field}/${i}`,
      detail: `${String(entry[key])} is listed twice, and not with the same ${says}`
    }), seen2.set(entry[key], mine);
  }
  return errors2;
}

// src/domain/instances/check.ts
var SERVICE_ID = "{serviceId}";
function provesIdentity(check3) {
  return check3.type === "ttl" ? !0 : check3.type === "http" ? check3.path.includes(SERVICE_ID) : check3.type === "grpc" && check3.service.includes(SERVICE_ID);
}
var JITTER = 0.05, TELLING_MS = 1e3;
function detectionBoundMs(check3) {
  if (check3.type === "ttl") return milliseconds(check3.ttl) + TELLING_MS;
  let rounds = check3.unhealthyAfter * milliseconds(check3.interval) * (1 + JITTER);
  return Math.ceil(rounds) + milliseconds(check3.timeout) + TELLING_MS;
}
var detectionBound = (check3) => formatDuration(detectionBoundMs(check3));

// src/domain/instances/build.ts
var regionOf = ({ region }) => region ?? NO_REGION, standingOf2 = (instance) => ({
  generation: instance.generation,
  status: instance.status,
  statusSince: instance.statusSince,
  statusReason: instance.statusReason,
  displacedBy: instance.displacedBy
});
function registrationOf(instance) {
  let { service, environment, protocol, address, port: port2, version, region, tags, metadata, check: check3 } = instance;
  return {
    service,
    ...environment !== void 0 && { environment },
    protocol,
    address,
    port: port2,
    ...version !== void 0 && { version },
    ...region !== void 0 && { region },
    weight: instance.registeredWeight,
    tags,
    metadata,
    check: check3
  };
}
function buildInstance(state, id2, registration, standing, at2) {
  let name = instanceName(id2), before = state.get(name), body = bodyOf2(registration, standing, overridesOf(state, id2, registration)), json2 = JSON.stringify(body);
  if (before !== void 0 && hasBody(before, json2)) return before;
  let createTime = before?.kind !== "instance" || before.value.generation !== standing.generation ? at2.time : before.value.createTime, assigned2 = { name, revision: at2.revision, createTime, updateTime: at2.time };
  return itemOf({ kind: "instance", id: id2 }, assigned2, body, json2);
}
function overridesOf(state, id2, registration) {
  let own2 = state.get(instanceOverrideName(id2)), region = state.get(regionOverrideName(registration.service, regionOf(registration)));
  return {
    own: own2?.kind === "override" ? own2.value : void 0,
    region: region?.kind === "override" ? region.value : void 0
  };
}
function bodyOf2(registration, standing, overrides) {
  let { service, environment, protocol, address, port: port2, version, region, tags, metadata, check: check3 } = registration, { generation, status: status2, statusSince, statusReason, displacedBy } = standing, mode = overrides.own?.mode ?? overrides.region?.mode ?? "serving", override = applied(overrides);
  return {
    service,
    ...environment !== void 0 && { environment },
    protocol,
    address,
    port: port2,
    ...version !== void 0 && { version },
    ...region !== void 0 && { region },
    weight: overrides.own?.weight ?? overrides.region?.weight ?? registration.weight,
    registeredWeight: registration.weight,
    tags,
    metadata,
    check: check3,
    detectionBound: detectionBound(check3),
    generation,
    passing: status2 !== "critical" && mode === "serving" && displacedBy === void 0,
    status: status2,
    statusSince,
    statusReason,
    mode,
    ...override !== void 0 && { override },
    ...displacedBy !== void 0 && { displacedBy }
  };
}
function applied({ own: own2, region }) {
  let decides = own2 ?? (region?.mode === void 0 && region?.weight === void 0 ? void 0 : region);
  if (decides === void 0) return;
  let { mode, weight, reason: reason2, by } = decides;
  return {
    scope: decides === own2 ? "instance" : "region",
    ...mode !== void 0 && { mode },
    ...weight !== void 0 && { weight },
    reason: reason2,
    by
  };
}

// src/domain/coverage-matrix.ts
function coverageMatrix(state, only = {}, seen2 = state) {
  let counts = countInstances(seen2, only.service), services = servicesIn(seen2, only.service);
  if (services.length === 0 && only.service !== void 0 && counts.size === 0) return { unknown: "service" };
  let regions = regionsIn(state, only.region);
  if (regions.length === 0 && only.region !== void 0 && !runsIn(counts, only.region)) return { unknown: "region" };
  let states = { all: state, seen: seen2 }, rows = services.map((service) => rowOf(states, service, regions, counts.get(service.id)));
  return {
    services: rows,
    deployedWithoutLiveInstance: rows.flatMap(lifeless),
    liveWithoutDeployment: undeclared(state, counts, only.region)
  };
}
function servicesIn(state, only) {
  let one3 = only === void 0 ? void 0 : serviceOf(state, only);
  return only !== void 0 ? one3 === void 0 ? [] : [one3] : [...allOf(state, "service")].sort((a, b) => a.id < b.id ? -1 : 1);
}
function regionsIn(state, only) {
  let regions = Array.from(allOf(state, "region"), ({ id: id2 }) => id2).sort();
  return only === void 0 ? regions : regions.filter((region) => region === only);
}
var NO_COUNTS = /* @__PURE__ */ new Map(), NO_INSTANCES = { total: 0, passing: 0 };
function countInstances(state, service) {
  let counts = /* @__PURE__ */ new Map(), items = service === void 0 ? allOf(state, "instance") : state.bucket(children("instance", service));
  for (let { value } of items) {
    let regions = counts.get(value.service);
    regions === void 0 && counts.set(value.service, regions = /* @__PURE__ */ new Map());
    let region = regionOf(value), count3 = regions.get(region);
    count3 === void 0 && regions.set(region, count3 = { total: 0, passing: 0 }), count3.total++, value.passing && count3.passing++;
  }
  return counts;
}
function runsIn(counts, region) {
  return region === NO_REGION || [...counts.values()].some((regions) => regions.has(region));
}
function lifeless({ service, regions }) {
  let places = [];
  for (let region in regions) {
    let cell = regions[region];
    cell?.deployed === !0 && !cell.disabled && !cell.live && places.push({ service, region });
  }
  return places;
}
function undeclared(state, counts, only) {
  let places = [];
  for (let service of [...counts.keys()].sort()) {
    let inCatalog = serviceOf(state, service) !== void 0;
    for (let [region, instances] of [...counts.get(service) ?? NO_COUNTS].sort(([a], [b]) => a < b ? -1 : 1))
      !(instances.passing > 0 && (only === void 0 || only === region)) || deploymentOf(state, service, region) !== void 0 || places.push({ service, region, instances, inCatalog });
  }
  return places;
}
function rowOf(states, { id: id2, value }, regions, counts = NO_COUNTS) {
  let versions = [...versionsOf(states.all, id2)].sort((a, b) => compareVersions(b.id, a.id)), cells = regions.map((region) => {
    let instances = counts.get(region) ?? NO_INSTANCES;
    return [region, { ...cellOf(states, id2, versions, region), instances, live: instances.passing > 0 }];
  });
  return { service: id2, primaryRegion: value.primaryRegion, regions: Object.fromEntries(cells) };
}
function cellOf(states, service, versions, region) {
  let deployment = deploymentOf(states.all, service, region);
  if (deployment !== void 0) {
    let { disabled, currentVersion } = deployment.value, imports = versions.filter((version) => serves(deployment, version)).flatMap((version) => importsIn(states, version, region));
    return { deployed: !0, disabled, currentVersion, covered: imports.every((one3) => one3.covered), imports };
  }
  let left = versions.filter((version) => !isRetired(version)), missing2 = left.flatMap((version) => importsIn(states, version, region)).filter((one3) => !one3.covered), newestVersion = left[0]?.id, deployable = newestVersion !== void 0 && missing2.length === 0;
  return { deployed: !1, ...newestVersion !== void 0 && { newestVersion }, deployable, imports: missing2 };
}
function importsIn({ all, seen: seen2 }, { id: id2, value }, region) {
  let imports = [], hidden;
  for (let { service, version } of value.imports) {
    let reason2 = importProblem(all, { service, version }, region);
    if (all !== seen2 && serviceOf(seen2, service) === void 0 && serviceOf(all, service) !== void 0) {
      hidden = (hidden ?? !0) && reason2 === void 0;
      continue;
    }
    let one3 = { version: id2, service, importedVersion: version };
    imports.push(reason2 === void 0 ? { ...one3, covered: !0 } : { ...one3, covered: !1, reason: reason2 });
  }
  return hidden !== void 0 && imports.push({ version: id2, service: "-", importedVersion: "-", covered: hidden }), imports;
}

// src/edge/http/coverage.ts
var CoverageQuery = Type11.Object(
  {
    service: Type11.Optional(Type11.String({ maxLength: 253, description: "Only this service." })),
    region: Type11.Optional(
      Type11.String({ maxLength: 63, description: "Only this region; `-` for instances without one." })
    )
  },
  { additionalProperties: !1 }
);
function coverage({ state }) {
  return (request, reply) => {
    let query = request.query, { view, head: head5 } = state, matrix = coverageMatrix(view, query, seenBy(request, state));
    if ("unknown" in matrix)
      throw new Problem("not-found", `There is no ${matrix.unknown} ${JSON.stringify(query[matrix.unknown])}.`);
    sendJson(reply, JSON.stringify({ ...matrix, revision: head5.revision }));
  };
}
function coverageRoutes(app, deps) {
  app.route({
    method: "GET",
    url: "/v1/coverage",
    config: { action: "coverage.read" },
    schema: {
      operationId: "GetCoverage",
      tags: ["coverage"],
      summary: "Services against regions: what is deployed where, whether its imports are covered, and whether it runs",
      querystring: CoverageQuery,
      headers: ReadHeaders,
      response: answers(
        {
          200: json(
            "A row for each service, a cell for each region, with the reason where an import is not covered.",
            COVERAGE
          )
        },
        READ_PROBLEMS
      )
    },
    handler: coverage(deps)
  });
}
var COUNT = Type11.Object({ total: Type11.Integer(), passing: Type11.Integer() }), CELL = Type11.Object(
  {
    deployed: Type11.Boolean(),
    disabled: Type11.Optional(Type11.Boolean({ description: "Where it is deployed." })),
    currentVersion: Type11.Optional(Type11.String({ description: "Where it is deployed." })),
    covered: Type11.Optional(
      Type11.Boolean({ description: "Where it is deployed: whether every import of every version served is covered." })
    ),
    newestVersion: Type11.Optional(Type11.String({ description: "Where it is not deployed: what would be." })),
    deployable: Type11.Optional(
      Type11.Boolean({ description: "Where it is not deployed: whether all that it imports is there." })
    ),
    imports: Type11.Array(
      Type11.Object({
        version: Type11.String({ description: "The importing service's own version." }),
        service: Type11.String({ description: "`-` for one that the caller may not see." }),
        importedVersion: Type11.String(),
        covered: Type11.Boolean(),
        reason: Type11.Optional(Type11.String({ description: "Why it is not covered." }))
      })
    ),
    instances: COUNT,
    live: Type11.Boolean({ description: "Whether an instance is passing there." })
  },
  { description: "A service in a region." }
), PLACE = { service: Type11.String(), region: Type11.String() }, COVERAGE = Type11.Object({
  services: Type11.Array(
    Type11.Object({
      service: Type11.String(),
      primaryRegion: Type11.String(),
      regions: Type11.Unsafe({ type: "object", additionalProperties: CELL })
    })
  ),
  deployedWithoutLiveInstance: Type11.Array(Type11.Object(PLACE), {
    description: "Where a service is deployed and not disabled, and no instance is passing."
  }),
  liveWithoutDeployment: Type11.Array(
    Type11.Object({
      ...PLACE,
      instances: COUNT,
      inCatalog: Type11.Boolean({ description: "Whether the catalog has the service at all." })
    }),
    {
      description: "Where instances are passing although the catalog has no such deployment; `-` for those without a region."
    }
  ),
  revision: Type11.Integer({ description: "The revision at which it was read." })
});

// src/edge/http/discovery.ts
import { Type as Type12 } from "typebox";

// src/edge/http/kept-answers.ts
var KeptAnswers = class {
  #answers = /* @__PURE__ */ new WeakMap();
  /** `encode` makes all of the answer but the revision and the closing brace. */
  get(items, question2, revision, encode6) {
    let answers2 = this.#of(items), kept = answers2.get(question2);
    if (kept?.revision === revision) return kept.bytes;
    let before = kept === void 0 ? Buffer.from(encode6()) : kept.bytes.subarray(0, kept.length), bytes = Buffer.concat([before, Buffer.from(`${revision}}`)]);
    return kept === void 0 && answers2.size >= 16 && answers2.delete(answers2.keys().next().value ?? ""), answers2.set(question2, { bytes, revision, length: before.length }), bytes;
  }
  #of(items) {
    let answers2 = this.#answers.get(items);
    return answers2 === void 0 && this.#answers.set(items, answers2 = /* @__PURE__ */ new Map()), answers2;
  }
};

// src/edge/http/labels-parameter.ts
var KEY = new RegExp(LABEL_KEY), LABELS_EXAMPLE = "team=identity,tier=1";
function parseLabels(parameter, text2) {
  let labels2 = {};
  for (let pair of text2.split(",")) {
    let equals2 = pair.indexOf("="), key = pair.slice(0, Math.max(equals2, 0)).trim(), value = pair.slice(equals2 + 1).trim();
    if (equals2 === -1 || !KEY.test(key))
      throw badParameter(
        parameter,
        `must be labels such as ${LABELS_EXAMPLE}; ${JSON.stringify(pair.slice(0, 80))} is none`
      );
    if (Object.hasOwn(labels2, key)) throw badParameter(parameter, `names the label ${key} twice`);
    labels2[key] = value;
  }
  return labels2;
}

// src/edge/http/discovery.ts
var one2 = (description) => Type12.Optional(Type12.String({ maxLength: 253, description })), DiscoveryQuery = Type12.Object(
  {
    passing: Type12.Optional(
      Type12.Boolean({ description: "true: only those to be called. false: only the others. Left out: all." })
    ),
    environment: one2("Only in this environment; empty for those without one."),
    version: one2("Only of this version; empty for those without one."),
    region: one2("Only in this region; `-` for those without one."),
    protocol: one2("Only those that speak this."),
    tag: Type12.Optional(
      Type12.String({
        description: "Only what carries all of these tags. A value with a comma can be asked for on `/v1/instances`.",
        examples: ["zone=a,canary=true"]
      })
    )
  },
  { additionalProperties: !1 }
);
function discover({ state }) {
  let kept = new KeptAnswers();
  return (request, reply) => {
    let { service = "" } = request.params;
    checkId("service", "service", request.params);
    let items = seenBy(request, state).sorted(children("instance", service)), { url: url2 } = request, question2 = url2.indexOf("?"), key = question2 === -1 ? "" : url2.slice(question2), answer5 = kept.get(items, key, state.head.revision, () => encode2(items, request.query));
    sendJson(reply, answer5);
  };
}
function encode2(items, query) {
  checkValues(query);
  let tags = query.tag === void 0 ? void 0 : parseLabels("tag", query.tag), found = [];
  for (let item of items)
    item.kind === "instance" && isWanted(item.value, query, tags) && found.push(item.json);
  return `{"items":[${found.join(",")}],"revision":`;
}
var PATTERNS = { environment: API_ID, version: BUILD, region: ID_PATTERNS.region, protocol: PROTOCOL_NAME }, REGEXPS = Object.entries(PATTERNS).map(([name, pattern]) => [name, pattern, new RegExp(pattern)]), WITHOUT = { environment: "", version: "", region: NO_REGION };
function checkValues(query) {
  for (let [name, pattern, regexp] of REGEXPS) {
    let value = query[name];
    if (!(value === void 0 || value === WITHOUT[name] || regexp.test(value)))
      throw badParameter(name, `${JSON.stringify(value.slice(0, 80))} ${PATTERN_IN_WORDS.get(pattern) ?? ""}`);
  }
}
function isWanted(instance, query, tags) {
  let { passing: passing2, environment, version, region, protocol } = query;
  if (passing2 !== void 0 && instance.passing !== passing2 || environment !== void 0 && (instance.environment ?? "") !== environment || version !== void 0 && (instance.version ?? "") !== version || region !== void 0 && regionOf(instance) !== region || protocol !== void 0 && instance.protocol !== protocol) return !1;
  for (let key in tags) if (!Object.hasOwn(instance.tags, key) || instance.tags[key] !== tags[key]) return !1;
  return !0;
}
function discoveryRoutes(app, deps) {
  app.route({
    method: "GET",
    url: "/v1/services/:service/instances",
    config: { action: "instance.read" },
    schema: {
      operationId: "DiscoverInstances",
      tags: ["discovery"],
      summary: "Find the instances of a service",
      description: "All that match, in order of name; `passing=true` for those to be called. A service that nobody has registered or put into the catalog yet has no instances: that is no error, since callers may start before what they call. To be told of every change, watch instead of asking again.",
      params: Type12.Object({ service: id("service", { description: "The id of the service." }) }),
      querystring: DiscoveryQuery,
      headers: ReadHeaders,
      response: answers({ 200: json("The instances.", FOUND) }, LIST_PROBLEMS)
    },
    handler: discover(deps)
  });
}
var FOUND = {
  type: "object",
  required: ["items", "revision"],
  properties: {
    items: { type: "array", items: ref("Instance") },
    revision: { type: "integer", description: "The revision at which they were read." }
  }
};

// src/edge/http/docs.ts
import swaggerUi from "@fastify/swagger-ui";

// src/edge/openapi-document.ts
var ORDER = ["openapi", "info", "tags", "paths", "components"];
function openApiText(app) {
  let document = app.swagger(), top = Object.fromEntries(
    [
      ...ORDER,
      ...Object.keys(document).filter((key) => !ORDER.includes(key)).sort()
    ].filter((key) => document[key] !== void 0).map((key) => [
      key,
      key === "paths" || key === "components" ? sortedTwoDeep(document[key]) : document[key]
    ])
  );
  return `${JSON.stringify(top, null, 2)}
`;
}
function sortedTwoDeep(value) {
  return sorted2(Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sorted2(inner)])));
}
var sorted2 = (value) => Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1));

// src/edge/http/docs.ts
var PLACES = {
  "/docs": "the interface, rendered",
  "/openapi.json": "the interface as OpenAPI 3.1",
  "/v1": "the catalog: /v1/regions, /v1/projects, /v1/services, /v1/bundles and what is below them",
  "/v1/apply": "POST a manifest",
  "/v1/export": "the catalog as a manifest",
  "/v1/instances": "what runs; POST registers, /v1/services/{service}/instances finds",
  "/v1/overrides": "what operators have set for instances",
  "/v1/advisories": "what people should know about now",
  "/v1/coverage": "services against regions",
  "/v1/changes": "the revision log",
  "/v1/state": "the head of the log",
  "/v1/watch": "the push feed (WebSocket, subprotocol signalbox.v1, or text/event-stream)",
  "/v1/subscribers": "who watches what",
  "/login": "log in with a browser; /session says who you are",
  "/v1/whoami": "who is calling",
  "/problems": "what can go wrong",
  "/livez": "whether the process lives",
  "/readyz": "whether requests are answered",
  "/metrics": "metrics for Prometheus"
}, STYLE_OF_SWAGGER_UI = "sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w=";
async function docsRoutes(app) {
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: pagePolicy(STYLE_OF_SWAGGER_UI),
    uiConfig: { deepLinking: !0, docExpansion: "none", tryItOutEnabled: !0 }
  });
  let page2 = { config: { action: "docs.read" }, schema: { hide: !0 } }, document;
  app.get("/openapi.json", page2, (_request, reply) => {
    sendJson(reply, document ??= openApiText(app));
  }), app.get("/", page2, (request, reply) => {
    if (request.headers.accept?.includes("text/html") !== !0) return void sendJson(reply, INDEX_JSON);
    reply.header("content-type", "text/html; charset=utf-8").send(INDEX_HTML);
  }), app.get("/problems", page2, (_request, reply) => {
    sendText(reply, Object.keys(PROBLEMS).map(explain).join(`
`));
  }), app.get("/problems/:code", page2, (request, reply) => {
    let { code } = request.params;
    if (!Object.hasOwn(PROBLEMS, code))
      throw new Problem("unknown-path", "No problem has this code; /problems lists them.");
    sendText(reply, explain(code));
  });
}
var INDEX_JSON = JSON.stringify({ name: "Signalbox", places: PLACES }), INDEX_HTML = `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Signalbox</title><h1>Signalbox</h1><ul>${Object.entries(
  PLACES
).map(([path2, what]) => `<li><a href="${path2}"><code>${path2}</code></a>: ${what}</li>`).join("")}</ul></html>`, explain = (code) => `${PROBLEMS[code].status} ${code}: ${PROBLEMS[code].title}
${PROBLEMS[code].meaning}
`, sendText = (reply, text2) => {
  reply.header("content-type", "text/plain; charset=utf-8").send(text2);
};

// src/edge/http/health.ts
function healthRoutes(app, { state, metrics }) {
  app.route({
    method: "GET",
    url: "/livez",
    config: { action: "health.read" },
    schema: {
      operationId: "GetLiveness",
      tags: ["operations"],
      summary: "Whether the process lives",
      response: answers({ 200: JsonObject("The process lives.") })
    },
    handler: (_request, reply) => {
      sendJson(reply, '{"status":"ok"}');
    }
  }), app.route({
    method: "GET",
    url: "/readyz",
    config: { action: "health.read" },
    schema: {
      operationId: "GetReadiness",
      tags: ["operations"],
      summary: "Whether the catalog is loaded and requests are answered",
      description: "Answers 503 with the same body until the catalog is loaded (PUSH7). A server that shuts down takes no connections.",
      response: answers({ 200: JsonObject("Ready."), 503: JsonObject("Not ready.") })
    },
    handler: (request, reply) => {
      let { ready, head: head5, view } = state;
      ready ? belongs(request.caller, view) ? sendJson(
        reply,
        JSON.stringify({ ready, epoch: head5.epoch, revision: head5.revision, resources: seenBy(request, state).size })
      ) : sendJson(reply, '{"ready":true}') : sendJson(reply.code(503).header("retry-after", 1), '{"ready":false}');
    }
  }), app.route({
    method: "GET",
    url: "/metrics",
    config: { action: "metrics.read" },
    schema: {
      operationId: "GetMetrics",
      tags: ["operations"],
      summary: "Metrics in the text format of Prometheus",
      response: { 200: { description: "The metrics.", content: { "text/plain": { schema: { type: "string" } } } } }
    },
    handler: async (_request, reply) => reply.header("content-type", metrics.contentType).send(await metrics.metrics())
  });
}

// src/edge/http/instances.ts
import { Type as Type14 } from "typebox";

// src/registry/instances.ts
import { createHash as createHash6 } from "node:crypto";
var InstanceDesk = class {
  #deps;
  constructor(deps) {
    this.#deps = deps;
  }
  /** Takes an instance in, or says why not. The same content again renews its lease and makes no revision (REV3). */
  async register(caller, body, options = {}) {
    let { validate, deniedAddress, mustBeInCatalog, leases } = this.#deps, errors2 = validate.registration(body);
    if (errors2.length > 0) return invalid(errors2);
    let read7 = readRegistration(body);
    if (!read7.ok) return invalid(read7.errors);
    let registration = read7.value, denied = registration.check.type === "ttl" ? void 0 : deniedAddress(registration.address);
    if (denied !== void 0) {
      let detail = `is ${denied}, which Signalbox does not call (SEC4); register another address, or with a ttl check`;
      return invalid([{ pointer: "/address", detail }]);
    }
    let id2 = instanceIdOf(registration), verdict = await this.#execute(caller, [{ op: "register", id: id2, registration, mustBeInCatalog }], options);
    if (!verdict.ok) return verdict;
    let outcome = verdict.outcomes[0];
    options.dryRun !== !0 && outcome?.op !== "created" && leases.renew(id2);
    let item = outcome?.after;
    if (item?.kind !== "instance") throw new Error(`${instanceName(id2)} is not there after its registration`);
    return { ok: !0, value: { id: id2, created: outcome?.op === "created", item, revision: verdict.revision } };
  }
  /** Removes an instance; one that is not there is gone already. */
  async deregister(caller, id2, generation, options = {}) {
    let edit = { op: "deregister", id: id2, ...generation !== void 0 && { generation } }, verdict = await this.#execute(caller, [edit], options);
    return verdict.ok ? { ok: !0, value: { revision: verdict.revision, existed: verdict.outcomes[0]?.op === "deleted" } } : verdict;
  }
  /** Sets or, without a body, lifts an override (INS5). */
  async override(caller, target, body, options = {}) {
    let { validate } = this.#deps, override;
    if (body !== void 0) {
      let errors2 = "instance" in target ? validate.instanceOverride(body) : validate.regionOverride(body);
      if (errors2.length > 0) return invalid(errors2);
      let read7 = readOverride(body);
      if (!read7.ok) return invalid(read7.errors);
      override = read7.value;
    }
    return this.#execute(caller, [{ op: "override", target, override }], options);
  }
  #execute(caller, instances, { origin, dryRun: dryRun2 }) {
    let command = { caller, at: this.#deps.clock(), instances, ...origin && { origin } };
    return this.#deps.registry.execute(command, { dryRun: dryRun2 === !0 });
  }
}, leaseOf = (check3) => ({
  ...check3.type === "ttl" && { lease: check3.ttl },
  detectionBound: detectionBound(check3)
});
function instanceIdOf({ service, environment, protocol, address, port: port2 }) {
  let identity = JSON.stringify([service, environment ?? null, protocol, canonicalAddress(address), port2]);
  return createHash6("sha256").update(identity).digest("hex").slice(0, 24);
}
function invalid(errors2) {
  let first = `${errors2[0]?.pointer ?? ""} ${errors2[0]?.detail ?? ""}`.trim();
  return { ok: !1, refusal: { code: "invalid", detail: errors2.length === 1 ? first : `${first}, and ${errors2.length - 1} more`, errors: errors2 } };
}

// src/edge/http/instance-report.ts
import { Type as Type13 } from "typebox";
var optional5 = Type13.Optional, duration3 = (description) => Type13.String({ description, examples: ["12s"] }), time = (description) => Type13.String({ format: "date-time", description }), REPORT = Type13.Object(
  {
    lease: optional5(
      Type13.Object(
        {
          ttl: duration3("How long a renewal lasts."),
          expiresIn: duration3("How long the last one still lasts."),
          attached: Type13.Boolean({ description: "Whether an open watch socket keeps it, too." })
        },
        { description: "With a `ttl` check." }
      )
    ),
    nextCheckIn: optional5(duration3("With the other checks.")),
    lastChecks: Type13.Array(
      Type13.Object({
        at: time("When it ended."),
        status: Type13.Enum(["passing", "warning", "critical"]),
        reason: Type13.String(),
        durationMs: Type13.Number({ description: "How many milliseconds it took." })
      }),
      { description: "The last few results, the newest first." }
    ),
    consecutivePasses: Type13.Integer(),
    consecutiveFailures: Type13.Integer(),
    flapping: optional5(
      Type13.Object(
        { penalty: Type13.Number(), heldFor: optional5(duration3("How long it is kept from passing.")) },
        { description: "While its health goes up and down (INS2)." }
      )
    ),
    guardedFor: optional5(
      duration3("It has failed, and the eviction guard keeps it passing for so long at most (INS4).")
    ),
    deregistersIn: optional5(duration3("How long until it is removed, if it stays critical."))
  },
  {
    description: "Why it is as it is, and what will become of it; changes without a revision (REV3). Only a node with HEALTH_CHECKS=on has it."
  }
), DEPLOYMENT = Type13.String({
  description: "The deployment of the catalog that it runs, where there is one of its service in its region.",
  examples: ["services/orders.example.com/deployments/eu-central"]
}), GUARD = Type13.Object(
  {
    service: Type13.String(),
    region: Type13.String({ description: "`-` for instances without a region." }),
    held: Type13.Integer({ description: "Instances that have failed and are kept." }),
    until: time("When it lets go at the latest.")
  },
  { description: "While the eviction guard is at work for its service and region (INS4)." }
);

// src/edge/http/instances.ts
var DeregisterQuery = Type14.Object(
  {
    generation: Type14.Optional(
      Type14.Integer({ minimum: 0, description: "Only the instance of this generation, and no later one (INS6)." })
    ),
    dryRun
  },
  { additionalProperties: !1 }
);
function register({ instances }) {
  return async (request, reply) => {
    let query = request.query, body = jsonOf(request);
    request.bodyService = serviceIn(body);
    let outcome = await instances.register(request.caller, body, { ...query, origin: originOf2(request) });
    if (!outcome.ok) throw fromRefusal(outcome.refusal);
    let { id: id2, created, item, revision } = outcome.value;
    created && reply.code(201).header("location", `/v1/${item.name}`), query.dryRun === !0 ? reply.header("x-signalbox-dry-run", "true") : reply.header(REVISION_HEADER, revision);
    let { name, value } = item, head5 = JSON.stringify({ id: id2, name, generation: value.generation, revision, ...leaseOf(value.check) });
    return sendJson(reply, `${head5.slice(0, -1)},"instance":${item.json}}`);
  };
}
function serviceIn(body) {
  let service = body?.service;
  return typeof service == "string" ? service : void 0;
}
function deregister({ instances }) {
  return async (request, reply) => {
    let { instance } = request.params, { generation, ...options } = request.query;
    checkIds(INSTANCES, request.params);
    let asking = { ...options, origin: originOf2(request) }, outcome = await instances.deregister(request.caller, instance, generation, asking);
    if (!outcome.ok) throw fromRefusal(outcome.refusal);
    let { revision, existed } = outcome.value;
    if (!existed) {
      let which = generation === void 0 ? instance : `${instance} of generation ${generation}`;
      throw new Problem("not-found", `There is no instance ${which}: it is gone already.`);
    }
    return options.dryRun === !0 ? reply.header("x-signalbox-dry-run", "true") : reply.header(REVISION_HEADER, revision), sendJson(reply, JSON.stringify({ name: instanceName(instance), revision, deleted: !0 }));
  };
}
function read4({ state, monitoring }) {
  return (request, reply) => {
    let { instance } = request.params, item = seenBy(request, state).get(instanceName(instance));
    if (item?.kind !== "instance")
      throw new Problem("not-found", `There is no instance ${JSON.stringify(instance.slice(0, 80))}.`);
    let more = JSON.stringify({
      report: monitoring.report(instance),
      deployment: deploymentName2(state, item),
      guard: guardOf(monitoring, item.value)
    });
    sendJson(reply, more === "{}" ? item.json : `${item.json.slice(0, -1)},${more.slice(1)}`);
  };
}
function deploymentName2({ view }, { value }) {
  return value.region === void 0 ? void 0 : deploymentOf(view, value.service, value.region)?.name;
}
var guardOf = (monitoring, instance) => monitoring.guards().find((guard) => guard.service === instance.service && guard.region === regionOf(instance));
function instanceRoutes(app, deps) {
  app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY), registerRoute(scope, deps), done();
  }), app.register((scope, _options, done) => {
    acceptOnly(scope, []), readRoutes2(scope, deps), deregisterRoute(scope, deps), done();
  });
}
function registerRoute(app, deps) {
  app.route({
    method: "POST",
    url: INSTANCES.listPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: "instance.register", accepts: JSON_BODY },
    schema: {
      ...head2("RegisterInstance", "Register an instance"),
      description: "The same identity is the same instance, with the same id, however often it registers. What says nothing new makes no revision (REV3) and renews the lease. The service need not be in the catalog, unless REGISTRATION=catalog.",
      querystring: WriteQuery,
      body: { content: { "application/json": { schema: ref("Registration") } } },
      response: answers({ 200: json("It was there already.", REGISTERED), 201: json("It is there now.", REGISTERED) }, [
        ...RUNTIME_REFUSALS,
        ...BODY_REFUSALS
      ])
    },
    handler: register(deps)
  });
}
function readRoutes2(app, deps) {
  app.route({
    method: "GET",
    url: INSTANCES.listPath,
    config: { action: "instance.read" },
    schema: {
      ...head2("ListInstances", "List instances"),
      description: "Of all services. What callers ask for is `/v1/services/{service}/instances`, which is faster.",
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json("A page of instances, in order.", pageOf2("Instance")) }, LIST_PROBLEMS)
    },
    handler: list(deps, INSTANCES)
  }), app.route({
    method: "GET",
    url: INSTANCES.itemPath,
    config: { action: "instance.read" },
    schema: {
      ...head2("GetInstance", "Read an instance, and how it is"),
      params: INSTANCE_PARAMS,
      querystring: NO_QUERY,
      headers: ReadHeaders,
      response: answers({ 200: json("The instance, and what its checks have found.", DETAIL) }, READ_PROBLEMS)
    },
    handler: read4(deps)
  });
}
function deregisterRoute(app, deps) {
  app.route({
    method: "DELETE",
    url: INSTANCES.itemPath,
    config: { action: "instance.register" },
    schema: {
      ...head2("DeregisterInstance", "Deregister an instance"),
      description: "For when an instance shuts down; its watchers are told at once. Of one that is not there, or of another generation, it is a 404, which means that it is gone already: a shutdown may take that for success. Overrides stay (INS5).",
      params: INSTANCE_PARAMS,
      querystring: DeregisterQuery,
      response: answers({ 200: json("It is gone.", DELETED2) }, ["not-found", ...RUNTIME_REFUSALS])
    },
    handler: deregister(deps)
  });
}
var head2 = (operationId, summary) => ({ operationId, tags: ["instances"], summary }), INSTANCE_PARAMS = Type14.Object({
  instance: Type14.String({ description: "The id of the instance: 24 hexadecimal digits." })
}), REGISTERED = Type14.Object({
  id: Type14.String({ description: "Made of the identity, so always the same for the same instance." }),
  name: Type14.String({ description: "The path of the instance under `/v1`." }),
  generation: Type14.Integer({
    description: "The revision at which it came to be; to be sent with renewals and when it deregisters."
  }),
  revision: Type14.Integer({ description: "The revision at which the answer holds." }),
  lease: Type14.Optional(
    Type14.String({
      description: "With a `ttl` check: it has to be renewed at the latest every so often.",
      examples: ["30s"]
    })
  ),
  detectionBound: Type14.String({
    description: "The longest time from its death to the moment its watchers were told (INS1).",
    examples: ["31s"]
  }),
  instance: Type14.Unsafe(ref("Instance"))
}), DETAIL = extended("instance", { report: REPORT, deployment: DEPLOYMENT, guard: GUARD }), DELETED2 = Type14.Object({
  name: Type14.String(),
  revision: Type14.Integer({ description: "The revision that removed it." }),
  deleted: Type14.Literal(!0)
});

// src/edge/http/log.ts
import { Type as Type16 } from "typebox";

// src/domain/selector.ts
function topicOf(selector) {
  let filters = [];
  for (let filter of ["services", "regions"]) addList(filters, filter, selector[filter]);
  addLabels(filters, "labels", selector.labels);
  for (let filter of ["environments", "protocols", "versions"]) addList(filters, filter, selector[filter]);
  return addLabels(filters, "tags", selector.tags), selector.passing !== void 0 && filters.push(`passing=${selector.passing}`), filters.length === 0 ? selector.kind : `${selector.kind}?${filters.join("&")}`;
}
function addList(filters, name, values) {
  values !== void 0 && filters.push(`${name}=${list2(values)}`);
}
function addLabels(filters, name, labels2) {
  labels2 !== void 0 && filters.push(`${name}=${list2(Object.entries(labels2).map(([key, value]) => `${key}=${value}`))}`);
}
function list2(values) {
  return [...new Set(values)].sort().map((value) => encodeURIComponent(value)).join(",");
}
function facetsOf(name) {
  let { kind, id: id2, parent } = partsOf(name);
  return catalogFacets(kind, id2, parent);
}
function catalogFacets(kind, id2, parent) {
  switch (kind) {
    case "service":
      return { kind, service: id2, region: void 0, runtime: void 0 };
    case "version":
    case "resourceType":
      return { kind, service: parent, region: void 0, runtime: void 0 };
    case "deployment":
      return { kind, service: parent, region: id2, runtime: void 0 };
    case "region":
      return { kind, service: void 0, region: id2, runtime: void 0 };
    default:
      return { kind, service: void 0, region: void 0, runtime: void 0 };
  }
}
var runtimeFacets = (kind, runtime5) => ({
  kind,
  service: runtime5.service,
  region: runtime5.region,
  runtime: runtime5
}), runtimeFacetsOf = (item) => item.kind === "instance" || item.kind === "override" || item.kind === "advisory" ? item.value : void 0;
function itemFacets(item) {
  let runtime5 = runtimeFacetsOf(item);
  return runtime5 === void 0 ? catalogFacets(item.kind, item.id, item.parent) : runtimeFacets(item.kind, runtime5);
}
function changeFacets(change) {
  return change.op === "put" ? itemFacets(change.item) : change.facets === void 0 ? facetsOf(change.name) : runtimeFacets(change.kind, change.facets);
}
function matches(selector, facet, labels2) {
  return selector.kind !== "*" && selector.kind !== facet.kind || selector.services !== void 0 && (facet.service === void 0 || !selector.services.includes(facet.service)) || selector.regions !== void 0 && (facet.region === void 0 || !selector.regions.includes(facet.region)) || selector.labels !== void 0 && !(isCatalogKind(facet.kind) && carries(labels2, selector.labels)) ? !1 : selectsInstances(selector) ? matchesInstance(selector, facet, labels2) : !0;
}
var selectsInstances = ({ environments, protocols, versions, tags, passing: passing2 }) => passing2 !== void 0 || environments !== void 0 || protocols !== void 0 || versions !== void 0 || tags !== void 0;
function matchesInstance(selector, { kind, runtime: runtime5 }, labels2) {
  if (kind !== "instance" || runtime5 === void 0) return !1;
  let { environments, protocols, versions, tags, passing: passing2 } = selector;
  return passing2 !== void 0 && runtime5.passing !== passing2 || environments !== void 0 && !environments.includes(runtime5.environment ?? "") || protocols !== void 0 && !protocols.includes(runtime5.protocol ?? "") || versions !== void 0 && !versions.includes(runtime5.version ?? "") ? !1 : tags === void 0 || carries(labels2, tags);
}
function carries(labels2, wanted) {
  for (let key in wanted) if (!Object.hasOwn(labels2, key) || labels2[key] !== wanted[key]) return !1;
  return !0;
}
function effectOn(selector, sight, change, facet) {
  return change.op === "put" && sees(sight, change.audience) && matches(selector, facet, labelsOf(change.item)) ? "put" : hadBefore(selector, sight, change, facet) ? "delete" : void 0;
}
function hadBefore(selector, sight, change, facet) {
  if (!sees(sight, audienceBeforeOf(change))) return !1;
  let before = change.facets === void 0 ? facet : runtimeFacets(facet.kind, change.facets);
  return change.was !== void 0 ? matches(selector, before, change.was) : change.op === "put" && change.audienceBefore !== void 0 && matches(selector, before, labelsOf(change.item));
}
function audienceBeforeOf(change) {
  return change.op === "delete" || change.audienceBefore === void 0 ? change.audience : change.audienceBefore ?? void 0;
}
function* select(view, selector) {
  for (let item of candidates(view, selector))
    matches(selector, itemFacets(item), labelsOf(item)) && (yield item);
}
var OF_A_SERVICE2 = ["version", "resourceType", "deployment", "instance", "override", "advisory"];
function* candidates(view, selector) {
  let { kind, services, regions } = selector;
  if (services !== void 0)
    for (let service of new Set(services)) {
      let item = kind === "*" || kind === "service" ? view.get(serviceName(service)) : void 0;
      item !== void 0 && (yield item);
      for (let child of OF_A_SERVICE2)
        (child === kind || kind === "*") && (yield* inService(view, child, service, regions));
    }
  else if (regions !== void 0 && (kind === "region" || kind === "deployment"))
    for (let region of new Set(regions)) {
      let item = view.get(regionName(region));
      item !== void 0 && (yield item), yield* view.bucket(inRegion(region));
    }
  else kind !== "*" ? yield* view.bucket(byKind(kind)) : yield* view.all();
}
function* inService(view, kind, service, regions) {
  if (kind !== "deployment" || regions === void 0) {
    yield* view.bucket(children(kind, service));
    return;
  }
  for (let region of new Set(regions)) {
    let item = view.get(deploymentName(service, region));
    item !== void 0 && (yield item);
  }
}
function routesOf(selector) {
  return selector.services !== void 0 ? [...new Set(selector.services)].map((service) => `s:${service}`) : [selector.kind === "*" ? "*" : `k:${selector.kind}`];
}
function routesOfFacets(facet) {
  let routes = ["*", `k:${facet.kind}`];
  return facet.service !== void 0 && routes.push(`s:${facet.service}`), routes;
}

// src/protocol/change.ts
var encodePut = (item) => `{"op":"put","kind":"${item.kind}","key":"${item.name}","revision":${item.revision},"value":${item.json}}`, encodeDelete = (kind, name, revision) => `{"op":"delete","kind":"${kind}","key":"${name}","revision":${revision}}`, encodeChange = (change, revision) => change.op === "put" ? encodePut(change.item) : encodeDelete(change.kind, change.name, revision), encodeEntry2 = ({ changes: changes2, revision }) => changes2.map((change) => encodeChange(change, revision)).join(",");

// src/feed/selected.ts
function encodeSelected(selector, sight, change, revision) {
  let effect = effectOn(selector, sight, change, changeFacets(change));
  if (effect !== void 0)
    return effect === "put" && change.op === "put" ? encodePut(change.item) : encodeDelete(changeKind(change), changeName(change), revision);
}

// src/feed/frame.ts
var Frame = class {
  text;
  /** Of `change`, `synced` and `bookmark`: once this is written, everything up to there is (PUSH6). */
  upTo;
  /** As a WebSocket message. */
  wire;
  /** As a server-sent event. */
  sse;
  constructor(text2, upTo) {
    this.text = text2, this.upTo = upTo;
  }
}, TYPE_AT = 9, typeOf2 = ({ text: text2 }) => text2.slice(TYPE_AT, text2.indexOf('"', TYPE_AT));

// src/protocol/close-codes.ts
var CLOSE = {
  /** The server is going away. Reason: `{"retryAfterMs":…}`. */
  draining: 4e3,
  /** The socket did not take what was written to it. Reason: `{"epoch":…,"revision":…}`, everything up to there was sent. */
  tooSlow: 4001,
  /** Nothing was heard from the client for two heartbeats. */
  silent: 4002,
  /** The server holds as many sockets as it may. Reason: `{"retryAfterMs":…}`. */
  full: 4003,
  /** The token that the socket was opened with holds no longer: it has expired, or its key was withdrawn. Connect with a new one. */
  tokenEnded: 4004,
  /** The caller may not watch any more, such as a service account that was deleted. Connect as somebody who may. */
  accessEnded: 4501,
  /** The client keeps sending frames that the protocol does not know. */
  protocolError: 4500
};

// src/edge/long-poll.ts
async function poll(hub, { select: select2, since: since2, waitMs, peer, reply }) {
  let socket = new LongPollSocket(since2.revision), connection = hub.connect(socket, peer);
  connection?.follow(select2, since2);
  let timer = setTimeout(() => {
    hub.flush(), socket.giveUp(connection?.subscriptions[0]?.sentRevision);
  }, waitMs), gone = () => socket.giveUp();
  reply.raw.on("close", gone);
  try {
    return await socket.outcome;
  } finally {
    clearTimeout(timer), reply.raw.off("close", gone), connection?.ended();
  }
}
var LongPollSocket = class {
  queued = 0;
  bytesSent = 0;
  outcome;
  #since;
  #settle;
  constructor(since2) {
    this.#since = since2, this.outcome = new Promise((resolve2) => this.#settle = resolve2);
  }
  send(frame) {
    let type = typeOf2(frame);
    if (type === "change") {
      let to = frame.upTo ?? this.#since;
      this.#settle({ kind: "changes", to, changes: changesIn(frame) });
    } else type === "reset" && this.#settle({ kind: "startOver", reason: JSON.parse(frame.text).reason });
  }
  ping() {
  }
  close(code) {
    code === CLOSE.full ? this.#settle({ kind: "full" }) : code === CLOSE.tokenEnded ? this.#settle({ kind: "tokenEnded" }) : code === CLOSE.accessEnded ? this.#settle({ kind: "accessEnded" }) : this.giveUp();
  }
  giveUp(to = this.#since) {
    this.#settle({ kind: "nothing", to });
  }
}, changesIn = ({ text: text2 }) => text2.slice(text2.indexOf('"changes":'), -1);

// src/edge/peer.ts
var MAX_USER_AGENT = 200;
function peerOf({ raw: raw2, id: id2, caller, grant, server }, transport) {
  let userAgent = raw2.headers["user-agent"];
  return {
    transport,
    remoteAddress: raw2.socket.remoteAddress ?? "",
    requestId: id2,
    standing: standingOf(caller, grant),
    gate: server.gate,
    ...userAgent !== void 0 && { userAgent: cut(userAgent) }
  };
}
function requireRoom({ projects }, { standing }) {
  let full = projects.whyFull(standing.caller);
  if (full !== void 0) throw new Problem("quota-exceeded", `${full}.`);
}
var cut = (text2) => text2.length <= MAX_USER_AGENT ? text2 : Buffer.from(text2.slice(0, MAX_USER_AGENT)).toString();

// src/edge/selection.ts
import { Type as Type15 } from "typebox";
var list3 = (description, example) => Type15.Optional(Type15.String({ description: `${description} Several are separated by commas.`, examples: [example] })), pairs = (description) => Type15.Optional(Type15.String({ description, examples: [LABELS_EXAMPLE] })), selectParameters = {
  kind: Type15.Optional(Type15.Enum([...KINDS, "*"], { description: "A kind of resource, or * for all, the default." })),
  services: list3("Only what belongs to one of these services.", "iam.example.com,orders.example.com"),
  regions: list3("Only these regions, and what is in one of them.", "us-east"),
  labels: pairs("Only what carries each of these labels with exactly this value."),
  environments: list3("Only instances of these environments; the empty text is for those that name none.", "prod"),
  protocols: list3("Only instances that speak one of these protocols.", "http,https"),
  versions: list3("Only instances of these versions.", "v1"),
  tags: pairs("Only instances that carry each of these tags with exactly this value."),
  passing: Type15.Optional(Type15.Boolean({ description: "Only instances that can be called now, or that cannot." }))
}, SelectQuery = Type15.Object(selectParameters);
function selectOf(query) {
  if (!Object.keys(selectParameters).some((name) => Object.hasOwn(query, name))) return;
  let { kind = "*", services, regions, labels: labels2, environments, protocols, versions, tags, passing: passing2 } = query;
  return {
    kind,
    ...services !== void 0 && { services: listOf("services", services) },
    ...regions !== void 0 && { regions: listOf("regions", regions) },
    ...labels2 !== void 0 && { labels: pairsOf("labels", labels2) },
    ...environments !== void 0 && { environments: listOf("environments", environments, !0) },
    ...protocols !== void 0 && { protocols: listOf("protocols", protocols) },
    ...versions !== void 0 && { versions: listOf("versions", versions) },
    ...tags !== void 0 && { tags: pairsOf("tags", tags) },
    ...passing2 !== void 0 && { passing: passing2 }
  };
}
var MAX_ENTRIES = 100, MAX_PAIRS = 16, MAX_LENGTH2 = 253;
function listOf(parameter, text2, mayBeEmpty = !1) {
  let entries = text2.split(",");
  if (entries.length > MAX_ENTRIES) throw badParameter(parameter, `must have at most ${MAX_ENTRIES} entries`);
  for (let entry of entries) {
    if (entry === "" && !mayBeEmpty) throw badParameter(parameter, "must not have an empty entry");
    if (entry.length > MAX_LENGTH2)
      throw badParameter(parameter, `must have entries of ${MAX_LENGTH2} characters at most`);
  }
  return entries;
}
function pairsOf(parameter, text2) {
  let found = parseLabels(parameter, text2);
  if (Object.keys(found).length > MAX_PAIRS) throw badParameter(parameter, `must have at most ${MAX_PAIRS} entries`);
  return found;
}

// src/edge/http/log.ts
var ChangesQuery = Type16.Object(
  {
    since: Type16.Integer({
      minimum: 0,
      description: "The revision that the caller has; what came after it is answered."
    }),
    epoch: Type16.Optional(
      Type16.String({ maxLength: 64, description: "The epoch that `since` belongs to; without it, the present one." })
    ),
    limit: Type16.Optional(
      Type16.Integer({
        minimum: 1,
        maximum: 1e3,
        default: 100,
        description: "How many revisions to answer at most; large ones make it fewer. What ends a wait comes whole."
      })
    ),
    wait: Type16.Optional(
      Type16.String({
        pattern: DURATION,
        description: "How long to wait for the first change when there is none yet; up to 5m.",
        examples: ["30s"]
      })
    ),
    ...selectParameters
  },
  { additionalProperties: !1 }
), MAX_BYTES = 4 * 1024 * 1024, MAX_WAIT_MS = 5 * 6e4, SCAN = { reads: 20, entries: 1e3 }, REASONS = {
  trimmed: "what follows it was trimmed from the log",
  epoch: "it belongs to another epoch",
  future: "it lies in the future",
  resync: "the state was read anew",
  access: "the caller may see other things now"
};
function changes(deps) {
  let { state, feed } = deps;
  return async (request, reply) => {
    let query = request.query, select2 = selectOf(query), waitMs = waitOf(query), position = { epoch: query.epoch ?? state.head.epoch, revision: query.since }, sight = sightOf2(request.caller), found = await find2(deps, position, { select: select2, sight }, query.limit ?? 100), last = waitMs > 0 && found.empty && found.atHead && feed !== void 0 ? await wait2(deps, feed, { request, reply, select: select2, waitMs, from: position, found }) : found, { head: head5 } = state, place3 = `"from":${query.since},"to":${last.to},"head":${head5.revision},"epoch":${JSON.stringify(position.epoch)}`;
    return sendJson(reply, `{${place3},${last.changes}}`);
  };
}
function waitOf({ wait: text2 }) {
  if (text2 === void 0) return 0;
  let ms = parseDuration(text2);
  if (ms === void 0 || ms > MAX_WAIT_MS) throw badParameter("wait", "must be a duration such as 30s, at most 5m");
  return ms;
}
async function find2(deps, from, { select: select2, sight }, limit2) {
  let { epoch } = from, to = from.revision, parts = [], bytes = 0, atHead = !1, isAll = select2 === void 0 && sight.keys === "all";
  for (let reads = 0; reads < SCAN.reads && parts.length === 0 && !atHead; reads++) {
    let entries = isAll ? limit2 : SCAN.entries, read7 = await deps.log.read({ epoch, revision: to }, { entries, bytes: MAX_BYTES });
    if (read7.kind === "startOver") throw startOver(deps, from.revision, read7.reason);
    atHead = read7.entries.length === 0;
    for (let entry of read7.entries) {
      if (parts.length === limit2 || bytes > MAX_BYTES) break;
      let encoded = isAll ? encodeEntry2(entry) : selected(select2 ?? ALL, sight, entry);
      encoded !== "" && parts.push(encoded), bytes += encoded.length, to = entry.revision;
    }
  }
  return { to, changes: `"changes":[${parts.join(",")}]`, empty: parts.length === 0, atHead };
}
var ALL = { kind: "*" }, selected = (select2, sight, { changes: all, revision }) => all.map((change) => encodeSelected(select2, sight, change, revision)).filter((encoded) => encoded !== void 0).join(",");
async function wait2(deps, feed, waiting) {
  let { request, reply, select: select2 = ALL, waitMs, from, found } = waiting, peer = peerOf(request, "poll");
  requireRoom(feed, peer), request.raw.socket.setTimeout(0);
  let began = performance.now(), since2 = { epoch: from.epoch, revision: found.to }, polled = await poll(feed, { select: select2, since: since2, waitMs, peer, reply });
  switch (request.arrivedAt += performance.now() - began, reply.header(REVISION_HEADER, deps.state.head.revision), polled.kind) {
    case "changes":
      return { ...found, ...polled, empty: !1 };
    case "nothing":
      return { ...found, to: polled.to };
    case "startOver":
      throw startOver(deps, from.revision, polled.reason);
    case "tokenEnded":
      throw new Problem("invalid-token", "The token is not taken: it has expired while the request waited.");
    case "accessEnded":
      throw new Problem("forbidden", "The caller may not read the log any more.");
    case "full":
      throw new Problem("overloaded", {
        detail: "As many watch as this server takes (WATCH_MAX_SOCKETS); ask without wait, or again later.",
        retryAfter: 5
      });
  }
}
function startOver({ state: { head: head5 } }, since2, reason2) {
  return reason2 === "unavailable" ? new Problem("store-unavailable", { detail: "The log cannot be read now.", retryAfter: 1 }) : new Problem("start-over", {
    detail: `The changes since revision ${since2} cannot be told: ${REASONS[reason2]}. Read the state and go on from head.`,
    reason: reason2,
    head: { epoch: head5.epoch, revision: head5.revision }
  });
}
function readState({ state }) {
  return (request, reply) => {
    let { epoch, revision, trimmed } = state.head;
    sendJson(
      reply,
      JSON.stringify({ epoch, revision, trimmed, ready: state.ready, resources: seenBy(request, state).size })
    );
  };
}
function logRoutes(app, deps) {
  app.route({
    method: "GET",
    url: "/v1/changes",
    config: { action: "log.read" },
    schema: {
      operationId: "ListChanges",
      tags: ["log"],
      summary: "What changed since a revision",
      description: "Whole revisions in order. Ask again with `to` as `since` while `to` is below `head`. With parameters that select, only what concerns the selection: what stops matching is a delete, and `to` moves on although nothing matched. With `wait` it is a long poll (PUSH.md).",
      querystring: ChangesQuery,
      headers: ReadHeaders,
      response: answers({ 200: json("The changes.", CHANGES2) }, [
        "start-over",
        "store-unavailable",
        "overloaded",
        ...READ_PROBLEMS
      ])
    },
    handler: changes(deps)
  }), app.route({
    method: "GET",
    url: "/v1/state",
    config: { action: "log.read" },
    schema: {
      operationId: "GetState",
      tags: ["log"],
      summary: "Where the log stands",
      querystring: Type16.Object({}, { additionalProperties: !1 }),
      headers: ReadHeaders,
      response: answers({ 200: json("The head.", STATE) }, ["not-ready", "revision-not-reached"])
    },
    handler: readState(deps)
  });
}
var EPOCH = Type16.String({
  description: "Changes when a database is restored: revisions of two epochs do not compare (REV4)."
}), CHANGES2 = Type16.Object({
  from: Type16.Integer({ description: "`since`." }),
  to: Type16.Integer({ description: "The answer tells everything up to this revision." }),
  head: Type16.Integer({ description: "The last revision there is." }),
  epoch: EPOCH,
  changes: Type16.Array(
    Type16.Object({
      op: Type16.Enum(["put", "delete"]),
      kind: Type16.String(),
      key: Type16.String({ description: "The resource's name." }),
      revision: Type16.Integer(),
      value: Type16.Optional(Type16.Unknown({ description: "The resource; only with put." }))
    })
  )
}), STATE = Type16.Object({
  epoch: EPOCH,
  revision: Type16.Integer({ description: "The last revision." }),
  trimmed: Type16.Integer({ description: "The log holds every revision above this one." }),
  ready: Type16.Boolean(),
  resources: Type16.Integer({ description: "How many resources there are." })
});

// src/edge/http/manifests.ts
import { Type as Type19 } from "typebox";

// src/edge/http/apply.ts
import { Type as Type17 } from "typebox";

// src/protocol/field-errors.ts
var FORMAT_IN_WORDS = {
  endpoint: 'must be a host name in lower case or an address, with an optional port and without a scheme, such as "iam.example.com:443"',
  "host-address": "must be an IP address without brackets, or a host name in lower case, without scheme and port",
  date: 'must be a date such as "2027-06-30"',
  "date-time": 'must be a time such as "2027-06-30T12:00:00Z"'
}, toFieldErrors = (errors2) => (errors2 ?? []).filter((error) => error.keyword !== "propertyNames").map(toFieldError);
function toFieldError(error) {
  let params = error.params, child = params.additionalProperty ?? (error.keyword === "required" ? params.missingProperty : void 0), at2 = error.keyword === "discriminator" ? params.tag : child;
  return { pointer: at2 === void 0 ? error.instancePath : `${error.instancePath}/${escapePointer(at2)}`, detail: detailOf(error, params) };
}
var escapePointer = (segment) => segment.replaceAll("~", "~0").replaceAll("/", "~1");
function detailOf(error, params) {
  switch (error.keyword) {
    case "additionalProperties":
      return `"${printable(params.additionalProperty ?? "")}" is not known here; known: ${knownFields(schemaOf2(error))}`;
    case "required":
      return `is required: ${describe2(schemaOf2(error), params.missingProperty ?? "")}${misspelt(error)}`;
    case "dependentRequired":
      return `${params.property ?? ""} needs ${params.deps ?? ""} beside it`;
    case "type":
      return `must be ${article(params.type ?? "")}, not ${article(typeOf3(error.data))}`;
    case "pattern":
      return inName(error, PATTERN_IN_WORDS.get(params.pattern ?? "") ?? `must match ${params.pattern ?? ""}`);
    case "format":
      return FORMAT_IN_WORDS[params.format ?? ""] ?? `must be a ${params.format ?? "value of its format"}`;
    case "minLength":
      return params.limit === 1 ? "must not be empty; leave it out instead" : `must have at least ${params.limit} characters`;
    case "maxLength":
      return inName(error, `must have at most ${params.limit} characters`);
    case "minItems":
      return `must have at least ${params.limit} ${params.limit === 1 ? "entry" : "entries"}`;
    case "maxItems":
    case "maxProperties":
      return `must have at most ${params.limit} entries`;
    case "minimum":
      return `must be at least ${params.limit}`;
    case "maximum":
      return `must be at most ${params.limit}`;
    case "uniqueItems":
      return `entries ${params.j} and ${params.i} are equal; list each once`;
    case "const":
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case "enum":
      return `must be one of ${(params.allowedValues ?? []).join(", ")}`;
    case "discriminator":
      return `must be one of ${tagValues(schemaOf2(error), params.tag).join(", ")}`;
    default:
      return error.message ?? "is wrong";
  }
}
var inName = (error, detail) => error.propertyName === void 0 ? detail : `the key "${printable(error.propertyName)}" ${detail}`, printable = (text2) => JSON.stringify(text2.slice(0, 80)).slice(1, -1);
function misspelt(error) {
  let { properties = {} } = schemaOf2(error), stray = Object.keys(error.data).find((field) => !Object.hasOwn(properties, field));
  return stray === void 0 ? "" : `; "${printable(stray)}" is not known here`;
}
var schemaOf2 = (error) => error.parentSchema ?? {};
function knownFields({ properties = {} }) {
  return Object.entries(properties).filter(([, field]) => field.readOnly !== !0).map(([name]) => name).join(", ") || "nothing";
}
function describe2(schema, field) {
  return schema.oneOf !== void 0 ? `one of ${tagValues(schema, field).join(", ")}` : schema.properties?.[field]?.description ?? field;
}
var tagValues = (schema, tag = "") => (schema.oneOf ?? []).map((branch) => branch.properties[tag]?.const ?? "");
function typeOf3(value) {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}
var article = (type) => type === "null" ? "null" : `${/^[aeio]/.test(type) ? "an" : "a"} ${type}`;

// src/edge/http/diff.ts
var ASSIGNED = /* @__PURE__ */ new Set(["revision", "createTime", "updateTime"]);
function diff(before, after) {
  let changes2 = [];
  return compare(before, after, "", changes2), changes2;
}
function compare(before, after, path2, changes2) {
  for (let key of /* @__PURE__ */ new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (path2 === "" && ASSIGNED.has(key)) continue;
    let at2 = `${path2}/${escapePointer(key)}`, was = Object.hasOwn(before, key) ? before[key] : void 0, is = Object.hasOwn(after, key) ? after[key] : void 0;
    isFields(was) && isFields(is) ? compare(was, is, at2, changes2) : JSON.stringify(was) !== JSON.stringify(is) && changes2.push({ path: at2, ...was !== void 0 && { before: was }, ...is !== void 0 && { after: is } });
  }
}
var isFields = (value) => typeof value == "object" && value !== null && !Array.isArray(value);

// src/edge/yaml-documents.ts
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser as Parser2
} from "yaml";
var MAX_ALIASES = 100, MAX_DEPTH = 32, MAX_STACK = 2 * MAX_DEPTH, SLICE_MS = 8, MAX_DOCUMENT_LENGTH = 256 * 1024, SEPARATOR = /^---(?=[ \t\r\n]|$)/gm;
async function readYaml(text2, maxDocuments) {
  checkLengths(text2);
  let lines = new LineCounter(), composer = new Composer({ version: "1.2", uniqueKeys: !1, logLevel: "silent" }), documents = [], sliceEnd = performance.now() + SLICE_MS;
  for (let document of composer.compose(tokensOf(text2, lines))) {
    check(document, lines);
    let { contents } = document;
    if (contents === null || isScalar(contents) && contents.value === null || documents.push(new Reader(lines).read(contents, 0)), documents.length > maxDocuments)
      throw new Problem("too-large", `The body has more than the ${maxDocuments} documents that are taken.`);
    performance.now() > sliceEnd && (await nextTurn(), sliceEnd = performance.now() + SLICE_MS);
  }
  return documents;
}
function* tokensOf(text2, lines) {
  let parser = new Parser2(lines.addNewLine);
  lines.addNewLine(0);
  for (let lexeme of new Lexer().lex(text2))
    if (yield* parser.next(lexeme), parser.stack.length > MAX_STACK) throw faultAt(lines, parser.offset, `more than ${MAX_DEPTH} levels`);
  yield* parser.end();
}
function checkLengths(text2) {
  let start2 = 0;
  for (let { index } of text2.matchAll(SEPARATOR))
    checkLength(index - start2), start2 = index;
  checkLength(text2.length - start2);
}
function checkLength(length) {
  if (length <= MAX_DOCUMENT_LENGTH) return;
  let detail = `A YAML document has more than ${MAX_DOCUMENT_LENGTH} characters; separate resources by --- or send JSON.`;
  throw new Problem("too-large", detail);
}
function check(document, lines) {
  let [fault] = [...document.errors, ...document.warnings];
  if (fault !== void 0) throw faultAt(lines, fault.pos[0], fault.message);
}
var faultAt = (lines, offset, message) => {
  let { line, col } = lines.linePos(offset);
  return new Problem(
    "malformed-body",
    `The body is not YAML that is taken here: ${message} (line ${line}, column ${col}).`
  );
}, Reader = class {
  #lines;
  #anchors = /* @__PURE__ */ new Map();
  #aliases = 0;
  constructor(lines) {
    this.#lines = lines;
  }
  read(node, depth) {
    if (node === null) return null;
    if (depth > MAX_DEPTH) throw this.#fault(node, `more than ${MAX_DEPTH} levels`);
    if (isAlias(node)) return this.#resolve(node);
    let value = isMap(node) ? this.#map(node, depth) : isSeq(node) ? this.#list(node, depth) : this.#scalar(node), { anchor } = node;
    return anchor !== void 0 && this.#anchors.set(anchor, value), value;
  }
  #map(node, depth) {
    let fields = {};
    for (let pair of node.items) {
      let key = this.#key(pair.key, node);
      if (Object.hasOwn(fields, key))
        throw this.#fault(node, `the key ${JSON.stringify(key.slice(0, 80))} comes twice`);
      let value = this.read(pair.value, depth + 1);
      Object.defineProperty(fields, key, { value, enumerable: !0, configurable: !0, writable: !0 });
    }
    return fields;
  }
  #list(node, depth) {
    return node.items.map((item) => this.read(item, depth + 1));
  }
  #scalar(node) {
    let { value } = node;
    if (typeof value == "number" && !Number.isFinite(value))
      throw this.#fault(node, "a number that JSON does not have");
    if (typeof value == "object" && value !== null) throw this.#fault(node, "a type that JSON does not have");
    return value;
  }
  #key(key, map) {
    if (key === null || !isScalar(key)) throw this.#fault(key ?? map, "a key that is not a text");
    let { source, value } = key;
    return typeof value == "string" ? value : source ?? String(value);
  }
  #resolve(node) {
    if (++this.#aliases > MAX_ALIASES) throw this.#fault(node, `more than ${MAX_ALIASES} aliases in one document`);
    if (!this.#anchors.has(node.source)) throw this.#fault(node, `no anchor &${node.source} before its alias`);
    return this.#anchors.get(node.source);
  }
  #fault(node, message) {
    return faultAt(this.#lines, node.range[0], message);
  }
};

// src/edge/http/manifest.ts
var NDJSON_TYPES = ["application/x-ndjson", "application/ndjson"], YAML_TYPES = ["application/yaml", "application/x-yaml", "text/yaml"], MANIFEST_TYPES = ["application/json", ...NDJSON_TYPES, ...YAML_TYPES], MAX_DOCUMENTS = 1e5, MAX_ERRORS = 100;
async function readManifest(request) {
  let type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "", text2 = textOf2(request);
  if (NDJSON_TYPES.includes(type)) return manifestOf(ndjson(text2), !0);
  if (YAML_TYPES.includes(type)) return manifestOf(await readYaml(text2, MAX_DOCUMENTS), !0);
  let json2 = parseJson(text2);
  return Array.isArray(json2) ? manifestOf(json2, !0) : manifestOf([json2], !1);
}
function ndjson(text2) {
  let documents = [], line = 1;
  for (let start2 = 0, end = 0; start2 < text2.length; start2 = end + 1, line++) {
    end = text2.indexOf(`
`, start2), end === -1 && (end = text2.length);
    let document = text2.slice(start2, end);
    if (document.trim() !== "" && documents.push(parseJson(document, line)), documents.length > MAX_DOCUMENTS) throw tooMany2();
  }
  return documents;
}
var tooMany2 = () => new Problem("too-large", `The body has more than the ${MAX_DOCUMENTS} documents that are taken.`);
function manifestOf(documents, listed) {
  if (documents.length > MAX_DOCUMENTS) throw tooMany2();
  let errors2 = [], edits = documents.map((document, i) => {
    let detail = faultOf2(document);
    return detail !== void 0 && errors2.length < MAX_ERRORS && errors2.push({ pointer: `${listed ? `/${i}` : ""}${isObject(document) ? "/name" : ""}`, detail }), { op: "put", name: isObject(document) ? String(document.name) : "", value: document };
  });
  if (errors2.length === 0) return { edits, listed };
  throw new Problem("invalid", { detail: "Each document must be a resource with its name.", errors: errors2 });
}
function faultOf2(document) {
  if (!isObject(document)) return "must be an object: one resource with its name";
  let { name } = document;
  if (name === void 0) return 'is required: the path of the resource under /v1, such as "regions/eu-central"';
  if (typeof name != "string") return "must be a string";
  if (parseName(name) === void 0)
    return `${JSON.stringify(name.slice(0, 80))} is not the path of a resource, such as "regions/eu-central"`;
}
var isObject = (value) => typeof value == "object" && value !== null && !Array.isArray(value);
function placeErrors(problem, { edits, listed }) {
  let { errors: errors2 } = problem.details;
  if (errors2 === void 0) return problem;
  let placed = errors2.slice(0, MAX_ERRORS).map((error) => {
    if (!("pointer" in error)) return error;
    let pointer = listed && edits.length === 1 ? `/0${error.pointer}` : error.pointer, index = listed ? Number(/^\/([0-9]+)(?:\/|$)/.exec(pointer)?.[1] ?? Number.NaN) : 0, resource2 = edits[index]?.name;
    return resource2 === void 0 ? { ...error, pointer } : { ...error, pointer, resource: resource2 };
  });
  return new Problem(problem.code, { ...problem.details, errors: placed });
}

// src/edge/http/apply.ts
var ApplyQuery = Type17.Object(
  {
    dryRun,
    prune: Type17.Optional(
      Type17.String({
        description: "Labels, all of which a resource has to carry: what carries them and is not in the body is deleted.",
        examples: [LABELS_EXAMPLE]
      })
    )
  },
  { additionalProperties: !1 }
);
function apply(deps) {
  return async (request, reply) => {
    let query = request.query, isDryRun = query.dryRun === !0, prune = query.prune === void 0 ? void 0 : parseLabels("prune", query.prune), manifest = await readManifest(request);
    if (manifest.edits.length === 0 && prune !== void 0)
      throw badParameter(
        "prune",
        "with no documents would delete everything with these labels; send at least one document"
      );
    let accepted = manifest.edits.length === 0 ? nothingOf(deps) : await execute(deps, request, { edits: manifest.edits, ...prune && { prune } }, isDryRun).catch(
      place2(manifest)
    );
    return isDryRun ? reply.header("x-signalbox-dry-run", "true") : reply.header(REVISION_HEADER, accepted.revision), sendJson(reply, JSON.stringify(answer3(accepted, isDryRun)));
  };
}
var nothingOf = ({ state }) => ({
  ok: !0,
  revision: state.head.revision,
  changes: [],
  outcomes: [],
  untold: [],
  warnings: []
}), place2 = (manifest) => (error) => {
  throw error instanceof Problem ? placeErrors(error, manifest) : error;
};
function answer3({ revision, outcomes, warnings }, isDryRun) {
  let summary = { created: 0, updated: 0, unchanged: 0, deleted: 0 };
  for (let { op } of outcomes) summary[op]++;
  return { revision, dryRun: isDryRun, summary, items: outcomes.map(itemAnswer), warnings };
}
function itemAnswer({ name, op, before, after }) {
  return op !== "updated" || before === void 0 || after === void 0 ? { name, op } : { name, op, changes: diff(before.value, after.value) };
}

// src/edge/http/export.ts
import { Readable } from "node:stream";
import { setImmediate as nextTurn2 } from "node:timers/promises";
import { Type as Type18 } from "typebox";
import { stringify } from "yaml";
var ExportQuery = Type18.Object(
  {
    service: Type18.Optional(Type18.String({ maxLength: 253, description: "Only this service and what is below it." })),
    labels: Type18.Optional(
      Type18.String({ description: "Only what carries all of these labels.", examples: [LABELS_EXAMPLE] })
    )
  },
  { additionalProperties: !1 }
), NDJSON = {
  type: "application/x-ndjson",
  head: "",
  separator: "",
  tail: "",
  encode: (document) => `${JSON.stringify(document)}
`
}, JSON_ARRAY = {
  type: JSON_TYPE,
  head: "[",
  separator: ",",
  tail: `
]
`,
  encode: (document) => `
${JSON.stringify(document)}`
}, YAML = {
  type: "application/yaml",
  head: "",
  separator: `---
`,
  tail: "",
  encode: (document) => stringify(document, { lineWidth: 0, version: "1.2" })
}, BY_TYPE = {
  "application/x-ndjson": NDJSON,
  "application/ndjson": NDJSON,
  "application/json": JSON_ARRAY,
  "application/yaml": YAML,
  "application/x-yaml": YAML,
  "text/yaml": YAML
}, EXPORT_TYPES = [NDJSON.type, "application/json", YAML.type], PIECE = 32 * 1024;
function exportManifest({ state }) {
  return (request, reply) => {
    let { service, labels: labels2 } = request.query, format = formatOf(request.headers.accept), wanted = labels2 === void 0 ? {} : parseLabels("labels", labels2), items = readingOrder(seenBy(request, state), service).filter((item) => carries2(item, wanted));
    reply.header("content-type", format.type).header("vary", "accept").send(Readable.from(pieces(items, format), { objectMode: !1 }));
  };
}
function formatOf(accept) {
  if (accept === void 0) return NDJSON;
  let ranges = accept.split(",").map((range) => {
    let [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase()), quality = parameters.find((parameter) => parameter.startsWith("q="));
    return { type, quality: quality === void 0 ? 1 : Number(quality.slice(2)) || 0 };
  });
  for (let { type, quality } of ranges.toSorted((a, b) => b.quality - a.quality))
    if (quality !== 0) {
      if (type === "*/*" || type === "application/*") return NDJSON;
      if (type === "text/*") return YAML;
      if (Object.hasOwn(BY_TYPE, type)) return BY_TYPE[type];
    }
  throw new Problem("not-acceptable", `Accept one of ${EXPORT_TYPES.join(", ")}.`);
}
function readingOrder(view, service) {
  if (service !== void 0) {
    let item = view.get(serviceName(service));
    if (item?.kind !== "service") throw new Problem("not-found", `There is no service ${JSON.stringify(service)}.`);
    return withChildren(view, item);
  }
  let of = (kind) => view.sorted(byKind(kind));
  return [
    ...of("region"),
    ...of("project").flatMap((project) => [project, ...view.sorted(children("serviceAccount", project.id))]),
    ...of("service").flatMap((item) => withChildren(view, item)),
    ...of("bundle")
  ];
}
function withChildren(view, service) {
  let versions = view.sorted(children("version", service.id)).toSorted((a, b) => compareVersions(a.id, b.id));
  return [
    service,
    ...versions,
    ...view.sorted(children("resourceType", service.id)),
    ...view.sorted(children("deployment", service.id))
  ];
}
var carries2 = (item, labels2) => Object.entries(labels2).every(([key, value]) => Object.hasOwn(labelsOf(item), key) && labelsOf(item)[key] === value);
async function* pieces(items, format) {
  let piece = format.head;
  for (let [i, item] of items.entries())
    piece += (i === 0 ? "" : format.separator) + format.encode(documentOf2(item)), !(piece.length < PIECE) && (yield piece, piece = "", await nextTurn2());
  yield piece + format.tail;
}
function documentOf2(item) {
  let { revision: _revision, createTime: _createTime, updateTime: _updateTime, ...document } = item.value;
  if (!("effectiveUses" in document)) return document;
  let { effectiveUses: _effectiveUses, ...own2 } = document;
  return own2;
}

// src/edge/http/manifests.ts
function manifestRoutes(app, deps) {
  app.register((scope, _options, done) => {
    acceptOnly(scope, MANIFEST_TYPES), applyRoute(scope, deps), done();
  }), app.register((scope, _options, done) => {
    acceptOnly(scope, []), exportRoute(scope, deps), done();
  });
}
function applyRoute(app, deps) {
  let schema = { description: "Resources, each with its `name`, in any order." };
  app.route({
    method: "POST",
    url: "/v1/apply",
    bodyLimit: deps.config.applyMaxBytes,
    config: { action: "catalog.apply", accepts: MANIFEST_TYPES },
    schema: {
      operationId: "Apply",
      tags: ["manifests"],
      summary: "Create and replace many resources in one revision",
      description: "The final state is what is judged; either all of it becomes one revision or nothing changes.",
      querystring: ApplyQuery,
      body: { content: Object.fromEntries(MANIFEST_TYPES.map((type) => [type, { schema }])) },
      response: answers({ 200: json("What became of each resource.", APPLIED) }, APPLY_PROBLEMS)
    },
    handler: apply(deps)
  });
}
var count2 = Type19.Integer(), APPLIED = Type19.Object({
  revision: Type19.Integer({ description: "The revision it became; the head when nothing changed." }),
  dryRun: Type19.Boolean(),
  summary: Type19.Object({ created: count2, updated: count2, unchanged: count2, deleted: count2 }),
  items: Type19.Array(
    Type19.Object({
      name: Type19.String(),
      op: Type19.Enum(["created", "updated", "unchanged", "deleted"]),
      changes: Type19.Optional(
        Type19.Array(
          Type19.Object({
            path: Type19.String({ description: "JSON pointer into the resource." }),
            before: Type19.Optional(Type19.Unknown()),
            after: Type19.Optional(Type19.Unknown())
          }),
          { description: "Of what is updated: the fields that change." }
        )
      )
    }),
    { description: "The documents in their order, then what was pruned and what followed from the rest." }
  ),
  warnings: Type19.Array(Type19.Unsafe(ref("Warning")))
});
function exportRoute(app, deps) {
  let content = Object.fromEntries(
    EXPORT_TYPES.map((type) => [type, { schema: { type: type === "application/json" ? "array" : "string" } }])
  );
  app.route({
    method: "GET",
    url: "/v1/export",
    config: { action: "catalog.export" },
    schema: {
      operationId: "Export",
      tags: ["manifests"],
      summary: "The catalog as a manifest",
      description: "NDJSON by default; Accept chooses. Applied to the same catalog it changes nothing; applied to an empty one it makes the same catalog again, apiIds included.",
      querystring: ExportQuery,
      headers: ReadHeaders,
      response: answers({ 200: { description: "The manifest, all of one revision.", content } }, [
        "not-acceptable",
        ...READ_PROBLEMS
      ])
    },
    handler: exportManifest(deps)
  });
}

// src/edge/http/overrides.ts
import { Type as Type20 } from "typebox";
var OF_INSTANCE = {
  collection: INSTANCE_OVERRIDE,
  about: "an instance",
  body: "InstanceOverride",
  params: INSTANCE_PARAMS,
  targetOf: (params) => (checkId("instance", "instance", params), { instance: params.instance ?? "" })
}, OF_REGION = {
  collection: REGION_OVERRIDE,
  about: "the instances of a service in a region",
  body: "RegionOverride",
  params: Type20.Object({
    service: Type20.String({ description: "The id of the service, which need not be in the catalog." }),
    region: Type20.String({ description: "The id of the region, or `-` for the instances that name none." })
  }),
  targetOf: (params) => {
    let { service = "", region = "" } = params;
    return checkId("service", "service", params), region !== NO_REGION && checkId("region", "region", params), { service, region };
  }
};
function write3(deps, { collection, targetOf: targetOf4 }, bodyOf4) {
  return async (request, reply) => {
    let params = request.params, target = targetOf4(params), dryRun2 = request.query.dryRun === !0, verdict = await deps.instances.override(request.caller, target, bodyOf4(request), {
      dryRun: dryRun2,
      origin: originOf2(request)
    });
    if (!verdict.ok) throw fromRefusal(verdict.refusal);
    return dryRun2 ? reply.header("x-signalbox-dry-run", "true") : reply.header(REVISION_HEADER, verdict.revision), answer4(reply, nameIn(collection, params), verdict.outcomes, verdict.revision);
  };
}
function answer4(reply, name, outcomes, revision) {
  let outcome = outcomes.find((candidate) => candidate.name === name), affected = outcomes.filter(({ op, after: after2 }) => op === "updated" && after2?.kind === "instance").length, after = outcome?.after;
  if (after !== void 0)
    return outcome?.op === "created" && reply.code(201).header("location", `/v1/${name}`), sendJson(reply.header("etag", etagOf(after.revision)), `${after.json.slice(0, -1)},"affected":${affected}}`);
  if (outcome?.op !== "deleted")
    throw new Problem("not-found", `There is no override ${JSON.stringify(name)} to lift.`);
  return sendJson(reply, JSON.stringify({ name, revision, deleted: !0, affected }));
}
function overrideRoutes(app, deps) {
  app.register((scope, _options, done) => {
    acceptOnly(scope, []), listRoute(scope, deps);
    for (let place3 of [OF_INSTANCE, OF_REGION])
      readRoute(scope, deps, place3), deleteRoute(scope, deps, place3);
    done();
  }), app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY);
    for (let place3 of [OF_INSTANCE, OF_REGION]) putRoute2(scope, deps, place3);
    done();
  });
}
function listRoute(app, deps) {
  app.route({
    method: "GET",
    url: OVERRIDES.listPath,
    config: { action: "instance.read" },
    schema: {
      ...head3("ListOverrides", "List overrides"),
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json("A page of overrides, in order.", pageOf2("Override")) }, LIST_PROBLEMS)
    },
    handler: list(deps, OVERRIDES)
  });
}
function readRoute(app, deps, { collection, about: about2, params }) {
  app.route({
    method: "GET",
    url: collection.itemPath,
    config: { action: "instance.read" },
    schema: {
      ...head3(`Get${collection.operation.one}`, `Read the override of ${about2}`),
      params,
      querystring: NO_QUERY,
      headers: ReadHeaders,
      response: answers({ 200: { ...json("The override.", ref("Override")), headers: ETAG } }, READ_PROBLEMS)
    },
    handler: readOne(deps, collection)
  });
}
function putRoute2(app, deps, place3) {
  let { collection, about: about2, params, body } = place3;
  app.route({
    method: "PUT",
    url: collection.itemPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: "instance.override", accepts: JSON_BODY },
    schema: {
      ...head3(`Put${collection.operation.one}`, `Drain ${about2}, take them out of service, or set their weight`),
      description: "It stays until it is lifted: over restarts of Signalbox, and when instances register again (INS5). Where an instance and its region set the same, the instance counts.",
      params,
      querystring: WriteQuery,
      body: { content: { "application/json": { schema: ref(body) } } },
      response: answers({ 200: written2("Replaced, or unchanged."), 201: written2("Set.") }, [
        "not-found",
        ...RUNTIME_REFUSALS,
        ...BODY_REFUSALS
      ])
    },
    handler: write3(deps, place3, jsonOf)
  });
}
function deleteRoute(app, deps, place3) {
  let { collection, about: about2, params } = place3;
  app.route({
    method: "DELETE",
    url: collection.itemPath,
    config: { action: "instance.override" },
    schema: {
      ...head3(`Delete${collection.operation.one}`, `Lift the override of ${about2}`),
      params,
      querystring: WriteQuery,
      response: answers({ 200: json("It is lifted.", LIFTED) }, ["not-found", ...RUNTIME_REFUSALS])
    },
    handler: write3(deps, place3, () => {
    })
  });
}
var head3 = (operationId, summary) => ({ operationId, tags: ["instances"], summary }), AFFECTED = Type20.Integer({ description: "How many instances the write changes." }), written2 = (description) => ({
  ...json(description, extended("override", { affected: AFFECTED })),
  headers: { ...ETAG, "X-Signalbox-Dry-Run": { type: "string", description: "true when nothing was written." } }
}), LIFTED = Type20.Object({
  name: Type20.String(),
  revision: Type20.Integer({ description: "The revision that lifted it." }),
  deleted: Type20.Literal(!0),
  affected: AFFECTED
});

// src/edge/http/renew.ts
import { Type as Type21 } from "typebox";
var MAX_RENEWALS = 1e4, MAX_BYTES2 = 1024, MAX_BULK_BYTES = 2 * 1024 * 1024;
function renew({ monitoring, state }) {
  return (request, reply) => {
    requireLeases(monitoring);
    let { instance } = request.params;
    if (!(seenBy(request, state).get(instanceName(instance)) !== void 0) || !monitoring.renew(instance, hasBody2(request) ? generationIn(jsonOf(request), "") : void 0))
      throw new Problem("not-found", `There is no instance ${JSON.stringify(instance.slice(0, 80))}, ${AGAIN}`);
    reply.code(204).send();
  };
}
var AGAIN = "or it is of another generation: register it again with POST /v1/instances.";
function renewMany({ monitoring, state }) {
  return (request, reply) => {
    requireLeases(monitoring);
    let renewals = renewalsIn(jsonOf(request)), seen2 = seenBy(request, state), unknown = [];
    for (let { id: id2, generation } of renewals) {
      let target = { name: instanceName(id2) }, { allowed } = authorize(request.caller, "instance.register", target, state.view);
      (!allowed || seen2.get(target.name) === void 0 || !monitoring.renew(id2, generation)) && unknown.push(id2);
    }
    sendJson(reply, JSON.stringify({ renewed: renewals.length - unknown.length, unknown }));
  };
}
function requireLeases({ enabled }) {
  if (!enabled)
    throw new Problem(
      "health-checks-off",
      "This node keeps no leases (HEALTH_CHECKS=off); renew at the one that does."
    );
}
var hasBody2 = ({ body }) => Buffer.isBuffer(body) && body.length > 0, ID = new RegExp(ID_PATTERNS.instance);
function renewalsIn(body) {
  let { instances } = objectAt2(body, "", ["instances"]);
  if (!Array.isArray(instances))
    throw invalid2("/instances", "must be an array of ids, or of objects with id and generation");
  if (instances.length > MAX_RENEWALS) throw invalid2("/instances", `must have at most ${MAX_RENEWALS} entries`);
  return instances.map((entry, i) => {
    let pointer = `/instances/${i}`;
    if (typeof entry == "string") return { id: idAt(entry, pointer), generation: void 0 };
    let { id: id2 } = objectAt2(entry, pointer, ["id", "generation"]);
    return { id: idAt(id2, `${pointer}/id`), generation: generationIn(entry, pointer, ["id", "generation"]) };
  });
}
function idAt(id2, pointer) {
  if (typeof id2 == "string" && ID.test(id2)) return id2;
  throw invalid2(pointer, PATTERN_IN_WORDS.get(ID_PATTERNS.instance) ?? "");
}
function generationIn(body, pointer, known2 = ["generation"]) {
  let { generation } = objectAt2(body, pointer, known2);
  if (generation === void 0 || Number.isSafeInteger(generation)) return generation;
  throw invalid2(`${pointer}/generation`, "must be an integer: the one that the registration was answered with");
}
function objectAt2(value, pointer, known2) {
  if (typeof value != "object" || value === null || Array.isArray(value)) throw invalid2(pointer, "must be an object");
  for (let field in value)
    if (!known2.includes(field))
      throw invalid2(pointer, `${JSON.stringify(field.slice(0, 80))} is not known here; known: ${known2.join(", ")}`);
  return value;
}
var invalid2 = (pointer, detail) => new Problem("invalid", { detail: `${pointer} ${detail}`.trim(), errors: [{ pointer, detail }] });
function renewRoutes(app, deps) {
  app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY), acceptNothingAsAnything(scope), renewRoute(scope, deps), done();
  }), app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY), renewManyRoute(scope, deps), done();
  });
}
function acceptNothingAsAnything(scope) {
  scope.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BYTES2 }, (_request, body, done) => {
    done(body.length === 0 ? null : new Problem("unsupported-media-type", "Send application/json, or no body."));
  });
}
function renewRoute(app, deps) {
  app.route({
    method: "POST",
    url: "/v1/instances/:instance/renew",
    bodyLimit: MAX_BYTES2,
    config: { action: "instance.register", accepts: JSON_BODY },
    schema: {
      operationId: "RenewInstance",
      tags: ["instances"],
      summary: "Renew the lease of an instance",
      description: "Makes no revision (REV3), unless the instance was critical. A 404 means that it has to register again. Without a body whichever generation is there is renewed.",
      params: INSTANCE_PARAMS,
      querystring: NO_QUERY,
      body: { content: { "application/json": { schema: Type21.Object({ generation: Type21.Optional(GENERATION) }) } } },
      response: answers({ 204: { description: "Renewed." } }, ["not-found", ...PROBLEMS2])
    },
    handler: renew(deps)
  });
}
function renewManyRoute(app, deps) {
  app.route({
    method: "POST",
    url: "/v1/instances/renew",
    bodyLimit: MAX_BULK_BYTES,
    config: { action: "instance.register", accepts: JSON_BODY },
    schema: {
      operationId: "RenewInstances",
      tags: ["instances"],
      summary: "Renew the leases of many instances",
      description: "For agents that keep the leases of others. Each is renewed or not, whatever becomes of the rest.",
      querystring: NO_QUERY,
      body: { content: { "application/json": { schema: RENEWALS } } },
      response: answers({ 200: json("What became of them.", RENEWED) }, PROBLEMS2)
    },
    handler: renewMany(deps)
  });
}
var PROBLEMS2 = ["invalid", "health-checks-off", "not-ready", ...BODY_REFUSALS], GENERATION = Type21.Integer({ description: "Only of this generation, as the registration was answered (INS6)." }), INSTANCE_ID = Type21.String({ pattern: ID_PATTERNS.instance }), RENEWALS = Type21.Object({
  instances: Type21.Array(
    Type21.Union([INSTANCE_ID, Type21.Object({ id: INSTANCE_ID, generation: Type21.Optional(GENERATION) })]),
    { maxItems: MAX_RENEWALS, description: "Ids, or ids with generations." }
  )
}), RENEWED = Type21.Object({
  renewed: Type21.Integer({ description: "How many were renewed." }),
  unknown: Type21.Array(Type21.String(), { description: "The ids of those that have to register again." })
});

// src/edge/query-validation.ts
import { Ajv2020 } from "ajv/dist/2020.js";
var ajv = new Ajv2020({
  allErrors: !1,
  coerceTypes: !0,
  useDefaults: !0,
  removeAdditional: !1,
  verbose: !0
}), validatorCompiler = ({ schema, httpPart }) => {
  if (httpPart !== "querystring") return () => !0;
  let check3 = ajv.compile(schema);
  return (query) => check3(query) ? !0 : { error: problemOf2(check3.errors?.[0]) };
}, TYPES2 = {
  integer: "a whole number",
  boolean: "true or false",
  string: "one text"
};
function problemOf2(error) {
  let params = error?.params ?? {}, name = error?.instancePath.slice(1) ?? "";
  switch (error?.keyword) {
    case "additionalProperties": {
      let known2 = Object.keys(error.parentSchema?.properties ?? {}), list5 = known2.length === 0 ? "this route takes none" : `there are ${known2.join(", ")}`;
      return badParameter((params.additionalProperty ?? "").slice(0, 80), `is not a parameter of this route; ${list5}`);
    }
    case "required":
      return badParameter(params.missingProperty ?? "", "is required");
    case "type":
      return Array.isArray(error.data) ? badParameter(name, "is given more than once; give it once") : badParameter(name, `must be ${TYPES2[params.type ?? ""] ?? params.type}`);
    case "minimum":
      return badParameter(name, `must be at least ${params.limit}`);
    case "maximum":
      return badParameter(name, `must be at most ${params.limit}`);
    case "maxLength":
      return badParameter(name, `must have at most ${params.limit} characters`);
    default:
      return badParameter(name, error?.message ?? "is wrong");
  }
}

// src/edge/request-ids.ts
import { randomBytes as randomBytes2 } from "node:crypto";
var SANE = /^[A-Za-z0-9._:/+=-]{1,128}$/;
function requestIds() {
  let process2 = randomBytes2(6).toString("base64url"), count3 = 0;
  return ({ headers }) => {
    let given2 = headers["x-request-id"];
    return typeof given2 == "string" && SANE.test(given2) ? given2 : `${process2}-${(count3++).toString(36)}`;
  };
}

// src/edge/request-metrics.ts
var BOUNDS = [5e-4, 1e-3, 25e-4, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10], NAME2 = "signalbox_http_request_duration_seconds", RequestMetrics = class {
  name = NAME2;
  help = "Seconds from the arrival of a request to the start of its answer";
  type = "histogram";
  aggregator = "sum";
  #cells = [];
  constructor(registry) {
    registry.registerMetric(this);
  }
  /** Where a route puts its observations. */
  series(method, route) {
    return new RouteSeries((status2) => {
      let cell = { labels: { method, route, status: String(status2) }, buckets: BOUNDS.map(() => 0), count: 0, sum: 0 };
      return this.#cells.push(cell), cell;
    });
  }
  get() {
    let { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values: this.#cells.flatMap(samplesOf) });
  }
  reset() {
    for (let cell of this.#cells)
      cell.buckets.fill(0), cell.count = 0, cell.sum = 0;
  }
}, RouteSeries = class {
  #open;
  #byStatus = /* @__PURE__ */ new Map();
  constructor(open3) {
    this.#open = open3;
  }
  observe(status2, seconds) {
    let cell = this.#byStatus.get(status2);
    cell === void 0 && this.#byStatus.set(status2, cell = this.#open(status2));
    let bucket = 0;
    for (; bucket < BOUNDS.length && seconds > BOUNDS[bucket]; ) bucket++;
    bucket < BOUNDS.length && (cell.buckets[bucket] = cell.buckets[bucket] + 1), cell.count++, cell.sum += seconds;
  }
};
function samplesOf({ labels: labels2, buckets, count: count3, sum }) {
  let below = 0, samples = BOUNDS.map((le, i) => (below += buckets[i], { metricName: `${NAME2}_bucket`, labels: { le, ...labels2 }, value: below }));
  return samples.push({ metricName: `${NAME2}_bucket`, labels: { le: "+Inf", ...labels2 }, value: count3 }), samples.push({ metricName: `${NAME2}_sum`, labels: labels2, value: sum }), samples.push({ metricName: `${NAME2}_count`, labels: labels2, value: count3 }), samples;
}

// src/auth/actions.ts
var ACTIONS = {
  "catalog.read": "Read resources and lists of them",
  "catalog.write": "Create, replace and change one resource",
  "catalog.delete": "Delete one resource",
  "catalog.apply": "Change many resources in one revision",
  "catalog.export": "Read the whole catalog as a manifest",
  "instance.read": "Find instances, and ask how they are",
  "instance.register": "Register an instance, renew its lease and deregister it",
  "instance.override": "Drain instances, take them out of service, and set their weight",
  "token.manage": "Make, list and revoke the registration tokens of a service",
  "coverage.read": "Read which services are covered where",
  "log.read": "Read the revision log and its head",
  "feed.watch": "Subscribe to changes",
  "feed.subscribers": "See who subscribes to what",
  "audit.read": "Read the audit: who did what",
  "session.use": "Log in and out, and ask who one is",
  "health.read": "Ask whether the server lives and is ready",
  "metrics.read": "Read the metrics of the server",
  "docs.read": "Read the documentation of the interface"
}, isAction = (name) => typeof name == "string" && Object.hasOwn(ACTIONS, name);

// src/edge/route-table.ts
var RouteTable = class {
  entries = [];
  #bare = [];
  #patterns = /* @__PURE__ */ new Map();
  /** The action of a route that is registered; `undefined` when it declares none, which `check` will not let pass. */
  add(route) {
    let action = route.config?.action;
    if (!isAction(action)) {
      this.#bare.push(`${String(route.method)} ${route.url}`);
      return;
    }
    for (let method of [route.method].flat())
      this.entries.push({ method, url: route.url, action }), this.#methodsOf(route.url).add(method);
    return action;
  }
  /** Throws when a route declares no action (SEC1). */
  check() {
    if (this.#bare.length === 0) return;
    let routes = this.#bare.join(", ");
    throw new Error(`${routes} declares no action: add one of src/auth/actions.ts to its config (SEC1)`);
  }
  /** The methods that a path takes, sorted; none when nothing lives there. */
  methodsAt(path2) {
    let parts = path2.split("/"), found = /* @__PURE__ */ new Set();
    for (let pattern of this.#patterns.values())
      if (fits(pattern.parts, parts)) for (let method of pattern.methods) found.add(method);
    return [...found].sort();
  }
  #methodsOf(url2) {
    let pattern = this.#patterns.get(url2);
    return pattern === void 0 && this.#patterns.set(url2, pattern = { parts: url2.split("/"), methods: /* @__PURE__ */ new Set() }), pattern.methods;
  }
};
function fits(pattern, parts) {
  return (pattern.at(-1) === "*" ? parts.length < pattern.length : parts.length !== pattern.length) ? !1 : pattern.every((part, i) => part === "*" || part === parts[i] || part.startsWith(":") && parts[i] !== "");
}

// src/edge/app.ts
var MAX_HEADER_BYTES = 16 * 1024, KEEP_ALIVE_MS = 72e3, TIMEOUT_CHECK_MS = 2e3;
async function buildApp(deps) {
  let { config: config2, logger } = deps, onError = errorHandler(deps), http = {
    headersTimeout: Math.min(1e4, Math.ceil(config2.requestTimeout / 3)),
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Answered by the admission, as a problem that says what is missing.
    requireHostHeader: !1
  }, app = Fastify({
    // Fastify's own logger would cost each request a child logger and two listeners; what there is to say is said here.
    logController: new EdgeLog(logger),
    genReqId: requestIds(),
    requestIdHeader: !1,
    bodyLimit: config2.bodyMaxBytes,
    requestTimeout: config2.requestTimeout,
    connectionTimeout: config2.requestTimeout + KEEP_ALIVE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    return503OnClosing: !1,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    ...deps.tls === void 0 ? { http } : { https: { ...http, ...deps.tls } },
    clientErrorHandler: clientErrorHandler(logger),
    frameworkErrors: (error, request, reply) => {
      onError(error, request, reply);
    }
  });
  deps.access.certificates !== void 0 && noteBeginnings(app.server, deps.access.certificates);
  let routes = new RouteTable();
  app.decorate("routeTable", routes), app.decorate("gate", gateOf(deps.access, deps.state)), app.decorateRequest("caller"), app.decorateRequest("grant"), app.decorateRequest("knownBy"), app.decorateRequest("bodyService"), app.decorateRequest("arrivedAt", 0), app.removeAllContentTypeParsers(), app.setErrorHandler(onError), app.setValidatorCompiler(validatorCompiler), app.setSerializerCompiler(() => JSON.stringify), watchRoutes(app, deps, routes), app.setNotFoundHandler((request, reply) => notFound(deps, routes, request, reply)), await documentRoutes(app, deps.version), healthRoutes(app, deps), catalogRoutes(app, deps), manifestRoutes(app, deps), instanceRoutes(app, deps), renewRoutes(app, deps), discoveryRoutes(app, deps), overrideRoutes(app, deps), advisoryRoutes(app, deps), coverageRoutes(app, deps), logRoutes(app, deps), await docsRoutes(app);
  for (let plugin2 of deps.plugins ?? []) await app.register(plugin2);
  return routes.check(), app;
}
function watchRoutes(app, deps, routes) {
  let metrics = new RequestMetrics(deps.metrics);
  app.addHook("onReady", async () => {
    routes.check();
  }), app.addHook("onRoute", (route) => {
    /^\/docs(?:\/|$)/.test(route.url) && (route.config = { action: "docs.read", ...route.config });
    let action = routes.add(route);
    if (action === void 0) return;
    let series = metrics.series(String(route.method), route.url);
    route.onRequest = [
      admission(deps, {
        action,
        method: String(route.method),
        url: route.url,
        credentials: route.config?.credentials
      }),
      ...[route.onRequest ?? []].flat()
    ], route.onSend = [
      (request, reply, payload, done) => {
        let ms = performance.now() - request.arrivedAt;
        series.observe(reply.statusCode, ms / 1e3), deps.logger.isLevelEnabled("debug") && logRequest(deps, request, reply, ms), done(null, payload);
      },
      ...[route.onSend ?? []].flat()
    ];
  });
}
function logRequest({ logger }, request, reply, ms) {
  let { id: requestId, method, url: url2 } = request;
  logger.debug({ requestId, method, url: url2, status: reply.statusCode, ms }, "answers a request");
}
async function notFound({ access, state, limits }, routes, request, reply) {
  let found = await identify(access, request, void 0, beforeLookUp(limits, "read")) ?? decide(request, "docs.read", void 0, state.view), problem = limitedNowhere(limits)(request, found);
  if (problem !== void 0) throw problem;
  let path2 = request.url.split("?")[0] ?? "", methods = routes.methodsAt(path2);
  throw methods.length === 0 ? new Problem("unknown-path", `Nothing lives at ${JSON.stringify(path2.slice(0, 400))}; / lists what is where.`) : (reply.header("allow", methods.join(", ")), new Problem("method-not-allowed", `${request.method} is not taken here; there are ${methods.join(", ")}.`));
}

// src/edge/http/registration-tokens.ts
import { Type as Type24 } from "typebox";

// src/protocol/registration-token.ts
import { Type as Type22 } from "typebox";
var NewRegistrationTokenSchema = closed(
  {
    title: Type22.Optional(text(200, { description: "What it is for.", examples: ["the build farm"] })),
    ttl: Type22.Optional(
      Type22.String({
        pattern: DURATION,
        description: "How long it is good: 1m to REGISTRATION_TOKEN_MAX_AGE. By default 90 days, or REGISTRATION_TOKEN_MAX_AGE if that is less.",
        examples: ["2160h"]
      })
    ),
    expireTime: Type22.Optional(
      Type22.String({ format: "date-time", description: "Until when it is good, in place of ttl." })
    )
  },
  { description: "Left out, it has no title and is good for 90 days." }
), base = {
  id: Type22.String({ description: "24 hexadecimal digits." }),
  service: Type22.String(),
  title: Type22.Optional(Type22.String()),
  createTime: Type22.String({ format: "date-time" }),
  expireTime: Type22.String({ format: "date-time", description: "Until when it is good." }),
  createdBy: Type22.String({ description: "Who made it, as the audit names them." })
}, RegistrationTokenSchema = Type22.Object({
  ...base,
  revokeTime: Type22.Optional(Type22.String({ format: "date-time", description: "Since when it is good no more." }))
}), CreatedRegistrationTokenSchema = Type22.Object({
  ...base,
  token: Type22.String({ description: "What the bearer shows. It is told this once, and kept nowhere." })
});

// src/protocol/validate.ts
import { Ajv2020 as Ajv20202 } from "ajv/dist/2020.js";

// src/protocol/formats.ts
import formats from "ajv-formats";
var plugin = formats.default, LABEL2 = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, ipv4 = plugin.get("ipv4"), ipv6 = plugin.get("ipv6");
function isEndpoint(text2) {
  if (ipv6.test(text2)) return !0;
  let match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([1-9][0-9]{0,4}))?$/.exec(text2);
  if (match === null) return !1;
  let [, address, host, port2] = match;
  return port2 !== void 0 && Number(port2) > 65535 ? !1 : address === void 0 ? isHost(host ?? "") : ipv6.test(address);
}
var isHostAddress = (text2) => ipv6.test(text2) || text2.length > 0 && isHost(text2);
function isHost(host) {
  if (host.length > 253) return !1;
  let labels2 = host.split(".");
  return /^[0-9]+$/.test(labels2.at(-1) ?? "") ? ipv4.test(host) : labels2.every((label) => LABEL2.test(label));
}
var addFormats = (ajv4) => {
  plugin(ajv4, ["date", "date-time"]), ajv4.addFormat("endpoint", isEndpoint), ajv4.addFormat("host-address", isHostAddress);
};

// src/protocol/validate.ts
var ajv2 = new Ajv20202({
  allErrors: !1,
  coerceTypes: !1,
  removeAdditional: !1,
  discriminator: !0,
  verbose: !0
});
addFormats(ajv2);
var compiled = new Map(KINDS.map((kind) => [kind, ajv2.compile(RESOURCES[kind])])), validateResource = (kind, value) => {
  let check3 = compiled.get(kind);
  if (check3 === void 0) throw new Error(`no schema for ${kind}`);
  return check3(value) ? NONE : toFieldErrors(check3.errors);
}, checkOf2 = (schema) => {
  let check3 = ajv2.compile(schema);
  return (value) => check3(value) ? NONE : toFieldErrors(check3.errors);
}, validateRegistration = checkOf2(RegistrationSchema), validateInstanceOverride = checkOf2(InstanceOverrideSchema), validateRegionOverride = checkOf2(RegionOverrideSchema), validateNewRegistrationToken = checkOf2(NewRegistrationTokenSchema), NONE = [];

// src/registry/registration-tokens.ts
import { createHash as createHash7 } from "node:crypto";
var MAX_LIVE_TOKENS = 20, LISTED_MS = 720 * 36e5, TokenDesk = class {
  #deps;
  constructor(deps) {
    this.#deps = deps;
  }
  /** `undefined`: the service has `MAX_LIVE_TOKENS` already. */
  async create(caller, { service, title: title2, expiresAt, since: since2 }) {
    let { store, random, clock } = this.#deps, id2 = random(ID_BYTES), secret = random(SECRET_BYTES), token = {
      id: id2,
      service,
      ...title2 !== void 0 && { title: title2 },
      hash: createHash7("sha256").update(secret).digest("hex"),
      createdBy: caller.subject,
      // Another node's clock may be ahead of ours, and a token that is older than its service opens nothing.
      createdAt: Math.max(clock(), since2),
      expiresAt
    };
    return await available(store.insert(token, MAX_LIVE_TOKENS, since2)) ? { token, text: registrationTokenText(id2, secret) } : void 0;
  }
  list(service, page2) {
    return available(this.#deps.store.list(service, page2));
  }
  /** One that is revoked stays as it was; `undefined`: the service has no such token. */
  async revoke(service, id2) {
    let { store, onRevoked, clock } = this.#deps, token = await available(store.revoke(service, id2, clock()));
    return token !== void 0 && onRevoked(id2), token;
  }
  /** Removes what ended long ago. Rejects with the store's own errors. */
  async tidy() {
    await this.#deps.store.deleteEnded(this.#deps.clock() - LISTED_MS);
  }
};
async function available(answer5) {
  try {
    return await answer5;
  } catch (error) {
    throw error instanceof StoreUnavailable ? new RegistryUnavailable("store-unavailable", 1, { cause: error }) : error;
  }
}

// src/edge/http/registration-token-pages.ts
import { Type as Type23 } from "typebox";
var DEFAULT_PAGE_SIZE2 = 100, TokensQuery = Type23.Object(
  {
    pageSize: Type23.Optional(
      Type23.Integer({
        minimum: 1,
        maximum: 1e3,
        default: DEFAULT_PAGE_SIZE2,
        description: "How many a page has at most."
      })
    ),
    pageToken: Type23.Optional(Type23.String({ description: "The `nextPageToken` of the page before." }))
  },
  { additionalProperties: !1 }
), tokenQuery2 = (service) => ({
  collection: `registrationToken/${service}`,
  filter: "",
  orderBy: ""
});
function pageWanted(service, { pageSize, pageToken }) {
  let size2 = pageSize ?? DEFAULT_PAGE_SIZE2;
  if (pageToken === void 0 || pageToken === "") return { size: size2 };
  let cursor = decodePageToken(tokenQuery2(service), pageToken, 1);
  if (cursor === "other-query") throw badParameter("pageToken", "belongs to another list; send none");
  let createdAt = cursor === "broken" ? void 0 : cursor.values[0];
  if (cursor === "broken" || !isTime(createdAt))
    throw badParameter("pageToken", "is not one that a list has answered; send a nextPageToken as it is, or no token");
  return { size: size2, after: { createdAt, id: cursor.name } };
}
var isTime = (value) => typeof value == "number" && Number.isSafeInteger(value) && value >= 0 && value <= 864e13, pageTokenAfter = (service, { createdAt, id: id2 }) => encodePageToken(tokenQuery2(service), { values: [createdAt], name: id2 });

// src/edge/http/registration-tokens.ts
var MAX_BODY_BYTES = 4096;
function create({ desk, state, maxLifeMs, clock, audit: audit2 }) {
  return async (request, reply) => {
    let { service, since: since2 } = serviceIn2(state, request), { title: title2, ...life } = bodyOf3(request), expiresAt = expiryOf(life, clock(), maxLifeMs);
    if (typeof expiresAt == "object") throw invalid3(expiresAt.pointer, expiresAt.detail);
    let created = await desk.create(request.caller, { service, ...title2 && { title: title2 }, expiresAt, since: since2 });
    if (created === void 0)
      throw note2(audit2, request, { action: "token.create", service, result: "too-many-tokens" }), new Problem("too-many-tokens", TOO_MANY2);
    let { token, text: text2 } = created;
    return note2(audit2, request, { action: "token.create", service, result: "created", detail: about(token) }), reply.code(201).header("cache-control", "no-store"), sendJson(reply, JSON.stringify({ ...shown(token), token: text2 }));
  };
}
var TOO_MANY2 = `The service has ${MAX_LIVE_TOKENS} registration tokens that are neither revoked nor expired; revoke one that is no longer used.`;
function list4({ desk, state }) {
  return async (request, reply) => {
    let { service, since: since2 } = serviceIn2(state, request), { size: size2, after } = pageWanted(service, request.query), found = await desk.list(service, { limit: size2 + 1, since: since2, ...after && { after } }), page2 = found.slice(0, size2), last = page2.at(-1), nextPageToken = found.length > size2 && last !== void 0 ? pageTokenAfter(service, last) : "";
    return sendJson(reply, JSON.stringify({ items: page2.map(shown), nextPageToken }));
  };
}
function revoke({ desk, state, audit: audit2 }) {
  return async (request, reply) => {
    let { service } = serviceIn2(state, request), { token: tokenId = "" } = request.params;
    if (!ID2.test(tokenId))
      throw new Problem("not-found", "That is no id of a registration token: 24 hexadecimal digits.");
    let token = await desk.revoke(service, tokenId);
    if (token === void 0) throw new Problem("not-found", `${service} has no registration token ${tokenId}.`);
    return note2(audit2, request, { action: "token.revoke", service, result: "ok", detail: about(token) }), sendJson(reply, JSON.stringify(shown(token)));
  };
}
var ID2 = new RegExp(REGISTRATION_TOKEN_ID);
function serviceIn2({ view }, request) {
  let { service = "" } = request.params;
  checkId("service", "service", request.params);
  let item = serviceOf(view, service);
  if (item === void 0) throw new Problem("not-found", `There is no service "${service}" in the catalog.`);
  return { service, since: Date.parse(item.value.createTime) };
}
function bodyOf3(request) {
  if (!Buffer.isBuffer(request.body) || request.body.length === 0) return {};
  let body = jsonOf(request), [error] = validateNewRegistrationToken(body);
  if (error !== void 0) throw invalid3(error.pointer, error.detail);
  return body;
}
var invalid3 = (pointer, detail) => new Problem("invalid", { detail: `${pointer} ${detail}`.trim(), errors: [{ pointer, detail }] }), time2 = (ms) => new Date(ms).toISOString(), shown = ({ id: tokenId, service, title: title2, createdAt, expiresAt, createdBy: createdBy2, revokedAt }) => ({
  id: tokenId,
  service,
  title: title2,
  createTime: time2(createdAt),
  expireTime: time2(expiresAt),
  createdBy: createdBy2,
  ...revokedAt !== void 0 && { revokeTime: time2(revokedAt) }
}), about = ({ id: tokenId, expiresAt }) => `Registration token ${tokenId}, good until ${time2(expiresAt)}.`;
function note2(audit2, { caller, id: requestId, raw: raw2 }, noted) {
  let account = caller.kind === "serviceAccount" ? caller.account : void 0, project = account === void 0 ? void 0 : partsOf(account).parent;
  audit2?.note({
    category: "operation",
    subject: caller.subject,
    ...account !== void 0 && { account },
    ...project !== void 0 && { project },
    target: serviceName(noted.service),
    ...noted,
    ...raw2.socket.remoteAddress !== void 0 && { address: raw2.socket.remoteAddress },
    requestId
  });
}
var registrationTokenRoutes = (deps) => (app, _options, done) => {
  app.register((scope, _scopeOptions, scopeDone) => {
    acceptOnly(scope, JSON_BODY), createRoute(scope, deps), scopeDone();
  }), app.register((scope, _scopeOptions, scopeDone) => {
    acceptOnly(scope, []), listRoute2(scope, deps), revokeRoute(scope, deps), scopeDone();
  }), done();
}, PATH = "/v1/services/:service/registration-tokens", SERVICE2 = { service: id("service", { description: "The id of the service." }) }, head4 = (operationId, summary) => ({ operationId, tags: ["tokens"], summary });
function createRoute(app, deps) {
  app.route({
    method: "POST",
    url: PATH,
    bodyLimit: MAX_BODY_BYTES,
    config: { action: "token.manage", accepts: JSON_BODY },
    schema: {
      ...head4("CreateRegistrationToken", "Make a registration token"),
      description: `For what cannot do OAuth: its bearer registers, renews and deregisters instances of this service, over HTTP, and does nothing else. The answer holds the token, which is told this once and kept nowhere. A service has ${MAX_LIVE_TOKENS} at most that are neither revoked nor expired. Not to be sent again blindly: each time makes another.`,
      params: Type24.Object(SERVICE2),
      querystring: NO_QUERY,
      body: { content: { "application/json": { schema: NewRegistrationTokenSchema } } },
      response: answers({ 201: json("The token.", CreatedRegistrationTokenSchema) }, [
        ...PROBLEMS3,
        "too-many-tokens",
        ...BODY_REFUSALS
      ])
    },
    handler: create(deps)
  });
}
function listRoute2(app, deps) {
  app.route({
    method: "GET",
    url: PATH,
    config: { action: "token.manage" },
    schema: {
      ...head4("ListRegistrationTokens", "List the registration tokens of a service"),
      description: "In the order in which they were made, without what their bearers show. What ended is listed for 30 days.",
      params: Type24.Object(SERVICE2),
      querystring: TokensQuery,
      response: answers({ 200: json("A page of registration tokens.", PAGE) }, PROBLEMS3)
    },
    handler: list4(deps)
  });
}
function revokeRoute(app, deps) {
  app.route({
    method: "DELETE",
    url: `${PATH}/:token`,
    config: { action: "token.manage" },
    schema: {
      ...head4("RevokeRegistrationToken", "Revoke a registration token"),
      description: "At once at the node that answers, at others within seconds. Revoking twice is revoking once. Instances that were registered with it stay as long as their leases do.",
      params: Type24.Object({
        ...SERVICE2,
        token: Type24.String({ description: "The id of the token, never the token itself." })
      }),
      querystring: NO_QUERY,
      response: answers({ 200: json("It is good no more.", RegistrationTokenSchema) }, PROBLEMS3)
    },
    handler: revoke(deps)
  });
}
var PROBLEMS3 = ["invalid", "not-found", "not-ready", "store-unavailable"], PAGE = Type24.Object({
  items: Type24.Array(RegistrationTokenSchema),
  nextPageToken: Type24.String({ description: "For the next page; empty on the last one." })
});

// src/edge/http/audit.ts
import { Readable as Readable2 } from "node:stream";
import { Type as Type25 } from "typebox";

// src/auth/services-of.ts
function servicesOf3(caller, action, view) {
  if (caller.kind === "administrator" || caller.kind === "signalbox") return "all";
  let own2 = [];
  for (let { name, id: id2 } of allOf(view, "service"))
    authorize(caller, action, { name }, view).allowed && own2.push(id2);
  return own2;
}

// src/domain/audit.ts
var AUDIT_CATEGORIES = ["change", "refusal", "login", "operation"];
function cursorAfter(page2, before) {
  let at2 = page2.at(-1)?.at;
  if (at2 === void 0) return;
  let ofIt = page2.filter((entry) => entry.at === at2).length;
  return { at: at2, given: ofIt + (before?.at === at2 ? before.given : 0) };
}

// src/edge/http/audit.ts
var DEFAULT_PAGE_SIZE3 = 100, EXPORT_PAGE = 1e3, NDJSON2 = "application/x-ndjson", whole = (description) => Type25.Optional(Type25.String({ maxLength: 400, description })), time3 = (description) => Type25.Optional(Type25.String({ maxLength: 64, description, examples: ["2026-01-15T10:00:00Z"] })), AuditQuery = Type25.Object(
  {
    subject: whole("Only what this subject did."),
    account: whole("Only what this service account did: its name."),
    project: whole("Only what the service accounts of this project did."),
    action: whole("Only this action, such as `catalog.write`."),
    category: Type25.Optional(Type25.Enum([...AUDIT_CATEGORIES], { description: "Only entries of this sort." })),
    target: whole("Only what was done to this resource: its name."),
    service: whole("Only what is about this service."),
    result: whole("Only what came out like this, such as `updated` or `forbidden`."),
    from: time3("Only from this time on (RFC 3339)."),
    to: time3("Only before this time (RFC 3339)."),
    pageSize: Type25.Optional(
      Type25.Integer({ minimum: 1, maximum: 1e3, default: DEFAULT_PAGE_SIZE3, description: "Entries on a page." })
    ),
    pageToken: Type25.Optional(
      Type25.String({ description: "The `nextPageToken` of the page before, with the same filters." })
    )
  },
  { additionalProperties: !1 }
);
function audit(deps) {
  return async (request, reply) => {
    let query = request.query, filter = filterOf2(query);
    if (reply.header("vary", "accept"), wantsLines(request.headers.accept)) {
      if (query.pageToken !== void 0) throw badParameter("pageToken", `is for pages; ${NDJSON2} has all entries`);
      let first = await readPage(deps, request, filter, query.service, { limit: EXPORT_PAGE }), lines = Readable2.from(linesFrom(deps, request, filter, query.service, first), { objectMode: !1 });
      return reply.header("content-type", NDJSON2).send(lines);
    }
    let token = tokenQuery3(query), before = cursorIn(token, query.pageToken), limit2 = query.pageSize ?? DEFAULT_PAGE_SIZE3, found = await readPage(deps, request, filter, query.service, { ...before && { before }, limit: limit2 + 1 }), page2 = found.slice(0, limit2), next = found.length > limit2 ? cursorAfter(page2, before) : void 0, nextPageToken = next === void 0 ? "" : encodePageToken(token, { values: [next.at], name: `${next.given}` });
    return sendJson(reply, JSON.stringify({ items: page2.map(shown2), nextPageToken }));
  };
}
async function readPage({ store, state }, { caller }, filter, service, page2) {
  let own2 = servicesOf3(caller, "audit.read", state.view), wanted = service === void 0 ? void 0 : [service], services = own2 === "all" ? wanted : wanted?.filter((id2) => own2.includes(id2)) ?? own2;
  return services?.length === 0 ? [] : store.readAudit(services === void 0 ? filter : { ...filter, services }, page2);
}
async function* linesFrom(deps, request, filter, service, first) {
  let before;
  for (let page2 = first; page2.length > 0; ) {
    if (yield page2.map((entry) => `${JSON.stringify(shown2(entry))}
`).join(""), before = cursorAfter(page2, before), page2.length < EXPORT_PAGE || before === void 0) return;
    if (request.grant?.holds(deps.clock()) === !1) throw new Error("the token has expired during an export");
    page2 = await readPage(deps, request, filter, service, { before, limit: EXPORT_PAGE });
  }
}
var wantsLines = (accept) => accept !== void 0 && accept.split(",").some((type) => /^\s*application\/(?:x-)?ndjson\s*(?:;|$)/i.test(type));
function filterOf2(query) {
  let { pageSize: _size, pageToken: _token, service: _service, from, to, ...texts2 } = query;
  return {
    ...texts2,
    ...from !== void 0 && { from: timeOf("from", from) },
    ...to !== void 0 && { to: timeOf("to", to) }
  };
}
var RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/i;
function timeOf(parameter, text2) {
  let ms = RFC_3339.test(text2) ? Date.parse(text2) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw badParameter(parameter, "must be a time such as 2026-01-15T10:00:00Z; a + in it is sent as %2B");
}
var tokenQuery3 = ({ pageSize: _size, pageToken: _token, ...filters }) => ({
  collection: "audit",
  filter: JSON.stringify(Object.entries(filters).toSorted(([a], [b]) => a < b ? -1 : 1)),
  orderBy: ""
});
function cursorIn(query, token) {
  if (token === void 0 || token === "") return;
  let read7 = decodePageToken(query, token, 1);
  if (read7 === "other-query")
    throw badParameter("pageToken", "belongs to a list with other filters; send the same, or no token");
  let at2 = read7 === "broken" ? void 0 : read7.values[0], given2 = read7 === "broken" ? Number.NaN : Number(read7.name);
  if (!isTime2(at2) || !Number.isSafeInteger(given2) || given2 < 0)
    throw badParameter("pageToken", "is not one that a list has answered; send a nextPageToken as it is, or no token");
  return { at: at2, given: given2 };
}
var isTime2 = (ms) => Number.isSafeInteger(ms) && ms >= 0 && ms < 2534023008e5, shown2 = ({ at: at2, ...entry }) => ({ at: new Date(at2).toISOString(), ...entry }), auditRoute = (deps) => (app, _options, done) => {
  app.route({
    method: "GET",
    url: "/v1/audit",
    config: { action: "audit.read" },
    schema: {
      operationId: "ListAuditEntries",
      tags: ["operations"],
      summary: "Who did what",
      description: `The newest first. Administrators see all entries, service accounts and API owners those about services that are theirs. With \`Accept: ${NDJSON2}\` all that match, one a line, as a stream; one that ends early is cut off without its end. docs/audit.md tells what is in it.`,
      querystring: AuditQuery,
      headers: ReadHeaders,
      response: answers({ 200: ANSWER }, ["store-unavailable", ...LIST_PROBLEMS])
    },
    handler: audit(deps)
  }), done();
}, Text = (description) => Type25.Optional(Type25.String({ description })), ENTRY = Type25.Object({
  at: Type25.String({ format: "date-time", description: "When it was asked for." }),
  category: Type25.Enum([...AUDIT_CATEGORIES]),
  subject: Type25.String({ description: "Who, as the identity provider names them; `anonymous` without a good token." }),
  account: Text("The name of the service account that the subject is."),
  project: Text("Its project."),
  action: Type25.String({ description: "One of docs/access.md, or what a login or an operation is called." }),
  target: Text("The name of the resource."),
  service: Text("The service that it is about; its owners may read the entry."),
  before: Type25.Optional(Type25.Integer({ description: "The revision of the target before the change." })),
  after: Type25.Optional(Type25.Integer({ description: "The revision that the change made." })),
  result: Type25.String({ description: "`created`, `updated`, `deleted`, `ok`, or the code of a problem." }),
  address: Text("Of the peer, which may be a proxy."),
  requestId: Text("Of the request; over a WebSocket, of the one that opened it."),
  detail: Text("One sentence.")
}), PAGE2 = Type25.Object({
  items: Type25.Array(ENTRY),
  nextPageToken: Type25.String({ description: "For the next page; empty on the last one." })
}), ANSWER = {
  description: "A page of entries, or all of them.",
  content: { "application/json": { schema: PAGE2 }, [NDJSON2]: { schema: ENTRY } }
};

// src/edge/http/subscribers.ts
import { Type as Type26 } from "typebox";

// src/edge/http/subscribers-seen.ts
function topicFor(own2, selector, subscriber, state) {
  if (own2 === "all") return topicOf(selector);
  let seen2 = (selector.services === void 0 ? own2 : selector.services.filter((id2) => own2.includes(id2))).filter((id2) => sees(subscriber, audienceOfServiceId(id2, state)));
  if (seen2.length !== 0)
    return topicOf(selector.services === void 0 ? selector : { ...selector, services: seen2 });
}

// src/edge/http/subscribers.ts
var DEFAULT_PAGE_SIZE4 = 100, SubscribersQuery = Type26.Object(
  {
    service: Type26.Optional(
      Type26.String({ description: "Only those who watch this service, alone, among others, or with all services." })
    ),
    transport: Type26.Optional(
      Type26.Enum(["websocket", "sse", "poll"], { description: "Only those connected like this." })
    ),
    pageSize: Type26.Optional(
      Type26.Integer({
        minimum: 1,
        maximum: 1e3,
        default: DEFAULT_PAGE_SIZE4,
        description: "How many a page has at most."
      })
    ),
    pageToken: Type26.Optional(
      Type26.String({ description: "The `nextPageToken` of the page before, with the same service and transport." })
    )
  },
  { additionalProperties: !1 }
);
function subscribers(hub) {
  return (request, reply) => {
    let query = request.query, token = tokenQuery4(query), after = afterOf(token, query.pageToken), size2 = query.pageSize ?? DEFAULT_PAGE_SIZE4, own2 = servicesOf3(request.caller, "feed.subscribers", hub.view), page2 = [], more = !1;
    for (let connection of hub.subscribers)
      if (!(connection.id <= after || !passes(connection, query, own2) || !concerns(connection, own2, hub))) {
        if (more = page2.length === size2, more) break;
        page2.push(connection);
      }
    let last = page2.at(-1), nextPageToken = more && last !== void 0 ? encodePageToken(token, { values: [], name: `${last.id}` }) : "", { epoch, revision } = hub.head, items = page2.map((connection) => describe3(connection, revision, own2, hub)), cutOffs = (own2 === "all" ? hub.cutOffs : []).map(({ at: at2, ...rest }) => ({
      at: new Date(at2).toISOString(),
      ...rest
    }));
    sendJson(reply, JSON.stringify({ items, nextPageToken, head: { epoch, revision }, cutOffs }));
  };
}
var tokenQuery4 = ({ service, transport }) => ({
  collection: "subscribers",
  filter: JSON.stringify([transport, service]),
  orderBy: ""
});
function afterOf(query, token) {
  if (token === void 0 || token === "") return 0;
  let cursor = decodePageToken(query, token, 0);
  if (cursor === "other-query")
    throw badParameter("pageToken", "belongs to a list with another service or transport; send the same, or no token");
  if (cursor === "broken" || !/^[0-9]{1,15}$/.test(cursor.name))
    throw badParameter("pageToken", "is not one that a list has answered; send a nextPageToken as it is, or no token");
  return Number(cursor.name);
}
function passes({ peer, subscriptions }, { service, transport }, own2) {
  return transport !== void 0 && peer.transport !== transport || service !== void 0 && own2 !== "all" && !own2.includes(service) ? !1 : service === void 0 ? !0 : subscriptions.some(({ group: { selector } }) => selector.services?.includes(service) ?? !0);
}
var concerns = ({ sight, subscriptions }, own2, { view }) => own2 === "all" || subscriptions.some(({ group }) => topicFor(own2, group.selector, sight, view) !== void 0);
function describe3(connection, head5, own2, { view }) {
  let { id: id2, peer, caller, sight, since: since2, subscriptions, queuedBytes, bytesSent, instances } = connection, told2 = subscriptions.flatMap((subscription) => {
    let topic = topicFor(own2, subscription.group.selector, sight, view);
    return topic === void 0 ? [] : describeSubscription(subscription, topic, peer.transport, head5);
  });
  return {
    id: String(id2),
    transport: peer.transport,
    remoteAddress: peer.remoteAddress,
    subject: caller.subject,
    since: new Date(since2).toISOString(),
    userAgent: peer.userAgent,
    subscriptions: told2,
    queuedBytes,
    bytesSent,
    // They may be anybody's.
    ...own2 === "all" && { instances }
  };
}
function describeSubscription({ id: id2, state, sentRevision }, topic, transport, head5) {
  return {
    // Elsewhere there is one alone, which the client has not named.
    id: transport === "websocket" ? id2 : void 0,
    topic,
    phase: state.phase,
    sentRevision,
    lag: sentRevision === void 0 ? void 0 : Math.max(0, head5 - sentRevision)
  };
}
var subscribersRoute = (hub) => (app, _options, done) => {
  app.route({
    method: "GET",
    url: "/v1/subscribers",
    config: { action: "feed.subscribers" },
    schema: {
      operationId: "ListSubscribers",
      tags: ["feed"],
      summary: "Who watches what",
      description: "Those who are connected to this node over WebSocket, server-sent events or a waiting long poll, in order of connecting. Administrators are told of all; API owners and service accounts of those who watch services of theirs, and of that alone.",
      querystring: SubscribersQuery,
      headers: ReadHeaders,
      response: answers({ 200: json("A page of subscribers.", SUBSCRIBERS) }, READ_PROBLEMS)
    },
    handler: subscribers(hub)
  }), done();
}, Bytes = (description) => Type26.Integer({ description }), SUBSCRIPTION = Type26.Object({
  id: Type26.Optional(Type26.String({ description: "The client's own, over WebSocket." })),
  topic: Type26.String({ description: "The canonical selector." }),
  phase: Type26.Enum(["snapshot", "following", "reading", "live", "closed"], {
    description: "`live`: gets changes as they come. `snapshot`: is being sent the state. `following`, `reading`: is being caught up, from memory or from the log."
  }),
  sentRevision: Type26.Optional(
    Type26.Integer({ description: "Everything up to there has been written; absent before the first whole snapshot." })
  ),
  lag: Type26.Optional(Type26.Integer({ description: "So many revisions it is behind the head." }))
}), SUBSCRIBERS = Type26.Object({
  items: Type26.Array(
    Type26.Object({
      id: Type26.String({ description: "Of this node; it rises." }),
      transport: Type26.Enum(["websocket", "sse", "poll"]),
      remoteAddress: Type26.String(),
      subject: Type26.String({ description: "Who it is, as the audit names them." }),
      since: Type26.String({ format: "date-time", description: "When it connected." }),
      userAgent: Type26.Optional(Type26.String({ description: "Its first 200 characters." })),
      subscriptions: Type26.Array(SUBSCRIPTION),
      queuedBytes: Bytes("Wait to be taken by the operating system."),
      bytesSent: Bytes("Were taken by it."),
      instances: Type26.Optional(
        Type26.Integer({ description: "Registered over the connection, which keeps their leases; for administrators." })
      )
    })
  ),
  nextPageToken: Type26.String({ description: "For the next page; empty on the last one." }),
  head: Type26.Object({ epoch: Type26.String(), revision: Type26.Integer() }, { description: "The head of the log." }),
  cutOffs: Type26.Array(
    Type26.Object({
      at: Type26.String({ format: "date-time" }),
      remoteAddress: Type26.String(),
      reason: Type26.Enum(["too-slow", "silent", "protocol-error"]),
      topics: Type26.Array(Type26.String(), { description: "What it watched; of many, the first 16." })
    }),
    {
      description: "The last 100 connections that were ended for a fault of the client, the newest first; for administrators."
    }
  )
});

// src/edge/tls.ts
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
var OLDEST = "TLSv1.2", HANDSHAKE_MS = 1e4, TlsFiles = class _TlsFiles {
  #paths;
  #deps;
  #current;
  /** What was tried last and cannot be used, so that it is said once. */
  #refused;
  constructor(paths, deps, current) {
    this.#paths = paths, this.#deps = deps, this.#current = current;
  }
  /** Rejects, with what is wrong, when the files cannot be used. */
  static async open(paths, deps) {
    let found = await read5(paths), fault = faultIn(found);
    if (fault !== void 0) throw new Error(`TLS cannot be spoken with TLS_CERT and TLS_KEY: ${fault}`);
    return new _TlsFiles(paths, deps, found);
  }
  /** What an HTTPS server is made with. Who shows no certificate, or one that is not accepted, is let in as nobody. */
  get options() {
    return {
      ...contextOf(this.#current),
      handshakeTimeout: HANDSHAKE_MS,
      ...this.#paths.clientCa !== void 0 && { requestCert: !0, rejectUnauthorized: !1 }
    };
  }
  /** To be called every so often: takes on what has changed. Connections that are open go on. Never rejects. */
  async reload(server) {
    let found;
    try {
      found = await read5(this.#paths);
    } catch (error) {
      return this.#refuse(error.message, error.message);
    }
    if (isSame2(found, this.#current)) {
      this.#refused = void 0;
      return;
    }
    let fault = faultIn(found);
    if (fault !== void 0) return this.#refuse(fault, JSON.stringify(found));
    server.setSecureContext(contextOf(found));
    let clientsToo = found.ca !== this.#current.ca;
    this.#current = found, this.#refused = void 0, clientsToo && this.#deps.onClientCa?.(), this.#deps.log.info("the files of TLS have changed: new connections get the new certificate");
  }
  #refuse(fault, which) {
    this.#refused !== which && (this.#refused = which, this.#deps.log.warn({ fault }, "the files of TLS have changed and cannot be used: the old certificate stays"));
  }
};
async function read5({ cert, key, clientCa }) {
  let [certText, keyText, ca] = await Promise.all([
    readFile(cert, "utf8"),
    readFile(key, "utf8"),
    clientCa === void 0 ? void 0 : readFile(clientCa, "utf8")
  ]);
  return { cert: certText, key: keyText, ...ca !== void 0 && { ca } };
}
var isSame2 = (a, b) => a.cert === b.cert && a.key === b.key && a.ca === b.ca, contextOf = ({ cert, key, ca }) => ({
  cert,
  key,
  ...ca !== void 0 && { ca },
  minVersion: OLDEST
});
function faultIn(files) {
  try {
    files.ca !== void 0 && checkAuthorities(files.ca), createSecureContext(contextOf(files));
    return;
  } catch (error) {
    return error.message;
  }
}
function checkAuthorities(text2) {
  let found = text2.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new Error("there is no certificate in TLS_CLIENT_CA");
  for (let one3 of found) {
    let { ca } = new X509Certificate(one3);
    if (!ca) throw new Error("a certificate in TLS_CLIENT_CA is of no authority");
  }
}

// src/edge/ws/registrar.ts
function registrarOf2({ instances, monitoring, state, audit: audit2, log }) {
  let decide3 = (asked, run) => {
    let { caller, target } = asked, verdict = authorize(caller, "instance.register", target, state.view);
    return (verdict.allowed ? run() : Promise.resolve({ ok: !1, refusal: { code: "forbidden", detail: verdict.detail } })).then(
      (outcome) => outcome.ok ? outcome : (tell(asked, outcome.refusal), failed2(refused(outcome.refusal))),
      (error) => failed2(errorOf(error, log))
    );
  }, tell = ({ caller, target, service, origin }, { code, detail }) => {
    if (audit2 === void 0 || code === "invalid") return;
    let about2 = target ?? serviceTarget(service), of = about2 && find(about2, EVERYTHING, state.view)?.service;
    audit2.note({
      category: "refusal",
      ...whoIs2(caller),
      action: "instance.register",
      ...target !== void 0 && { target: target.name },
      ...of !== void 0 && { service: of },
      result: code,
      ...origin,
      detail
    });
  };
  return {
    get keepsLeases() {
      return monitoring.enabled;
    },
    register: (caller, body, origin) => decide3({ caller, service: body?.service, origin }, async () => {
      let outcome = await instances.register(caller, body, { ...origin && { origin } });
      if (!outcome.ok) return outcome;
      let { id: id2, item, revision } = outcome.value, { generation, check: check3 } = item.value;
      return { ok: !0, value: { instance: { id: id2, name: item.name, generation, ...leaseOf(check3) }, revision } };
    }),
    deregister: (caller, id2, generation, origin) => decide3({ caller, target: { name: instanceName(id2) }, origin }, async () => {
      let outcome = await instances.deregister(caller, id2, generation, { ...origin && { origin } });
      return outcome.ok ? { ok: !0, value: { revision: outcome.value.revision } } : outcome;
    }),
    renew: (caller, id2, generation) => state.view.seenBy(sightOf2(caller)).get(instanceName(id2)) !== void 0 && authorize(caller, "instance.register", { name: instanceName(id2) }, state.view).allowed && monitoring.renew(id2, generation),
    attach: (id2, life) => monitoring.attach(id2, life),
    detach: (id2, life) => monitoring.detach(id2, life)
  };
}
var serviceTarget = (service) => typeof service == "string" ? { name: serviceName(service) } : void 0, failed2 = (error) => ({ ok: !1, error });
function refused(refusal2) {
  let message = refusal2.detail;
  return refusal2.code === "forbidden" ? { code: "forbidden", message } : refusal2.code === "quota-exceeded" ? { code: "quota-exceeded", message } : refusal2.code !== "invalid" ? { code: "refused", message } : { code: "refused", message, errors: refusal2.errors.map(({ pointer, detail }) => ({ pointer, detail })) };
}
function errorOf(error, log) {
  return error instanceof RegistryUnavailable ? { code: "unavailable", message: PROBLEMS[error.code].title, retryAfter: error.retryAfterSeconds } : (log.error({ err: error }, "a registration over a watch socket failed"), { code: "unavailable", message: "the server made a mistake; its log has more", retryAfter: 5 });
}

// src/edge/ws/watch.ts
import "@fastify/swagger";
import websocket from "@fastify/websocket";
import { Type as Type28 } from "typebox";

// src/protocol/version.ts
var PROTOCOL = "signalbox.v1";

// src/edge/sse/stream.ts
import { Type as Type27 } from "typebox";

// src/edge/sse/sse-socket.ts
var END_TIMEOUT_MS = 2e3, SseSocket = class {
  #response;
  #raw;
  #epoch;
  /** False for HTTP/1.0, which knows no chunks; many a proxy still speaks it. */
  #chunked;
  #bytesBefore;
  #onDrain;
  #ended = !1;
  /** The response's head has been written, and the connection is its own. */
  constructor(response, raw2, epoch) {
    this.#response = response, this.#raw = raw2, this.#epoch = epoch, this.#chunked = response.chunkedEncoding, this.#bytesBefore = raw2.bytesWritten;
  }
  /** What to call when the queue has emptied after a write that did not fit. */
  set onDrain(listener) {
    this.#onDrain = listener, this.#raw.on("drain", listener);
  }
  get queued() {
    return this.#raw.writableLength;
  }
  get bytesSent() {
    return this.#raw.bytesWritten - this.#bytesBefore - this.queued;
  }
  send(frame) {
    this.#ended || this.#write(frame.sse ??= chunkOf(eventOf(frame, this.#epoch())));
  }
  ping() {
    this.#ended || this.#write(PING);
  }
  close(code, reason2) {
    if (!this.#ended) {
      if (this.stop(), code === CLOSE.tooSlow) return void this.#raw.destroy();
      this.#write(chunkOf(`${retryOf(reason2)}event: close
data: ${JSON.stringify({ code, reason: reason2 })}

`)), this.#response.end(), setTimeout(() => {
        this.#response.writableFinished || this.#raw.destroy();
      }, END_TIMEOUT_MS).unref();
    }
  }
  /** Nothing is written from here on: the peer has gone. */
  stop() {
    this.#ended = !0, this.#onDrain !== void 0 && this.#raw.off("drain", this.#onDrain);
  }
  #write(chunk) {
    this.#raw.write(this.#chunked ? chunk : chunk.subarray(chunk.indexOf(CRLF) + CRLF.length, -CRLF.length));
  }
}, CRLF = `\r
`;
function chunkOf(text2) {
  let length = Buffer.byteLength(text2);
  return Buffer.from(`${length.toString(16)}${CRLF}${text2}${CRLF}`);
}
var PING = chunkOf(`:

`);
function eventOf(frame, epoch) {
  let id2 = frame.upTo === void 0 ? "" : `id: ${epoch}:${frame.upTo}
`;
  return `event: ${typeOf2(frame)}
${id2}data: ${frame.text}

`;
}
function retryOf(reason2) {
  let ms = /^\{"retryAfterMs":([0-9]+)\}$/.exec(reason2)?.[1];
  return ms === void 0 ? "" : `retry: ${ms}
`;
}

// src/edge/sse/stream.ts
var StreamQuery = Type27.Object(
  {
    ...selectParameters,
    lastEventId: Type27.Optional(
      Type27.String({ description: "As the header Last-Event-ID, which browsers cannot set at their first connection." })
    ),
    since: Type27.Optional(Type27.Integer({ minimum: 0, description: "The revision to resume from." })),
    epoch: Type27.Optional(
      Type27.String({
        maxLength: 64,
        description: "The epoch that `since` belongs to; without it, the present one."
      })
    )
  },
  { additionalProperties: !1 }
);
function openStream(hub, request, reply) {
  let query = request.query, select2 = selectOf(query) ?? { kind: "*" }, since2 = sinceOf(hub, request, query), peer = peerOf(request, "sse");
  requireRoom(hub, peer), reply.hijack();
  let { raw: response } = reply;
  for (let [name, value] of Object.entries({ ...reply.getHeaders(), ...HEADERS }))
    value !== void 0 && response.setHeader(name, value);
  whenItsTurn(response, (raw2) => {
    raw2.setTimeout(0), raw2.cork(), response.flushHeaders();
    let socket = new SseSocket(response, raw2, () => hub.head.epoch), connection = hub.connect(socket, peer);
    connection !== void 0 && follow(connection, socket, response), connection?.subscribe({ id: STREAM, select: select2, ...since2 && { since: since2 } }), raw2.uncork();
  });
}
var HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Some proxies would gather what ought to be passed on at once.
  "x-accel-buffering": "no"
}, STREAM = "stream";
function follow(connection, socket, response) {
  socket.onDrain = () => connection.drained(), response.on("close", () => {
    socket.stop(), connection.ended();
  });
}
function whenItsTurn(response, start2) {
  response.socket !== null ? start2(response.socket) : response.once("socket", start2);
}
function sinceOf(hub, { headers }, { lastEventId, since: since2, epoch }) {
  let header = headers["last-event-id"];
  if (header !== void 0 && header !== "")
    return positionOf(String(header)) ?? fail(badHeader("Last-Event-ID", IS_NO_ID));
  if (lastEventId !== void 0 && lastEventId !== "")
    return positionOf(lastEventId) ?? fail(badParameter("lastEventId", IS_NO_ID));
  if (since2 !== void 0) return { epoch: epoch ?? hub.head.epoch, revision: since2 };
  if (epoch !== void 0) throw badParameter("epoch", "belongs to since, which is not given");
}
var IS_NO_ID = "must be the id of an event, such as k3x9:41";
function positionOf(id2) {
  let [, epoch = "", revision] = /^([^:]{1,64}):([0-9]{1,15})$/.exec(id2) ?? [];
  return revision === void 0 ? void 0 : { epoch, revision: Number(revision) };
}
function fail(problem) {
  throw problem;
}

// src/edge/ws/give-back.ts
import { TLSSocket as TLSSocket2 } from "node:tls";
function giveBackOthers(server, wanted) {
  let takers = server.listeners("upgrade");
  server.removeAllListeners("upgrade"), server.on("upgrade", (request, socket, head5) => {
    if (wanted(request)) {
      for (let take3 of takers) take3.call(server, request, socket, head5);
      return;
    }
    socket.unshift(Buffer.concat([Buffer.from(withoutUpgrade(request), "latin1"), head5])), server.emit(socket instanceof TLSSocket2 ? "secureConnection" : "connection", socket);
  });
}
var WISHES = /* @__PURE__ */ new Set(["upgrade", "http2-settings"]);
function withoutUpgrade({ method, url: url2, httpVersion, rawHeaders }) {
  let lines = [`${method} ${url2} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    let name = rawHeaders[i] ?? "", value = rawHeaders[i + 1] ?? "", kept = name.toLowerCase() === "connection" ? withoutWishes(value) : value;
    kept !== void 0 && !WISHES.has(name.toLowerCase()) && lines.push(`${name}: ${kept}`);
  }
  return `${lines.join(`\r
`)}\r
\r
`;
}
function withoutWishes(connection) {
  return connection.split(",").map((option) => option.trim()).filter((option) => !WISHES.has(option.toLowerCase())).join(", ") || void 0;
}

// src/edge/ws/ws-socket.ts
var WsSocket = class {
  #ws;
  #raw;
  #onDrain;
  constructor(ws) {
    this.#ws = ws, this.#raw = rawSocket(ws);
  }
  /** What to call when the queue has emptied after a write that did not fit. */
  set onDrain(listener) {
    this.#onDrain = listener, this.#raw.on("drain", listener);
  }
  get queued() {
    return this.#raw.writableLength;
  }
  get bytesSent() {
    return this.#raw.bytesWritten - this.queued;
  }
  send(frame) {
    this.#ws.readyState === this.#ws.OPEN && this.#raw.write(frame.wire ??= encode3(frame.text));
  }
  /** What is sent meanwhile goes to the operating system in one piece. */
  together(send2) {
    this.#raw.cork();
    try {
      send2();
    } finally {
      this.#raw.uncork();
    }
  }
  ping() {
    this.#ws.readyState === this.#ws.OPEN && this.#raw.write(PING2);
  }
  close(code, reason2) {
    this.#onDrain !== void 0 && this.#raw.off("drain", this.#onDrain), this.#ws.close(code, reason2), setTimeout(() => this.#ws.terminate(), 2e3).unref();
  }
};
function rawSocket(ws) {
  let raw2 = ws._socket;
  if (raw2 === void 0) throw new Error("the WebSocket is not open");
  return raw2;
}
var FIN = 128, TEXT = 1, PING2 = Buffer.from([FIN | 9, 0]);
function encode3(text2) {
  let length = Buffer.byteLength(text2), header = length < 126 ? 2 : length < 65536 ? 4 : 10, bytes = Buffer.allocUnsafeSlow(header + length);
  return bytes[0] = FIN | TEXT, header === 2 ? bytes[1] = length : header === 4 ? (bytes[1] = 126, bytes.writeUInt16BE(length, 2)) : (bytes[1] = 127, bytes.writeBigUInt64BE(BigInt(length), 2)), bytes.write(text2, header), bytes;
}

// src/edge/ws/watch.ts
var watchRoute = (deps) => (app, _options, done) => {
  app.register(websocket, {
    options: {
      maxPayload: deps.maxFrameBytes,
      perMessageDeflate: !1,
      clientTracking: !1,
      handleProtocols: (offered) => offered.has(PROTOCOL) ? PROTOCOL : !1
    },
    errorHandler: (error, socket) => {
      deps.log.debug({ err: error }, "a watch socket failed"), socket.terminate();
    },
    // The hub says goodbye in a phase of its own, before the server closes.
    preClose: (closed2) => {
      closed2();
    }
  }), app.after(() => {
    giveBackOthers(app.server, isWatch);
  }), app.register((scope, _, scopeDone) => {
    scope.route({
      method: "GET",
      url: "/v1/watch",
      exposeHeadRoute: !1,
      config: { action: "feed.watch" },
      schema: {
        operationId: "watch",
        tags: ["feed"],
        summary: "Watch changes, over WebSocket or as server-sent events",
        description: `Upgrades to a WebSocket with the subprotocol \`${PROTOCOL}\`, or with \`Accept: text/event-stream\` answers a stream of events, which the parameters select. PUSH.md describes both. Without either it answers 426.`,
        querystring: StreamQuery,
        headers: StreamHeaders,
        response: answers({ 200: EVENTS, 101: { description: "A WebSocket." } }, PROBLEMS4)
      },
      preValidation: (request, _reply, next) => {
        next(request.ws ? whyNoSocket(request) : void 0);
      },
      handler: (request, reply) => {
        if (wantsEvents(request.headers.accept)) return openStream(deps.hub, request, reply);
        throw reply.header("upgrade", "websocket"), new Problem("upgrade-required", UPGRADE);
      },
      wsHandler: (socket, request) => {
        open(socket, request, deps);
      }
    }), scopeDone();
  }), done();
}, isWatch = ({ method, url: url2, headers }) => method === "GET" && /^\/v1\/watch(?:\?|$)/.test(url2 ?? "") && headers.upgrade?.toLowerCase() === "websocket", UPGRADE = `This is a WebSocket: connect with the subprotocol ${PROTOCOL}. For server-sent events, accept text/event-stream.`, PROBLEMS4 = ["invalid", "quota-exceeded", "upgrade-required", "not-ready", "revision-not-reached"], EVENTS = {
  description: "The stream.",
  content: { "text/event-stream": { schema: Type28.String({ description: "Events, as PUSH.md describes them." }) } }
}, StreamHeaders = Type28.Object({
  ...MIN_REVISION,
  "last-event-id": Type28.Optional(Type28.String({ description: "The id of the last event that the client has seen." }))
});
function whyNoSocket({ headers, raw: raw2 }) {
  let offered = headers["sec-websocket-protocol"];
  if (offered !== void 0 && !offered.split(",").some((name) => name.trim() === PROTOCOL))
    return badHeader("Sec-WebSocket-Protocol", `must offer ${PROTOCOL}`);
  let parameter = /\?([^=&]+)/.exec(raw2.url ?? "")?.[1];
  if (parameter !== void 0)
    return badParameter(parameter.slice(0, 80), "is for server-sent events; over a WebSocket, send a subscribe frame");
}
var NOBODY2 = /* @__PURE__ */ new Set(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EHOSTDOWN"]);
function open(ws, request, deps) {
  release(ws);
  let socket = new WsSocket(ws), connection = deps.hub.connect(socket, peerOf(request, "websocket"), deps.registrar), seen2 = !0;
  if (ws.on("error", (error) => {
    deps.log.debug({ err: error }, "a watch socket failed"), seen2 = !NOBODY2.has(error.code ?? ""), ws.terminate();
  }), connection === void 0) return;
  socket.onDrain = () => {
    ws.isPaused && ws.resume(), connection.drained();
  }, ws.on("message", (data, binary) => {
    try {
      socket.together(() => connection.receive(binary ? "" : data.toString()));
    } catch (error) {
      deps.log.error({ err: error }, "a watch frame could not be handled"), connection.ended(), ws.close(1011, "the server made a mistake");
    }
    socket.queued > deps.hub.limits.maxQueuedBytes && ws.pause();
  });
  let heard = () => connection.heard();
  ws.on("ping", heard), ws.on("pong", heard), ws.on("close", () => {
    connection.ended(seen2);
  });
}
function release(ws) {
  ws.removeAllListeners("error");
  let raw2 = rawSocket(ws);
  raw2._httpMessage?.detachSocket(raw2);
}

// src/every.ts
function every(pauseMs, job, onError) {
  let stopped = !1, timer, running = Promise.resolve(), schedule = () => {
    stopped || (timer = setTimeout(() => {
      running = (async () => {
        await job();
      })().catch(onError).finally(schedule);
    }, pauseMs));
  };
  return schedule(), {
    stop() {
      return stopped = !0, clearTimeout(timer), running;
    }
  };
}

// src/domain/position.ts
function since(head5, position) {
  return position.epoch !== head5.epoch ? { kind: "startOver", reason: "epoch" } : position.revision > head5.revision ? { kind: "startOver", reason: "future" } : position.revision < head5.trimmed ? { kind: "startOver", reason: "trimmed" } : position.revision === head5.revision ? { kind: "nothing" } : { kind: "changes", from: position.revision };
}

// src/protocol/parse-frame.ts
import { Ajv } from "ajv";

// src/protocol/frames.ts
import { Type as Type29 } from "typebox";
var Id = Type29.String({ minLength: 1, maxLength: 64, description: "The client's own name for a subscription." }), InstanceId = Type29.String({ pattern: ID_PATTERNS.instance, description: "The id of an instance." }), Topic = Type29.String({ description: "The canonical selector." }), Revision = Type29.Integer({ minimum: 0 }), Digest = Type29.String({ pattern: "^[0-9a-f]{16}$", description: "Digest of the subscription at the revision." }), Kind = Type29.Enum([...KINDS], { description: "A kind of resource." }), PositionSchema = Type29.Object(
  { epoch: Type29.String({ minLength: 1, maxLength: 64 }), revision: Revision },
  { additionalProperties: !1, description: "A place in one history." }
), texts = (text2, description) => Type29.Array(Type29.String({ ...text2, pattern: PLAIN }), { minItems: 1, maxItems: 100, description }), names = (description) => texts({ minLength: 1, maxLength: 253 }, description), pairs2 = (description) => Type29.Record(Type29.String({ pattern: SELECT_KEY }), Type29.String({ maxLength: 63, pattern: PLAIN }), {
  // With a `=` in a key, two selections would be one topic.
  additionalProperties: !1,
  minProperties: 1,
  maxProperties: 16,
  description
}), SelectSchema = Type29.Object(
  {
    kind: Type29.Enum([...KINDS, "*"], { description: "A kind of resource, or * for all." }),
    services: Type29.Optional(names("Only what belongs to one of these services.")),
    regions: Type29.Optional(names("Only these regions, and what is in one of them.")),
    labels: Type29.Optional(pairs2("Only what carries each of these labels with exactly this value.")),
    environments: Type29.Optional(
      texts(
        { minLength: 0, maxLength: 64 },
        "Only instances of one of these environments; the empty text is for those that name none."
      )
    ),
    protocols: Type29.Optional(
      texts({ minLength: 1, maxLength: 64 }, "Only instances that speak one of these protocols.")
    ),
    versions: Type29.Optional(texts({ minLength: 1, maxLength: 64 }, "Only instances of one of these versions.")),
    tags: Type29.Optional(pairs2("Only instances that carry each of these tags with exactly this value.")),
    passing: Type29.Optional(Type29.Boolean({ description: "Only instances that can be called now, or that cannot." }))
  },
  { additionalProperties: !1 }
), ClientFrames = {
  subscribe: Type29.Object(
    {
      type: Type29.Literal("subscribe"),
      id: Id,
      select: SelectSchema,
      since: Type29.Optional(PositionSchema)
    },
    {
      additionalProperties: !1,
      description: "Asks for a snapshot and all that follows, or for all since a position."
    }
  ),
  unsubscribe: Type29.Object(
    { type: Type29.Literal("unsubscribe"), id: Id },
    { additionalProperties: !1, description: "Ends a subscription." }
  ),
  resync: Type29.Object(
    {
      type: Type29.Literal("resync"),
      id: Id,
      revision: Revision,
      digest: Digest
    },
    {
      additionalProperties: !1,
      description: "Says that the client's cache does not agree with the digest of a bookmark; answered by a reset and a new snapshot."
    }
  ),
  register: Type29.Object(
    {
      type: Type29.Literal("register"),
      id: Id,
      instance: Type29.Record(Type29.String(), Type29.Unknown(), { description: "The body of POST /v1/instances." })
    },
    {
      additionalProperties: !1,
      description: "Registers an instance. From then on whatever is heard on the socket renews its lease."
    }
  ),
  renew: Type29.Object(
    {
      type: Type29.Literal("renew"),
      id: Type29.Optional(Id),
      instances: Type29.Optional(
        Type29.Array(InstanceId, {
          minItems: 1,
          maxItems: 1e3,
          description: "Without them, all that were registered on this socket."
        })
      )
    },
    { additionalProperties: !1, description: "Renews the leases of instances; answered by renewed." }
  ),
  deregister: Type29.Object(
    { type: Type29.Literal("deregister"), id: Id, instance: InstanceId },
    { additionalProperties: !1, description: "Removes an instance; one that is not there is gone already." }
  ),
  reauth: Type29.Object(
    {
      type: Type29.Literal("reauth"),
      token: Type29.String({ minLength: 1, maxLength: 16384, description: "An access token of the same subject." })
    },
    {
      additionalProperties: !1,
      description: "A token in place of the one that the socket was opened with; answered by reauthed, or an error."
    }
  ),
  ping: Type29.Object(
    { type: Type29.Literal("ping") },
    { additionalProperties: !1, description: "Answered by a pong." }
  )
}, ChangeSchema = Type29.Object(
  {
    op: Type29.Enum(["put", "delete"]),
    kind: Kind,
    key: Type29.String({ description: "The resource's name." }),
    revision: Revision,
    value: Type29.Optional(Type29.Record(Type29.String(), Type29.Unknown(), { description: "The resource; only with put." }))
  },
  { additionalProperties: !1 }
), ServerFrames = {
  welcome: Type29.Object(
    {
      type: Type29.Literal("welcome"),
      protocol: Type29.Integer(),
      epoch: Type29.String(),
      revision: Revision,
      heartbeat: Type29.Integer({
        description: "Milliseconds between bookmarks; after three without a word, reconnect."
      })
    },
    { additionalProperties: !1, description: "The first frame on every socket." }
  ),
  subscribed: Type29.Object(
    { type: Type29.Literal("subscribed"), id: Id, topic: Topic },
    { additionalProperties: !1, description: "A subscription stands; its frames carry this topic." }
  ),
  unsubscribed: Type29.Object(
    { type: Type29.Literal("unsubscribed"), id: Id, topic: Topic },
    { additionalProperties: !1, description: "A subscription has ended; no frame of its topic follows." }
  ),
  snapshot: Type29.Object(
    {
      type: Type29.Literal("snapshot"),
      topic: Topic,
      revision: Revision,
      items: Type29.Array(Type29.Record(Type29.String(), Type29.Unknown()), { description: "Whole resources." }),
      more: Type29.Boolean({ description: "Whether another part of the same snapshot follows." })
    },
    { additionalProperties: !1, description: "A part of the state at the revision." }
  ),
  synced: Type29.Object(
    { type: Type29.Literal("synced"), topic: Topic, revision: Revision, digest: Digest },
    { additionalProperties: !1, description: "The subscription now holds everything up to the revision." }
  ),
  change: Type29.Object(
    {
      type: Type29.Literal("change"),
      topic: Topic,
      revision: Revision,
      changes: Type29.Array(ChangeSchema, { minItems: 1 })
    },
    {
      additionalProperties: !1,
      description: "All changes of one or more whole revisions, in order; `revision` is the last of them."
    }
  ),
  bookmark: Type29.Object(
    { type: Type29.Literal("bookmark"), revision: Revision, digests: Type29.Record(Type29.String(), Digest) },
    { additionalProperties: !1, description: "Everything up to the revision has been sent for each topic named." }
  ),
  reset: Type29.Object(
    {
      type: Type29.Literal("reset"),
      topic: Topic,
      epoch: Type29.String({ description: "The history that the snapshot belongs to." }),
      reason: Type29.Enum(["epoch", "future", "trimmed", "resync", "unavailable", "access"])
    },
    { additionalProperties: !1, description: "Forget what you hold of this topic: a new snapshot follows." }
  ),
  registered: Type29.Object(
    {
      type: Type29.Literal("registered"),
      id: Id,
      instance: Type29.Object(
        {
          id: InstanceId,
          name: Type29.String(),
          generation: Revision,
          lease: Type29.Optional(
            Type29.String({ description: "How often it has to be heard of, where its check is ttl." })
          ),
          detectionBound: Type29.String({ description: "The longest time from its death until its watchers are told." })
        },
        { additionalProperties: !1 }
      ),
      revision: Revision
    },
    { additionalProperties: !1, description: "The instance is there, at the revision at the latest." }
  ),
  renewed: Type29.Object(
    {
      type: Type29.Literal("renewed"),
      id: Type29.Optional(Id),
      renewed: Type29.Integer({ minimum: 0, description: "How many were renewed." }),
      unknown: Type29.Array(InstanceId, {
        description: "Those that are not there any more, and have to register again."
      })
    },
    { additionalProperties: !1, description: "Answers a renew." }
  ),
  deregistered: Type29.Object(
    { type: Type29.Literal("deregistered"), id: Id, instance: InstanceId, revision: Revision },
    { additionalProperties: !1, description: "The instance is gone, at the revision at the latest." }
  ),
  reauth: Type29.Object(
    {
      type: Type29.Literal("reauth"),
      expiresIn: Type29.Integer({ minimum: 0, description: "Milliseconds until the token expires that the server has." })
    },
    { additionalProperties: !1, description: "Send a reauth with a new token, or the socket is closed with 4004." }
  ),
  reauthed: Type29.Object(
    { type: Type29.Literal("reauthed") },
    { additionalProperties: !1, description: "The new token is taken." }
  ),
  pong: Type29.Object({ type: Type29.Literal("pong") }, { additionalProperties: !1, description: "Answers a ping." }),
  error: Type29.Object(
    {
      type: Type29.Literal("error"),
      id: Type29.Optional(Id),
      code: Type29.Enum([
        "bad-frame",
        "bad-select",
        "duplicate-id",
        "duplicate-topic",
        "unknown-id",
        "too-many-subscriptions",
        "refused",
        "forbidden",
        "unavailable",
        "too-many-registrations",
        "too-many-requests",
        "invalid-token",
        "rate-limited",
        "quota-exceeded"
      ]),
      message: Type29.String(),
      errors: Type29.Optional(
        Type29.Array(
          Type29.Object(
            { pointer: Type29.String({ description: "JSON pointer into `instance`." }), detail: Type29.String() },
            { additionalProperties: !1 }
          ),
          { description: "With refused: what is wrong with the instance." }
        )
      ),
      retryAfter: Type29.Optional(Type29.Integer({ minimum: 1, description: "With unavailable: seconds." })),
      retryAfterMs: Type29.Optional(Type29.Integer({ minimum: 1, description: "With rate-limited: milliseconds." }))
    },
    { additionalProperties: !1, description: "A client frame was not carried out." }
  )
};

// src/protocol/parse-frame.ts
var ajv3 = new Ajv({ allErrors: !1, strict: !1 }), validators = Object.fromEntries(
  Object.entries(ClientFrames).map(([type, schema]) => [type, ajv3.compile(schema)])
);
function parseClientFrame(text2) {
  let value;
  try {
    value = JSON.parse(text2);
  } catch {
    return bad("the frame is not JSON");
  }
  if (typeof value != "object" || value === null || Array.isArray(value)) return bad("a frame is a JSON object");
  let { type, id: id2 } = value, validate = typeof type == "string" && Object.hasOwn(validators, type) ? validators[type] : void 0;
  if (validate === void 0) return bad(`type is one of ${Object.keys(validators).join(", ")}`);
  if (validate(value)) return { frame: value };
  let first = validate.errors?.[0], frameId = typeof id2 == "string" && id2.length > 0 && id2.length <= 64 ? id2 : void 0, error = { code: first?.instancePath.startsWith("/select") === !0 ? "bad-select" : "bad-frame", message: describe4(first) };
  return { error: frameId === void 0 ? error : { ...error, id: frameId } };
}
var bad = (message) => ({ error: { code: "bad-frame", message } });
function describe4(error) {
  if (error === void 0) return "the frame does not match its schema";
  let params = error.params, where = error.instancePath === "" ? "the frame" : error.instancePath;
  if (/^\/select\/(?:labels|tags)$/.test(where) && params.additionalProperty !== void 0) {
    let key = JSON.stringify(params.additionalProperty.slice(0, 64));
    return `${where} has the key ${key}, which ${PATTERN_IN_WORDS.get(SELECT_KEY) ?? ""}`;
  }
  let words2 = PATTERN_IN_WORDS.get(params.pattern ?? "");
  if (words2 !== void 0) return `${where} ${words2}`;
  let detail = params.additionalProperty !== void 0 ? `: ${JSON.stringify(params.additionalProperty.slice(0, 64))}` : params.allowedValues !== void 0 ? `: ${params.allowedValues.join(", ")}` : "";
  return `${where} ${error.message ?? "is wrong"}${detail}`;
}

// src/feed/frame-gate.ts
var CLASSES = {
  subscribe: "resume",
  resync: "resume",
  register: "write",
  deregister: "write",
  renew: "renew",
  reauth: "resume",
  unsubscribe: void 0,
  ping: void 0
};
function tooSoon(gate, peer, frame) {
  let rateClass = gate && CLASSES[frame.type], refused2 = rateClass && gate.turnAway(peer, rateClass);
  return refused2 ? { type: "error", code: "rate-limited", ..."id" in frame && frame.id !== void 0 ? { id: frame.id } : {}, ...refused2 } : void 0;
}

// src/feed/registrations.ts
var NO_LEASES = "this node keeps no leases (HEALTH_CHECKS=off); connect to the one that does", Registrations = class {
  #registrar;
  #life;
  #origin;
  #send;
  /** Generations by id, so that this socket does not keep alive what has taken the place of its own (INS6). */
  #instances = /* @__PURE__ */ new Map();
  #unanswered = 0;
  /** Registrations among them. */
  #arriving = 0;
  #lastAnswer = Promise.resolve();
  #ended = !1;
  constructor(registrar, life, send2) {
    let { remoteAddress, requestId } = life.peer;
    this.#registrar = registrar, this.#origin = { address: remoteAddress, ...requestId !== void 0 && { requestId } }, this.#life = life, this.#send = send2;
  }
  get size() {
    return this.#instances.size;
  }
  handle(frame) {
    if (frame.type === "renew") return this.#renew(frame);
    if (this.#unanswered >= 64)
      return this.#error({ code: "too-many-requests", id: frame.id, message: "64 requests of this socket wait for their answers; wait for one of them" });
    frame.type === "register" ? this.#register(frame) : this.#deregister(frame);
  }
  /** The socket is gone: nobody is removed, but from now on the leases run out. */
  end() {
    this.#ended = !0;
    for (let id2 of this.#instances.keys()) this.#registrar.detach(id2, this.#life);
    this.#instances.clear();
  }
  #register({ id: id2, instance }) {
    if (!this.#registrar.keepsLeases) return this.#error({ code: "unavailable", message: NO_LEASES, id: id2 });
    if (this.#instances.size + this.#arriving >= 1e3)
      return this.#error({ code: "too-many-registrations", id: id2, message: "a socket keeps at most 1000 instances; open another for more" });
    this.#arriving += 1, this.#inTurn(this.#registrar.register(this.#life.caller, instance, this.#origin), (answer5) => {
      if (this.#arriving -= 1, !answer5.ok) return this.#error({ ...answer5.error, id: id2 });
      let { instance: registered, revision } = answer5.value;
      this.#instances.set(registered.id, registered.generation), this.#registrar.attach(registered.id, this.#life), this.#send({ type: "registered", id: id2, instance: registered, revision });
    });
  }
  /** Whoever registers is somebody else now: the leases of what is not theirs any more run on without this socket. */
  lookAgain() {
    if (this.#registrar.keepsLeases)
      for (let [instance, generation] of this.#instances)
        this.#registrar.renew(this.#life.caller, instance, generation) || (this.#instances.delete(instance), this.#registrar.detach(instance, this.#life));
  }
  #deregister({ id: id2, instance }) {
    let generation = this.#instances.get(instance);
    this.#inTurn(this.#registrar.deregister(this.#life.caller, instance, generation, this.#origin), (answer5) => {
      if (!answer5.ok) return this.#error({ ...answer5.error, id: id2 });
      this.#instances.delete(instance) && this.#registrar.detach(instance, this.#life), this.#send({ type: "deregistered", id: id2, instance, revision: answer5.value.revision });
    });
  }
  #renew({ id: id2, instances = [...this.#instances.keys()] }) {
    let about2 = id2 === void 0 ? {} : { id: id2 };
    if (!this.#registrar.keepsLeases)
      return this.#error({ code: "unavailable", message: NO_LEASES, ...about2 });
    let unknown = instances.filter(
      (instance) => !this.#registrar.renew(this.#life.caller, instance, this.#instances.get(instance))
    );
    this.#send({ type: "renewed", ...about2, renewed: instances.length - unknown.length, unknown });
  }
  /** Answers come in the order of the requests, so that the last word about an instance is the last one that was asked for. */
  #inTurn(asked, answer5) {
    this.#unanswered += 1, this.#lastAnswer = this.#lastAnswer.then(() => asked).then((given2) => {
      this.#unanswered -= 1, this.#ended || answer5(given2);
    });
  }
  #error(error) {
    this.#send({ type: "error", ...error });
  }
};

// src/feed/snapshot.ts
var CHUNK_BYTES = 256 * 1024, Snapshot = class {
  revision;
  digest;
  synced;
  #topic;
  #items;
  /** Where each chunk ends in `#items`. An empty topic has one empty chunk. */
  #ends;
  #frames = [];
  constructor(topic, revision, digest, items) {
    this.revision = revision, this.digest = digest, this.#topic = JSON.stringify(topic), this.#items = items, this.#ends = chunkEnds(items), this.synced = syncedFrame(topic, revision, digest);
  }
  get chunks() {
    return this.#ends.length;
  }
  chunk(index) {
    return this.#frames[index] ??= this.#encode(index);
  }
  #encode(index) {
    let start2 = index === 0 ? 0 : this.#ends[index - 1] ?? 0, items = this.#items.slice(start2, this.#ends[index]).map((item) => item.json), more = index < this.#ends.length - 1;
    return new Frame(
      `{"type":"snapshot","topic":${this.#topic},"revision":${this.revision},"items":[${items.join(",")}],"more":${more}}`
    );
  }
};
function chunkEnds(items) {
  let ends = [], length = 0;
  return items.forEach((item, index) => {
    length += item.json.length, length > CHUNK_BYTES && (ends.push(index + 1), length = 0);
  }), (ends.at(-1) !== items.length || ends.length === 0) && ends.push(items.length), ends;
}
var syncedFrame = (topic, revision, digest) => new Frame(`{"type":"synced","topic":${JSON.stringify(topic)},"revision":${revision},"digest":"${digest}"}`, revision);

// src/feed/watcher.ts
function nextStep(state, feed) {
  switch (state.phase) {
    case "snapshot":
      return state.next < state.chunks ? { do: "chunk", index: state.next } : { do: "syncedSnapshot" };
    case "following":
      return state.sent === feed.flushed ? state.synced ? { do: "join" } : { do: "synced" } : state.sent >= feed.ringFrom ? { do: "changes", from: state.sent } : { do: "read", from: state.sent };
    case "reading":
    case "live":
    case "closed":
      return { do: "wait" };
  }
}
function afterStep(state, step2, upTo) {
  switch (step2.do) {
    case "chunk":
      return state.phase === "snapshot" ? { ...state, next: state.next + 1 } : state;
    case "syncedSnapshot":
      return state.phase === "snapshot" ? { phase: "following", sent: state.revision, synced: !0 } : state;
    case "synced":
      return state.phase === "following" ? { ...state, synced: !0 } : state;
    case "changes":
      return state.phase === "following" ? { ...state, sent: upTo } : state;
    case "read":
      return state.phase === "following" ? { phase: "reading", sent: state.sent, synced: state.synced } : state;
    case "join":
      return { phase: "live" };
    case "wait":
      return state;
  }
}
var afterRead = (state, upTo) => state.phase === "reading" ? { phase: "following", sent: upTo, synced: state.synced } : state, fallBehind = (state, sent) => state.phase === "live" ? { phase: "following", sent, synced: !0 } : state;
function resumable(state, flushed) {
  switch (state.phase) {
    case "live":
      return flushed;
    case "following":
    case "reading":
      return state.sent;
    default:
      return;
  }
}

// src/feed/subscription.ts
var READ2 = { entries: 500, bytes: 1024 * 1024 }, Subscription = class {
  connection;
  /** The client's own; empty where there can be only one. */
  id;
  group;
  state = { phase: "closed" };
  /** What a `snapshot` state is served from. */
  #snapshot;
  constructor(connection, id2, group) {
    this.connection = connection, this.id = id2, this.group = group;
  }
  /** Everything up to there has been written; `undefined` before the first snapshot is whole. */
  get sentRevision() {
    return resumable(this.state, this.connection.hub.position.flushed);
  }
  /** A live subscription's new frames; when the queue is over its bound it leaves the group and is caught up later (PUSH9). */
  deliver(frames, sentBefore) {
    let { connection } = this;
    if (connection.overfull()) {
      this.state = fallBehind(this.state, sentBefore), this.group.live.delete(this), connection.hub.metrics.fellBehind.inc();
      return;
    }
    for (let frame of frames) connection.write(frame);
  }
  /** From the revision on, which the log still holds. `synced`: the client need not be told when it is complete. */
  follow(revision, synced) {
    this.state = { phase: "following", sent: revision, synced }, this.pump();
  }
  startOver(reason2) {
    let { hub, wantsState } = this.connection;
    hub.metrics.resets.inc({ reason: reason2 }), this.group.live.delete(this), this.state = { phase: "closed" };
    let reset = { type: "reset", topic: this.group.topic, epoch: hub.head.epoch, reason: reason2 };
    this.connection.write(new Frame(JSON.stringify(reset))), wantsState && this.serveSnapshot();
  }
  /** Who it is for sees other things from now on: what was sent before says nothing about those. */
  seeAs(group) {
    let { hub } = this.connection;
    this.group.live.delete(this), hub.leave(this.group), this.group = group, group.keepDigest(hub.view), this.startOver("access");
  }
  serveSnapshot() {
    let { hub } = this.connection;
    hub.flush(), this.group.live.delete(this), this.#snapshot = hub.snapshotOf(this.group);
    let { revision, chunks } = this.#snapshot;
    this.state = { phase: "snapshot", revision, chunks, next: 0 }, this.pump();
  }
  /** Carries out steps until it is live, waits for the log, or the socket's queue is over its bound. */
  pump() {
    let { connection, group } = this, { hub } = connection;
    for (; this.state.phase !== "live" && this.state.phase !== "closed"; ) {
      if (connection.overfull()) return;
      let feed = hub.position, step2 = nextStep(this.state, feed), upTo = feed.flushed;
      switch (step2.do) {
        case "chunk":
          this.#snapshot !== void 0 && connection.write(this.#snapshot.chunk(step2.index));
          break;
        case "syncedSnapshot":
          this.#snapshot !== void 0 && connection.write(this.#snapshot.synced), this.#snapshot = void 0;
          break;
        case "changes": {
          let stretch = hub.recent(group, step2.from);
          for (let frame of stretch.frames) connection.write(frame);
          upTo = stretch.upTo;
          break;
        }
        case "synced":
          connection.write(syncedFrame(group.topic, feed.flushed, group.digest));
          break;
        case "join":
          group.live.add(this);
          break;
        case "read":
          this.#readLog(step2.from);
          break;
        case "wait":
          return;
      }
      this.state = afterStep(this.state, step2, upTo);
    }
  }
  end() {
    this.state = { phase: "closed" }, this.#snapshot = void 0, this.group.live.delete(this), this.connection.hub.leave(this.group);
  }
  #readLog(from) {
    let { hub } = this.connection, still = () => this.state.phase === "reading" && this.state.sent === from;
    hub.readLog(from, READ2).then(
      (read7) => {
        if (still()) {
          if (hub.flush(), read7.kind === "startOver") return this.startOver(read7.reason);
          for (let frame of this.group.framesOf(read7.entries)) this.connection.write(frame);
          this.state = afterRead(this.state, read7.entries.at(-1)?.revision ?? from), this.pump();
        }
      },
      (error) => {
        still() && (hub.log.warn({ err: error }, "the log could not be read for a resuming subscriber; it starts over"), this.startOver("unavailable"));
      }
    );
  }
};

// src/domain/digest.ts
var emptyDigest = () => ({ a: 0, b: 0 });
function digestOf(key, revision) {
  let text2 = `${key}@${revision}`;
  return { a: murmur3(text2, 0), b: murmur3(text2, 2538058380) };
}
function add(digest, { a, b }) {
  digest.a = digest.a + a >>> 0, digest.b = digest.b + b >>> 0;
}
function remove(digest, { a, b }) {
  digest.a = digest.a - a >>> 0, digest.b = digest.b - b >>> 0;
}
var addTo = (digest, key, revision) => add(digest, digestOf(key, revision));
var digestHex = (digest) => hex2(digest.a) + hex2(digest.b), hex2 = (lane) => lane.toString(16).padStart(8, "0");
function murmur3(text2, seed) {
  let length = text2.length, whole2 = length & -4, h = seed;
  for (let i = 0; i < whole2; i += 4) {
    let block = text2.charCodeAt(i) | text2.charCodeAt(i + 1) << 8 | text2.charCodeAt(i + 2) << 16 | text2.charCodeAt(i + 3) << 24;
    h ^= scramble(block), h = h << 13 | h >>> 19, h = Math.imul(h, 5) + 3864292196 | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= whole2; i--) rest = rest << 8 | text2.charCodeAt(i);
  return length > whole2 && (h ^= scramble(rest)), h ^= length, h = Math.imul(h ^ h >>> 16, 2246822507), h = Math.imul(h ^ h >>> 13, 3266489909), (h ^ h >>> 16) >>> 0;
}
function scramble(block) {
  let k = Math.imul(block, 3432918353);
  return Math.imul(k << 15 | k >>> 17, 461845907);
}

// src/feed/topic-group.ts
var MESSAGE_BYTES = 256 * 1024, Offer = class {
  /** Among those of one flush. */
  ordinal;
  revision;
  change;
  before;
  facets;
  #put;
  #delete;
  #had;
  #has;
  constructor(ordinal, revision, change, before) {
    this.ordinal = ordinal, this.revision = revision, this.change = change, this.before = before, this.facets = changeFacets(change);
  }
  encoded(op) {
    return op === "put" && this.change.op === "put" ? this.#put ??= encodePut(this.change.item) : this.#delete ??= encodeDelete(changeKind(this.change), changeName(this.change), this.revision);
  }
  /** What it takes out of a digest that has what was there before, and what it adds to one that has what it puts. */
  digest(of, { name, revision }) {
    return of === "before" ? this.#had ??= digestOf(name, revision) : this.#has ??= digestOf(name, revision);
  }
}, PublicSnapshots = class {
  #snapshots = /* @__PURE__ */ new Map();
  #revision = -1;
  get(topic, revision, make2) {
    this.#revision !== revision && this.#snapshots.clear(), this.#revision = revision;
    let snapshot = this.#snapshots.get(topic);
    return snapshot === void 0 && this.#snapshots.set(topic, snapshot = make2()), snapshot;
  }
  /** A view that was loaded anew may hold other things at the same revision. */
  clear() {
    this.#snapshots.clear();
  }
}, FrameBuilder = class {
  #head;
  #frames = [];
  #parts = [];
  #length = 0;
  #revision = 0;
  constructor(topic) {
    this.#head = `{"type":"change","topic":${JSON.stringify(topic)},"revision":`;
  }
  get empty() {
    return this.#parts.length === 0 && this.#frames.length === 0;
  }
  add(revision, encoded) {
    revision !== this.#revision && this.#length > MESSAGE_BYTES && this.#close(), this.#revision = revision, this.#parts.push(encoded), this.#length += encoded.length;
  }
  take() {
    this.#close();
    let frames = this.#frames;
    return this.#frames = [], frames;
  }
  clear() {
    this.#frames = [], this.#parts = [], this.#length = 0;
  }
  #close() {
    if (this.#parts.length === 0) return;
    let text2 = `${this.#head}${this.#revision},"changes":[${this.#parts.join(",")}]}`;
    this.#frames.push(new Frame(text2, this.#revision)), this.#parts = [], this.#length = 0;
  }
}, SharedFrames = class {
  #frames = /* @__PURE__ */ new Map();
  /** `of` says what the frames are made of. */
  get(of, make2) {
    let frames = this.#frames.get(of);
    return frames === void 0 && this.#frames.set(of, frames = make2()), frames;
  }
}, TopicGroup = class {
  /** What its members are told; groups of other sights have the same. */
  topic;
  selector;
  sight;
  routes;
  /** Those who get the group's bytes as they come. */
  live = /* @__PURE__ */ new Set();
  /** All subscriptions of the topic, live or on the way. */
  members = 0;
  #pending;
  /** What `#pending` is made of. */
  #taken = "";
  /** Kept once somebody is to be told it: to begin with it costs a walk over the whole topic. */
  #digest;
  #snapshot;
  #bookmark;
  /** Stretches of catch-up frames by the revision they start after; good for as long as the feed stands at `at`. */
  #catchUps = { at: -1, stretches: /* @__PURE__ */ new Map() };
  constructor(topic, selector, sight) {
    this.topic = topic, this.selector = selector, this.sight = sight, this.routes = routesOf(selector), this.#pending = new FrameBuilder(topic);
  }
  /** From here on the digest is known. The group stands where the view does. */
  keepDigest(view) {
    this.#digest ??= this.#digestOf(view);
  }
  /** Starts from another state, when the view was loaded anew. */
  rebuild(view) {
    this.#digest !== void 0 && (this.#digest = this.#digestOf(view)), this.#snapshot = void 0, this.#bookmark = void 0, this.#catchUps.at = -1, this.#pending.take(), this.#taken = "";
  }
  get digest() {
    if (this.#digest === void 0) throw new Error(`no digest is kept of ${this.topic}`);
    return digestHex(this.#digest);
  }
  /** Takes in one change; whether it concerns the topic. */
  offer(offer) {
    let effect = effectOn(this.selector, this.sight, offer.change, offer.facets);
    return effect === void 0 ? !1 : (this.#digest !== void 0 && this.#keepUp(this.#digest, offer, effect), this.live.size > 0 && (this.#pending.add(offer.revision, offer.encoded(effect)), this.#taken += effect === "put" ? `${offer.ordinal},` : `-${offer.ordinal},`), !0);
  }
  #keepUp(digest, offer, effect) {
    let { before, change } = offer;
    before !== void 0 && sees(this.sight, audienceBeforeOf(change)) && matches(this.selector, itemFacets(before), labelsOf(before)) && remove(digest, offer.digest("before", before)), effect === "put" && change.op === "put" && add(digest, offer.digest("after", change.item));
  }
  #digestOf(view) {
    let digest = emptyDigest();
    for (let item of select(view.seenBy(this.sight), this.selector)) addTo(digest, item.name, item.revision);
    return digest;
  }
  /** The frames of everything offered since the last call. */
  take(shared) {
    if (this.#pending.empty) return [];
    let of = `${this.topic} ${this.#taken}`;
    this.#taken = "";
    let frames = shared.get(of, () => this.#pending.take());
    return this.#pending.clear(), frames;
  }
  /** The state of the topic at `revision`, which is the view's; the same object for all who ask at that revision. */
  snapshot(view, revision, publicOnes) {
    if (this.#snapshot?.revision !== revision) {
      let items = [...select(view.seenBy(this.sight), this.selector)], make2 = () => new Snapshot(this.topic, revision, this.digest, items), isPublic = items.every((item) => audienceOf(item, view) === void 0);
      this.#snapshot = isPublic ? publicOnes.get(this.topic, revision, make2) : make2();
    }
    return this.#snapshot;
  }
  /** The next stretch of frames after `from`. Equal calls share their bytes for as long as the feed stands at `flushed`. */
  catchUp(from, flushed, entriesAfter) {
    let cache = this.#catchUps;
    cache.at !== flushed && (cache.at = flushed, cache.stretches.clear());
    let stretch = cache.stretches.get(from);
    if (stretch === void 0) {
      let entries = entriesAfter();
      stretch = { frames: this.framesOf(entries), upTo: entries.at(-1)?.revision ?? from }, cache.stretches.set(from, stretch);
    }
    return stretch;
  }
  framesOf(entries) {
    let builder = new FrameBuilder(this.topic);
    for (let entry of entries)
      for (let change of entry.changes) {
        let encoded = encodeSelected(this.selector, this.sight, change, entry.revision);
        encoded !== void 0 && builder.add(entry.revision, encoded);
      }
    return builder.take();
  }
  /** A bookmark of this topic alone, for the many sockets that hold nothing else. */
  bookmark(revision) {
    return this.#bookmark?.revision !== revision && (this.#bookmark = { revision, frame: bookmarkFrame(revision, [[this.topic, this.digest]]) }), this.#bookmark.frame;
  }
};
function bookmarkFrame(revision, digests) {
  let parts = digests.map(([topic, digest]) => `${JSON.stringify(topic)}:"${digest}"`);
  return new Frame(`{"type":"bookmark","revision":${revision},"digests":{${parts.join(",")}}}`, revision);
}

// src/feed/connection.ts
var MAX_BAD_FRAMES = 16, REAUTH_MS = 6e4, PONG = new Frame('{"type":"pong"}'), Connection = class {
  hub;
  id;
  peer;
  /** Milliseconds since 1970. */
  since;
  #socket;
  #registrar;
  #subscriptions = [];
  /** There once it is needed: hardly any watcher registers. */
  #registrations;
  #standing;
  #badFrames = 0;
  /** It has been asked for another token, and has not brought one yet. */
  #asked = !1;
  #closed = !1;
  /** When the queue went over its bound; undefined while it is below. */
  #blockedSince;
  #heardAt;
  constructor(hub, socket, { id: id2, peer, registrar }) {
    this.hub = hub, this.id = id2, this.peer = peer, this.#standing = peer.standing, this.since = hub.clock(), this.#socket = socket, this.#registrar = registrar, this.#heardAt = hub.now();
    let { epoch } = hub.head;
    this.#socket.send(hub.welcome(epoch));
  }
  /** Who it is now. */
  get caller() {
    return this.#standing.caller;
  }
  /** What it may see now. */
  get sight() {
    return this.#standing.sight;
  }
  /** When what it was let in by ends, where that does (milliseconds since 1970). */
  get passEndsAt() {
    return this.#standing.grant?.expiresAt;
  }
  get subscriptions() {
    return this.#subscriptions;
  }
  /** Instances whose leases it keeps. */
  get instances() {
    return this.#registrations?.size ?? 0;
  }
  get queuedBytes() {
    return this.#socket.queued;
  }
  get bytesSent() {
    return this.#socket.bytesSent;
  }
  get heardAt() {
    return this.#heardAt;
  }
  /** False for who waits for a change and asks anew after it: the state would be no answer. */
  get wantsState() {
    return this.peer.transport !== "poll";
  }
  /** A sign of life: any frame or pong. */
  heard() {
    this.#heardAt = this.hub.now();
  }
  receive(text2) {
    if (this.#closed) return;
    this.heard();
    let parsed2 = parseClientFrame(text2);
    if ("frame" in parsed2) {
      let refusal2 = tooSoon(this.hub.gate, this, parsed2.frame);
      return refusal2 === void 0 ? this.#handle(parsed2.frame) : this.#send(refusal2);
    }
    if (this.#badFrames += 1, this.hub.metrics.badFrames.inc(), this.#badFrames < MAX_BAD_FRAMES) return this.#error(parsed2.error);
    let { message } = parsed2.error;
    this.close(CLOSE.protocolError, `${MAX_BAD_FRAMES} frames were not of the protocol; last: ${message}`);
  }
  /** The socket's queue is empty again, so somebody has read what was in it. */
  drained() {
    this.heard(), this.#blockedSince = void 0, this.#pumpAll();
  }
  write(frame) {
    this.#socket.send(frame);
  }
  /** Whether so much waits for the socket that no more may be written to it (PUSH9). */
  overfull() {
    return this.#socket.queued <= this.hub.limits.maxQueuedBytes ? !1 : (this.#blockedSince ??= this.hub.now(), !0);
  }
  /** Called once a heartbeat: is the client there, does it read, and where it stands (PUSH6, PUSH8). */
  heartbeat() {
    if (this.#closed) return;
    if (this.#standing.grant?.holds(this.hub.clock()) === !1)
      return this.close(CLOSE.tokenEnded, "the token holds no longer; connect again with a new one");
    if (this.#askForToken(), this.peer.transport === "poll") return;
    let { heartbeatMs, stallTimeoutMs } = this.hub.limits, now2 = this.hub.now();
    if (this.#blockedSince !== void 0) {
      now2 - this.#blockedSince > stallTimeoutMs && this.#cutOff();
      return;
    }
    if (this.peer.transport === "websocket" && now2 - this.#heardAt > heartbeatMs * 2.5)
      return this.close(CLOSE.silent, "nothing was heard for two heartbeats");
    let frame = this.#bookmark();
    frame !== void 0 && this.#socket.send(frame), this.#socket.ping();
  }
  /**
   * The catalog says something else about who may do what. Whether it sees other things from now on: then nothing is
   * delivered to it before `startAnew`.
   */
  lookAgain() {
    let standing = this.peer.gate.look(this.#standing);
    if (standing === void 0)
      return this.close(CLOSE.accessEnded, "this caller may not watch any more"), !1;
    let isOther = standing.sight.id !== this.#standing.sight.id;
    if (this.#standing = standing, this.#registrations?.lookAgain(), isOther) for (let subscription of this.#subscriptions) subscription.group.live.delete(subscription);
    return isOther;
  }
  /** What was sent before says nothing about what it sees now. */
  startAnew() {
    let { sight } = this.#standing;
    for (let subscription of this.#subscriptions)
      subscription.seeAs(this.hub.join(subscription.group.selector, sight));
  }
  /** In good time, so that its subscriptions outlive the token. Streams and polls cannot answer: they connect anew. */
  #askForToken() {
    let { grant } = this.#standing;
    if (grant === void 0 || this.#asked || this.peer.transport !== "websocket") return;
    let { clock, limits } = this.hub, expiresIn = grant.expiresAt - clock();
    expiresIn > Math.max(REAUTH_MS, 2 * limits.heartbeatMs) || (this.#asked = !0, this.#send({ type: "reauth", expiresIn: Math.max(0, Math.round(expiresIn)) }));
  }
  #reauth({ token }) {
    this.peer.gate.admit(token).then((standing) => {
      if (this.#closed) return;
      let { caller } = this.#standing;
      if (typeof standing == "string")
        this.#error({ code: "invalid-token", message: `the token is not taken: ${standing}` });
      else if (standing.caller.subject !== caller.subject)
        this.#error({ code: "invalid-token", message: "the token is of somebody else; open another socket with it" });
      else {
        if (this.hub.flush(), this.#closed) return;
        let now2 = this.peer.gate.look(standing);
        if (now2 === void 0) return this.close(CLOSE.accessEnded, "this caller may not watch any more");
        let { id: id2 } = this.#standing.sight;
        this.#asked = !1, this.#standing = now2, this.#registrations?.lookAgain(), now2.sight.id !== id2 && this.startAnew(), this.#send({ type: "reauthed" });
      }
    });
  }
  /** The view was loaded anew: what was sent before says nothing about it. */
  reload(reason2) {
    if (this.lookAgain()) return this.startAnew();
    for (let subscription of this.#subscriptions) subscription.startOver(reason2);
  }
  close(code, reason2) {
    this.#closed || (this.hub.noteClose(this, code), this.#closed = !0, this.#socket.close(code, reason2), this.#end());
  }
  /** The socket is closed. `seen`: the peer's end of it was seen to go, so it was there until now. */
  ended(seen2 = !0) {
    this.#closed || (seen2 && this.heard(), this.#end());
  }
  subscribe({ id: id2, select: select2, since: since2 }) {
    let topic = topicOf(select2), refusal2 = this.#whyNot(id2, topic);
    if (refusal2 !== void 0) return this.#error({ id: id2, ...refusal2 });
    let subscription = this.#join(id2, select2);
    subscription.group.keepDigest(this.hub.view), this.#send({ type: "subscribed", id: id2, topic });
    let answer5 = since2 === void 0 ? void 0 : since(this.hub.head, since2);
    answer5 === void 0 ? subscription.serveSnapshot() : answer5.kind === "startOver" ? subscription.startOver(answer5.reason) : subscription.follow(since2?.revision ?? 0, !1);
  }
  /** Changes alone, or a reset: no snapshot, no digest, and no word that there is nothing. For who waits for one answer. */
  follow(select2, since2) {
    let subscription = this.#join("", select2), answer5 = since(this.hub.head, since2);
    answer5.kind === "startOver" ? subscription.startOver(answer5.reason) : subscription.follow(since2.revision, !0);
  }
  #handle(frame) {
    switch (frame.type) {
      case "ping":
        this.#socket.send(PONG);
        return;
      case "subscribe":
        this.subscribe(frame);
        return;
      case "reauth":
        this.#reauth(frame);
        return;
      case "register":
      case "renew":
      case "deregister":
        this.#register(frame);
        return;
      case "unsubscribe":
      case "resync": {
        let subscription = this.#subscriptions.find((other) => other.id === frame.id);
        if (subscription === void 0)
          return this.#error({ code: "unknown-id", id: frame.id, message: `there is no subscription ${frame.id}` });
        if (frame.type === "resync")
          return this.hub.metrics.mismatches.inc(), subscription.startOver("resync");
        this.#subscriptions.splice(this.#subscriptions.indexOf(subscription), 1), subscription.end(), this.hub.projects.remove(this.peer.standing.caller), this.#send({ type: "unsubscribed", id: frame.id, topic: subscription.group.topic });
      }
    }
  }
  #register(frame) {
    if (this.#registrar === void 0) {
      let id2 = frame.id === void 0 ? {} : { id: frame.id };
      return this.#error({ code: "unavailable", message: "instances cannot be registered here", ...id2 });
    }
    this.#registrations ??= new Registrations(this.#registrar, this, (answer5) => this.#send(answer5)), this.#registrations.handle(frame);
  }
  #whyNot(id2, topic) {
    if (this.#subscriptions.some((other) => other.id === id2))
      return { code: "duplicate-id", message: `subscription ${id2} stands already; unsubscribe it first` };
    let sameTopic = this.#subscriptions.find((other) => other.group.topic === topic);
    if (sameTopic !== void 0)
      return { code: "duplicate-topic", message: `subscription ${sameTopic.id} already selects the same` };
    let max = this.hub.limits.maxSubscriptions;
    if (this.#subscriptions.length >= max)
      return { code: "too-many-subscriptions", message: `a socket holds at most ${max} subscriptions` };
    let full = this.hub.projects.whyFull(this.peer.standing.caller);
    return full === void 0 ? void 0 : { code: "quota-exceeded", message: full };
  }
  #join(id2, select2) {
    this.hub.flush();
    let subscription = new Subscription(this, id2, this.hub.join(select2, this.#standing.sight));
    return this.#subscriptions.push(subscription), this.hub.projects.add(this.peer.standing.caller), subscription;
  }
  #pumpAll() {
    for (let subscription of this.#subscriptions) subscription.pump();
  }
  /** Only for sockets all of whose subscriptions are live: everything up to `flushed` was written before it (PUSH6). */
  #bookmark() {
    this.hub.flush();
    let { flushed } = this.hub.position, live = this.#subscriptions.filter(({ state }) => state.phase === "live"), first = live[0];
    if (!(first === void 0 || live.length < this.#subscriptions.length))
      return live.length === 1 ? first.group.bookmark(flushed) : bookmarkFrame(
        flushed,
        live.map(({ group }) => [group.topic, group.digest])
      );
  }
  #cutOff() {
    let { epoch } = this.hub.head, places = this.#subscriptions.map(({ sentRevision }) => sentRevision).filter((r) => r !== void 0), revision = places.length === 0 ? 0 : Math.min(...places);
    this.hub.metrics.cutOffs.inc(), this.close(CLOSE.tooSlow, JSON.stringify({ epoch, revision }));
  }
  #end() {
    this.#closed = !0;
    for (let subscription of this.#subscriptions.splice(0))
      subscription.end(), this.hub.projects.remove(this.peer.standing.caller);
    this.#registrations?.end(), this.hub.forget(this);
  }
  #error(error) {
    this.#send({ type: "error", ...error });
  }
  #send(frame) {
    this.#closed || this.#socket.send(new Frame(JSON.stringify(frame)));
  }
};

// src/feed/history.ts
var History = class {
  #store;
  #state;
  #reads = /* @__PURE__ */ new Map();
  constructor(store, state) {
    this.#store = store, this.#state = state;
  }
  /** What follows `from`, within the limit; no entries when nothing does. Rejects as the store does. */
  async read(from, limit2) {
    let { head: head5, ring } = this.#state, answer5 = since(head5, from);
    if (answer5.kind === "startOver") return answer5;
    if (answer5.kind === "nothing") return { kind: "changes", entries: [] };
    let recent = ring.after(from.revision, limit2.bytes);
    if (recent !== void 0) return { kind: "changes", entries: recent.slice(0, limit2.entries) };
    let entries = await this.#readStore(from.revision, limit2);
    if (this.#state.head.epoch !== from.epoch) return { kind: "startOver", reason: "epoch" };
    if (entries[0]?.revision !== from.revision + 1) return { kind: "startOver", reason: "trimmed" };
    let { revision } = this.#state.head;
    return { kind: "changes", entries: entries.filter((entry) => entry.revision <= revision) };
  }
  #readStore(from, limit2) {
    let key = `${from}:${limit2.entries}:${limit2.bytes}`, read7 = this.#reads.get(key);
    return read7 === void 0 && (read7 = this.#store.changesSince(from, limit2).finally(() => this.#reads.delete(key)), this.#reads.set(key, read7)), read7;
  }
};

// src/feed/project-subscriptions.ts
var ProjectSubscriptions = class {
  #max;
  #counts = /* @__PURE__ */ new Map();
  /** Without a bound nothing is counted. */
  constructor(max = Number.POSITIVE_INFINITY) {
    this.#max = max;
  }
  /** Why the caller may have no more of them, as a sentence without its full stop. */
  whyFull(caller) {
    let project = this.#projectOf(caller), count3 = project === void 0 ? 0 : this.#counts.get(project) ?? 0;
    if (!(count3 < this.#max))
      return `projects/${project} has ${count3} subscriptions on this node, and ${this.#max} is PROJECT_MAX_SUBSCRIPTIONS`;
  }
  add(caller) {
    this.#move(caller, 1);
  }
  remove(caller) {
    this.#move(caller, -1);
  }
  #move(caller, by) {
    let project = this.#projectOf(caller);
    if (project === void 0) return;
    let count3 = (this.#counts.get(project) ?? 0) + by;
    count3 > 0 ? this.#counts.set(project, count3) : this.#counts.delete(project);
  }
  #projectOf(caller) {
    if (!(caller.kind !== "serviceAccount" || this.#max === Number.POSITIVE_INFINITY))
      return parseName(caller.account)?.parent;
  }
};

// src/feed/ring.ts
var Ring = class {
  #maxBytes;
  #entries = [];
  #sizes = [];
  /** Entries before this index are dropped but not yet moved out of the arrays. */
  #start = 0;
  #bytes = 0;
  #from;
  /** `from`: the revision after which the ring holds everything. */
  constructor(maxBytes, from) {
    this.#maxBytes = maxBytes, this.#from = from;
  }
  /** The ring can tell what happened after this revision, and after every later one. */
  get from() {
    return this.#from;
  }
  get to() {
    return this.#from + this.#entries.length - this.#start;
  }
  get bytes() {
    return this.#bytes;
  }
  push(entry) {
    if (entry.revision !== this.to + 1) throw new Error(`ring: ${entry.revision} does not follow ${this.to}`);
    let size2 = sizeOf(entry);
    for (this.#entries.push(entry), this.#sizes.push(size2), this.#bytes += size2; this.#bytes > this.#maxBytes && this.#start < this.#entries.length; )
      this.#bytes -= this.#sizes[this.#start] ?? 0, this.#start += 1, this.#from += 1;
    this.#start > 1024 && this.#start * 2 > this.#entries.length && this.#compact();
  }
  /**
   * The entries above `revision`, at least one if there is one and then up to `maxBytes`; or `undefined` when the ring has
   * moved past it.
   */
  after(revision, maxBytes) {
    if (revision < this.#from || revision > this.to) return;
    let start2 = this.#start + (revision - this.#from), end = start2;
    for (let bytes = 0; end < this.#entries.length && bytes < maxBytes; end++) bytes += this.#sizes[end] ?? 0;
    return this.#entries.slice(start2, end);
  }
  #compact() {
    this.#entries = this.#entries.slice(this.#start), this.#sizes = this.#sizes.slice(this.#start), this.#start = 0;
  }
};
function sizeOf(entry) {
  let size2 = 200;
  for (let change of entry.changes) size2 += change.op === "put" ? change.item.json.length + 400 : 300;
  return size2;
}

// src/feed/roster.ts
var HEARTBEAT_SLICES = 10, CUT_OFFS = 100, TOPICS = 16, REASONS2 = {
  [CLOSE.tooSlow]: "too-slow",
  [CLOSE.silent]: "silent",
  [CLOSE.protocolError]: "protocol-error"
}, Roster = class {
  #connections = /* @__PURE__ */ new Set();
  #slices = Array.from({ length: HEARTBEAT_SLICES }, () => /* @__PURE__ */ new Set());
  #cutOffs = [];
  #opened = 0;
  #slice = 0;
  get size() {
    return this.#connections.size;
  }
  /** The newest first. */
  get cutOffs() {
    return this.#cutOffs;
  }
  [Symbol.iterator]() {
    return this.#connections[Symbol.iterator]();
  }
  /** Ids rise, so a list of connections can be gone through in pages while some come and go. */
  nextId() {
    return this.#opened += 1;
  }
  add(connection) {
    this.#connections.add(connection), this.#sliceOf(connection)?.add(connection);
  }
  delete(connection) {
    this.#connections.delete(connection), this.#sliceOf(connection)?.delete(connection);
  }
  /** Those whose heartbeat is next. */
  nextSlice() {
    return this.#slices[this.#slice++ % HEARTBEAT_SLICES] ?? [];
  }
  noteClose({ peer, subscriptions }, code, at2) {
    let reason2 = REASONS2[code];
    if (reason2 === void 0) return;
    let topics = subscriptions.slice(0, TOPICS).map(({ group }) => group.topic), cutOff = { at: at2, remoteAddress: peer.remoteAddress, reason: reason2, topics };
    this.#cutOffs = [cutOff, ...this.#cutOffs.slice(0, CUT_OFFS - 1)];
  }
  #sliceOf({ id: id2 }) {
    return this.#slices[id2 % HEARTBEAT_SLICES];
  }
};

// src/feed/hub.ts
var STRETCH_BYTES = 512 * 1024, Hub = class {
  limits;
  metrics;
  log;
  now;
  clock;
  gate;
  projects;
  #tail;
  #random;
  #groups = /* @__PURE__ */ new Map();
  #routes = /* @__PURE__ */ new Map();
  #roster = new Roster();
  #publicSnapshots = new PublicSnapshots();
  #history;
  #beatAt = Number.POSITIVE_INFINITY;
  #ring;
  #pending = [];
  #flushed;
  #scheduled = !1;
  #welcome;
  /** Milliseconds over which those who are sent away come back; undefined while nobody is. */
  #drainingOver;
  constructor(deps) {
    this.#tail = deps.tail, this.limits = deps.limits, this.metrics = deps.metrics, this.log = deps.log, this.now = deps.now, this.clock = deps.clock, this.gate = deps.gate, this.projects = new ProjectSubscriptions(deps.limits.maxProjectSubscriptions), this.#random = deps.random, this.#flushed = deps.tail.head.revision, this.#ring = new Ring(deps.limits.ringBytes, this.#flushed), this.#history = new History(deps.store, this);
  }
  /** What the view has and the ring does not yet would be missing from an answer that names the view's head. */
  get ring() {
    return this.flush(), this.#ring;
  }
  get head() {
    return this.#tail.head;
  }
  get position() {
    return { flushed: this.#flushed, ringFrom: this.#ring.from };
  }
  get history() {
    return this.#history;
  }
  get view() {
    return this.#tail.view;
  }
  get connections() {
    return this.#roster.size;
  }
  /** Everyone who is connected, in order of connecting. */
  get subscribers() {
    return this.#roster;
  }
  /** The last who were sent away for a fault of theirs, the newest first. */
  get cutOffs() {
    return this.#roster.cutOffs;
  }
  get topics() {
    return this.#groups.size;
  }
  get subscriptions() {
    let sum = 0;
    for (let group of this.#groups.values()) sum += group.members;
    return sum;
  }
  get ringBytes() {
    return this.#ring.bytes;
  }
  onAdvance(entries) {
    let at2 = this.now();
    for (let news of entries) this.#pending.push({ news, at: at2 });
    this.#scheduled || (this.#scheduled = !0, setImmediate(() => {
      this.#scheduled = !1, this.flush();
    }));
  }
  /**
   * Takes its place at the head of the view that was just loaded, with the newest part of the log in the ring, so that
   * those who resume after a restart need no database read.
   */
  async start(warmUp) {
    this.#takePlace();
    let { epoch, revision, trimmed } = this.head, from = Math.max(trimmed, revision - warmUp.entries);
    if (from >= revision) return;
    let recent = await this.#history.read({ epoch, revision: from }, warmUp);
    if (recent.kind !== "changes" || recent.entries.at(-1)?.revision !== this.#flushed) return;
    let ring = new Ring(this.limits.ringBytes, from);
    for (let entry of recent.entries) ring.push(entry);
    this.#ring = ring;
  }
  onReload(reason2) {
    this.#takePlace(), this.#publicSnapshots.clear();
    for (let group of this.#groups.values()) group.rebuild(this.#tail.view);
    for (let connection of this.#roster) connection.reload(reason2);
  }
  /** Writes all that is pending to the live subscriptions. Afterwards the feed stands where the view does. */
  flush() {
    if (this.#pending.length === 0) return;
    let pending = this.#pending;
    this.#pending = [];
    let before = this.#flushed, touched2 = /* @__PURE__ */ new Set(), ordinal = 0, looksAgain = !1;
    for (let { news } of pending) {
      let { entry, folded } = news;
      this.#ring.push(entry);
      for (let { change, before: replaced } of folded) {
        let offer = new Offer(ordinal++, entry.revision, change, replaced);
        looksAgain ||= mayEndAccess(change, replaced);
        for (let route of routesOfFacets(offer.facets)) {
          let groups = this.#routes.get(route);
          if (groups !== void 0)
            for (let group of groups) group.offer(offer) && touched2.add(group);
        }
      }
      this.#flushed = entry.revision;
    }
    let moved = looksAgain ? [...this.#roster].filter((connection) => connection.lookAgain()) : [], shared = new SharedFrames();
    for (let group of touched2) this.#deliver(group, before, shared);
    for (let connection of moved) connection.startAnew();
    let now2 = this.now();
    for (let { at: at2 } of pending) this.metrics.flushDelay.observe((now2 - at2) / 1e3);
  }
  #takePlace() {
    this.#pending = [], this.#flushed = this.#tail.head.revision, this.#ring = new Ring(this.limits.ringBytes, this.#flushed);
  }
  #deliver(group, before, shared) {
    let frames = group.take(shared);
    this.metrics.frames.inc(frames.length * group.live.size);
    for (let subscription of group.live) subscription.deliver(frames, before);
  }
  /** Takes in a socket, or closes it when there are too many. With a registrar, instances can be registered over it. */
  connect(socket, peer, registrar) {
    if (this.#drainingOver !== void 0) {
      socket.close(CLOSE.draining, this.#retryHint(this.#drainingOver));
      return;
    }
    if (this.#roster.size >= this.limits.maxSockets) {
      socket.close(CLOSE.full, this.#retryHint(5e3));
      return;
    }
    let connection = new Connection(this, socket, { id: this.#roster.nextId(), peer, registrar });
    return this.#roster.add(connection), connection;
  }
  forget(connection) {
    this.#roster.delete(connection);
  }
  /** The server closes a connection, for whatever reason. */
  noteClose(connection, code) {
    this.#roster.noteClose(connection, code, this.clock());
  }
  /** To be called `HEARTBEAT_SLICES` times a heartbeat. */
  heartbeat() {
    let now2 = this.now();
    if (now2 - this.#beatAt > this.limits.heartbeatMs / 2)
      for (let connection of this.#roster) connection.heard();
    this.#beatAt = now2;
    for (let connection of this.#roster.nextSlice()) connection.heartbeat();
  }
  /** Tells every socket, and those that still come, to come back, elsewhere or later, spread over `spreadMs`. */
  drain(spreadMs) {
    this.#drainingOver = spreadMs, this.flush();
    for (let connection of this.#roster) connection.close(CLOSE.draining, this.#retryHint(spreadMs));
  }
  welcome(epoch) {
    let { revision } = this.#tail.head;
    if (this.#welcome?.revision !== revision || this.#welcome.epoch !== epoch) {
      let heartbeat = this.limits.heartbeatMs, text2 = JSON.stringify({ type: "welcome", protocol: 1, epoch, revision, heartbeat });
      this.#welcome = { epoch, revision, frame: new Frame(text2) };
    }
    return this.#welcome.frame;
  }
  join(selector, sight) {
    let topic = topicOf(selector), key = keyOf2(topic, sight), group = this.#groups.get(key);
    if (group === void 0) {
      this.#groups.set(key, group = new TopicGroup(topic, selector, sight));
      for (let route of group.routes) {
        let groups = this.#routes.get(route);
        groups === void 0 ? this.#routes.set(route, /* @__PURE__ */ new Set([group])) : groups.add(group);
      }
    }
    return group.members += 1, group;
  }
  leave(group) {
    if (group.members -= 1, !(group.members > 0)) {
      this.#groups.delete(keyOf2(group.topic, group.sight));
      for (let route of group.routes) {
        let groups = this.#routes.get(route);
        groups?.delete(group), groups?.size === 0 && this.#routes.delete(route);
      }
    }
  }
  snapshotOf(group) {
    return group.snapshot(this.#tail.view, this.#flushed, this.#publicSnapshots);
  }
  /** The next stretch from the ring after `from`, which the ring covers. */
  recent(group, from) {
    return group.catchUp(from, this.#flushed, () => this.#ring.after(from, STRETCH_BYTES) ?? []);
  }
  readLog(from, limit2) {
    return this.#history.read({ epoch: this.head.epoch, revision: from }, limit2);
  }
  #retryHint(spreadMs) {
    return JSON.stringify({ retryAfterMs: Math.round(this.#random() * spreadMs) });
  }
};
function mayEndAccess(change, before) {
  let kind = changeKind(change);
  if (kind === "serviceAccount") return !0;
  if (kind !== "service") return !1;
  if (before?.kind !== "service" || change.op === "delete" || change.item.kind !== "service") return !0;
  let left = change.item.value.owners ?? [];
  return (before.value.owners ?? []).some((group) => !left.includes(group));
}
var keyOf2 = (topic, sight) => `${topic} ${sight.id}`;

// src/domain/seen-view.ts
var SeenView = class {
  #view;
  #sight;
  #kept = /* @__PURE__ */ new WeakMap();
  constructor(view, sight) {
    this.#view = view, this.#sight = sight;
  }
  get size() {
    let size2 = 0;
    for (let _ of this.all()) size2++;
    return size2;
  }
  get(name) {
    let item = this.#view.get(name);
    return item !== void 0 && this.#isSeen(item) ? item : void 0;
  }
  /** What projects hold is counted whole; it is for decisions, and shown to nobody. */
  usage(project) {
    return this.#view.usage(project);
  }
  *bucket(key) {
    for (let item of this.#view.bucket(key)) this.#isSeen(item) && (yield item);
  }
  *all() {
    for (let item of this.#view.all()) this.#isSeen(item) && (yield item);
  }
  sorted(key) {
    let source = this.#view.sorted(key), { generation } = this.#view, kept = this.#kept.get(source);
    if (kept?.generation === generation) return kept.items;
    let seen2 = source.filter((item) => this.#isSeen(item)), items = seen2.length === source.length ? source : seen2.length === 0 ? NONE2 : seen2;
    return this.#kept.set(source, { generation, items }), items;
  }
  #isSeen(item) {
    return sees(this.#sight, audienceOf(item, this.#view));
  }
}, NONE2 = [];

// src/domain/usage.ts
var NO_USAGE = { services: 0, instances: 0 };
function moveOf(state, before, after) {
  if (before === void 0 == (after === void 0)) return;
  let item = after ?? before, by = after === void 0 ? -1 : 1;
  if (item?.kind === "instance") {
    let service = serviceOf(state, item.value.service);
    return service && { project: service.value.project, services: 0, instances: by };
  }
  if (item?.kind !== "service") return;
  let instances = 0;
  for (let _ of state.bucket(children("instance", item.id))) instances += by;
  return { project: item.value.project, services: by, instances };
}
var Tally = class {
  #usages = /* @__PURE__ */ new Map();
  of(project) {
    return this.#usages.get(project) ?? NO_USAGE;
  }
  /** To be called before the state itself changes. */
  count(state, before, after) {
    let move2 = moveOf(state, before, after);
    if (move2 === void 0) return;
    let { services, instances } = this.of(move2.project), now2 = { services: services + move2.services, instances: instances + move2.instances };
    now2.services === 0 && now2.instances === 0 ? this.#usages.delete(move2.project) : this.#usages.set(move2.project, now2);
  }
};

// src/domain/view.ts
var NO_KEYS = [], MAX_SIGHTS = 1e3, View = class {
  #items = /* @__PURE__ */ new Map();
  #buckets = /* @__PURE__ */ new Map();
  #seen = new Recent(MAX_SIGHTS);
  #generation = 0;
  #tally = new Tally();
  #accounts = {};
  get size() {
    return this.#items.size;
  }
  /** Another one whenever a service is seen by others than before. */
  get generation() {
    return this.#generation;
  }
  /** Another object whenever a service account is, and in every view. */
  get accounts() {
    return this.#accounts;
  }
  /** What a caller sees of it, now and after every fold. */
  seenBy(sight) {
    if (sight.keys === "all") return this;
    let seen2 = this.#seen.get(sight.id);
    return seen2 === void 0 && this.#seen.set(sight.id, seen2 = new SeenView(this, sight)), seen2;
  }
  get(name) {
    return this.#items.get(name);
  }
  bucket(key) {
    return this.#buckets.get(key)?.items.values() ?? NONE2;
  }
  /** The items under a key in order of name; kept until one of them changes. */
  sorted(key) {
    let bucket = this.#buckets.get(key);
    if (bucket === void 0) return NONE2;
    let { items } = bucket;
    return bucket.order ??= [...items.keys()].sort(), bucket.sorted ??= bucket.order.map((name) => items.get(name)), bucket.sorted;
  }
  usage(project) {
    return this.#tally.of(project);
  }
  all() {
    return this.#items.values();
  }
  fold(changes2) {
    return changes2.map((change) => {
      let name = changeName(change), before = this.#items.get(name), after = change.op === "put" ? change.item : void 0;
      return this.#tally.count(this, before, after), this.#index(name, before, after), isSeenByOthers(before, after) && (this.#generation += 1), (before?.kind === "serviceAccount" || after?.kind === "serviceAccount") && (this.#accounts = {}), after !== void 0 ? this.#items.set(name, after) : this.#items.delete(name), { change, before };
    });
  }
  /** Most changes leave an item where it is in the index, and then nothing is removed and added again. */
  #index(name, before, after) {
    let were = before === void 0 ? NO_KEYS : indexKeys(before), are = after === void 0 ? NO_KEYS : indexKeys(after);
    if (!(were.length === are.length && were.every((key, i) => key === are[i]))) for (let key of were) this.#remove(key, name);
    if (after !== void 0) for (let key of are) this.#put(key, after);
  }
  #put(key, item) {
    let bucket = this.#buckets.get(key);
    bucket === void 0 && this.#buckets.set(key, bucket = { items: /* @__PURE__ */ new Map(), order: void 0, sorted: void 0 });
    let { size: size2 } = bucket.items;
    bucket.items.set(item.name, item), bucket.sorted = void 0, bucket.items.size !== size2 && (bucket.order = void 0);
  }
  #remove(key, name) {
    let bucket = this.#buckets.get(key);
    bucket !== void 0 && (bucket.items.delete(name), bucket.order = void 0, bucket.sorted = void 0, bucket.items.size === 0 && this.#buckets.delete(key));
  }
};
function isSeenByOthers(before, after) {
  return before?.kind !== "service" && after?.kind !== "service" ? !1 : before?.kind !== "service" || after?.kind !== "service" ? !0 : before !== after && !sameAudience(audienceOfService(before), audienceOfService(after));
}

// src/feed/tail.ts
var READ3 = { entries: 1e3, bytes: 4 * 1024 * 1024 }, Tail = class {
  #store;
  #listeners = [];
  #waiters = [];
  #view = new View();
  #head = { epoch: "", revision: 0, trimmed: 0 };
  #ready = !1;
  #catchingUp;
  constructor(store) {
    this.#store = store;
  }
  /** False until the view is loaded; nothing may be answered from it before (PUSH7). */
  get ready() {
    return this.#ready;
  }
  get view() {
    return this.#view;
  }
  get head() {
    return this.#head;
  }
  listen(listener) {
    this.#listeners.push(listener);
  }
  /** Loads the view; it counts as ready once `prepare`, which may already look at it, is done too. */
  async open(prepare) {
    await this.#load(), await prepare?.(), this.#ready = !0, this.#wake();
  }
  /** The listeners hear of it before anybody else can look at the new view. */
  async #load(reason2) {
    let { head: head5, items } = await this.#store.load(), view = new View();
    if (view.fold(items.map((item) => ({ op: "put", item }))), this.#view = view, this.#head = head5, reason2 !== void 0) for (let listener of this.#listeners) listener.onReload(reason2);
    this.#wake();
  }
  /** Folds entries that continue the view; those it already has are passed over. False: there is a gap, read the log. */
  advance(entries) {
    let news = [], revision = this.#head.revision;
    for (let entry of entries)
      if (!(entry.revision <= revision)) {
        if (entry.revision !== revision + 1) break;
        news.push({ entry, folded: this.#view.fold(entry.changes) }), revision = entry.revision;
      }
    if (news.length > 0) {
      this.#head = { ...this.#head, revision };
      for (let listener of this.#listeners) listener.onAdvance(news);
      this.#wake();
    }
    return (entries.at(-1)?.revision ?? 0) <= revision;
  }
  /** Reads the log up to its head. Calls that come meanwhile share one run. Rejects as the store does. */
  catchUp() {
    return this.#catchingUp ??= this.#readLog().finally(() => {
      this.#catchingUp = void 0;
    }), this.#catchingUp;
  }
  /** Takes the news of other nodes from the bus, and reads the log for whatever was announced before. */
  follow(bus, onError) {
    let read7 = (to) => {
      this.catchUp().then(() => {
        if (this.#head.revision < to) return this.catchUp();
      }).catch(onError);
    };
    bus.subscribe({
      onAnnouncement: ({ epoch, entries, to }) => {
        epoch === this.#head.epoch && entries !== void 0 && this.advance(entries) || read7(to);
      },
      onGap: () => read7(this.#head.revision + 1)
    }), read7(this.#head.revision + 1);
  }
  /** The log was trimmed, here or on another node. */
  trimmed(head5) {
    head5.epoch === this.#head.epoch && (this.#head = { ...this.#head, trimmed: head5.trimmed });
  }
  /** Resolves true once the view has reached the revision, false when it has not within the time. */
  waitFor(revision, timeoutMs) {
    return this.#head.revision >= revision ? Promise.resolve(!0) : new Promise((resolve2) => {
      let timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter), resolve2(!1);
      }, timeoutMs), waiter = {
        revision,
        done: () => {
          clearTimeout(timer), resolve2(!0);
        }
      };
      this.#waiters.push(waiter);
    });
  }
  async #readLog() {
    let fruitless = 0;
    for (; ; ) {
      let head5 = await this.#store.head();
      if (head5.epoch !== this.#head.epoch || head5.trimmed > this.#head.revision) {
        let reason2 = head5.epoch === this.#head.epoch ? "trimmed" : "epoch";
        await this.#load(reason2);
        continue;
      }
      if (this.trimmed(head5), head5.revision <= this.#head.revision) return;
      let before = this.#head.revision;
      if (this.advance(await this.#store.changesSince(before, READ3)), fruitless = this.#head.revision === before ? fruitless + 1 : 0, fruitless > 2) throw new Error(`the log has no revision ${before + 1}, though its head is ${head5.revision}`);
    }
  }
  #wake() {
    if (this.#waiters.length === 0) return;
    let reached = this.#waiters.filter((waiter) => waiter.revision <= this.#head.revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#head.revision);
    for (let waiter of reached) waiter.done();
  }
};

// src/health/egress.ts
import { isIP as isIP3 } from "node:net";
var LOOPBACK2 = ["127.0.0.0/8", "::1/128"], ALWAYS_DENIED = [
  [
    "a metadata address of a cloud",
    [
      "169.254.169.254/32",
      "100.100.100.200/32",
      "168.63.129.16/32",
      "192.0.0.192/32",
      "fd00:ec2::254/128",
      "fd00:ec2::23/128",
      "fd20:ce::254/128"
    ]
  ],
  ["an unspecified address", ["0.0.0.0/8", "::/128"]],
  ["a link-local address", ["169.254.0.0/16", "fe80::/10"]],
  ["a multicast address", ["224.0.0.0/4", "ff00::/8"]],
  ["the broadcast address", ["255.255.255.255/32"]],
  ["a reserved address", ["240.0.0.0/4"]],
  // Where the IPv4 address is in these is up to whoever runs the translator, or hidden.
  ["an address that is translated or tunnelled", ["64:ff9b:1::/48", "2001::/32"]]
];
function createEgress(policy) {
  let always = ALWAYS_DENIED.map(([why, cidrs]) => ({ why, ranges: new Ranges(cidrs) })), loopback = new Ranges(LOOPBACK2), compatible = new Ranges(["::/96"]), deny = new Ranges(policy.deny), named2 = new Ranges((policy.allow ?? []).filter((cidr) => LOOPBACK2.some((outer) => isWithin(cidr, outer)))), allow = policy.allow === void 0 ? void 0 : new Ranges(policy.allow), denied = (ip) => {
    for (let { why, ranges } of always) if (ranges.has(ip)) return why;
    return loopback.has(ip) && !policy.allowLoopback && !named2.has(ip) ? "a loopback address" : compatible.has(ip) && !loopback.has(ip) ? "a reserved address" : deny.has(ip) ? "in a range that is denied" : void 0;
  };
  return {
    check(ip) {
      let version = isIP3(ip);
      if (version === 0) return "no IP address";
      if (ip.includes("%")) return "an address with a zone";
      let inner = version === 6 ? embeddedIPv4(ip)?.address : void 0, why = denied(ip) ?? (inner === void 0 ? void 0 : denied(inner));
      return why !== void 0 ? why : allow === void 0 || allow.has(inner ?? ip) ? void 0 : "not in a range that is allowed";
    }
  };
}

// src/domain/instances/health.ts
var unknownHealth = (decided) => ({
  passes: 0,
  failures: 0,
  last: void 0,
  run: 0,
  decided,
  verdict: void 0
});
function observe(health, result, holds, thresholds) {
  let failed3 = result === "critical", passes2 = failed3 ? 0 : health.passes + 1, failures = failed3 ? health.failures + 1 : 0, run = result === health.last ? health.run + 1 : 1, verdict = (failed3 ? failures >= thresholds.unhealthyAfter : !health.decided || result === holds ? !0 : (holds === "critical" ? passes2 : run) >= thresholds.healthyAfter) ? result : void 0;
  return { passes: passes2, failures, last: result, run, decided: health.decided || verdict === holds, verdict };
}
function leaseVerdict(renewedUntil, runsUntil, now2) {
  return now2 < renewedUntil ? "passing" : now2 < runsUntil ? void 0 : "critical";
}
var RANK = { passing: 0, warning: 1, critical: 2 }, isBetter = (a, b) => RANK[a] < RANK[b];

// src/health/due-queue.ts
var DueQueue = class {
  #heap = [];
  get size() {
    return this.#heap.length;
  }
  /** The time of the first entry; Infinity when there is none. */
  get nextAt() {
    return this.#heap[0]?.dueAt ?? 1 / 0;
  }
  /** Puts it in, or moves it. Infinity takes it out. */
  set(entry, dueAt) {
    if (dueAt === 1 / 0) return this.remove(entry);
    let before = entry.dueAt;
    entry.dueAt = dueAt, entry.slot < 0 ? (this.#heap.push(entry), this.#rise(this.#heap.length - 1, entry)) : dueAt < before ? this.#rise(entry.slot, entry) : this.#sink(entry.slot, entry);
  }
  remove(entry) {
    let { slot } = entry;
    if (slot < 0) return;
    entry.slot = -1;
    let last = this.#heap.pop();
    last !== entry && (last.slot = slot, this.#heap[slot] = last, this.#rise(slot, last), this.#sink(last.slot, last));
  }
  /** Takes out the first entry, if its time has come. */
  take(now2) {
    let first = this.#heap[0];
    if (!(first === void 0 || first.dueAt > now2))
      return this.remove(first), first;
  }
  #rise(from, entry) {
    let heap = this.#heap, slot = from;
    for (; slot > 0; ) {
      let above = slot - 1 >> 1, other = heap[above];
      if (other.dueAt <= entry.dueAt) break;
      heap[slot] = other, other.slot = slot, slot = above;
    }
    heap[slot] = entry, entry.slot = slot;
  }
  #sink(from, entry) {
    let heap = this.#heap, slot = from;
    for (; ; ) {
      let below = 2 * slot + 1;
      if (below >= heap.length) break;
      below + 1 < heap.length && heap[below + 1].dueAt < heap[below].dueAt && below++;
      let other = heap[below];
      if (other.dueAt >= entry.dueAt) break;
      heap[slot] = other, other.slot = slot, slot = below;
    }
    heap[slot] = entry, entry.slot = slot;
  }
};

// src/domain/instances/eviction-guard.ts
var ARMED = { name: "armed" }, EvictionGuard = class {
  #limits;
  /** Who became critical within the window and is so still, or is gone since; the oldest first. */
  #lost = /* @__PURE__ */ new Map();
  #phase = ARMED;
  constructor(limits) {
    this.#limits = limits;
  }
  /** When it lets go; undefined when it does not hold. */
  get until() {
    return this.#phase.name === "tripped" ? this.#phase.until : void 0;
  }
  /** Whether there is nothing that time alone changes. */
  get atRest() {
    return this.#phase.name === "armed";
  }
  lostWithinWindow(now2) {
    for (let [id2, at2] of this.#lost) {
      if (now2 - at2 < this.#limits.windowMs) break;
      this.#lost.delete(id2);
    }
    return this.#lost.size;
  }
  /** An instance has become critical. */
  lost(id2, now2) {
    this.#lost.delete(id2), this.#lost.set(id2, now2), this.lostWithinWindow(now2);
  }
  /** An instance is up, again or anew. */
  back(id2) {
    this.#lost.delete(id2);
  }
  /** How many of those that are failing may become critical now. */
  admit(situation, now2) {
    let { failing, pending, up, critical: critical2, off } = situation, { min, share, windowMs, holdMs } = this.#limits, phase = this.#phase, isQuiet = phase.name !== "armed" && now2 - phase.failedAt >= windowMs;
    if (phase.name === "tripped" && !off && now2 < phase.until && up + critical2 > 0)
      return failing > 0 ? this.#phase = { ...phase, failedAt: now2 } : isQuiet && (this.#phase = ARMED), 0;
    if (phase.name === "tripped" && (this.#phase = ARMED), phase.name === "spent" && (isQuiet || critical2 + pending + failing === 0) && (this.#phase = ARMED), phase.name === "tripped" || off || this.#phase.name === "spent")
      return failing > 0 && (this.#phase = { name: "spent", failedAt: now2 }), failing;
    let lost = this.lostWithinWindow(now2), baseline = up + lost;
    if (baseline < min) return failing;
    let budget = Math.floor(baseline * share + 1e-9) - lost - pending;
    return failing <= budget ? failing : (this.#phase = { name: "tripped", until: now2 + holdMs, failedAt: now2 }, Math.max(0, budget));
  }
};

// src/health/guard-advisory.ts
var CODE = "eviction-guard", guardAdvisoryId = (service, region) => `${CODE}.${service}.${region}`, isGuardAdvisory = ({ code }) => code === CODE, placeOf = (region) => region === NO_REGION ? "without a region" : `in ${region}`;
function guardAdvisory({ service, region, failed: failed3, of, held, windowMs, until }) {
  let message = `${failed3} of ${of} instances of ${service} ${placeOf(region)} have failed within ${formatDuration(windowMs)}. ${held} of them ${held === 1 ? "is" : "are"} kept in service, in case it is not they that failed, until ${until} at the latest. To give them up now, put {"evictionGuard": false, "reason": "..."} to /v1/${regionOverrideName(service, region)}.`;
  return { code: CODE, service, region, message, until };
}

// src/health/groups.ts
var Group = class {
  service;
  region;
  guard;
  up = 0;
  critical = 0;
  /** Instances for which a command is under way that makes them critical. */
  pending = 0;
  /** Instances that have failed and are not critical, in the order in which they failed. */
  failing = /* @__PURE__ */ new Set();
  /** What is still to be told. */
  advice;
  isAdvising = !1;
  constructor(service, region, limits) {
    this.service = service, this.region = region, this.guard = new EvictionGuard(limits);
  }
  get advisoryId() {
    return guardAdvisoryId(this.service, this.region);
  }
  get isEmpty() {
    return this.up + this.critical === 0 && this.advice === void 0 && !this.isAdvising;
  }
  /** One more, or one less, of this status. */
  count(tracked, by) {
    tracked.status === "critical" ? this.critical += by : this.up += by;
  }
  leaves(tracked) {
    this.failing.delete(tracked), tracked.leaving = this, this.pending += 1;
  }
  /** It has left, or no command about it is under way any more. */
  returned(tracked) {
    tracked.leaving = void 0, this.pending -= 1;
  }
}, keyOf3 = (service, region) => `${service} ${region}`, Groups = class {
  #deps;
  #groups = /* @__PURE__ */ new Map();
  /** Those that time changes, or in which somebody is failing. */
  #active = /* @__PURE__ */ new Set();
  constructor(deps) {
    this.#deps = deps;
  }
  /** Instances that have failed and are kept. */
  get held() {
    let held = 0;
    for (let { guard, failing } of this.#active) guard.until !== void 0 && (held += failing.size);
    return held;
  }
  of(instance) {
    return this.#get(instance.service, regionOf(instance));
  }
  failing(tracked) {
    tracked.group.failing.add(tracked), this.#active.add(tracked.group);
  }
  /** Looks at a group that became empty, or whose override was changed. */
  look(service, region) {
    let group = this.#groups.get(keyOf3(service, region));
    group !== void 0 && this.#active.add(group);
  }
  /** Everyone who is failing, for whom a lease may have been extended. */
  *allFailing() {
    for (let { failing } of this.#active) yield* failing;
  }
  /**
   * Takes over from the guards of the process before this one. Where one held, whoever is critical counts as lost just now, so
   * that a restart in the middle of a mass failure does not let go as many again. Its advisory ends at `graceEndsAt`, unless
   * the guard trips again until then.
   */
  takeOver(tracked, now2, graceEndsAt) {
    let held = /* @__PURE__ */ new Set();
    for (let item of this.#deps.view().bucket(byKind("advisory"))) {
      if (item.kind !== "advisory" || !isGuardAdvisory(item.value)) continue;
      let group = this.#get(item.value.service, item.value.region ?? NO_REGION);
      group.guard.until === void 0 && (group.advice ??= { body: void 0, notBefore: graceEndsAt }, held.add(group), this.#active.add(group));
    }
    if (held.size !== 0)
      for (let { item, status: status2, group } of tracked)
        status2 === "critical" && held.has(group) && group.guard.lost(item.id, now2);
  }
  /** Called once per tick. `stillFails` looks again at one that is about to go. */
  decide(now2, outbox, stillFails, reasonOf3) {
    for (let group of this.#active) {
      let { guard, failing } = group, heldUntil2 = guard.until, off = this.#isOff(group);
      if (heldUntil2 === void 0 || now2 >= heldUntil2 || off)
        for (let tracked of failing) stillFails(tracked) || failing.delete(tracked);
      let numbers = { failing: failing.size, pending: group.pending, up: group.up, critical: group.critical }, admitted = guard.admit({ ...numbers, off }, now2), left = admitted;
      for (let tracked of failing) {
        if (left-- <= 0) break;
        outbox.status(tracked, "critical", reasonOf3(tracked, "critical"), !1), group.leaves(tracked);
      }
      guard.until !== heldUntil2 && this.#advise(group, numbers.failing, admitted, now2), group.advice !== void 0 && !group.isAdvising && now2 >= group.advice.notBefore && outbox.advise(group, group.advice), guard.atRest && failing.size === 0 && group.advice === void 0 && this.#active.delete(group), group.isEmpty && !this.#active.has(group) && this.#groups.delete(keyOf3(group.service, group.region));
    }
  }
  reports(now2) {
    let reports = [];
    for (let { guard, service, region, failing } of this.#active) {
      if (guard.until === void 0) continue;
      let until = new Date(this.#deps.clock() + guard.until - now2).toISOString();
      reports.push({ service, region, held: failing.size, until });
    }
    return reports;
  }
  #get(service, region) {
    let key = keyOf3(service, region), group = this.#groups.get(key);
    return group === void 0 && this.#groups.set(key, group = new Group(service, region, this.#deps.limits)), group;
  }
  #isOff({ service, region }) {
    let override = this.#deps.view().get(regionOverrideName(service, region));
    return override?.kind === "override" && override.value.evictionGuard === !1;
  }
  #advise(group, failing, admitted, now2) {
    let { guard, up } = group;
    if (guard.until === void 0) {
      group.advice = { body: void 0, notBefore: now2 }, this.#deps.log.info(`the eviction guard of ${group.service} ${placeOf(group.region)} no longer holds`);
      return;
    }
    let lost = guard.lostWithinWindow(now2), facts = {
      service: group.service,
      region: group.region,
      failed: lost + group.pending + (failing - admitted),
      of: up + lost,
      held: failing - admitted,
      windowMs: this.#deps.limits.windowMs,
      until: new Date(this.#deps.clock() + guard.until - now2).toISOString()
    }, body = guardAdvisory(facts);
    group.advice = { body, notBefore: now2 }, this.#deps.log.warn(body.message);
  }
};

// src/health/next-look.ts
function nextLook(tracked, { now: now2, readUntil, grantedAt }, poller) {
  let { lease, poll: poll2, item } = tracked;
  if (poll2 !== void 0)
    return poll2.isIdle && now2 < poll2.checkAt ? poll2.checkAt : (poller.want(tracked, poll2), 1 / 0);
  if (lease === void 0) return 1 / 0;
  let runsUntil = lease.runsUntil(grantedAt), runs = readUntil < runsUntil, isQuiet = runs && item.value.status === "passing" && item.value.displacedBy === void 0, listenAt = lease.connection === void 0 || isQuiet ? 1 / 0 : now2 + 1e3;
  return runs ? Math.min(runsUntil, listenAt) : listenAt;
}

// src/health/outbox.ts
var SIGNALBOX = { kind: "signalbox", subject: "signalbox" }, Outbox = class {
  #deps;
  #batches = /* @__PURE__ */ new Map();
  constructor(deps) {
    this.#deps = deps;
  }
  status(tracked, status2, reason2, isProven) {
    let { id: id2, value, revision } = tracked.item, proven = isProven && provesIdentity(value.check);
    this.#put(tracked, status2, {
      op: "status",
      id: id2,
      generation: value.generation,
      status: status2,
      reason: reason2,
      proven,
      seen: revision
    });
  }
  deregister(tracked) {
    let { id: id2, value } = tracked.item;
    this.#put(tracked, "removal", { op: "deregister", id: id2, generation: value.generation, ifCritical: !0 });
  }
  advise(group, advice) {
    let batch = this.#batchOf(group.service);
    batch.edits.push({ op: "advise", id: group.advisoryId, advisory: advice.body }), batch.advices.push({ group, advice }), group.isAdvising = !0;
  }
  flush() {
    if (this.#batches.size === 0) return;
    let batches = this.#batches;
    this.#batches = /* @__PURE__ */ new Map();
    for (let batch of batches.values()) this.#send(batch);
  }
  #put(tracked, asked, edit) {
    let batch = this.#batchOf(tracked.item.value.service);
    batch.edits.push(edit), batch.tracked.push({ tracked, before: tracked.item }), tracked.asked = asked;
  }
  #batchOf(service) {
    let batch = this.#batches.get(service);
    return batch === void 0 && this.#batches.set(service, batch = { edits: [], tracked: [], advices: [] }), batch;
  }
  async #send({ edits, tracked, advices }) {
    let { registry, clock, onAnswer, onFailed, onWorked } = this.#deps, worked = !1;
    try {
      let verdict = await registry.execute({ caller: SIGNALBOX, at: clock(), instances: edits });
      worked = verdict.ok, verdict.ok ? onWorked() : onFailed(new Error(verdict.refusal.detail));
    } catch (error) {
      onFailed(error);
    }
    for (let { group, advice } of advices)
      group.isAdvising = !1, worked && group.advice === advice && (group.advice = void 0);
    for (let { tracked: each, before } of tracked)
      each.asked = void 0, each.leaving?.returned(each), onAnswer(each, before);
  }
};

// src/health/lease.ts
var Lease = class {
  ttl;
  /** Since when it runs without having been renewed: its registration. */
  grantedAt;
  #renewedAt = -1 / 0;
  #connection;
  constructor(check3, now2) {
    this.ttl = milliseconds(check3.ttl), this.grantedAt = now2;
  }
  get connection() {
    return this.#connection;
  }
  /** When it was last renewed; -Infinity when it never was. */
  get heardAt() {
    let heardAt = this.#connection?.heardAt ?? -1 / 0;
    return heardAt > this.#renewedAt ? heardAt : this.#renewedAt;
  }
  renew(now2) {
    this.#renewedAt = now2;
  }
  /** Goes on where another lease of the same instance was: with another length it is no other sign of life. */
  takeOver({ heardAt, connection }) {
    this.#renewedAt = heardAt, this.#connection = connection;
  }
  /** The latest connection counts. */
  attach(connection) {
    this.#renewedAt = this.heardAt, this.#connection = connection;
  }
  /** The lease runs on from what was last heard. */
  detach(connection) {
    this.#connection === connection && (this.#renewedAt = this.heardAt, this.#connection = void 0);
  }
  /** `grantedAt`: when Signalbox, having been away, extended all leases (INS3). */
  runsUntil(grantedAt) {
    return Math.max(this.heardAt, this.grantedAt, grantedAt) + this.ttl;
  }
  verdict({ readUntil, grantedAt }) {
    return leaseVerdict(this.heardAt + this.ttl, this.runsUntil(grantedAt), readUntil);
  }
};

// src/health/poll.ts
var EAGER_MS = 1e3, LATE_MS = 500, Poll = class {
  interval;
  /** When the next check is due. */
  checkAt;
  health;
  probe;
  /** It is due and waits for its turn. */
  waiting = !1;
  /** The last result was a pass, of a check that can show who is at the address. */
  hasProof = !1;
  #countedFrom = 0;
  constructor(check3, checkAt, decided) {
    this.interval = milliseconds(check3.interval), this.checkAt = checkAt, this.health = unknownHealth(decided);
  }
  /** From the start of a check to the start of the next. */
  get pace() {
    return this.health.decided ? this.interval : Math.min(this.interval, EAGER_MS);
  }
  get isIdle() {
    return this.probe === void 0 && !this.waiting;
  }
  begin(now2) {
    return this.#countedFrom = now2 - this.checkAt > LATE_MS ? now2 : this.checkAt, this.waiting = !1, this.probe = { startedAt: now2, discarded: !1, canProve: !0 }, this.probe;
  }
  /** `random` from 0 to 1. */
  scheduleNext(random) {
    this.checkAt = this.#countedFrom + this.pace * (1 + random * JITTER);
  }
  /** Something is decided about it. From here on it is checked at its own pace, begun anywhere in it: those that register together do not stay together. */
  settle(now2, random) {
    !this.health.decided && this.isIdle && (this.checkAt = now2 + random * this.interval), this.health = { ...this.health, decided: !0 };
  }
  /** Forgets what was found, and what a check under way will find. */
  startOver() {
    this.health = unknownHealth(this.health.decided), this.hasProof = !1, this.waiting = !1, this.probe !== void 0 && (this.probe.discarded = !0);
  }
  /** What was found up to now shows nothing about who is at the address. */
  displaced() {
    this.hasProof = !1, this.probe !== void 0 && (this.probe.canProve = !1);
  }
};

// src/health/tracked.ts
var REMEMBERED = 5, Tracked = class {
  dueAt = 0;
  slot = -1;
  /** As it is in the view; put here as the view moves on. */
  item;
  group;
  lease;
  poll;
  deregisterAfter = 0;
  /** Since when it has been critical without a sign of life, as seen from here. */
  criticalSince;
  /** Since when somebody else has been at its address, as seen from here (INS6). */
  displacedAt;
  flapping;
  /** The newest first. */
  results;
  /** What the command about it asks for that is under way. */
  asked;
  /** The group that it is about to leave for being critical. */
  leaving;
  gone = !1;
  constructor(item, group, now2) {
    this.item = item, this.group = group, this.criticalSince = now2, this.displacedAt = now2;
  }
  /** Begins its check anew; an active one is due now. */
  beginCheck(now2, decided) {
    let { check: check3 } = this.item.value;
    this.poll?.startOver();
    let kept = this.lease;
    this.lease = check3.type === "ttl" ? new Lease(check3, now2) : void 0, kept !== void 0 && this.lease?.takeOver(kept), this.poll = check3.type === "ttl" ? void 0 : new Poll(check3, now2, decided), this.deregisterAfter = milliseconds(check3.deregisterAfter);
  }
  get inFlight() {
    return this.asked !== void 0;
  }
  get status() {
    return this.item.value.status;
  }
  /** What should hold by its check alone; undefined: whatever does. */
  verdict(moment) {
    return this.lease === void 0 ? this.poll?.health.verdict : this.lease.verdict(moment);
  }
  /** Whether it has itself shown that it is there since somebody else has been at its address (INS6). */
  get isProven() {
    return this.lease !== void 0 ? this.lease.heardAt > this.displacedAt : this.poll?.hasProof === !0 && provesIdentity(this.item.value.check);
  }
  /** Whether its check says, and not only its registration, that it is critical. */
  hasFailed(moment) {
    return this.lease !== void 0 ? this.lease.verdict(moment) === "critical" : (this.poll?.health.failures ?? 0) > 0;
  }
  /** When it is removed, if it stays critical; absence of Signalbox does not count. */
  removedAt({ grantedAt }) {
    return Math.max(this.criticalSince, grantedAt) + this.deregisterAfter;
  }
  remember(result) {
    this.results ??= [], this.results.unshift(result), this.results.length > REMEMBERED && this.results.pop();
  }
};
function targetOf2({ service, address, port: port2, check: check3 }) {
  return { service, address, port: (check3.type === "ttl" ? void 0 : check3.port) ?? port2 };
}

// src/health/poller.ts
var Poller = class {
  #deps;
  #queue = [];
  #next = 0;
  #inFlight = 0;
  constructor(deps) {
    this.#deps = deps;
  }
  get inFlight() {
    return this.#inFlight;
  }
  get waiting() {
    return this.#queue.length - this.#next;
  }
  /** The instance's check is due. One that runs or waits already is not started twice. */
  want(tracked, poll2) {
    poll2.isIdle && (poll2.waiting = !0, this.#queue.push({ tracked, poll: poll2 }), this.#start());
  }
  /** Forgets those that wait. */
  clear() {
    for (let { poll: poll2 } of this.#queue.slice(this.#next)) poll2.waiting = !1;
    this.#queue = [], this.#next = 0;
  }
  #start() {
    for (; this.#inFlight < this.#deps.concurrency && this.waiting > 0; ) {
      let { tracked, poll: poll2 } = this.#queue[this.#next++];
      poll2.waiting && tracked.poll === poll2 && !tracked.gone && this.#run(tracked, poll2);
    }
    this.waiting > 0 && this.#next < 1e3 || (this.#queue.splice(0, this.#next), this.#next = 0);
  }
  async #run(tracked, poll2) {
    let { prober, now: now2, onStart, onEnd, onError } = this.#deps, { value } = tracked.item;
    this.#inFlight += 1, onStart(Math.max(0, now2() - poll2.checkAt) / 1e3);
    let probe = poll2.begin(now2()), finding2;
    try {
      finding2 = await prober.probe({ ...targetOf2(value), check: value.check });
    } catch (error) {
      onError(error);
    }
    this.#inFlight -= 1, poll2.probe = void 0, !tracked.gone && tracked.poll === poll2 && onEnd(tracked, poll2, probe, probe.discarded ? void 0 : finding2), this.#start();
  }
};

// src/domain/instances/flapping.ts
var FORGIVEN_MS = 6e4 * Math.log2(80), isPenalised = (from, to) => to !== from && from !== "critical", penaltyAt = ({ penalty, at: at2 }, now2) => penalty * 2 ** ((at2 - now2) / 6e4);
function heldUntil(flapping) {
  if (flapping?.heldSince === void 0) return -1 / 0;
  let { penalty, at: at2, heldSince } = flapping, decays = 6e4 * Math.log2(penalty / 1500);
  return Math.min(at2 + decays, heldSince + 3e5);
}
function penalise(before, now2) {
  let rest = before === void 0 ? 0 : penaltyAt(before, now2), penalty = Math.min(rest + 1e3, 8e3);
  return now2 < heldUntil(before) ? { penalty, at: now2, heldSince: before?.heldSince } : { penalty, at: now2, heldSince: penalty >= 3e3 ? now2 : void 0 };
}

// src/health/report.ts
function reportOf(tracked, moment) {
  let { now: now2, grantedAt } = moment, { lease, poll: poll2, item, group, results = [] } = tracked, until = (time4) => formatDuration(Math.max(0, time4 - now2)), ttl = item.value.check.type === "ttl" ? item.value.check.ttl : "", removedAt = tracked.removedAt(moment), isFailing = tracked.status === "critical" && tracked.hasFailed(moment);
  return {
    ...lease !== void 0 && {
      lease: { ttl, expiresIn: until(lease.runsUntil(grantedAt)), attached: lease.connection !== void 0 }
    },
    ...poll2 !== void 0 && { nextCheckIn: until(poll2.checkAt) },
    lastChecks: results.map(({ at: at2, status: status2, reason: reason2, durationMs }) => ({
      at: new Date(at2).toISOString(),
      status: status2,
      reason: reason2,
      durationMs
    })),
    consecutivePasses: poll2?.health.passes ?? 0,
    consecutiveFailures: poll2?.health.failures ?? 0,
    ...flappingOf(tracked, now2),
    ...group.failing.has(tracked) && group.guard.until !== void 0 && { guardedFor: until(group.guard.until) },
    ...isFailing && { deregistersIn: until(removedAt) }
  };
}
function flappingOf({ flapping }, now2) {
  if (flapping === void 0) return {};
  let penalty = Math.round(penaltyAt(flapping, now2)), releasedAt = heldUntil(flapping);
  return penalty < 100 ? {} : { flapping: { penalty, ...now2 < releasedAt && { heldFor: formatDuration(releasedAt - now2) } } };
}

// src/health/penalties.ts
var MAX_ENTRIES2 = 1e4, GonePenalties = class {
  /** In the order in which they went. */
  #gone = /* @__PURE__ */ new Map();
  get size() {
    return this.#gone.size;
  }
  keep(id2, flapping, now2) {
    this.#gone.delete(id2), flapping !== void 0 && penaltyAt(flapping, now2) >= 100 && this.#gone.set(id2, { flapping, at: now2 });
    for (let [oldest, { at: at2 }] of this.#gone) {
      if (this.#gone.size <= MAX_ENTRIES2 && now2 - at2 < FORGIVEN_MS) break;
      this.#gone.delete(oldest);
    }
  }
  take(id2) {
    let kept = this.#gone.get(id2);
    return kept !== void 0 && this.#gone.delete(id2), kept?.flapping;
  }
};

// src/health/roster.ts
var SOON_MS = 1e3, Roster2 = class {
  #deps;
  #tracked = /* @__PURE__ */ new Map();
  #penalties = new GonePenalties();
  constructor(deps) {
    this.#deps = deps;
  }
  get size() {
    return this.#tracked.size;
  }
  get(id2) {
    return this.#tracked.get(id2);
  }
  all() {
    return this.#tracked.values();
  }
  /** Takes in what the view has just taken in. */
  follow({ change, before }, now2) {
    let item = change.op === "put" ? change.item : before;
    if (item?.kind === "override" && item.value.instance === void 0 && this.#deps.groups.look(item.value.service, item.value.region ?? NO_REGION), item?.kind !== "instance") return;
    if (change.op === "put") return this.#put(item, now2);
    let tracked = this.#tracked.get(item.id);
    tracked !== void 0 && this.#remove(tracked, now2);
  }
  /** Makes it what the view has, which is another one. */
  reconcile(items, now2) {
    let gone = new Set(this.#tracked.keys());
    for (let item of items)
      gone.delete(item.id), this.#put(item, now2);
    for (let id2 of gone) this.#remove(this.#tracked.get(id2), now2);
  }
  /** Takes an instance in. A new generation is another instance, of which nothing is known (INS6). */
  add(item, now2) {
    let group = this.#deps.groups.of(item.value), tracked = new Tracked(item, group, now2), decided = item.value.statusSince !== item.value.createTime;
    return this.#beginCheck(tracked, now2, decided), tracked.flapping = this.#penalties.take(item.id), this.#tracked.set(item.id, tracked), group.count(tracked, 1), tracked.status !== "critical" && group.guard.back(item.id), tracked;
  }
  #put(item, now2) {
    let tracked = this.#tracked.get(item.id);
    if (tracked?.item.value.generation === item.value.generation) {
      this.#update(tracked, item, now2) && this.#deps.onNews(tracked, now2);
      return;
    }
    tracked !== void 0 && this.#remove(tracked, now2), this.#deps.onNews(this.add(item, now2), now2);
  }
  #remove(tracked, now2) {
    let { item, group } = tracked;
    this.#deps.onGone(tracked), this.#tracked.delete(item.id), this.#penalties.keep(item.id, tracked.flapping, now2), tracked.gone = !0, tracked.leaving?.returned(tracked), group.failing.delete(tracked), group.count(tracked, -1), this.#deps.groups.look(group.service, group.region), tracked.poll !== void 0 && this.#deps.prober.forget(targetOf2(item.value));
  }
  /** Takes in what the view says now about an instance of the same generation. True: it has to be looked at. */
  #update(tracked, item, now2) {
    let before = tracked.item.value, { value } = item, isSameCheck = value.check === before.check || JSON.stringify(value.check) === JSON.stringify(before.check), group = this.#deps.groups.of(value);
    (group !== tracked.group || value.status === "critical") && tracked.group.failing.delete(tracked), tracked.group.count(tracked, -1), tracked.item = item, tracked.group = group, group.count(tracked, 1), isSameCheck || (tracked.poll !== void 0 && this.#deps.prober.forget(targetOf2(before)), this.#beginCheck(tracked, now2, !1)), value.status !== before.status && this.#changed(tracked, before.status, isSameCheck, now2);
    let isDisplaced = value.displacedBy !== void 0 && value.displacedBy !== before.displacedBy;
    return isDisplaced && (tracked.displacedAt = now2, tracked.poll?.displaced()), !isSameCheck || isDisplaced || value.status !== before.status || value.region !== before.region;
  }
  #changed(tracked, before, isSameCheck, now2) {
    let { status: status2, statusReason } = tracked.item.value, { metrics, clock } = this.#deps;
    status2 !== "critical" && tracked.group.guard.back(tracked.item.id), tracked.criticalSince = now2, isSameCheck && (metrics.transitions.inc({ status: status2 }), isPenalised(before, status2) && (tracked.flapping = penalise(tracked.flapping, now2)), status2 === "critical" && (tracked.leaving?.returned(tracked), tracked.group.guard.lost(tracked.item.id, now2)), tracked.poll?.settle(now2, this.#deps.random()), tracked.lease !== void 0 && (status2 === "critical" ? metrics.expired.inc() : before === "critical" && tracked.asked !== status2 && (tracked.lease.grantedAt = now2), tracked.remember({ at: clock(), status: status2, reason: statusReason, durationMs: 0 })));
  }
  #beginCheck(tracked, now2, decided) {
    tracked.beginCheck(now2, decided);
    let { poll: poll2 } = tracked;
    poll2 !== void 0 && (poll2.checkAt = now2 + this.#deps.random() * Math.min(poll2.interval, SOON_MS));
  }
};

// src/health/wish.ts
var NOTHING2 = { is: "nothing", before: 1 / 0 }, FAILURE = { is: "failure" }, REMOVAL = { is: "removal" };
function wishOf(tracked, moment) {
  let { now: now2 } = moment, { status: holds, displacedBy } = tracked.item.value, wanted = tracked.verdict(moment) ?? holds;
  if (wanted === "critical") {
    if (holds !== "critical") return FAILURE;
    if (!tracked.hasFailed(moment)) return NOTHING2;
    let removedAt = tracked.removedAt(moment);
    return now2 < removedAt ? { is: "nothing", before: removedAt } : REMOVAL;
  }
  let proven = tracked.isProven;
  if (wanted !== holds) {
    let releasedAt = isBetter(wanted, holds) ? heldUntil(tracked.flapping) : now2;
    if (now2 >= releasedAt) return { is: "status", status: wanted, proven };
    if (displacedBy === void 0 || !proven || holds === "critical") return { is: "nothing", before: releasedAt };
  }
  return displacedBy !== void 0 && proven ? { is: "status", status: holds, proven } : NOTHING2;
}
function reasonOf2({ lease, results, item }, status2) {
  let { check: check3, statusReason } = item.value;
  return lease === void 0 || check3.type !== "ttl" ? results?.[0]?.reason ?? statusReason : status2 === "critical" ? `Its lease of ${check3.ttl} ran out.` : "Its lease was renewed.";
}

// src/health/monitor.ts
var TICK_MS = 100, ABSENT_MS = 1e3 + TICK_MS, RETRY_MS3 = 1e3, MAX_PER_TICK = 2e4, GOLDEN_RATIO = 0.618033988749895, Monitor = class {
  #deps;
  #queue = new DueQueue();
  #roster;
  #groups;
  #poller;
  #outbox;
  /** What waits for the database. */
  #blocked = /* @__PURE__ */ new Set();
  #isRunning = !1;
  #isStoreAway = !1;
  #grantedAt = 0;
  #lastTick = 0;
  #retryAt = -1 / 0;
  #spread = 0;
  constructor(deps) {
    let { registry, view, prober, limits, metrics, log, now: now2, clock, random } = deps;
    this.#deps = deps, this.#groups = new Groups({ limits: limits.guard, view, clock, log }), this.#roster = new Roster2({
      groups: this.#groups,
      prober,
      metrics,
      clock,
      random,
      onNews: (tracked, time4) => this.#wake(tracked, time4),
      onGone: (tracked) => {
        this.#queue.remove(tracked), this.#blocked.delete(tracked);
      }
    }), this.#poller = new Poller({
      prober,
      concurrency: limits.concurrency,
      now: now2,
      onStart: (late) => metrics.lateness.observe(late),
      onEnd: (tracked, poll2, probe, finding2) => this.#checked(tracked, poll2, probe, finding2),
      onError: (error) => log.error({ err: error }, "a check could not be run")
    }), this.#outbox = new Outbox({
      registry,
      clock,
      onAnswer: (tracked, before) => this.#answered(tracked, before),
      onWorked: () => {
        this.#retryAt = -1 / 0;
      },
      onFailed: (error) => {
        this.#retryAt === -1 / 0 && log.warn({ err: error }, "what checks have found could not be written; it will be tried again"), this.#retryAt = now2() + RETRY_MS3;
      }
    });
  }
  get enabled() {
    return this.#deps.limits.enabled;
  }
  get tracked() {
    return this.#roster.size;
  }
  /** Instances that have failed and are kept by the eviction guard. */
  get held() {
    return this.#groups.held;
  }
  get checksInFlight() {
    return this.#poller.inFlight;
  }
  get checksWaiting() {
    return this.#poller.waiting;
  }
  /** Begins with what the view has. It may have been away for long: nothing expires before its full time (INS3). */
  start() {
    if (!this.enabled || this.#isRunning) return;
    let now2 = this.#deps.now();
    this.#isRunning = !0, this.#lastTick = now2, this.#grantedAt = now2;
    for (let item of this.#instances()) this.#spreadCheck(this.#roster.add(item, now2), now2);
    this.#takeOverGuards(now2);
  }
  stop() {
    this.#isRunning = !1;
  }
  /** Does what is due; to be called every `TICK_MS`. */
  tick() {
    if (!this.#isRunning) return;
    let now2 = this.#deps.now(), readUntil = this.#lastTick;
    this.#lastTick = now2, now2 - readUntil > ABSENT_MS && this.#wasAbsent(now2, now2 - readUntil);
    let moment = { now: now2, readUntil, grantedAt: this.#grantedAt };
    for (let left = MAX_PER_TICK; left > 0; left--) {
      let tracked = this.#queue.take(now2);
      if (tracked === void 0) break;
      this.#examine(tracked, moment);
    }
    !this.#isStoreAway && now2 >= this.#retryAt && this.#groups.decide(now2, this.#outbox, (tracked) => this.#stillFails(tracked, moment), reasonOf2), this.#outbox.flush();
  }
  renew(id2, generation) {
    let tracked = this.#roster.get(id2);
    if (!this.#isRunning || tracked === void 0) return !this.#isRunning && this.#isThere(id2, generation);
    if (generation !== void 0 && generation !== tracked.item.value.generation) return !1;
    let now2 = this.#deps.now();
    tracked.lease?.renew(now2);
    let { status: status2, displacedBy } = tracked.item.value, changesSomething = status2 !== "passing" || displacedBy !== void 0 || tracked.group.failing.has(tracked);
    return tracked.lease !== void 0 && changesSomething && this.#wake(tracked, now2), !0;
  }
  attach(id2, connection) {
    let tracked = this.#roster.get(id2);
    tracked?.lease !== void 0 && (tracked.lease.attach(connection), this.#wake(tracked, this.#deps.now()));
  }
  detach(id2, connection) {
    this.#roster.get(id2)?.lease?.detach(connection);
  }
  report(id2) {
    let tracked = this.#roster.get(id2), now2 = this.#deps.now();
    return tracked && reportOf(tracked, { now: now2, readUntil: now2, grantedAt: this.#grantedAt });
  }
  guards() {
    return this.#groups.reports(this.#deps.now());
  }
  /** The database is away: nothing expires and nothing is decided; checks go on. */
  storeAway() {
    this.#isStoreAway = !0;
  }
  /** The database is back: every lease has its full length from now on (INS3), and what was found meanwhile is decided. */
  storeBack() {
    if (!this.#isStoreAway) return;
    let now2 = this.#deps.now();
    this.#isStoreAway = !1, this.#retryAt = -1 / 0, this.#grant(now2);
    for (let tracked of this.#blocked) this.#wake(tracked, now2);
    this.#blocked.clear();
  }
  onAdvance(entries) {
    if (!this.#isRunning) return;
    let now2 = this.#deps.now();
    for (let { folded } of entries) for (let each of folded) this.#roster.follow(each, now2);
  }
  /** The view is another one: this process missed what happened in between, as if it had been away. */
  onReload() {
    if (!this.#isRunning) return;
    let now2 = this.#deps.now();
    this.#roster.reconcile(this.#instances(), now2), this.#startOver(now2), this.#takeOverGuards(now2);
  }
  *#instances() {
    for (let item of this.#deps.view().bucket(byKind("instance"))) item.kind === "instance" && (yield item);
  }
  #isThere(id2, generation) {
    let item = this.#deps.view().get(instanceName(id2));
    return item?.kind === "instance" && (generation === void 0 || generation === item.value.generation);
  }
  /** Looks at it no later than at that time. */
  #wake(tracked, at2) {
    !tracked.gone && (tracked.slot < 0 || at2 < tracked.dueAt) && this.#queue.set(tracked, at2);
  }
  #examine(tracked, moment) {
    let lookAt = Math.min(nextLook(tracked, moment, this.#poller), this.#decide(tracked, moment));
    this.#queue.set(tracked, Math.max(lookAt, moment.now + 1));
  }
  /** Decides what should become of it; returns when to look again, if nothing happens. */
  #decide(tracked, moment) {
    if (tracked.inFlight) return 1 / 0;
    let wish = wishOf(tracked, moment);
    if (wish.is === "failure")
      return this.#groups.failing(tracked), 1 / 0;
    tracked.group.failing.delete(tracked);
    let verdict = tracked.verdict(moment);
    return (verdict === "passing" || verdict === "warning") && (tracked.criticalSince = moment.now), wish.is === "nothing" ? wish.before : this.#isStoreAway ? (this.#blocked.add(tracked), 1 / 0) : moment.now < this.#retryAt ? this.#retryAt : (wish.is === "removal" ? this.#outbox.deregister(tracked) : this.#outbox.status(tracked, wish.status, reasonOf2(tracked, wish.status), wish.proven), 1 / 0);
  }
  #stillFails(tracked, moment) {
    return !tracked.inFlight && wishOf(tracked, moment).is === "failure" ? !0 : (this.#wake(tracked, moment.now), !1);
  }
  #checked(tracked, poll2, probe, finding2) {
    let { now: now2, clock, random, metrics } = this.#deps, time4 = now2();
    if (finding2 !== void 0) {
      let { status: status2, reason: reason2 } = finding2;
      metrics.checks.inc({ status: status2 }), tracked.remember({ at: clock(), status: status2, reason: reason2, durationMs: Math.round(time4 - probe.startedAt) }), poll2.health = observe(poll2.health, status2, tracked.status, tracked.item.value.check), poll2.hasProof = status2 !== "critical" && probe.canProve;
    }
    probe.discarded || poll2.scheduleNext(random()), this.#wake(tracked, time4);
  }
  #answered(tracked, before) {
    let now2 = this.#deps.now();
    this.#wake(tracked, tracked.item === before ? Math.max(this.#retryAt, now2 + RETRY_MS3) : now2);
  }
  #wasAbsent(now2, gap) {
    this.#deps.log.warn(
      `this process stood still for ${Math.round(gap)} ms; every lease is extended by its full length`
    ), this.#startOver(now2);
  }
  /** What was found before, or is being found, may have been found by a process that was itself not there. */
  #startOver(now2) {
    this.#poller.clear();
    for (let tracked of this.#roster.all()) {
      let { poll: poll2 } = tracked;
      if (poll2 === void 0) continue;
      let isDue2 = poll2.probe !== void 0 || poll2.checkAt <= now2;
      poll2.startOver(), isDue2 && this.#spreadCheck(tracked, now2), this.#wake(tracked, now2);
    }
    this.#grant(now2);
  }
  #grant(now2) {
    this.#grantedAt = now2;
    for (let tracked of this.#groups.allFailing()) this.#wake(tracked, now2);
  }
  /** Its turn comes within its pace, at a time of its own: many are not checked all at once. */
  #spreadCheck(tracked, now2) {
    let { poll: poll2 } = tracked;
    this.#spread = (this.#spread + GOLDEN_RATIO) % 1, poll2 !== void 0 && (poll2.checkAt = now2 + this.#spread * poll2.pace), this.#queue.set(tracked, now2);
  }
  #takeOverGuards(now2) {
    this.#groups.takeOver(this.#roster.all(), now2, now2 + this.#deps.limits.guard.windowMs);
  }
};

// src/health/grpc-probe.ts
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";

// src/health/grpc-message.ts
var SERVING_STATUS = ["unknown", "serving", "not serving", "service unknown"];
var WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 }, STATUS_FIELD = 1, MAX_VARINT_BYTES = 10;
function encodeRequest(service) {
  let name = Buffer.from(service), message = name.length === 0 ? name : Buffer.concat([Buffer.from([10, ...varintBytes(name.length)]), name]), prefix = Buffer.alloc(5);
  return prefix.writeUInt32BE(message.length, 1), Buffer.concat([prefix, message]);
}
function decodeResponse(frame) {
  if (!(frame.length < 5 || frame[0] !== 0) && frame.readUInt32BE(1) === frame.length - 5)
    return statusIn(frame.subarray(5));
}
function statusIn(message) {
  let status2 = 0, at2 = 0;
  for (; at2 < message.length; ) {
    let tag = varint(message, at2);
    if (tag === void 0 || tag.value < 8) return;
    let wire = tag.value % 8;
    if (at2 = tag.end, wire === WIRE.varint || wire === WIRE.bytes) {
      let number = varint(message, at2);
      if (number === void 0) return;
      at2 = number.end + (wire === WIRE.bytes ? number.value : 0), wire === WIRE.varint && Math.floor(tag.value / 8) === STATUS_FIELD && (status2 = number.value);
    } else if (wire === WIRE.fixed64) at2 += 8;
    else if (wire === WIRE.fixed32) at2 += 4;
    else return;
  }
  return at2 === message.length ? status2 : void 0;
}
function varint(bytes, start2) {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    let byte = bytes[start2 + index];
    if (byte === void 0) return;
    if (value += (byte & 127) * 128 ** index, byte < 128) return { value, end: start2 + index + 1 };
  }
}
function varintBytes(value) {
  return value < 128 ? [value] : [value & 127 | 128, ...varintBytes(value >>> 7)];
}

// src/health/probe-attempt.ts
import { isIP as isIP4, isIPv6 as isIPv62 } from "node:net";

// src/health/probe-finding.ts
var passing = (reason2) => finding("passing", reason2), warning = (reason2) => finding("warning", reason2), critical = (reason2) => finding("critical", reason2), finding = (status2, reason2) => ({ status: status2, reason: plain(reason2, 300) });
function plain(text2, max) {
  let line = text2.replaceAll(/[\s\p{Cc}\p{Z}]+/gu, " ").replaceAll(/[\p{C}\uFFFD]/gu, "").trim();
  return line.length <= max ? line : `${line.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
var NO_ANSWER = "the connection was closed without an answer", NO_HTTP2 = "the server does not speak HTTP/2", WORDS2 = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: NO_ANSWER,
  EPIPE: NO_ANSWER,
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  HPE_HEADER_OVERFLOW: "the headers of the answer are too large",
  EPROTO: "the TLS handshake failed",
  ERR_HTTP2_ERROR: NO_HTTP2,
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another host",
  CERT_HAS_EXPIRED: "the certificate has expired",
  CERT_NOT_YET_VALID: "the certificate is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is signed by nobody but itself",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate is signed by an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "the certificate is signed by an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate is signed by an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate is signed by an unknown authority"
}, FAILURES = {
  ECONNREFUSED: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EMFILE: "ours",
  ENFILE: "ours",
  ENOBUFS: "ours",
  ENOMEM: "ours"
};
function failureOf(error) {
  let { code } = error ?? {};
  return typeof code == "string" && Object.hasOwn(FAILURES, code) ? FAILURES[code] : void 0;
}
function inWords2(error) {
  let { code, message } = error ?? {};
  if (typeof code == "string") {
    let words2 = Object.hasOwn(WORDS2, code) ? WORDS2[code] : void 0;
    if (words2 !== void 0) return words2;
    if (code.endsWith("_ALERT_NO_APPLICATION_PROTOCOL")) return NO_HTTP2;
    if (code.startsWith("ERR_SSL_")) return "the TLS handshake failed";
    if (code.startsWith("HPE_")) return "the answer is not HTTP";
  }
  return `the check failed: ${plain(typeof message == "string" ? message : String(error), 200)}`;
}

// src/health/probe-attempt.ts
var Attempt = class {
  finding;
  #timer;
  #onEnd;
  #settle = () => {
  };
  #release = () => {
  };
  #late;
  #ended = !1;
  #failure;
  constructor(leftMs, check3, onEnd) {
    this.finding = new Promise((resolve2) => {
      this.#settle = resolve2;
    }), this.#onEnd = onEnd, this.#late = () => noAnswer(check3), this.#timer = setTimeout(() => this.end(this.#late()), leftMs);
  }
  get ended() {
    return this.#ended;
  }
  /** What kind of failure it was, where an error says so. */
  get failure() {
    return this.#failure;
  }
  /** Remembers the error for which it is about to end. */
  because(error) {
    this.#failure = failureOf(error);
  }
  /** What closes everything that the attempt has opened. Replaces the one before. */
  releaseWith(release2) {
    this.#release = release2;
  }
  /** What is known when the time is up, once it is more than that there was no answer. */
  whenLate(finding2) {
    this.#late = finding2;
  }
  /** Only the first finding counts. */
  settle(finding2) {
    this.#settle(finding2);
  }
  /** Settles, if it has not yet, and closes what was opened. */
  end(finding2) {
    let release2 = this.#release;
    this.complete(finding2), release2();
  }
  /** Ends, and leaves open what was opened. */
  complete(finding2) {
    this.#ended || (this.#ended = !0, clearTimeout(this.#timer), this.#release = () => {
    }, this.#settle(finding2), this.#onEnd(this));
  }
}, noAnswer = (check3) => critical(`no answer within ${check3.timeout}`), authority = (address, port2) => isIPv62(address) ? `[${address}]:${port2}` : `${address}:${port2}`, pinned = ({ ip, port: port2 }) => ({ host: ip, port: port2, lookup: neverAgain }), tlsOptions = ({ target, check: check3 }) => ({
  servername: isIP4(target.address) === 0 ? target.address : "",
  rejectUnauthorized: check3.tlsVerify
});
function neverAgain(hostname) {
  throw new Error(`resolved again: ${hostname}`);
}

// src/health/grpc-probe.ts
var MAX_MESSAGE_BYTES = 64 * 1024, MAX_HEADER_BYTES2 = 16 * 1024, MAX_BYTES3 = 256 * 1024, LOOK_AT_BYTES_MS = 50, OK = 0, NOT_FOUND = 5, UNIMPLEMENTED = 12;
function probeGrpc(aim, attempt) {
  let socket = open2(aim);
  attempt.releaseWith(() => socket.destroy());
  let fail2 = (error) => {
    attempt.because(error), attempt.end(critical(inWords2(error)));
  };
  socket.on("secureConnect", () => {
    "alpnProtocol" in socket && socket.alpnProtocol !== "h2" && attempt.end(critical(NO_HTTP2));
  }), socket.on("error", fail2);
  let session2 = connectHttp2(`${aim.check.tls ? "https" : "http"}://${authority(aim.ip, aim.port)}`, {
    createConnection: () => socket,
    maxSessionMemory: 1,
    settings: { enablePush: !1, maxHeaderListSize: MAX_HEADER_BYTES2 }
  }), watch = setInterval(() => {
    socket.bytesRead > MAX_BYTES3 && attempt.end(critical("the answer is too large"));
  }, LOOK_AT_BYTES_MS);
  attempt.releaseWith(() => {
    clearInterval(watch), session2.destroy(), socket.destroy();
  }), session2.on("error", fail2), session2.on("close", () => attempt.end(critical(NO_ANSWER)));
  let service = aim.check.service.replaceAll(SERVICE_ID, () => aim.target.service), stream = session2.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    ":authority": authority(aim.target.address, aim.port),
    "content-type": "application/grpc",
    "user-agent": "signalbox-check",
    te: "trailers"
  });
  stream.on("error", fail2), readAnswer(stream, service, attempt), stream.end(encodeRequest(service));
}
function open2(aim) {
  return aim.check.tls ? connectTls({ ...pinned(aim), ...tlsOptions(aim), ALPNProtocols: ["h2"] }) : connectTcp(pinned(aim));
}
function readAnswer(stream, service, attempt) {
  let chunks = [], bytes = 0, trailers;
  stream.on("response", (headers) => {
    let status2 = headers[":status"], type = headers["content-type"] ?? "";
    status2 !== 200 ? attempt.end(critical(`answered the HTTP status ${status2}`)) : type.startsWith("application/grpc") || attempt.end(critical("the answer is not gRPC")), trailers = headers;
  }), stream.on("trailers", (headers) => {
    trailers = headers;
  }), stream.on("data", (chunk) => {
    bytes += chunk.length, chunks.push(chunk), bytes > MAX_MESSAGE_BYTES && attempt.end(critical("the answer is too large"));
  }), stream.on("close", () => {
    attempt.end(trailers === void 0 ? critical(NO_ANSWER) : judge(service, trailers, Buffer.concat(chunks)));
  });
}
function judge(service, trailers, frame) {
  let about2 = service === "" ? "the server" : `the service ${service}`, code = /^[0-9]{1,3}$/.test(String(trailers["grpc-status"])) ? Number(trailers["grpc-status"]) : void 0;
  if (code === void 0) return critical("the answer is not gRPC");
  if (code === UNIMPLEMENTED) return critical("the server has no health service (grpc.health.v1)");
  if (code === NOT_FOUND) return critical(`${about2} is not known to the health service there`);
  if (code !== OK) {
    let message = plain(percentDecoded(String(trailers["grpc-message"] ?? "")), 100);
    return critical(`answered the gRPC status ${code}${message === "" ? "" : `: ${message}`}`);
  }
  let status2 = decodeResponse(frame);
  if (status2 === void 0) return critical("the answer is no health check response");
  let word = SERVING_STATUS[status2] ?? "unknown";
  return word === "serving" ? passing("answered serving") : critical(`answered that ${about2} is ${word}`);
}
function percentDecoded(text2) {
  try {
    return decodeURIComponent(text2);
  } catch {
    return text2;
  }
}

// src/health/http-probe.ts
import {
  Agent as HttpAgent,
  request as httpRequest
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

// src/health/http-status.ts
var TOO_MANY_REQUESTS = 429;
function judgeStatus(status2, { expectedStatuses }) {
  let reason2 = `answered ${status2}`;
  return expectedStatuses !== void 0 ? expectedStatuses.some((range) => includes(range, status2)) ? passing(reason2) : void 0 : status2 === TOO_MANY_REQUESTS ? warning(reason2) : status2 >= 200 && status2 <= 299 ? passing(reason2) : void 0;
}
function includes(range, status2) {
  let [first = "", last = first] = range.split("-");
  return Number(first) <= status2 && status2 <= Number(last);
}
function badStatus(aim, status2, location2, body) {
  let asked = `${question(aim)} answered ${status2}`;
  if (status2 >= 300 && status2 <= 399 && location2 !== void 0)
    return critical(`${asked}: the redirect to ${plain(location2, 100)} is not followed`);
  let said = plain(body, 100);
  return critical(said === "" ? asked : `${asked}: ${said}`);
}
var question = ({ target, check: check3, port: port2 }) => plain(
  `${check3.method} ${check3.tls ? "https" : "http"}://${authority(target.address, port2)}${pathOf(target.service, check3)}`,
  150
), pathOf = (service, check3) => check3.path.replaceAll(SERVICE_ID, () => encodeURIComponent(service));

// src/health/http-probe.ts
var MAX_HEADER_BYTES3 = 16 * 1024, MAX_BODY_BYTES2 = 4 * 1024, MAX_INTERIM = 8, QUOTED_BYTES = 400, QUOTE_MS = 100, IDLE_MS = 3e4, NOT_FORWARDED = /* @__PURE__ */ new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
]);
function createAgent(tls2) {
  let options = { keepAlive: !0, maxFreeSockets: 1, timeout: IDLE_MS }, agent = tls2 ? new HttpsAgent({ ...options, maxCachedSessions: 0 }) : new HttpAgent(options);
  return agent.on("free", (socket) => socket.on("data", hangUp)), agent;
}
function hangUp() {
  this.destroy();
}
function closeIdle(agent) {
  for (let sockets of Object.values(agent.freeSockets)) for (let socket of sockets ?? []) socket.destroy();
}
function probeHttp(aim, agent, attempt) {
  let options = requestOptions(aim, agent), fail2 = (why) => attempt.end(critical(`${question(aim)}: ${why}`)), send2 = (again) => {
    let request = aim.check.tls ? httpsRequest(options) : httpRequest(options);
    attempt.releaseWith(() => request.destroy()), request.on("socket", (socket) => socket.off("data", hangUp)), limitInterim(request, () => fail2("only interim answers")), request.on("upgrade", () => fail2("answered 101, an upgrade that was not asked for"));
    let answered2 = !1;
    request.on("response", (response) => {
      answered2 = !0, judge2(aim, response, attempt);
    }), request.on("error", (error) => {
      if (!(answered2 || attempt.ended)) {
        if (again || !request.reusedSocket)
          return attempt.because(error), fail2(inWords2(error));
        closeIdle(agent), send2(!0);
      }
    }), request.end();
  };
  send2(!1);
}
function requestOptions(aim, agent) {
  let { target, check: check3, port: port2 } = aim, own2 = Object.entries(check3.headers).map(([name, value]) => [name.toLowerCase(), value]).filter(([name]) => !NOT_FORWARDED.has(name));
  return {
    ...pinned(aim),
    ...check3.tls ? tlsOptions({ ...aim, check: check3 }) : {},
    agent,
    method: check3.method,
    path: pathOf(target.service, check3),
    headers: {
      host: authority(target.address, port2),
      "user-agent": "signalbox-check",
      accept: "*/*",
      ...Object.fromEntries(own2)
    },
    maxHeaderSize: MAX_HEADER_BYTES3
  };
}
function limitInterim(request, onTooMany) {
  let interim = 0;
  request.on("information", () => {
    interim += 1, interim > MAX_INTERIM && onTooMany();
  });
}
function judge2(aim, response, attempt) {
  let status2 = response.statusCode ?? 0, judged = judgeStatus(status2, aim.check), start2 = [], bytes = 0, found = () => judged ?? badStatus(aim, status2, response.headers.location, Buffer.concat(start2).toString()), settle = () => attempt.settle(found());
  attempt.whenLate(found), judged !== void 0 && settle();
  let patience = judged === void 0 ? setTimeout(settle, QUOTE_MS) : void 0;
  response.on("data", (chunk) => {
    bytes < QUOTED_BYTES && start2.push(chunk.subarray(0, QUOTED_BYTES)), bytes += chunk.length, bytes >= QUOTED_BYTES && settle(), bytes > MAX_BODY_BYTES2 && attempt.end(found());
  }), response.on("error", () => {
  }), response.on("end", () => attempt.complete(found())), response.on("close", () => {
    clearTimeout(patience), attempt.end(found());
  });
}

// src/health/probe.ts
var ResourcesExhausted = class extends Error {
  name = "ResourcesExhausted";
};

// src/health/resolve.ts
import { lookup as dnsLookup } from "node:dns/promises";
import { isIP as isIP5 } from "node:net";
var AT_ONCE = 2, WAIT_MS = 5e3, KEEP_MS = 1e4, KEEP_FAILURE_MS = 1e3, STALE_MS = 6e4, NO_SUCH_NAME = /* @__PURE__ */ new Set(["ENOTFOUND", "ENODATA"]), createResolver = (options) => new SystemResolver(options), SystemResolver = class {
  #now;
  #lookup;
  /** The oldest first. */
  #kept = /* @__PURE__ */ new Map();
  #queued = /* @__PURE__ */ new Map();
  #running = /* @__PURE__ */ new Map();
  constructor(options) {
    this.#now = options.now, this.#lookup = options.lookup ?? systemLookup;
  }
  async resolve(host, withinMs) {
    if (isIP5(host) !== 0) return { addresses: [host] };
    let kept = this.#kept.get(host), age = kept === void 0 ? 1 / 0 : this.#now() - kept.at;
    if (kept !== void 0 && age < ("addresses" in kept.resolution ? KEEP_MS : KEEP_FAILURE_MS))
      return kept.resolution;
    let spare = this.#spare(host), waitMs = Math.min(withinMs, WAIT_MS);
    return await this.#wait(host, spare === void 0 ? waitMs : waitMs / 2) ?? spare ?? { reason: `the name ${host} was not resolved in time` };
  }
  #spare(host) {
    let kept = this.#kept.get(host);
    if (!(kept === void 0 || "reason" in kept.resolution || this.#now() - kept.at >= STALE_MS))
      return kept.resolution;
  }
  /** Those who ask for the same name at the same time share one lookup. */
  async #wait(host, ms) {
    let pending = this.#running.get(host) ?? this.#queued.get(host) ?? this.#enqueue(host);
    pending.waiting += 1;
    let timer, late = new Promise((resolve2) => {
      timer = setTimeout(() => resolve2(void 0), ms);
    }), found = await Promise.race([pending.done, late]);
    return clearTimeout(timer), pending.waiting -= 1, pending.waiting === 0 && this.#queued.get(host) === pending && this.#queued.delete(host), found;
  }
  #enqueue(host) {
    let start2 = nothing, pending = { waiting: 0, done: new Promise((resolve2) => {
      start2 = resolve2;
    }).then(() => this.#run(host)), start: start2 };
    return this.#queued.set(host, pending), this.#startNext(), pending;
  }
  #startNext() {
    for (let [host, pending] of this.#queued) {
      if (this.#running.size >= AT_ONCE) return;
      this.#queued.delete(host), this.#running.set(host, pending), pending.start();
    }
  }
  async #run(host) {
    let resolution = await this.#look(host);
    return this.#running.delete(host), this.#startNext(), resolution;
  }
  async #look(host) {
    try {
      let addresses = await this.#lookup(host);
      return addresses.length === 0 ? this.#keep(host, { reason: `the name ${host} has no address` }) : this.#keep(host, { addresses });
    } catch (error) {
      let code = error?.code;
      return NO_SUCH_NAME.has(String(code)) ? this.#keep(host, { reason: `the name ${host} does not exist` }) : this.#spare(host) ?? this.#keep(host, { reason: `the name ${host} could not be resolved` });
    }
  }
  #keep(host, resolution) {
    let at2 = this.#now();
    for (let [oldest, kept] of this.#kept) {
      if (at2 - kept.at < STALE_MS) break;
      this.#kept.delete(oldest);
    }
    return this.#kept.delete(host), this.#kept.set(host, { resolution, at: at2 }), resolution;
  }
};
async function systemLookup(host) {
  return (await dnsLookup(host, { all: !0 })).map(({ address }) => address);
}
var nothing = () => {
};

// src/health/tcp-probe.ts
import { connect } from "node:net";
function probeTcp(aim, attempt) {
  let socket = connect(pinned(aim));
  attempt.releaseWith(() => socket.destroy()), socket.on("error", (error) => {
    attempt.because(error), attempt.end(critical(inWords2(error)));
  }), socket.on("connect", () => {
    let self = socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
    attempt.end(self ? critical("connection refused") : passing("accepted a connection"));
  });
}

// src/health/prober.ts
var createProber = (deps) => new NetworkProber(deps), MAX_ADDRESSES = 4, STOPPED = critical("Signalbox has stopped checking"), NetworkProber = class {
  #egress;
  #now;
  #resolver;
  #agents = /* @__PURE__ */ new Map();
  #attempts = /* @__PURE__ */ new Set();
  #closed = !1;
  constructor({ egress, now: now2, resolver }) {
    this.#egress = egress, this.#now = now2, this.#resolver = resolver ?? createResolver({ now: now2 });
  }
  async probe(target) {
    try {
      let start2 = this.#now(), timeoutMs = milliseconds(target.check.timeout), found = await this.#address(target.address, timeoutMs);
      if ("reason" in found) return critical(found.reason);
      let last;
      for (let address of found.addresses) {
        if (this.#closed) return STOPPED;
        let leftMs = start2 + timeoutMs - this.#now();
        if (leftMs <= 0) return last ?? noAnswer(target.check);
        let attempt = this.#look(target, address, leftMs);
        if (last = await attempt.finding, attempt.failure === "ours") throw new ResourcesExhausted(last.reason);
        if (attempt.failure !== "unreachable") return last;
      }
      return last ?? noAnswer(target.check);
    } catch (error) {
      if (error instanceof ResourcesExhausted) throw error;
      return critical(inWords2(error));
    }
  }
  forget(target) {
    for (let tls2 of [!1, !0]) {
      let key = agentKey(target, tls2), agent = this.#agents.get(key);
      agent !== void 0 && (this.#agents.delete(key), agent.maxFreeSockets = 0, closeIdle(agent));
    }
  }
  close() {
    this.#closed = !0;
    for (let attempt of this.#attempts) attempt.end(STOPPED);
    for (let agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
  async #address(host, withinMs) {
    let resolution = await this.#resolver.resolve(host, withinMs);
    if ("reason" in resolution) return resolution;
    let addresses = resolution.addresses.filter((each) => this.#egress.check(each) === void 0);
    if (addresses.length > 0) return { addresses: addresses.slice(0, MAX_ADDRESSES) };
    let [first = ""] = resolution.addresses;
    return { reason: `the egress policy denies ${first === host ? first : `${host}, which is ${first},`} because it is ${this.#egress.check(first)}` };
  }
  #look(target, ip, leftMs) {
    let { check: check3 } = target, aim = { target, check: check3, ip, port: check3.port ?? target.port }, attempt = new Attempt(leftMs, check3, (ended) => this.#attempts.delete(ended));
    this.#attempts.add(attempt);
    try {
      check3.type === "http" ? probeHttp({ ...aim, check: check3 }, this.#agent(target, check3.tls), attempt) : check3.type === "grpc" ? probeGrpc({ ...aim, check: check3 }, attempt) : probeTcp({ ...aim, check: check3 }, attempt);
    } catch (error) {
      attempt.end(critical(inWords2(error)));
    }
    return attempt;
  }
  #agent(target, tls2) {
    let key = agentKey(target, tls2), agent = this.#agents.get(key) ?? createAgent(tls2);
    return this.#agents.set(key, agent), agent;
  }
}, agentKey = ({ address, port: port2 }, tls2) => `${address} ${port2} ${tls2 ? "tls" : "plain"}`;

// src/lag-meter.ts
var LagMeter = class {
  #periodMs;
  #last = Array.from({ length: 4 }, () => 0);
  #tickedAt;
  #next = 0;
  #least = 0;
  /** `periodMs` is the pause between two calls of `tick`. */
  constructor(periodMs) {
    this.#periodMs = periodMs;
  }
  /** Milliseconds. */
  get lag() {
    return this.#least;
  }
  /** `now` is in monotonic milliseconds. */
  tick(now2) {
    let late = this.#tickedAt === void 0 ? 0 : Math.max(0, now2 - this.#tickedAt - this.#periodMs);
    this.#tickedAt = now2, this.#last[this.#next] = late, this.#next = (this.#next + 1) % 4, this.#least = Math.min(...this.#last);
  }
};

// src/limits.ts
var set = (value) => value === "off" ? void 0 : value;
function rateLimitsOf(config2) {
  if (config2.oidcIssuers === void 0) return;
  let rates = {
    renew: config2.rateLimitRenew,
    resume: config2.rateLimitResume,
    read: config2.rateLimitRead,
    list: config2.rateLimitList,
    write: config2.rateLimitWrite
  }, unknown = set(config2.rateLimitUnknown), bearableLagMs = set(config2.overloadLag);
  return {
    rates: Object.fromEntries(Object.entries(rates).filter(([, rate2]) => rate2 !== "off")),
    ...unknown !== void 0 && { unknown },
    ...bearableLagMs !== void 0 && { bearableLagMs }
  };
}
function projectLimitsOf(config2) {
  let services = set(config2.projectMaxServices), instances = set(config2.projectMaxInstances);
  return { ...services !== void 0 && { services }, ...instances !== void 0 && { instances } };
}

// src/log.ts
import { once } from "node:events";
import { pino } from "pino";
var LOG_END_MS = 500, SECRETS = [
  "authorization",
  '["proxy-authorization"]',
  "token",
  "access_token",
  "refresh_token",
  "refreshToken",
  "id_token",
  "idToken",
  "clientSecret",
  "client_secret",
  "cookie",
  '["set-cookie"]'
], AT = ["", "*", "*.*", "*.*.*"], pathOf2 = (at2, name) => at2 === "" || name.startsWith("[") ? at2 + name : `${at2}.${name}`, LOG_SAFETY = {
  redact: { paths: AT.flatMap((at2) => SECRETS.map((name) => pathOf2(at2, name))), censor: "[redacted]" },
  serializers: { url: withoutTokens, detail: withoutTokens }
};
function withoutTokens(url2) {
  return typeof url2 != "string" ? url2 : url2.replaceAll(/sbr_[\w%]+/gi, "sbr_[redacted]").replaceAll(
    /(?<=[?&;])([^=&;#]*)=([^&;#]*)/g,
    (pair, name) => isSecret(name) ? `${name}=[redacted]` : pair
  );
}
var isSecret = (name) => /token|secret|password|assertion|csrf|^code$|^state$/i.test(decoded(name));
function decoded(name) {
  return name.replaceAll(/%([0-9a-f]{2})/gi, (_, hex3) => String.fromCharCode(Number.parseInt(hex3, 16)));
}
function createLog(config2) {
  let options = { level: config2.logLevel, base: { name: "signalbox" }, ...LOG_SAFETY };
  if (config2.logFormat === "pretty")
    return {
      log: pino({ ...options, transport: { target: "pino-pretty", options: { ignore: "pid,hostname,name", translateTime: "HH:MM:ss.l" } } }),
      written: async () => {
      }
    };
  let out = pino.destination({ dest: 1, sync: !1 }), written3 = async () => {
    let closed2 = once(out, "close", { signal: AbortSignal.timeout(LOG_END_MS) });
    out.end(), await closed2.catch(() => {
    });
  };
  return { log: pino(options, out), written: written3 };
}

// src/metrics.ts
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
var SECONDS = [5e-4, 1e-3, 25e-4, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5], SIZES2 = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
function createMetrics() {
  let registry = new Registry(), registers = [registry];
  collectDefaultMetrics({ register: registry });
  let counter = (name, help, labelNames = []) => new Counter({ name: `signalbox_${name}`, help, labelNames, registers }), revisions = counter("revisions_total", "Revisions committed by this node"), commands = counter("commands_total", "Commands decided by this node, refused and unchanged ones included"), auditEntries = counter("audit_entries_total", "Audit entries that this node has written", ["category"]), auditDropped = counter(
    "audit_dropped_total",
    "Audit entries that were lost: the database was away for too long"
  ), turnedAway = counter(
    "requests_turned_away_total",
    "Requests and frames beyond what the caller may ask, or while the node was late",
    ["class", "why"]
  ), batchSize = new Histogram({
    name: "signalbox_commit_batch_size",
    help: "Revisions that shared one transaction",
    buckets: SIZES2,
    registers
  }), commitSeconds = new Histogram({
    name: "signalbox_commit_duration_seconds",
    help: "Seconds from the first decision of a batch until it was committed and folded",
    buckets: SECONDS,
    registers
  }), gauge = (name, help, value) => new Gauge({
    name: `signalbox_${name}`,
    help,
    registers,
    collect() {
      this.set(value());
    }
  });
  return {
    registry,
    hub: {
      frames: counter("watch_frames_total", "Change frames written to live subscriptions"),
      fellBehind: counter("watch_fell_behind_total", "Times a subscription was too slow for the live feed"),
      cutOffs: counter("watch_cut_offs_total", "Sockets closed because they did not take what waited for them"),
      mismatches: counter(
        "watch_digest_mismatches_total",
        "Times a client disagreed with the digest of its subscription"
      ),
      badFrames: counter("watch_bad_frames_total", "Client frames that the protocol does not know"),
      resets: counter("watch_resets_total", "Subscriptions that had to start over", ["reason"]),
      flushDelay: new Histogram({
        name: "signalbox_watch_lag_seconds",
        help: "Seconds from the oldest fold of a flush until it was written to every live subscription",
        buckets: SECONDS,
        registers
      })
    },
    commit: {
      batch(decided, committed, seconds, audited) {
        commands.inc(decided), committed !== 0 && (revisions.inc(committed), batchSize.observe(committed), commitSeconds.observe(seconds), audited > 0 && auditEntries.inc({ category: "change" }, audited));
      }
    },
    audit: {
      written: ({ category }) => auditEntries.inc({ category }),
      dropped: (count3) => auditDropped.inc(count3)
    },
    health: {
      checks: counter("checks_total", "Health checks that have said something, by what they said", ["status"]),
      lateness: new Histogram({
        name: "signalbox_check_lateness_seconds",
        help: "Seconds from the time a health check was due until it started",
        buckets: SECONDS,
        registers
      }),
      expired: counter("leases_expired_total", "Leases that ran out"),
      transitions: counter("status_changes_total", "Statuses of instances that checks changed, by the new one", [
        "status"
      ])
    },
    storeErrors: counter("store_errors_total", "Failed looks at the log because the database was away"),
    turnedAway: (rateClass, why) => turnedAway.inc({ class: rateClass, why }),
    watch({ tail, hub, loop, monitor }) {
      gauge("revision", "The revision of the view", () => tail.head.revision), gauge("log_trimmed_revision", "The log holds every revision above this one", () => tail.head.trimmed), gauge("resources", "Resources in the view", () => tail.view.size), gauge("watch_sockets", "Open watch sockets", () => hub.connections), gauge("watch_subscriptions", "Subscriptions on them", () => hub.subscriptions), gauge("watch_topics", "Different selections among them", () => hub.topics), gauge("recent_changes_bytes", "Recent changes kept in memory", () => hub.ringBytes), gauge("instances_monitored", "Instances whose leases this node keeps or that it checks", () => monitor.tracked), gauge("instances_guarded", "Instances that have failed and are kept by the eviction guard", () => monitor.held), gauge("checks_in_flight", "Health checks under way", () => monitor.checksInFlight), gauge("checks_waiting", "Health checks that are due and wait for their turn", () => monitor.checksWaiting), gauge("commands_waiting", "Commands that wait for their commit", () => loop.pending);
    }
  };
}

// src/domain/endpoints.ts
function hostStart(endpoint2) {
  let scheme = endpoint2.indexOf("://");
  return scheme < 0 ? 0 : scheme + 3;
}
function hostOf2(endpoint2) {
  let start2 = hostStart(endpoint2), end = start2;
  for (; end < endpoint2.length && endpoint2[end] !== ":" && endpoint2[end] !== "/"; ) end++;
  return endpoint2.slice(start2, end).toLowerCase();
}
function regionalEndpoint(region, globalEndpoint) {
  let start2 = hostStart(globalEndpoint);
  return `${globalEndpoint.slice(0, start2)}${region}.${globalEndpoint.slice(start2)}`;
}
function followsConvention(endpoint2, region, globalEndpoint) {
  return endpoint2 === regionalEndpoint(region, globalEndpoint) || hostOf2(endpoint2) === `${region}.${hostOf2(globalEndpoint)}`;
}
function domainOf(endpoint2) {
  let host = hostOf2(endpoint2);
  return host.slice(host.indexOf(".") + 1);
}
function inDomain(endpoint2, domain) {
  let start2 = hostStart(endpoint2), host = hostOf2(endpoint2), dot = host.indexOf("."), label = dot < 0 ? host : host.slice(0, dot);
  return `${endpoint2.slice(0, start2)}${label}.${domain}${endpoint2.slice(start2 + host.length)}`;
}

// src/domain/bundles.ts
function checkBundles(delta, found) {
  let done = /* @__PURE__ */ new Set(), once2 = (key, check3) => {
    done.has(key) || (done.add(key), check3());
  };
  for (let { after } of delta.touches.values())
    if (after?.kind === "bundle") {
      once2(after.name, () => checkBundle(delta.after, after, found));
      for (let member of after.value.members) once2(member, () => checkOneBundle(delta.after, member, found));
    }
  for (let { before, after } of delta.touches.values()) {
    let one3 = after ?? before;
    if (one3?.kind === "deployment") {
      if (before?.kind === "deployment" && after?.kind === "deployment" && !changesVersion(before, after)) continue;
      for (let bundle of bundlesWith(delta.after, one3.parent))
        delta.touches.get(bundle.name)?.after === void 0 && once2(`${bundle.name} ${one3.id}`, () => checkRegion(delta.after, bundle, one3.id, found));
    } else if (after?.kind === "service") {
      if (before?.kind === "service" && !changesMember(before, after)) continue;
      for (let bundle of bundlesWith(delta.after, after.id))
        delta.touches.get(bundle.name)?.after === void 0 && once2(`${bundle.name} members`, () => checkMembers(delta.after, bundle, found));
    } else if (after?.kind === "region" && before === void 0)
      for (let bundle of allOf(delta.after, "bundle"))
        delta.touches.get(bundle.name)?.after === void 0 && once2(`${bundle.name} ${after.id}`, () => checkRegion(delta.after, bundle, after.id, found));
  }
}
function checkBundle(state, bundle, found) {
  checkMembers(state, bundle, found);
  let { members, rules: rules2 } = bundle.value, regions = /* @__PURE__ */ new Set();
  if (rules2.everyRegion) for (let region of allOf(state, "region")) regions.add(region.id);
  if (rules2.everyRegion || rules2.deployedTogether || rules2.upgradedTogether)
    for (let member of members) for (let { id: id2 } of deploymentsOf(state, member)) regions.add(id2);
  for (let region of regions) checkRegion(state, bundle, region, found);
}
function checkOneBundle(state, service, found) {
  let names2 = Array.from(bundlesWith(state, service), (bundle) => bundle.name).sort();
  if (names2.length < 2) return;
  let message = `${service} is a member of ${names2.join(" and ")}; it can be a member of one bundle.`, resource2 = serviceName(service);
  found.push({ mentions: names2, violation: { code: "service-in-two-bundles", rule: "COV4", resource: resource2, message } });
}
function checkRegion(state, bundle, region, found) {
  let { members, rules: rules2 } = bundle.value, there = members.filter((member) => deploymentOf(state, member, region) !== void 0);
  if (there.length < members.length) {
    let missing2 = members.filter((member) => !there.includes(member));
    if (rules2.deployedTogether && there.length > 0) {
      let why = `which is deployed as one, and ${there[0] ?? ""} is deployed there`;
      for (let member of missing2) found.push(absent("bundle-not-deployed-together", bundle, member, region, why));
    }
    if (rules2.everyRegion && state.get(`regions/${region}`) !== void 0) {
      let why = "which is deployed in every region";
      for (let member of missing2) found.push(absent("bundle-not-in-every-region", bundle, member, region, why));
    }
  }
  if (!rules2.upgradedTogether) return;
  let versionAt = (member) => deploymentOf(state, member, region)?.value.currentVersion;
  for (let { member, value, usual } of deviants(there, versionAt, compareVersions)) {
    let message = `${member} runs ${value} in ${region}, but ${bundle.name} is upgraded as one and runs ${usual} there.`, resource2 = deploymentName(member, region);
    found.push(broken("bundle-versions-differ", bundle, resource2, message, region));
  }
}
function checkMembers(state, bundle, found) {
  let { members, rules: rules2 } = bundle.value;
  if (rules2.public)
    for (let member of members) {
      if (serviceOf(state, member)?.value.public !== !1) continue;
      let message = `${member} is not public, but all members of ${bundle.name} are.`;
      found.push(broken("bundle-member-not-public", bundle, serviceName(member), message));
    }
  if (rules2.onePrimaryRegion) {
    let primaryOf = (member) => serviceOf(state, member)?.value.primaryRegion;
    for (let { member, value, usual } of deviants(members, primaryOf)) {
      let message = `${member} has its primary region in ${value}, but ${bundle.name} has one primary region, ${usual}.`;
      found.push(broken("bundle-primary-regions-differ", bundle, serviceName(member), message, value));
    }
  }
  if (rules2.oneDomain) {
    let memberDomain = (member) => {
      let service = serviceOf(state, member);
      return service && domainOf(service.value.globalEndpoint);
    };
    for (let { member, value, usual } of deviants(members, memberDomain)) {
      let message = `${member} is reached under ${value}, but ${bundle.name} has one domain, ${usual}.`;
      found.push(broken("bundle-domains-differ", bundle, serviceName(member), message));
    }
  }
}
function deviants(members, valueOf, compare2 = (a, b) => a < b ? -1 : 1) {
  let values = /* @__PURE__ */ new Map(), counts = /* @__PURE__ */ new Map();
  for (let member of members) {
    let value = valueOf(member);
    value !== void 0 && (values.set(member, value), counts.set(value, (counts.get(value) ?? 0) + 1));
  }
  if (counts.size < 2) return [];
  let [first] = [...counts].sort(([a, m], [b, n]) => n - m || compare2(b, a)), usual = first?.[0] ?? "";
  return Array.from(values, ([member, value]) => ({ member, value, usual })).filter(({ value }) => value !== usual);
}
function absent(code, bundle, member, region, why) {
  let message = `${member} would not be deployed in ${region}, but it belongs to ${bundle.name}, ${why}.`;
  return broken(code, bundle, deploymentName(member, region), message, region);
}
function broken(code, bundle, resource2, message, region) {
  let violation = { code, rule: "COV4", resource: resource2, ...region !== void 0 && { region }, message };
  return { about: bundle.name, violation };
}
var changesVersion = (before, after) => before.value.currentVersion !== after.value.currentVersion, changesMember = ({ value: before }, { value: after }) => before.public !== after.public || before.primaryRegion !== after.primaryRegion || before.globalEndpoint !== after.globalEndpoint;

// src/domain/consent.ts
function checkConsent(delta, found) {
  for (let { before, after } of delta.touches.values())
    if (after?.kind === "version") {
      let had = before?.kind === "version" ? new Set(before.value.imports.map(({ service }) => service)) : NOTHING3;
      for (let { service } of after.value.imports)
        had.has(service) || checkImportConsent(delta.after, after, service, found);
    } else if (after?.kind === "service") {
      let had = before?.kind === "service" ? new Set(before.value.uses) : NOTHING3;
      for (let used of after.value.uses) had.has(used) || checkUseConsent(delta.after, after, used, found);
      before?.kind === "service" && allowsFewer(before, after) && checkThoseWhoNeed(delta.after, after.id, found);
    }
}
var NOTHING3 = /* @__PURE__ */ new Set();
function allows(wanted, project) {
  return wanted === void 0 || wanted.value.public || project === void 0 ? !0 : wanted.value.project === project || wanted.value.importers?.includes(project) === !0;
}
function checkThoseWhoNeed(state, service, found) {
  for (let version of importingVersions(state, service)) checkImportConsent(state, version, service, found);
  for (let user of state.bucket(referrersOf(serviceName(service))))
    user.kind === "service" && user.value.uses.includes(service) && checkUseConsent(state, user, service, found);
}
function checkImportConsent(state, importer, imported, found) {
  let wanted = serviceOf(state, imported), project = serviceOf(state, importer.parent)?.value.project;
  if (allows(wanted, project)) return;
  let message = `${importer.parent} ${importer.id} imports ${imported}, which is private and does not list ${project ?? ""} among its importers.`;
  found.push({
    about: serviceName(imported),
    violation: {
      code: "import-not-allowed",
      rule: "CAT4",
      resource: importer.name,
      importer: importer.parent,
      importerVersion: importer.id,
      imported,
      message
    }
  });
}
function checkUseConsent(state, user, used, found) {
  let { project } = user.value;
  if (allows(serviceOf(state, used), project)) return;
  let message = `${user.id} uses ${used}, which is private and does not list ${project} among its importers.`;
  found.push({
    about: serviceName(used),
    violation: { code: "use-not-allowed", rule: "CAT4", resource: user.name, imported: used, message }
  });
}
function allowsFewer({ value: before }, { value: after }) {
  return after.public ? !1 : before.public || (before.importers ?? []).some((project) => after.importers?.includes(project) !== !0);
}

// src/domain/cycles.ts
function checkCycles(delta, found) {
  let suspects = /* @__PURE__ */ new Set();
  for (let { before, after } of delta.touches.values())
    if (after?.kind === "version")
      checkSelfImport(after, found), importsNew(delta.before, after) && suspects.add(after.parent);
    else if (before?.kind === "bundle" && before.value.rules.deployedTogether && loosens(before, after?.kind === "bundle" ? after : void 0))
      for (let member of before.value.members) suspects.add(member);
  checkComponents(delta.after, suspects, found);
}
function importsOf2(state, service) {
  let imported = /* @__PURE__ */ new Set();
  for (let version of versionsOf(state, service)) for (let one3 of version.value.imports) imported.add(one3.service);
  return imported.delete(service), imported;
}
function componentOf2(state, service) {
  let below = reach(service, (one3) => importsOf2(state, one3));
  if (!below.has(service)) return [service];
  let above = reach(service, (one3) => Array.from(importingVersions(state, one3), (version) => version.parent));
  return [...below].filter((one3) => above.has(one3)).sort();
}
function checkComponents(state, services, found) {
  let seen2 = /* @__PURE__ */ new Set();
  for (let service of services) {
    if (seen2.has(service)) continue;
    let component = componentOf2(state, service);
    for (let member of component) seen2.add(member);
    component.length > 1 && !deployedAsOne(state, component) && found.push(cycleAt(state, service, component));
  }
}
function deployedAsOne(state, component) {
  for (let { value } of bundlesWith(state, component[0] ?? ""))
    if (value.rules.deployedTogether && component.every((service) => value.members.includes(service))) return !0;
  return !1;
}
function cycleAt(state, importer, component) {
  let cycle = shortestCycle(state, importer, component), imported = cycle[1] ?? importer, message = `The imports form a cycle: ${cycle.join(" -> ")}. Only a bundle that is deployed together may contain one.`, resource2 = serviceName(importer);
  return { mentions: cycle.map(serviceName), violation: { code: "import-cycle", rule: "COV3", resource: resource2, importer, imported, message } };
}
function shortestCycle(state, start2, component) {
  let from = /* @__PURE__ */ new Map(), queue = [start2];
  for (let service of queue)
    for (let next of importsOf2(state, service)) {
      if (next === start2) return pathTo(from, start2, service);
      !component.includes(next) || from.has(next) || (from.set(next, service), queue.push(next));
    }
  return [start2, start2];
}
function pathTo(from, start2, last) {
  let path2 = [start2];
  for (let at2 = last; at2 !== void 0 && at2 !== start2; at2 = from.get(at2)) path2.push(at2);
  return [...path2, start2].toReversed();
}
function reach(service, next) {
  let reached = /* @__PURE__ */ new Set(), open3 = [service];
  for (let at2 = open3.pop(); at2 !== void 0; at2 = open3.pop())
    for (let one3 of next(at2))
      reached.has(one3) || (reached.add(one3), open3.push(one3));
  return reached;
}
function importsNew(before, { parent, value }) {
  if (value.imports.length === 0) return !1;
  let had = importsOf2(before, parent);
  return value.imports.some(({ service }) => service !== parent && !had.has(service));
}
function loosens(before, after) {
  return after === void 0 || !after.value.rules.deployedTogether ? !0 : before.value.members.some((member) => !after.value.members.includes(member));
}
function checkSelfImport({ name, parent, id: id2, value }, found) {
  for (let { service, version } of value.imports) {
    if (service !== parent) continue;
    let message = `${parent} ${id2} imports ${service} ${version}, which is itself.`, cycle = { importer: parent, importerVersion: id2, imported: service, importedVersion: version };
    found.push({ violation: { code: "self-import", rule: "COV3", resource: name, ...cycle, message } });
  }
}

// src/domain/references.ts
function checkReferences(delta, found) {
  let orphans = /* @__PURE__ */ new Map();
  for (let { name, before, after } of delta.touches.values()) {
    after !== void 0 && checkReferencesOf(delta.after, after, found, delta.before);
    let retires = after?.kind === "version" && before?.kind === "version" && isRetired(after) && !isRetired(before);
    if (!(after !== void 0 && !retires))
      for (let referrer of delta.after.bucket(referrersOf(name)))
        delta.touches.has(referrer.name) || orphans.set(referrer.name, referrer);
  }
  for (let referrer of orphans.values()) checkReferencesOf(delta.after, referrer, found, delta.before);
}
function checkReferencesOf(state, item, found, before) {
  item.kind === "version" && checkImportsExist(state, item, found, before), item.kind === "deployment" && checkRunningVersion(state, item, found);
  for (let name of references(item))
    if (state.get(name) === void 0) {
      let violation = missing(item, name, before?.get(name) === void 0 ? "does not exist" : "would be deleted");
      violation !== void 0 && found.push({ about: name, violation });
    }
}
function missing(item, name, why) {
  let parts = parseName(name);
  if (item.kind === "version" && parts?.kind === "version") return;
  let resource2 = item.name;
  if (parts?.kind === "region") {
    let code = "region-missing", region = parts.id;
    return { code, rule: "CAT1", resource: resource2, region, message: `${resource2} needs ${name}, which ${why}.` };
  }
  if (resource2.startsWith(`${name}/`)) {
    let message2 = `${resource2} belongs to ${name}, which ${why}.`;
    return { code: "parent-missing", rule: "REF1", resource: resource2, message: message2 };
  }
  if (item.kind === "deployment" && name === versionName(item.parent, item.value.currentVersion)) {
    let message2 = `${item.parent} is to run ${item.value.currentVersion} in ${item.id}, and that version ${why}.`;
    return { code: "version-missing", rule: "REF1", resource: resource2, region: item.id, message: message2 };
  }
  let message = `${resource2} refers to ${name}, which ${why}.`;
  return { code: "reference-missing", rule: "REF1", resource: resource2, message };
}
function checkImportsExist(state, importer, found, before) {
  for (let { service, version } of importer.value.imports) {
    let name = versionName(service, version), imported = state.get(name);
    if (imported !== void 0 && (!isRetired(imported) || isRetired(importer))) continue;
    let code = imported === void 0 ? "import-version-unknown" : "import-version-retired", why = imported !== void 0 ? "is retired" : before?.get(name) === void 0 ? "does not exist" : "would be deleted", message = `${importer.parent} ${importer.id} imports ${service} ${version}, which ${why}.`;
    found.push({
      about: name,
      violation: {
        code,
        rule: "REF1",
        resource: importer.name,
        importer: importer.parent,
        importerVersion: importer.id,
        imported: service,
        importedVersion: version,
        message
      }
    });
  }
}
function checkRunningVersion(state, { name, parent, id: id2, value }, found) {
  let running = versionOf(state, parent, value.currentVersion);
  if (running === void 0 || !isRetired(running)) return;
  let message = `${parent} runs ${running.id} in ${id2}, and ${running.id} is retired.`, violation = { code: "version-retired", rule: "REF1", resource: name, region: id2, message };
  found.push({ about: running.name, violation });
}

// src/domain/service-rules.ts
function checkServices(delta, found) {
  let moved = /* @__PURE__ */ new Set();
  for (let { before, after } of delta.touches.values()) {
    after?.kind === "service" && (checkOwner(after, found), moved.add(after.id));
    let one3 = after ?? before;
    one3?.kind === "deployment" && (before === void 0 || after === void 0) && moved.add(one3.parent);
  }
  for (let id2 of moved) {
    let service = serviceOf(delta.after, id2);
    service !== void 0 && checkPrimaryRegion(delta.after, service, found);
  }
}
function checkOwner({ name, value }, found) {
  if (value.creator.startsWith(`${projectName(value.project)}/`)) return;
  let message = `${name} belongs to ${projectName(value.project)}, but ${value.creator} created it.`;
  found.push({ violation: { code: "creator-not-in-project", rule: "CAT2", resource: name, message } });
}
function checkPrimaryRegion(state, { name, id: id2, value }, found) {
  let region = value.primaryRegion;
  if (deploymentOf(state, id2, region) !== void 0 || isEmpty(deploymentsOf(state, id2))) return;
  let message = `${id2} has its primary region in ${region}, but is deployed only elsewhere.`, violation = { code: "primary-region-not-deployed", rule: "CAT3", resource: name, region, message };
  found.push({ about: deploymentName(id2, region), violation });
}

// src/domain/checks.ts
function check2(delta) {
  let found = [];
  return checkReferences(delta, found), checkServices(delta, found), checkConsent(delta, found), checkCoverage(delta, found), checkCycles(delta, found), checkBundles(delta, found), inOrder(found);
}
var RULES2 = ["REF1", "CAT1", "CAT2", "CAT3", "CAT4", "COV1", "COV3", "COV4"];
function inOrder(found) {
  return found.length < 2 ? found : found.map((finding2) => {
    let { rule, resource: resource2, region = "", imported = "", code } = finding2.violation;
    return { finding: finding2, key: `${RULES2.indexOf(rule)} ${resource2} ${region} ${imported} ${code} ${finding2.about ?? ""}` };
  }).sort((a, b) => a.key < b.key ? -1 : 1).map(({ finding: finding2 }) => finding2);
}

// src/domain/change-of.ts
function changeOf({ name, before, after }) {
  if (after === void 0) {
    if (before === void 0) throw new Error(`nothing changes about ${name}`);
    return { op: "delete", kind: before.kind, name, was: labelsOf(before), ...facetsBefore(before) };
  }
  return before === void 0 || selectsAlike(before, after) ? { op: "put", item: after } : { op: "put", item: after, was: labelsOf(before), ...facetsBefore(before) };
}
function facetsBefore(item) {
  let found = runtimeFacetsOf(item);
  if (found === void 0) return {};
  let { service, region, environment, protocol, version, passing: passing2 } = found;
  return {
    facets: {
      service,
      ...region !== void 0 && { region },
      ...environment !== void 0 && { environment },
      ...protocol !== void 0 && { protocol },
      ...version !== void 0 && { version },
      ...passing2 !== void 0 && { passing: passing2 }
    }
  };
}
function selectsAlike(before, after) {
  let a = runtimeFacetsOf(before), b = runtimeFacetsOf(after);
  return a !== b && (a?.region !== b?.region || a?.version !== b?.version || a?.passing !== b?.passing) ? !1 : sameLabels(labelsOf(before), labelsOf(after));
}
function sameLabels(a, b) {
  let keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

// src/domain/mend.ts
var patch = (name, change, summary) => ({
  edits: [{ op: "patch", name, patch: change }],
  summary
}), put = (name, value, summary) => ({
  edits: [{ op: "put", name, value }],
  summary
}), remove2 = (name, summary) => ({ edits: [{ op: "delete", name }], summary });
function apply2(state, documents, summary) {
  let [first] = documents;
  if (first === void 0) return;
  if (documents.length > 1)
    return { edits: documents.map((value) => ({ op: "put", name: value.name, value })), summary };
  let { name, ...fields } = first, before = state.get(name);
  if (before === void 0) return put(name, fields, summary);
  let old = before.value, differing = Object.entries(fields).filter(([key, value]) => JSON.stringify(old[key]) !== JSON.stringify(value));
  return patch(name, Object.fromEntries(differing), summary);
}
function dropImports(state, drops, summary) {
  let documents = [];
  for (let [name, services] of drops) {
    let version = state.get(name);
    if (version?.kind !== "version") return;
    let { labels: labels2, lifecycle: lifecycle2 } = version.value, imports = version.value.imports.filter(({ service }) => !services.has(service));
    documents.push({ name, imports, lifecycle: lifecycle2, labels: labels2 });
  }
  return apply2(state, documents, summary);
}
function importStood({ before }, { violation }) {
  let { importer = "", importerVersion = "", imported, importedVersion } = violation, version = versionOf(before, importer, importerVersion);
  return version?.value.imports.some((one3) => one3.service === imported && one3.version === importedVersion) ? version : void 0;
}
function fixOf({ edits, summary }) {
  let [edit] = edits;
  if (edit === void 0 || edits.length > 1)
    return { method: "POST", path: "/v1/apply", body: edits.map((one3) => one3.op === "put" ? one3.value : { name: one3.name }), summary };
  let path2 = `/v1/${edit.name}`;
  return edit.op === "delete" ? { method: "DELETE", path: path2, summary } : edit.op === "put" ? { method: "PUT", path: path2, body: edit.value, summary } : { method: "PATCH", path: path2, body: edit.patch, summary };
}

// src/domain/mend-coverage.ts
function foreseeCoverage({ delta, planner }, finding2) {
  let { code, imported = "", importedVersion, region = "", resource: resource2 } = finding2.violation;
  if (code === "primary-region-not-deployed") {
    let service = resource2.slice(9), running = newestOf(Array.from(deploymentsOf(delta.after, service), ({ value }) => value.currentVersion));
    planner.need(service, region, running);
  } else stood(delta, finding2) || planner.need(imported, region, importedVersion, !0);
}
function mendCoverage(proposal, finding2) {
  let { imported = "", region = "", resource: resource2 } = finding2.violation;
  return stood(proposal.delta, finding2) ? giveUpImports(proposal, resource2) : planned(proposal, imported, region);
}
function planned(proposal, service, region) {
  let plan = proposal.planner.planFor(service, region);
  if (!plan.ok) return [];
  let alike = plan.documents.map(({ name, currentVersion }) => `${name} ${String(currentVersion)}`);
  return proposal.once(`plan ${alike.join(" ")}`, () => {
    let { before } = proposal.delta, rest = plan.documents.length > 1 ? ", together with what that needs in turn" : "", what = deploymentOf(before, service, region) !== void 0 ? `Brings ${service} in ${region} to what is needed` : `Deploys ${service} in ${region}`;
    return apply2(before, plan.documents, `${what}${rest}.`);
  });
}
function giveUpImports(proposal, version) {
  let { delta, findings, says } = proposal;
  return says(version) ? [] : proposal.once(`imports ${version}`, () => {
    let dropped = /* @__PURE__ */ new Set();
    for (let { violation } of findings)
      violation.resource === version && violation.imported !== void 0 && dropped.add(violation.imported);
    let summary = `Takes ${[...dropped].sort().join(", ")} out of what ${version} imports.`;
    return dropImports(delta.before, /* @__PURE__ */ new Map([[version, dropped]]), summary);
  });
}
function mendPrimaryRegion(proposal, { violation }) {
  let { resource: resource2, region = "" } = violation, { delta, says } = proposal, service = resource2.slice(9), mends = [...planned(proposal, service, region)];
  if (says(resource2)) return mends;
  for (let { id: id2 } of deploymentsOf(delta.after, service))
    mends.push(patch(resource2, { primaryRegion: id2 }, `Makes ${id2} the primary region of ${service}.`));
  return mends;
}
function mendCycle(proposal, { violation }) {
  let { after, before, touches } = proposal.delta, { importer = "", code } = violation;
  if (code !== "import-cycle") return [];
  let component = componentOf2(after, importer), added = !1;
  for (let { name } of versionsOf(after, importer)) touches.has(name) && (added = !0);
  let edges = added ? component.map((from) => [from, importer]) : backEdges(proposal.delta, importer, component), drops = /* @__PURE__ */ new Map();
  for (let [from, to] of edges)
    for (let { name, parent } of importingVersions(after, to))
      if (parent === from) {
        if (proposal.says(name)) return [];
        drops.set(name, (drops.get(name) ?? /* @__PURE__ */ new Set()).add(to));
      }
  let summary = `Opens the cycle: takes what closes it out of the imports of ${[...drops.keys()].join(", ")}.`, mend = dropImports(before, drops, summary);
  return mend === void 0 ? [] : [mend];
}
function backEdges({ after }, start2, component) {
  let found = [], done = /* @__PURE__ */ new Set(), path2 = [], visit = (service) => {
    path2.push(service);
    for (let next of importsOf2(after, service))
      path2.includes(next) ? found.push([service, next]) : component.includes(next) && !done.has(next) && visit(next);
    path2.pop(), done.add(service);
  };
  return visit(start2), found;
}
function stood(delta, finding2) {
  let version = importStood(delta, finding2);
  if (version === void 0) return !1;
  let { importer = "", region = "" } = finding2.violation, deployment = deploymentOf(delta.before, importer, region);
  return deployment !== void 0 && serves(deployment, version);
}

// src/domain/document.ts
function documentOf3({ value }) {
  let { revision: _revision, createTime: _created, updateTime: _updated, ...document } = value;
  if (!("effectiveUses" in document)) return document;
  let { effectiveUses: _uses, ...service } = document;
  return service;
}

// src/domain/planner.ts
var NOTHING4 = { changes: () => !1, creates: () => !1 }, Planner = class {
  #state;
  #given;
  #nodes = /* @__PURE__ */ new Map();
  #hubs = /* @__PURE__ */ new Map();
  #open = [];
  constructor(state, given2 = NOTHING4) {
    this.#state = state, this.#given = given2;
  }
  /** A deployment of at least this version. Without one: the version it has, or would choose by itself. */
  need(service, region, version, enabled = !1) {
    this.#need(service, region, version, enabled);
  }
  /** The plan for one of the needs. */
  planFor(service, region) {
    this.#settle();
    let start2 = this.#nodes.get(deploymentName(service, region)), reached = new Set(start2 === void 0 ? [] : [start2]), nodes = [];
    for (let one3 of reached) {
      for (let next of one3.needs) reached.add(next);
      if (one3.kind !== "bundle") {
        if (one3.problem !== void 0) return { ok: !1, problem: one3.problem };
        nodes.push(one3);
      }
    }
    let documents = /* @__PURE__ */ new Map();
    for (let node of nodes) {
      if (!this.#changes(node) && !this.#given.changes(node.name)) continue;
      let document = this.#documentOf(node);
      documents.set(document.name, document), this.#addCreated([regionName(node.region), serviceName(node.service)], documents), this.#addCreated([versionName(node.service, node.version)], documents);
    }
    return { ok: !0, documents: [...documents.values()].sort((a, b) => a.name < b.name ? -1 : 1) };
  }
  #need(service, region, version, enabled) {
    let name = deploymentName(service, region), node = this.#nodes.get(name);
    if (node === void 0) {
      let current = deploymentOf(this.#state, service, region), chosen = current?.value.currentVersion ?? version ?? this.#choice(service);
      node = { kind: "deployment", ...{ service, region, name, current, version: chosen, enabled: current === void 0 }, needs: /* @__PURE__ */ new Set(), problem: void 0 }, this.#nodes.set(name, node), this.#open.push(node);
    }
    return enabled && !node.enabled && (node.enabled = !0, this.#open.push(node)), version !== void 0 && this.#raise(node, version), node;
  }
  #raise(node, version) {
    compareVersions(version, node.version) <= 0 || (node.version = version, this.#open.push(node));
  }
  #settle() {
    for (let node = this.#open.pop(); node !== void 0; node = this.#open.pop()) this.#expand(node);
  }
  /** What stands in the state as it is has all that it needs already, the state being valid. */
  #expand(node) {
    let service = serviceOf(this.#state, node.service), given2 = this.#given.changes(node.name);
    if (!this.#changes(node) && !given2 || (node.problem = this.#problemOf(node, given2), node.problem !== void 0 || service === void 0)) return;
    for (let version of versionsOf(this.#state, node.service))
      if (!(isRetired(version) || compareVersions(version.id, node.version) > 0))
        for (let one3 of version.value.imports)
          one3.service !== node.service && node.needs.add(this.#need(one3.service, node.region, one3.version, !0));
    for (let bundle of bundlesWith(this.#state, node.service)) this.#join(node, bundle);
    if (this.#given.creates(regionName(node.region)))
      for (let bundle of allOf(this.#state, "bundle"))
        bundle.value.rules.everyRegion && node.needs.add(this.#hub(bundle, node.region, !0));
    let { primaryRegion } = service.value;
    if (node.region !== primaryRegion) {
      let version = deploymentOf(this.#state, node.service, primaryRegion) === void 0 ? node.version : void 0;
      node.needs.add(this.#need(node.service, primaryRegion, version, !1));
    }
  }
  #join(node, bundle) {
    let { deployedTogether, upgradedTogether } = bundle.value.rules;
    if (!deployedTogether && !upgradedTogether) return;
    let hub = this.#hub(bundle, node.region, deployedTogether);
    node.needs.add(hub), upgradedTogether && (hub.needs.add(node), compareVersions(node.version, hub.version) > 0 ? this.#upgrade(hub, node.version) : this.#raise(node, hub.version));
  }
  #hub({ name, value }, region, all) {
    let key = `${name} ${region} ${all ? "all" : "there"}`, hub = this.#hubs.get(key);
    if (hub !== void 0) return hub;
    hub = { kind: "bundle", needs: /* @__PURE__ */ new Set(), version: "" }, this.#hubs.set(key, hub);
    for (let member of value.members) {
      if (!all && deploymentOf(this.#state, member, region) === void 0) continue;
      let mate = this.#need(member, region, void 0, !1);
      hub.needs.add(mate), compareVersions(mate.version, hub.version) > 0 && (hub.version = mate.version);
    }
    return value.rules.upgradedTogether && this.#upgrade(hub, hub.version), hub;
  }
  #upgrade(hub, version) {
    hub.version = version;
    for (let mate of hub.needs) this.#raise(mate, version);
  }
  #changes({ current, enabled, version }) {
    return current === void 0 || enabled && current.value.disabled ? !0 : compareVersions(version, current.value.currentVersion) > 0;
  }
  #problemOf(node, given2) {
    let { service, region, version } = node;
    if (serviceOf(this.#state, service) === void 0) return `there is no service ${service}`;
    if (this.#state.get(regionName(region)) === void 0) return `there is no region ${region}`;
    let listed = versionOf(this.#state, service, version);
    if (listed === void 0)
      return version === "" ? `${service} has no version` : `${service} does not list ${version}`;
    if (isRetired(listed)) return `${service} ${version} is retired`;
    if (given2 && this.#changes(node)) return `the command itself says otherwise about ${node.name}`;
  }
  /** What a deployment starts with when nothing asks for more: the primary region's version, else the newest. */
  #choice(service) {
    let primary = serviceOf(this.#state, service)?.value.primaryRegion ?? "", running = deploymentOf(this.#state, service, primary)?.value.currentVersion;
    if (running !== void 0) return running;
    let listed = [];
    for (let version of versionsOf(this.#state, service)) isRetired(version) || listed.push(version.id);
    return newestOf(listed) ?? "";
  }
  #documentOf(node) {
    let { current, name, service, region, version: currentVersion } = node;
    if (current !== void 0) {
      let disabled = current.value.disabled && !node.enabled;
      return { ...documentOf3(current), currentVersion, disabled };
    }
    let endpoint2 = regionalEndpoint(region, serviceOf(this.#state, service)?.value.globalEndpoint ?? "");
    return { name, regionalEndpoint: endpoint2, currentVersion };
  }
  /** What the command creates does not exist before it: a plan that is to be applied first brings it along. */
  #addCreated(names2, documents) {
    for (let name of names2) {
      if (documents.has(name) || !this.#given.creates(name)) continue;
      let item = this.#state.get(name);
      item !== void 0 && (documents.set(name, documentOf3(item)), this.#addCreated(references(item), documents));
    }
  }
};

// src/domain/mend-bundles.ts
var RULE_OF = {
  "bundle-not-deployed-together": "deployedTogether",
  "bundle-not-in-every-region": "everyRegion",
  "bundle-versions-differ": "upgradedTogether",
  "bundle-primary-regions-differ": "onePrimaryRegion",
  "bundle-domains-differ": "oneDomain",
  "bundle-member-not-public": "public"
};
function foreseeBundle({ delta, planner }, { violation, about: about2 = "" }) {
  let { code, region = "", resource: resource2 } = violation;
  if (code === "bundle-versions-differ") {
    let { member, newest } = behind(delta.after, about2, region);
    member !== void 0 && planner.need(member, region, newest);
  } else (code === "bundle-not-deployed-together" || code === "bundle-not-in-every-region") && planner.need(parseName(resource2)?.parent ?? "", region);
}
function behind(state, bundle, region) {
  let item = state.get(bundle);
  if (item?.kind !== "bundle") return {};
  let there = item.value.members.flatMap((member2) => deploymentOf(state, member2, region) ?? []), newest = newestOf(there.map(({ value }) => value.currentVersion)), member = there.find(({ value }) => value.currentVersion !== newest)?.parent;
  return { ...newest !== void 0 && { newest }, ...member !== void 0 && { member } };
}
function mendBundle(proposal, finding2) {
  let { code, region = "", resource: resource2 } = finding2.violation;
  if (code === "service-in-two-bundles") return leaveBundle(proposal, resource2);
  let bundle = proposal.delta.after.get(finding2.about ?? ""), rule = RULE_OF[code];
  if (bundle?.kind !== "bundle" || rule === void 0) return [];
  let { name } = bundle, align = (key, make2) => proposal.once(`${key} ${name}`, make2), relax = () => align(rule, () => giveUp(proposal, bundle, rule));
  switch (code) {
    case "bundle-member-not-public":
      return proposal.says(resource2) ? relax() : [patch(resource2, { public: !0 }, `Makes ${resource2} public, as the other members of ${name} are.`)];
    case "bundle-primary-regions-differ":
      return [...align("primary", () => alignPrimaryRegions(proposal, bundle)), ...relax()];
    case "bundle-domains-differ":
      return [...align("domain", () => alignDomains(proposal, bundle)), ...relax()];
    case "bundle-versions-differ":
      return [
        ...planned(proposal, behind(proposal.delta.after, name, region).member ?? "", region),
        ...align(`lower ${region}`, () => lowerTogether(proposal, bundle, region)),
        ...relax()
      ];
    default:
      return [...planned(proposal, parseName(resource2)?.parent ?? "", region), ...relax()];
  }
}
function giveUp({ says }, { name }, rule) {
  if (!says(name))
    return patch(name, { rules: { [rule]: !1 } }, `Gives up the rule ${rule} of ${name}.`);
}
function leaveBundle({ delta, findings, once: once2, says }, resource2) {
  let leaving = findings.filter((f) => f.violation.code === "service-in-two-bundles").map((f) => f.violation.resource), service = parseName(resource2)?.id ?? "", others = Array.from(bundlesWith(delta.after, service)).filter((bundle) => !says(bundle.name)), [other] = others;
  return other === void 0 || others.length > 1 ? [] : once2(`leave ${other.name}`, () => {
    let members = other.value.members.filter((member) => !leaving.includes(serviceName(member))), summary = `Takes ${leaving.join(", ")} out of ${other.name}.`;
    return members.length === 0 ? remove2(other.name, `Deletes ${other.name}.`) : patch(other.name, { members }, summary);
  });
}
function alignPrimaryRegions(proposal, bundle) {
  let { after, before } = proposal.delta, region = targetOf3(proposal, bundle, (service) => service.primaryRegion);
  if (region === void 0) return;
  let planner = new Planner(after, givenBy(proposal)), documents = /* @__PURE__ */ new Map();
  for (let member of bundle.value.members) {
    let service = serviceOf(after, member);
    if (service === void 0 || service.value.primaryRegion === region && !proposal.says(service.name) || (documents.set(service.name, { ...documentOf3(service), primaryRegion: region }), deploymentOf(after, member, region) !== void 0 || isEmpty(deploymentsOf(after, member)))) continue;
    planner.need(member, region);
    let plan = planner.planFor(member, region);
    if (!plan.ok) return;
    for (let document of plan.documents) documents.has(document.name) || documents.set(document.name, document);
  }
  return apply2(before, [...documents.values()], `Makes ${region} the primary region of all members of ${bundle.name}.`);
}
function alignDomains(proposal, bundle) {
  let { after, before } = proposal.delta, domain = targetOf3(proposal, bundle, (service) => domainOf(service.globalEndpoint));
  if (domain === void 0) return;
  let documents = [];
  for (let member of bundle.value.members) {
    let service = serviceOf(after, member);
    if (service === void 0) continue;
    let { globalEndpoint } = service.value;
    domainOf(globalEndpoint) === domain && !proposal.says(service.name) || documents.push({ ...documentOf3(service), globalEndpoint: inDomain(globalEndpoint, domain) });
  }
  return apply2(before, documents, `Moves all members of ${bundle.name} to ${domain}.`);
}
function targetOf3({ delta, says }, { value }, valueOf) {
  let wanted = /* @__PURE__ */ new Set(), counts = /* @__PURE__ */ new Map();
  for (let member of value.members) {
    let service = serviceOf(delta.after, member);
    if (service === void 0) continue;
    let mine = valueOf(service.value);
    says(service.name) && wanted.add(mine), counts.set(mine, (counts.get(mine) ?? 0) + 1);
  }
  if (wanted.size > 1) return;
  let [target] = wanted.size === 1 ? wanted : [...counts].sort(([, a], [, b]) => b - a).map(([one3]) => one3);
  return target;
}
function lowerTogether(proposal, { name, value }, region) {
  let { after, before } = proposal.delta, there = value.members.flatMap((member) => deploymentOf(after, member, region) ?? []), wanted = new Set(there.filter((one3) => proposal.says(one3.name)).map((one3) => one3.value.currentVersion)), [currentVersion] = wanted;
  if (currentVersion === void 0 || wanted.size > 1) return;
  let documents = there.map((deployment) => ({ ...documentOf3(deployment), currentVersion }));
  return apply2(before, documents, `Brings all members of ${name} in ${region} to ${currentVersion} in one revision.`);
}
var givenBy = ({ delta, says }) => ({
  changes: says,
  creates: (name) => delta.touches.has(name) && delta.before.get(name) === void 0
});

// src/domain/plan.ts
function planDeployment(state, service, region, version) {
  let planner = new Planner(state);
  return planner.need(service, region, version, !0), planner.planFor(service, region);
}

// src/domain/mend-references.ts
function mendReference(proposal, finding2) {
  let { violation, about: about2 = "" } = finding2, { before, touches } = proposal.delta;
  if (!(touches.has(about2) && before.get(about2) !== void 0)) return create2(proposal, about2);
  if (proposal.says(violation.resource)) return [];
  if (violation.imported !== void 0)
    return importStood(proposal.delta, finding2) ? giveUpImports(proposal, violation.resource) : [];
  let referrer = before.get(violation.resource);
  return referrer === void 0 ? [] : letGo(proposal, referrer, about2);
}
function create2({ delta, says }, name) {
  if (says(name)) return [];
  let parts = parseName(name), existing = delta.before.get(name);
  if (existing?.kind === "version")
    return [patch(name, { lifecycle: { state: "active" } }, `Takes ${name} back out of retirement.`)];
  if (parts === void 0 || existing !== void 0) return [];
  let summary = `Creates ${name}.`;
  return parts.kind === "region" || parts.kind === "project" ? [put(name, { title: parts.id }, summary)] : parts.kind === "serviceAccount" ? [put(name, {}, summary)] : parts.kind === "version" ? [put(name, { imports: [] }, summary)] : [];
}
function losses({ findings }, referrer) {
  let names2 = /* @__PURE__ */ new Set();
  for (let { violation, about: about2 } of findings)
    violation.resource === referrer.name && about2 !== void 0 && names2.add(about2);
  return names2;
}
function letGo(proposal, referrer, about2) {
  let { name } = referrer, deleted = remove2(name, `Deletes ${name}, which cannot stand without ${about2}.`);
  if (name.startsWith(`${about2}/`)) return [deleted];
  let lost = losses(proposal, referrer);
  switch (referrer.kind) {
    case "deployment":
      return about2.startsWith("regions/") ? [deleted] : [...otherVersion(proposal, referrer, lost), deleted];
    case "service":
      return loseFromService(proposal, referrer, lost, deleted);
    case "bundle": {
      let members = referrer.value.members.filter((member) => !lost.has(`services/${member}`));
      return members.length === 0 ? [deleted] : proposal.once(`members ${name}`, () => patch(name, { members }, `Takes ${about2} out of ${name}.`));
    }
    case "resourceType": {
      let versions = referrer.value.versions.filter(
        ({ version }) => !lost.has(versionName(referrer.parent, version))
      );
      return versions.length === 0 ? [deleted] : proposal.once(`versions ${name}`, () => patch(name, { versions }, `Takes ${about2} out of ${name}.`));
    }
    default:
      return [deleted];
  }
}
function loseFromService({ delta, once: once2 }, { name, value, id: id2 }, lost, deleted) {
  return lost.has(value.creator) || lost.has(`projects/${value.project}`) ? [deleted] : once2(`service ${name}`, () => {
    let change = {}, uses = value.uses.filter((used) => !lost.has(`services/${used}`));
    if (uses.length < value.uses.length && (change.uses = uses), lost.has(`regions/${value.primaryRegion}`)) {
      let region = regionsFor(delta.after, id2).find((one3) => one3 !== value.primaryRegion);
      if (region === void 0) return deleted;
      change.primaryRegion = region;
    }
    return patch(name, change, `Takes ${[...lost].sort().join(", ")} out of ${name}.`);
  });
}
function regionsFor(state, service) {
  let deployed = Array.from(deploymentsOf(state, service), ({ id: id2 }) => id2);
  return deployed.length > 0 ? deployed : Array.from(allOf(state, "region"), ({ id: id2 }) => id2);
}
function otherVersion({ delta }, { name, parent, id: id2, value }, lost) {
  let left = [];
  for (let version of versionsOf(delta.after, parent))
    !isRetired(version) && !lost.has(version.name) && delta.before.get(version.name) && left.push(version.id);
  let mends = [];
  for (let version of left.sort((a, b) => compareVersions(b, a))) {
    if (compareVersions(version, value.currentVersion) < 0) {
      mends.push(patch(name, { currentVersion: version }, `Lowers ${parent} in ${id2} to ${version}.`));
      break;
    }
    let plan = planDeployment(delta.before, parent, id2, version), upgrade = plan.ok ? apply2(delta.before, plan.documents, `Upgrades ${parent} in ${id2} to ${version}, together with what that needs.`) : void 0;
    upgrade !== void 0 && mends.push(upgrade);
  }
  return mends;
}

// src/domain/mend-consent.ts
function mendConsent({ delta, says, once: once2 }, { violation }) {
  let { imported = "", resource: resource2 } = violation, wanted = serviceOf(delta.after, imported), parts = parseName(resource2), needy = parts?.kind === "service" ? parts.id : parts?.parent ?? "", project = serviceOf(delta.after, needy)?.value.project;
  return wanted === void 0 || project === void 0 || says(wanted.name) ? [] : once2(
    `consent ${wanted.name} ${project}`,
    () => patch(
      wanted.name,
      { importers: [...wanted.value.importers ?? [], project].sort() },
      `Lets the services of projects/${project} import and use ${imported}; its owners decide that.`
    )
  );
}

// src/domain/fixes.ts
var TRIED = 500, ANSWERED = 5e3;
function withFixes(delta, findings, named2, accepts) {
  let proposal = proposalFor(delta, findings, new Set(named2)), verdicts = /* @__PURE__ */ new Map(), tried = 0, answered2 = 0, fixFor = (mend) => (verdicts.has(mend) || (tried += mend.edits.length, verdicts.set(mend, accepts(mend.edits) ? fixOf(mend) : void 0)), verdicts.get(mend));
  return findings.map((finding2) => {
    if (answered2 >= ANSWERED) return finding2.violation;
    for (let mend of tried < TRIED ? mendsFor(proposal, finding2) : []) {
      let fix = fixFor(mend);
      if (fix !== void 0)
        return answered2 += mend.edits.length, { ...finding2.violation, fix };
    }
    return finding2.violation;
  });
}
function proposalFor(delta, findings, named2) {
  let says = (name) => {
    let touch = delta.touches.get(name);
    return named2.has(name) || touch !== void 0 && touch.after === void 0;
  }, planner = new Planner(delta.after, givenBy({ delta, says })), made = /* @__PURE__ */ new Map(), proposal = { delta, findings, says, planner, once: (key, make2) => {
    let mends = made.get(key);
    if (mends === void 0) {
      let mend = make2();
      made.set(key, mends = mend === void 0 ? [] : [mend]);
    }
    return mends;
  } };
  for (let finding2 of findings) {
    let { rule } = finding2.violation;
    (rule === "COV1" || rule === "CAT3") && foreseeCoverage(proposal, finding2), rule === "COV4" && foreseeBundle(proposal, finding2);
  }
  return proposal;
}
function mendsFor(proposal, finding2) {
  switch (finding2.violation.rule) {
    case "REF1":
    case "CAT1":
      return mendReference(proposal, finding2);
    case "CAT2":
      return [];
    case "CAT3":
      return mendPrimaryRegion(proposal, finding2);
    case "CAT4":
      return mendConsent(proposal, finding2);
    case "COV1":
      return mendCoverage(proposal, finding2);
    case "COV3":
      return mendCycle(proposal, finding2);
    case "COV4":
      return mendBundle(proposal, finding2);
  }
}

// src/domain/masked.ts
var Masked = class {
  #base;
  #isMasked;
  constructor(base2, isMasked) {
    this.#base = base2, this.#isMasked = isMasked;
  }
  get(name) {
    let item = this.#base.get(name);
    return item === void 0 || this.#isMasked(item) ? void 0 : item;
  }
  /** What projects hold is counted whole. */
  usage(project) {
    return this.#base.usage(project);
  }
  *bucket(key) {
    for (let item of this.#base.bucket(key)) this.#isMasked(item) || (yield item);
  }
};

// src/domain/hidden.ts
function hiddenTargets(state, { sight, edits }) {
  if (sight === void 0 || sight.keys === "all") return;
  let services = /* @__PURE__ */ new Set(), names2 = /* @__PURE__ */ new Set();
  for (let { name } of edits) {
    let parts = parseName(name);
    if (parts === void 0) continue;
    let item = state.get(name), service = parts.kind === "service" ? parts.id : parts.kind === "serviceAccount" ? void 0 : parts.parent;
    service !== void 0 && isHiddenService(service, sight, state) ? services.add(service) : item !== void 0 && !sees(sight, audienceOf(item, state)) && names2.add(name);
  }
  return someOf(services, names2);
}
function hiddenReferences({ before, after, touches }, sight) {
  if (sight === void 0 || sight.keys === "all") return;
  let services = /* @__PURE__ */ new Set();
  for (let touch of touches.values()) {
    let item = touch.after;
    if (item?.kind !== "version" && item?.kind !== "service") continue;
    let wanted = wantedBy(item).filter((service) => isHiddenService(service, sight, after));
    if (wanted.length === 0) continue;
    let named2 = namedBy(item.kind === "version" ? item.parent : item.id, before);
    for (let service of wanted) named2.has(service) || services.add(service);
  }
  return someOf(services, /* @__PURE__ */ new Set());
}
function namedBy(service, state) {
  let own2 = serviceOf(state, service), named2 = new Set(own2?.value.uses);
  for (let version of versionsOf(state, service)) for (let one3 of wantedBy(version)) named2.add(one3);
  return named2;
}
var wantedBy = (item) => item.kind === "version" ? item.value.imports.map(({ service }) => service) : item.kind === "service" ? item.value.uses : [];
function takenName({ before, touches }, sight) {
  if (!(sight === void 0 || sight.keys === "all"))
    for (let touch of touches.values()) {
      if (touch.before !== void 0 || touch.after?.kind !== "service") continue;
      let { id: id2, name } = touch.after;
      if (!sees(sight, audienceOfServiceId(id2, before))) {
        for (let kind of LEFT) if (!isEmpty(before.bucket(children(kind, id2)))) return name;
      }
    }
}
var LEFT = ["instance", "override", "advisory"];
function hiddenInstances(state, { sight, instances }) {
  if (sight === void 0 || sight.keys === "all") return;
  let names2 = /* @__PURE__ */ new Set();
  for (let edit of instances) {
    let id2 = edit.op === "deregister" ? edit.id : edit.op === "override" && "instance" in edit.target ? edit.target.instance : "";
    for (let name of id2 === "" ? [] : [instanceName(id2), instanceOverrideName(id2)]) {
      let item = state.get(name);
      item !== void 0 && !sees(sight, audienceOf(item, state)) && names2.add(name);
    }
  }
  return someOf(/* @__PURE__ */ new Set(), names2);
}
var without = (state, { services, names: names2 }) => new Masked(state, (item) => names2.has(item.name) || services.has(itemFacets(item).service ?? ""));
function isHiddenService(service, sight, state) {
  return serviceOf(state, service) !== void 0 && !sees(sight, audienceOfServiceId(service, state));
}
var someOf = (services, names2) => services.size + names2.size === 0 ? void 0 : { services, names: names2 };

// src/domain/draft.ts
var Draft = class {
  #base;
  #items = /* @__PURE__ */ new Map();
  #buckets;
  /** What it holds more, or less, than the reader. */
  #tally;
  constructor(base2) {
    this.#base = base2;
  }
  get(name) {
    let item = this.#items.get(name);
    return item === void 0 ? this.#base.get(name) : item ?? void 0;
  }
  bucket(key) {
    if (this.#items.size === 0) return this.#base.bucket(key);
    this.#buckets ??= this.#index();
    let over = this.#buckets.get(key);
    if (over === void 0) return this.#base.bucket(key);
    let items = [];
    for (let item of this.#base.bucket(key)) over.has(item.name) || items.push(item);
    for (let item of over.values()) item !== null && items.push(item);
    return items;
  }
  usage(project) {
    let { services, instances } = this.#base.usage(project);
    if (this.#tally === void 0) return { services, instances };
    let more = this.#tally.of(project);
    return { services: services + more.services, instances: instances + more.instances };
  }
  put(item) {
    isCounted(item) && this.#count(this.get(item.name), item), this.#buckets !== void 0 && move(this.#buckets, item.name, this.get(item.name), item), this.#items.set(item.name, item);
  }
  delete(name) {
    this.#count(this.get(name), void 0), this.#buckets !== void 0 && move(this.#buckets, name, this.get(name), null), this.#items.set(name, null);
  }
  /** Lays the changes of an accepted command over this state. */
  absorb(changes2) {
    for (let change of changes2)
      change.op === "put" ? this.put(change.item) : this.delete(change.name);
  }
  /** The names this draft has touched, each with what it now is. */
  touched() {
    return this.#items.entries();
  }
  #count(before, after) {
    before === void 0 != (after === void 0) && (this.#tally ??= new Tally(), this.#tally.count(this, before, after));
  }
  #index() {
    let buckets = /* @__PURE__ */ new Map();
    for (let [name, after] of this.#items) move(buckets, name, this.#base.get(name), after);
    return buckets;
  }
}, isCounted = ({ kind }) => kind === "instance" || kind === "service";
function move(buckets, name, before, after) {
  if (before !== void 0) for (let key of indexKeys(before)) lay(buckets, key, name, null);
  if (after !== null) for (let key of indexKeys(after)) lay(buckets, key, name, after);
}
function lay(buckets, key, name, item) {
  let over = buckets.get(key);
  over === void 0 ? buckets.set(key, /* @__PURE__ */ new Map([[name, item]])) : over.set(name, item);
}

// src/domain/audiences.ts
function withAudiences(changes2, before, after, at2) {
  let told2;
  changes2.forEach((change, i) => {
    let seen2 = withAudience(change, before, after);
    seen2 !== change && (told2 ??= [...changes2], told2[i] = seen2);
  });
  let followers = followersSeenByOthers(changes2, before, after, at2);
  return followers.length === 0 ? told2 ?? changes2 : [...told2 ?? changes2, ...followers];
}
function withAudience(change, before, after) {
  let old = before.get(changeName(change)), was = old === void 0 ? void 0 : audienceOf(old, before);
  if (change.op === "delete") return was === void 0 ? change : { ...change, audience: was };
  let audience = audienceOf(change.item, after), changed = old !== void 0 && !sameAudience(was, audience);
  return audience === void 0 && !changed ? change : { ...change, ...audiences(audience, changed, was) };
}
function audiences(audience, changed, was) {
  return { ...audience !== void 0 && { audience }, ...changed && { audienceBefore: was ?? null } };
}
function followersSeenByOthers(changes2, before, after, at2) {
  let services = /* @__PURE__ */ new Set();
  for (let change of changes2) {
    let service = serviceIn3(change);
    service !== void 0 && (sameAudience(audienceOfServiceId(service, before), audienceOfServiceId(service, after)) || services.add(service));
  }
  if (services.size === 0) return [];
  let told2 = new Set(changes2.map(changeName)), followers = [];
  for (let service of services)
    for (let item of followersOf(service, after)) {
      if (told2.has(item.name)) continue;
      told2.add(item.name);
      let was = audienceOf(item, before), audience = audienceOf(item, after);
      sameAudience(was, audience) || followers.push({ op: "put", item: touched(item, at2), ...audiences(audience, !0, was) });
    }
  return followers;
}
function touched(item, { revision, time: time4 }) {
  let value = { ...item.value, revision, updateTime: time4 };
  return { ...item, revision, value, json: JSON.stringify(value) };
}
function serviceIn3(change) {
  return change.op === "put" ? change.item.kind === "service" ? change.item.id : void 0 : change.kind === "service" ? change.name.slice(9) : void 0;
}

// src/domain/quota.ts
var SETTINGS2 = {
  services: "PROJECT_MAX_SERVICES",
  instances: "PROJECT_MAX_INSTANCES"
};
function overQuota(before, after, touches, limits, sight = EVERYTHING) {
  if (limits === void 0) return;
  let judged = /* @__PURE__ */ new Set();
  for (let touch of touches) {
    if (touch.before !== void 0 || touch.after === void 0) continue;
    let project = projectOf(after, touch.after);
    if (project === void 0 || judged.has(project)) continue;
    judged.add(project);
    let refusal2 = judge3(project, before.usage(project), after.usage(project), limits, sight);
    if (refusal2 !== void 0) return refusal2;
  }
}
var isHeldTo = ({ kind }) => kind !== "administrator" && kind !== "signalbox";
function judge3(project, before, after, limits, sight) {
  for (let what of ["services", "instances"]) {
    let max = limits[what];
    if (max === void 0 || after[what] <= max || after[what] <= before[what]) continue;
    let more = after[what] - before[what];
    return sees(sight, [[projectKey(project)]]) ? { code: "quota-exceeded", detail: `projects/${project} has ${before[what]} ${what}, and with ${more} more it would hold more than ${max}, which is ${SETTINGS2[what]}` } : { code: "quota-exceeded", detail: `projects/${project} may hold no more ${what} than ${max}, which is ${SETTINGS2[what]}` };
  }
}
function projectOf(state, item) {
  if (item.kind === "service") return item.value.project;
  if (item.kind === "instance")
    return serviceOf(state, item.value.service)?.value.project;
}

// src/domain/seen-outcomes.ts
function seenOutcomes(outcomes, sight, { before, after }) {
  if (sight === void 0 || sight.keys === "all") return { outcomes, untold: NONE3 };
  let isTold = ({ before: was, after: is }) => was === void 0 && is === void 0 || was !== void 0 && sees(sight, audienceOf(was, before)) ? !0 : is !== void 0 && sees(sight, audienceOf(is, after)), told2 = outcomes.filter(isTold);
  return told2.length === outcomes.length ? { outcomes, untold: NONE3 } : { outcomes: told2, untold: outcomes.filter((outcome) => !isTold(outcome)) };
}
var NONE3 = [];

// src/domain/instances/decide-instances.ts
function decideInstances(state, command, revision) {
  return new InstanceDecision(state, command, revision).run();
}
var InstanceDecision = class {
  #before;
  #command;
  #at;
  #after;
  #touches = /* @__PURE__ */ new Map();
  constructor(state, command, revision) {
    this.#before = state, this.#command = command, this.#at = { revision, time: new Date(command.at).toISOString() }, this.#after = new Draft(state);
  }
  run() {
    let forbidden = this.#command.permit?.(this.#before, this.#command.instances.flatMap(wishesOf));
    if (forbidden !== void 0) return { ok: !1, refusal: { code: "forbidden", detail: forbidden } };
    let named2 = [];
    for (let edit of this.#command.instances) {
      named2.push(nameOfEdit(edit));
      let refusal2 = this.#carryOut(edit);
      if (refusal2 !== void 0) return { ok: !1, refusal: refusal2 };
    }
    let touches = [...this.#touches.values()], over = overQuota(this.#before, this.#after, touches, this.#command.limits, this.#command.sight);
    if (over !== void 0) return { ok: !1, refusal: over };
    let changes2 = withAudiences(touches.map(changeOf), this.#before, this.#after, this.#at), states = { before: this.#before, after: this.#after }, outcomes = seenOutcomes(this.#outcomes(named2, touches), this.#command.sight, states);
    return { ok: !0, changes: changes2, ...outcomes, warnings: [] };
  }
  #carryOut(edit) {
    switch (edit.op) {
      case "register":
        return this.#register(edit);
      case "deregister": {
        let item = this.#instance(edit.id);
        if (item === void 0) return;
        let isMeant = edit.generation === void 0 || edit.generation === item.value.generation, isDown = edit.ifCritical !== !0 || item.value.status === "critical";
        isMeant && isDown && this.#delete(item.name);
        return;
      }
      case "status":
        this.#setStatus(edit);
        return;
      case "override":
        return this.#override(edit);
      case "advise":
        this.#advise(edit);
        return;
    }
  }
  #register({ id: id2, registration, mustBeInCatalog }) {
    let refusal2 = mustBeInCatalog === !0 ? notInCatalog(this.#before, registration) : void 0;
    if (refusal2 !== void 0) return refusal2;
    let before = this.#instance(id2)?.value, after = buildInstance(this.#after, id2, registration, this.#standing(before, registration), this.#at);
    after.revision === this.#at.revision && (this.#lay(after), this.#displaceOthers(after));
  }
  /** Registering shows that the instance is there: a lease begins anew, and nobody else's claim to the address holds. */
  #standing(before, { check: check3 }) {
    let { revision, time: time4 } = this.#at;
    return before !== void 0 && !(check3.type === "ttl" && before.status === "critical") ? { ...standingOf2(before), displacedBy: void 0 } : {
      generation: before?.generation ?? revision,
      status: check3.initialStatus,
      statusSince: time4,
      statusReason: check3.type === "ttl" ? "Registered." : "Registered; no check has said anything yet.",
      displacedBy: void 0
    };
  }
  /** INS6: whoever else was at this address is out of service until it shows that it still is. */
  #displaceOthers({ name, value }) {
    for (let other of this.#after.bucket(atAddress(value.address, value.port))) {
      if (other.kind !== "instance" || other.name === name) continue;
      let { service, environment, displacedBy } = other.value;
      service === value.service && environment === value.environment || displacedBy === name || !this.#mayDisplace(other, value.address) || this.#rebuild(other, { displacedBy: name });
    }
  }
  /** Nobody takes another owner's instance out of service but by being where it was. */
  #mayDisplace(other, address) {
    let { permit, origin } = this.#command;
    if (permit === void 0 || origin?.address?.replace(/^::ffff:(?=[0-9.]+$)/, "") === address) return !0;
    let wish = { action: "instance.register", name: other.name, service: other.value.service };
    return permit(this.#before, [wish]) === void 0;
  }
  #setStatus({ id: id2, generation, status: status2, reason: reason2, proven, seen: seen2 }) {
    let item = this.#instance(id2);
    if (item === void 0 || item.value.generation !== generation) return;
    let displacedBy = proven && status2 !== "critical" && (seen2 === void 0 || seen2 === item.revision) ? void 0 : item.value.displacedBy;
    if (status2 === item.value.status && displacedBy === item.value.displacedBy) return;
    let isNews = status2 !== item.value.status;
    this.#rebuild(item, {
      displacedBy,
      ...isNews && { status: status2, statusSince: this.#at.time, statusReason: reason2 }
    });
  }
  #override({ target, override }) {
    let name = overrideNameOf(target), before = this.#after.get(name);
    if ("instance" in target) {
      let instance = this.#instance(target.instance), known2 = instance?.value ?? (before?.kind === "override" ? before.value : void 0);
      if (known2 === void 0) return { code: "not-found", detail: `${instanceName(target.instance)} does not exist` };
      override === void 0 ? this.#delete(name) : this.#put(name, {
        service: known2.service,
        instance: target.instance,
        ...override,
        by: this.#by
      }), instance !== void 0 && this.#rebuild(instance, {});
      return;
    }
    let { service, region } = target;
    override === void 0 ? this.#delete(name) : this.#put(name, { service, region, ...override, by: this.#by });
    for (let item of this.#after.bucket(children("instance", service)))
      item.kind === "instance" && regionOf(item.value) === region && this.#rebuild(item, {});
  }
  #advise({ id: id2, advisory }) {
    advisory === void 0 ? this.#delete(advisoryName(id2)) : this.#put(advisoryName(id2), advisory);
  }
  get #by() {
    return this.#command.caller.subject;
  }
  #rebuild(item, news) {
    let { value } = item, standing = { ...standingOf2(value), ...news }, after = buildInstance(this.#after, item.id, registrationOf(value), standing, this.#at);
    after !== item && this.#lay(after);
  }
  #put(name, body) {
    let before = this.#after.get(name), json2 = JSON.stringify(body);
    if (before !== void 0 && hasBody(before, json2)) return;
    let { revision, time: time4 } = this.#at, assigned2 = { name, revision, createTime: before?.value.createTime ?? time4, updateTime: time4 };
    this.#lay(itemOf(partsOf(name), assigned2, body, json2));
  }
  #instance(id2) {
    let item = this.#after.get(instanceName(id2));
    return item?.kind === "instance" ? item : void 0;
  }
  #lay(item) {
    this.#after.put(item), this.#touches.set(item.name, { name: item.name, before: this.#before.get(item.name), after: item });
  }
  #delete(name) {
    if (this.#after.get(name) === void 0) return;
    let before = this.#before.get(name);
    this.#after.delete(name), before === void 0 ? this.#touches.delete(name) : this.#touches.set(name, { name, before, after: void 0 });
  }
  #outcomes(named2, touches) {
    let outcomes = named2.map((name) => {
      let touch = this.#touches.get(name), item = this.#before.get(name);
      return touch === void 0 ? { name, op: "unchanged", before: item, after: item } : outcomeOf(touch);
    });
    if (touches.length > 1 || outcomes[0]?.op === "unchanged") {
      let seen2 = new Set(named2);
      for (let touch of touches) seen2.has(touch.name) || outcomes.push(outcomeOf(touch));
    }
    return outcomes;
  }
};
function wishesOf(edit) {
  switch (edit.op) {
    case "register":
      return [{ action: "instance.register", name: instanceName(edit.id), service: edit.registration.service }];
    case "deregister":
      return [{ action: "instance.register", name: instanceName(edit.id) }];
    case "override":
      return [{ action: "instance.override", name: overrideNameOf(edit.target) }];
    case "status":
    case "advise":
      return [];
  }
}
function outcomeOf({ name, before, after }) {
  return { name, op: after === void 0 ? "deleted" : before === void 0 ? "created" : "updated", before, after };
}
function nameOfEdit(edit) {
  return edit.op === "override" ? overrideNameOf(edit.target) : edit.op === "advise" ? advisoryName(edit.id) : instanceName(edit.id);
}
var overrideNameOf = (target) => "instance" in target ? instanceOverrideName(target.instance) : regionOverrideName(target.service, target.region);
function notInCatalog(state, { service, region }) {
  if (serviceOf(state, service) === void 0)
    return invalid4(
      "/service",
      `${service} is not in the catalog, and REGISTRATION=catalog takes no others: put it there first`
    );
  if (region !== void 0 && deploymentOf(state, service, region) === void 0)
    return invalid4(
      "/region",
      `${service} is not deployed in ${region}, and REGISTRATION=catalog takes no others: deploy it there first`
    );
}
var invalid4 = (pointer, detail) => ({
  code: "invalid",
  detail: `${pointer} ${detail}`,
  errors: [{ pointer, detail }]
});

// src/domain/effective-uses.ts
function everyonesBundles(state) {
  let found = [];
  for (let bundle of allOf(state, "bundle")) bundle.value.rules.usedByEveryone && found.push(bundle);
  return found;
}
function effectiveUses(service, uses, bundles) {
  let all;
  for (let { value } of bundles)
    if (!value.members.includes(service)) {
      all ??= new Set(uses);
      for (let member of value.members) all.add(member);
    }
  return all === void 0 ? uses : [...all].sort();
}
function* changedUses(delta) {
  let bundles;
  for (let item of concerned(delta)) {
    bundles ??= everyonesBundles(delta.after);
    let uses = effectiveUses(item.id, item.value.uses, bundles);
    sameList(uses, item.value.effectiveUses) || (yield { item, value: { ...item.value, effectiveUses: uses } });
  }
}
function concerned(delta) {
  let touched2 = [];
  for (let { before, after } of delta.touches.values()) {
    if (after?.kind === "service" && touched2.push(after), before?.kind === "bundle" && before.value.rules.usedByEveryone) return [...allOf(delta.after, "service")];
    if (after?.kind === "bundle" && after.value.rules.usedByEveryone) return [...allOf(delta.after, "service")];
  }
  return touched2;
}
function sameList(a, b) {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}

// src/domain/api-id.ts
var ALPHABET = "abcdefghijklmnopqrstuvwxyz234567", LENGTH = 10, SPACE2 = 32 ** LENGTH;
function assignApiId(state, service, revision) {
  let number = hash(`${service}@${revision}`);
  for (; ; ) {
    let id2 = encode4(number);
    if (isEmpty(state.bucket(byApiId(id2)))) return id2;
    number = (number + 1) % SPACE2;
  }
}
function encode4(number) {
  let rest = number, id2 = "";
  for (let i = 0; i < LENGTH; i++)
    id2 = (ALPHABET[rest % 32] ?? "") + id2, rest = Math.floor(rest / 32);
  return id2;
}
function hash(text2) {
  let a = 3735928559, b = 1103547991;
  for (let i = 0; i < text2.length; i++) {
    let code = text2.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761), b = Math.imul(b ^ code, 1597334677);
  }
  return a = Math.imul(a ^ a >>> 16, 2246822507) ^ Math.imul(b ^ b >>> 13, 3266489909), b = Math.imul(b ^ b >>> 16, 2246822507) ^ Math.imul(a ^ a >>> 13, 3266489909), (a >>> 7) * 2 ** 25 + (b >>> 7);
}

// src/domain/identity.ts
var HOW_TO_NAME = "projects/{project}/service-accounts/{account}";
function newIdentity(state, caller, service, revision, raw2) {
  let errors2 = [], creator = creatorOf(caller, raw2.creator, errors2), project = creator === void 0 ? void 0 : parseName(creator)?.parent;
  if (project !== void 0 && raw2.project !== void 0 && raw2.project !== project) {
    let detail = `a service belongs to its creator's project, which is ${project}: say so or leave the field out`;
    errors2.push({ pointer: "/project", detail });
  }
  let apiId = apiIdOf(state, caller, raw2.apiId, errors2) ?? assignApiId(state, service, revision);
  return errors2.length > 0 || creator === void 0 || project === void 0 ? errors2 : { apiId, project, creator, effectiveUses: [] };
}
function keepsIdentity(before, raw2) {
  let errors2 = [];
  for (let field of ["apiId", "project", "creator"]) {
    let kept = before.value[field];
    raw2[field] !== void 0 && raw2[field] !== kept && errors2.push({ pointer: `/${field}`, detail: `cannot be changed: it is ${kept}; leave the field out to keep it` });
  }
  return errors2;
}
function creatorOf(caller, named2, errors2) {
  let fail2 = (detail) => {
    errors2.push({ pointer: "/creator", detail });
  };
  if (caller.kind === "serviceAccount")
    return named2 === void 0 || named2 === caller.account ? caller.account : fail2(`a service account creates services in its own name: say ${caller.account} or leave the field out`);
  if (caller.kind === "person") return fail2("only a service account creates services, in its own name");
  if (named2 === void 0) return fail2(`a service is created by a service account: name it, as ${HOW_TO_NAME}`);
  let name = typeof named2 == "string" ? named2 : "";
  return parseName(name)?.kind === "serviceAccount" ? name : fail2(`is not the name of a service account: write ${HOW_TO_NAME}`);
}
function apiIdOf(state, caller, named2, errors2) {
  if (named2 === void 0) return;
  let fail2 = (detail) => {
    errors2.push({ pointer: "/apiId", detail });
  };
  if (caller.kind !== "administrator" || typeof named2 != "string") return fail2("is assigned: leave the field out");
  for (let holder of state.bucket(byApiId(named2)))
    return fail2(`is the apiId of ${holder.name}: leave the field out to have one assigned`);
  return named2;
}

// src/domain/merge-patch.ts
function mergePatch(target, patch2) {
  if (!isObject2(patch2)) return patch2;
  let root = copyOf(target), open3 = [[root, patch2]];
  for (let next = open3.pop(); next !== void 0; next = open3.pop()) {
    let [into, changes2] = next;
    for (let key of Object.keys(changes2)) {
      if (key === "__proto__") continue;
      let value = changes2[key];
      if (value === null)
        delete into[key];
      else if (isObject2(value)) {
        let below = copyOf(Object.hasOwn(into, key) ? into[key] : void 0);
        into[key] = below, open3.push([below, value]);
      } else
        into[key] = value;
    }
  }
  return root;
}
function isObject2(value) {
  return typeof value == "object" && value !== null && !Array.isArray(value);
}
var copyOf = (value) => isObject2(value) ? { ...value } : {};

// src/domain/resolve.ts
var RUNTIME_VERBS = "instances register with POST /v1/instances, and operators override them at /v1/instances/{id}/override";
function resolve(state, command, revision, validate) {
  return new Resolution(state, command, revision, validate).run();
}
var Resolution = class {
  #state;
  #command;
  #revision;
  #validate;
  #time;
  #after;
  #touches = /* @__PURE__ */ new Map();
  #errors = [];
  constructor(state, command, revision, validate) {
    this.#state = state, this.#command = command, this.#revision = revision, this.#validate = validate, this.#time = new Date(command.at).toISOString(), this.#after = new Draft(state);
  }
  run() {
    let { edits, prune } = this.#command, names2 = edits.map((edit) => parseName(edit.name));
    if (this.#checkNames(names2), prune !== void 0 && Object.keys(prune).length === 0 && this.#fail(-1, "/prune", "needs a label: it would delete all"), this.#errors.length > 0) return this.#invalid();
    let refusal2 = this.#forbidden(edits.map(wishOf2)) ?? this.#checkExpectation() ?? this.#checkPresence();
    if (refusal2 !== void 0) return refusal2;
    if (edits.forEach((edit, i) => {
      edit.op === "delete" ? this.#delete(edit.name) : this.#put(i, edit, names2[i]);
    }), this.#errors.length > 0) return this.#invalid();
    if (prune !== void 0) {
      let pruned = this.#prunedBy(prune), forbidden = this.#forbidden(pruned.map((name) => ({ action: "catalog.delete", name })));
      if (forbidden !== void 0) return forbidden;
      for (let name of pruned) this.#delete(name);
    }
    return this.#deriveUses(), { before: this.#state, after: this.#after, touches: this.#touches };
  }
  #checkNames(names2) {
    let seen2 = /* @__PURE__ */ new Set();
    names2.forEach((parts, i) => {
      let name = this.#command.edits[i]?.name ?? "";
      parts === void 0 ? this.#fail(i, "/name", `${name} is not the name of a resource`) : isCatalogKind(parts.kind) || this.#fail(i, "/name", `${name} is not in the catalog; ${RUNTIME_VERBS}`), seen2.has(name) && this.#fail(i, "/name", `${name} is named twice`), seen2.add(name);
    });
  }
  #forbidden(wishes) {
    let detail = this.#command.permit?.(this.#state, wishes);
    return detail === void 0 ? void 0 : { code: "forbidden", detail };
  }
  #checkExpectation() {
    let { edits, expect } = this.#command;
    if (expect === void 0 || edits[0] === void 0) return;
    let { name } = edits[0], revision = this.#state.get(name)?.revision;
    if (expect === "absent" ? revision === void 0 : revision !== void 0 && (expect === "*" || expect === revision))
      return;
    let stands = revision === void 0 ? "does not exist" : `is at revision ${revision}`;
    return { code: "precondition-failed", detail: `${name} ${stands}, which is not what the request expects`, ...revision !== void 0 && { revision } };
  }
  #checkPresence() {
    for (let { op, name } of this.#command.edits)
      if (op !== "put" && this.#state.get(name) === void 0)
        return { code: "not-found", detail: `${name} does not exist` };
  }
  #put(index, edit, parts) {
    let { name } = edit, kind = parts.kind, before = this.#state.get(name), raw2 = edit.op === "put" ? edit.value : mergePatch(before?.value, edit.patch);
    if (!isObject2(raw2)) return this.#fail(index, "", "is not an object");
    let errors2 = this.#validate(kind, raw2);
    if (errors2.length === 0 && (errors2 = contradictions2(kind, raw2)), errors2.length > 0) return this.#failAll(index, errors2);
    let identity;
    if (parts.kind === "service") {
      let found = this.#identify(before, parts.id, raw2);
      if (Array.isArray(found)) return this.#failAll(index, found);
      identity = found;
    }
    let body = bodyOf(kind, raw2, identity), json2 = JSON.stringify(body);
    if (before !== void 0 && hasBody(before, json2)) return;
    let createTime = before?.value.createTime ?? this.#time, assigned2 = { name, revision: this.#revision, createTime, updateTime: this.#time };
    this.#lay(itemOf(parts, assigned2, body, json2));
  }
  #identify(before, service, raw2) {
    if (before?.kind !== "service") return newIdentity(this.#after, this.#command.caller, service, this.#revision, raw2);
    let errors2 = keepsIdentity(before, raw2);
    return errors2.length > 0 ? errors2 : before.value;
  }
  #prunedBy(labels2) {
    let pruned = [], listed = new Set(this.#command.edits.map((edit) => edit.name)), wanted = Object.entries(labels2);
    for (let kind of CATALOG_KINDS)
      for (let item of allOf(this.#state, kind)) {
        let { name, value } = item;
        sees(this.#command.sight ?? EVERYTHING, audienceOf(item, this.#state)) && wanted.every(([key, label]) => value.labels[key] === label) && !listed.has(name) && pruned.push(name);
      }
    return pruned;
  }
  #deriveUses() {
    for (let { item, value } of changedUses({ before: this.#state, after: this.#after, touches: this.#touches })) {
      let derived = { ...value, revision: this.#revision, updateTime: this.#time }, json2 = JSON.stringify(derived);
      this.#lay({ ...item, revision: this.#revision, value: derived, json: json2 });
    }
  }
  #lay(item) {
    this.#after.put(item), this.#touches.set(item.name, { name: item.name, before: this.#state.get(item.name), after: item });
  }
  #delete(name) {
    this.#after.delete(name), this.#touches.set(name, { name, before: this.#state.get(name), after: void 0 });
  }
  /** Pointers are into the request's body: one document, or a list of them. */
  #fail(index, pointer, detail) {
    let listed = this.#command.edits.length > 1 && index >= 0;
    this.#errors.push({ pointer: listed ? `/${index}${pointer}` : pointer, detail });
  }
  #failAll(index, errors2) {
    for (let { pointer, detail } of errors2) this.#fail(index, pointer, detail);
  }
  #invalid() {
    let errors2 = this.#errors, first = `${errors2[0]?.pointer ?? ""} ${errors2[0]?.detail ?? ""}`.trim();
    return { code: "invalid", detail: errors2.length === 1 ? first : `${first}, and ${errors2.length - 1} more`, errors: errors2 };
  }
}, wishOf2 = ({ op, name }) => ({ action: op === "delete" ? "catalog.delete" : "catalog.write", name });

// src/domain/unnamed.ts
function isHiddenName(name, sight, { before, after }) {
  let parts = parseName(name);
  if (sight.keys === "all" || parts === void 0) return !1;
  let service = parts.kind === "service" ? parts.id : parts.kind === "serviceAccount" ? void 0 : parts.parent;
  for (let state of [before, after]) {
    let owner = service === void 0 ? void 0 : serviceOf(state, service);
    if (owner !== void 0) return !sees(sight, audienceOfService(owner));
    let item = state.get(name);
    if (item !== void 0) return !sees(sight, audienceOf(item, state));
  }
  return !1;
}
var BROKEN = "A service that you may not see needs what this would take away, or would be needed for this.";
function unnamed(violations, findings, sight, states) {
  if (sight === void 0 || sight.keys === "all") return violations;
  let isHidden2 = (name) => isHiddenName(name, sight, states), said = /* @__PURE__ */ new Set(), told2 = [];
  return violations.forEach(({ fix, ...violation }, i) => {
    let { about: about2 = "", mentions = [] } = findings[i] ?? {};
    if ([...namesIn(violation), about2, ...mentions].some(isHidden2)) {
      let resource2 = about2 !== "" && !isHidden2(about2) ? about2 : "services/-", key = `${violation.rule} ${resource2}`;
      said.has(key) || told2.push({ code: "hidden", rule: violation.rule, resource: resource2, message: BROKEN }), said.add(key);
    } else {
      let isTold = fix !== void 0 && !namesInFix(fix, states.before).some(isHidden2);
      told2.push(isTold ? { ...violation, fix } : violation);
    }
  }), told2;
}
function namesIn({ resource: resource2, importer, imported }) {
  return [resource2, ...[importer, imported].flatMap((service) => service === void 0 ? [] : serviceName(service))];
}
function namesInFix({ path: path2, body }, before) {
  return (path2 === "/v1/apply" ? body : [{ ...body, name: path2.slice(4) }]).flatMap((document) => {
    let item = before.get(document.name);
    return [document.name, ...namesInDocument(document), ...item === void 0 ? [] : references(item)];
  });
}
var namesInDocument = ({ imports = [], uses = [], members = [] }) => [...imports.map(({ service }) => service), ...uses, ...members].map(serviceName);

// src/domain/warnings.ts
function warningsOf2(delta, names2, at2, sight = EVERYTHING) {
  let warnings = [], isSeen = (service) => !isHiddenName(serviceName(service), sight, delta), { before, after, touches } = delta, judged = { before, after, touches, isSeen };
  for (let name of names2) {
    let touch = touches.get(name);
    touch !== void 0 && warn(judged, touch, at2, warnings);
  }
  return warnings;
}
function warn(delta, { before, after }, at2, warnings) {
  if (after?.kind === "deployment")
    warnOfEndpoint(delta, after, warnings), warnOfUses(delta, after, warnings), warnOfSunset(delta, after.name, "runs", after.parent, after.value.currentVersion, at2, warnings);
  else if (after?.kind === "service" && before !== void 0)
    for (let deployment of deploymentsOf(delta.after, after.id)) warnOfUses(delta, deployment, warnings);
  else if (after?.kind === "version")
    for (let { service, version } of after.value.imports)
      warnOfSunset(delta, after.name, "imports", service, version, at2, warnings);
  before?.kind === "deployment" && (after?.kind !== "deployment" || after.value.disabled) && !before.value.disabled && warnUsers(delta, before, warnings);
}
function warnOfEndpoint({ after }, { name, parent, id: id2, value }, warnings) {
  let global = serviceOf(after, parent)?.value.globalEndpoint ?? "";
  if (followsConvention(value.regionalEndpoint, id2, global)) return;
  let message = `${value.regionalEndpoint} does not follow {region}.{domain}, which would be ${regionalEndpoint(id2, global)}.`;
  warnings.push({ code: "endpoint-convention", resource: name, message });
}
function warnOfUses({ after, isSeen }, { name, parent, id: id2 }, warnings) {
  let absent2 = (serviceOf(after, parent)?.value.effectiveUses ?? []).filter(
    (used) => used !== parent && isSeen(used) && (deploymentOf(after, used, id2)?.value.disabled ?? !0)
  );
  if (absent2.length === 0) return;
  let message = `${parent} runs in ${id2} and uses ${absent2.join(", ")}, not deployed and enabled there.`;
  warnings.push({ code: "use-not-deployed", resource: name, message });
}
function warnUsers({ after, isSeen }, { name, parent, id: id2 }, warnings) {
  let everyone = !1;
  for (let { value } of bundlesWith(after, parent)) value.rules.usedByEveryone && (everyone = !0);
  let users = [];
  for (let one3 of after.bucket(everyone ? inRegion(id2) : referrersOf(serviceName(parent)))) {
    if (one3.kind !== "deployment" && one3.kind !== "service") continue;
    let user = one3.kind === "deployment" ? one3.parent : one3.id;
    user === parent || !isSeen(user) || deploymentOf(after, user, id2) === void 0 || serviceOf(after, user)?.value.effectiveUses.includes(parent) && users.push(user);
  }
  if (users.length === 0) return;
  let message = `${users.sort().join(", ")} run in ${id2} and use ${parent}, no longer deployed and enabled there.`;
  warnings.push({ code: "use-not-deployed", resource: name, message });
}
function warnOfSunset({ after, isSeen }, resource2, verb, service, version, at2, warnings) {
  let lifecycle2 = versionOf(after, service, version)?.value.lifecycle;
  if (lifecycle2?.state !== "deprecated" || !isSeen(service)) return;
  let passed = Date.parse(lifecycle2.sunset) <= at2;
  if (!passed && verb === "runs") return;
  let code = passed ? "sunset-passed" : "import-deprecated", when = passed ? `was to end on ${lifecycle2.sunset}` : `is deprecated and ends on ${lifecycle2.sunset}`;
  warnings.push({ code, resource: resource2, message: `${resource2} ${verb} ${service} ${version}, which ${when}.` });
}

// src/domain/decide.ts
function decide2(state, command, revision, validate) {
  return "instances" in command ? decideInstances(withoutHiddenInstances(state, command), command, revision) : decideCatalog(state, command, revision, validate);
}
function withoutHiddenInstances(state, command) {
  let hidden = hiddenInstances(state, command);
  return hidden === void 0 ? state : without(state, hidden);
}
function decideCatalog(state, command, revision, validate) {
  let targets = hiddenTargets(state, command);
  if (targets !== void 0) return decideWithout(targets, state, command, revision, validate);
  let resolved = resolve(state, command, revision, validate);
  if ("code" in resolved) return { ok: !1, refusal: resolved };
  let references2 = hiddenReferences(resolved, command.sight);
  if (references2 !== void 0) return decideWithout(references2, state, command, revision, validate);
  let taken = takenName(resolved, command.sight);
  if (taken !== void 0) return { ok: !1, refusal: { code: "forbidden", detail: cannotBeHad(taken) } };
  if (resolved.touches.size > 0) {
    let findings = findingsOf(resolved, command.sight);
    if (findings.length > 0) return { ok: !1, refusal: conflict2(resolved, findings, command, revision, validate) };
    let over = overQuota(state, resolved.after, resolved.touches.values(), command.limits, command.sight);
    if (over !== void 0) return { ok: !1, refusal: over };
  }
  let named2 = command.edits.map((edit) => edit.name);
  return {
    ok: !0,
    changes: withAudiences(Array.from(resolved.touches.values(), changeOf), state, resolved.after, {
      revision,
      time: new Date(command.at).toISOString()
    }),
    ...seenOutcomes(outcomesOf(resolved, named2), command.sight, resolved),
    warnings: warningsOf2(resolved, named2, command.at, command.sight)
  };
}
function findingsOf(resolved, sight) {
  let findings = check2(resolved);
  return !(resolved.before instanceof Masked) || sight === void 0 ? findings : findings.filter(({ violation }) => !isHiddenName(violation.resource, sight, resolved));
}
function decideWithout(hidden, state, command, revision, validate) {
  let masked = without(state, hidden), decision = decideCatalog(masked, command, revision, validate);
  if (!decision.ok) return decision;
  let taken = command.edits.find(({ name }) => state.get(name) !== void 0 && masked.get(name) === void 0);
  return { ok: !1, refusal: { code: "forbidden", detail: cannotBeHad(taken?.name ?? "A name") } };
}
var cannotBeHad = (name) => `${name} cannot be had: choose another id.`;
function conflict2(delta, findings, { caller, at: at2, edits: named2, sight }, revision, validate) {
  let all = withFixes(
    delta,
    findings,
    named2.map((edit) => edit.name),
    (edits) => {
      let resolved = resolve(delta.before, { caller, at: at2, edits }, revision, validate);
      return !("code" in resolved) && check2(resolved).length === 0;
    }
  ), violations = unnamed(all, findings, sight, delta), first = violations[0]?.message ?? "", rest = violations.length - 1;
  return { code: "conflict", detail: rest === 0 ? first : `${first} And ${rest} more.`, violations };
}
function outcomesOf({ before, touches }, named2) {
  let changed = 0, outcomes = named2.map((name) => {
    let touch = touches.get(name);
    if (touch === void 0) {
      let item = before.get(name);
      return { name, op: "unchanged", before: item, after: item };
    }
    return changed++, outcomeOf2(touch);
  });
  if (changed < touches.size) {
    let seen2 = new Set(named2);
    for (let touch of touches.values()) seen2.has(touch.name) || outcomes.push(outcomeOf2(touch));
  }
  return outcomes;
}
function outcomeOf2({ name, before, after }) {
  return { name, op: after === void 0 ? "deleted" : before === void 0 ? "created" : "updated", before, after };
}

// src/registry/commit-loop.ts
var MAX_BATCH2 = 512, ANNOUNCE_BYTES = 64 * 1024, CommitLoop = class {
  #deps;
  #waiting = [];
  #running = !1;
  #closing;
  #closed = !1;
  /** A commit's outcome is unknown: the log is read before anything else is decided. */
  #suspect = !1;
  constructor(deps) {
    this.#deps = deps;
  }
  get pending() {
    return this.#waiting.length;
  }
  execute(command) {
    return this.#closed ? Promise.reject(new RegistryUnavailable("draining", 2)) : this.#deps.ledger.ready ? this.#waiting.length >= this.#deps.limits.maxPending ? Promise.reject(new RegistryUnavailable("overloaded", 1)) : new Promise((resolve2, reject) => {
      this.#waiting.push({ command, since: this.#deps.now(), resolve: resolve2, reject }), !this.#running && (this.#running = !0, setImmediate(() => {
        this.#run();
      }));
    }) : Promise.reject(new RegistryUnavailable("not-ready", 1));
  }
  /** Takes no more commands and resolves when those that wait are answered. */
  close() {
    return this.#closed = !0, this.#running ? new Promise((resolve2) => {
      this.#closing = resolve2;
    }) : Promise.resolve();
  }
  async #run() {
    for (; this.#waiting.length > 0; ) {
      let batch = this.#expire(this.#waiting.splice(0, MAX_BATCH2));
      try {
        await this.#commit(batch);
      } catch (error) {
        let reason2 = error instanceof StoreUnavailable ? unavailable(error) : error;
        for (let { reject } of batch) reject(reason2);
        this.#suspect = !0;
      }
    }
    this.#running = !1, this.#closing?.();
  }
  #expire(batch) {
    let oldest = this.#deps.now() - this.#deps.limits.timeoutMs;
    return batch.filter(({ since: since2, reject }) => since2 >= oldest ? !0 : (reject(
      this.#suspect ? new RegistryUnavailable("store-unavailable", 2) : new RegistryUnavailable("overloaded", 1)
    ), !1));
  }
  async #commit(batch) {
    let { ledger, store, bus, metrics, now: now2 } = this.#deps, started = now2();
    if (batch.length !== 0)
      for (; ; ) {
        this.#suspect && (await ledger.catchUp(), this.#suspect = !1);
        let { epoch, revision: base2 } = ledger.head, { entries, audit: audit2, verdicts } = this.#decideAll(batch, base2);
        if (!(entries.length > 0 ? await store.commit({ epoch, base: base2, entries, audit: audit2 }) : await this.#stands(epoch, base2))) {
          await ledger.catchUp();
          continue;
        }
        entries.length > 0 && (ledger.advance(entries), bus.publish(announcement(epoch, entries))), batch.forEach(({ resolve: resolve2 }, index) => {
          let verdict = verdicts[index];
          verdict !== void 0 && resolve2(verdict);
        }), metrics.batch(batch.length, entries.length, (now2() - started) / 1e3, audit2.length);
        return;
      }
  }
  async #stands(epoch, base2) {
    let head5 = await this.#deps.store.head();
    return head5.epoch === epoch && head5.revision === base2;
  }
  #decideAll(batch, base2) {
    let { ledger, validate } = this.#deps, state = batch.length === 1 ? ledger.view : new Draft(ledger.view), entries = [], audit2 = [], verdicts = batch.map(({ command, reject }) => {
      let revision = base2 + entries.length + 1, decision;
      try {
        decision = decide2(state, command, revision, validate);
      } catch (error) {
        return reject(error), { ok: !1, refusal: { code: "not-found", detail: "not decided" } };
      }
      if (!decision.ok) return decision;
      if (decision.changes.length === 0) return { ...decision, revision: revision - 1 };
      entries.push({ revision, at: command.at, author: command.caller.subject, changes: decision.changes });
      for (let entry of auditOf(command, [...decision.outcomes, ...decision.untold], revision)) audit2.push(entry);
      return state instanceof Draft && state.absorb(decision.changes), { ...decision, revision };
    });
    return { entries, audit: audit2, verdicts };
  }
};
function unavailable(error) {
  return new RegistryUnavailable(error.outcomeUnknown ? "outcome-unknown" : "store-unavailable", 2, { cause: error });
}
function announcement(epoch, entries) {
  let from = entries[0]?.revision ?? 0, to = entries.at(-1)?.revision ?? 0, bytes = 0;
  for (let { changes: changes2 } of entries)
    for (let change of changes2) bytes += change.op === "put" ? change.item.json.length : change.name.length;
  return bytes > ANNOUNCE_BYTES ? { epoch, from, to } : { epoch, from, to, entries };
}

// src/registry/registry.ts
var Registry2 = class {
  #loop;
  #deps;
  constructor(loop, deps) {
    this.#loop = loop, this.#deps = deps;
  }
  /**
   * Carries out a command, or says why not. Resolves once the change is durable. Rejects with `RegistryUnavailable` when
   * it cannot be decided or committed now. A dry run is the same decision on the present state, not committed (COV5).
   */
  async execute(wanted, options = {}) {
    let { ledger, validate } = this.#deps, command = this.#bounded(wanted);
    if (options.dryRun !== !0) return this.#loop.execute(command);
    if (!ledger.ready) throw new RegistryUnavailable("not-ready", 1);
    let { revision } = ledger.head, decision = decide2(ledger.view, command, revision + 1, validate);
    return decision.ok ? { ...decision, revision: decision.changes.length === 0 ? revision : revision + 1 } : decision;
  }
  /** With what its caller may change, see and use up; for those who may everything, as it is. */
  #bounded(wanted) {
    let { permitOf: permitOf2, sightOf: sightOf3, limits } = this.#deps, { caller } = wanted, sight = sightOf3(caller), permit = permitOf2(caller), held = limits !== void 0 && isHeldTo(caller);
    return permit === void 0 && sight.keys === "all" && !held ? wanted : { ...wanted, sight, ...permit !== void 0 && { permit }, ...held && { limits } };
  }
};

// src/registry/trim-history.ts
var trimHistory = ({ store, maxAgeMs, maxBytes, clock }) => store.trim({ before: clock() - maxAgeMs, maxBytes });

// src/shutdown.ts
async function shutDown(phases, timeoutMs, log) {
  let timer, timeUp = new Promise((resolve2) => {
    timer = setTimeout(() => resolve2("late"), timeoutMs);
  }), clean = !0;
  try {
    for (let { name, run } of phases) {
      log.info(`shutting down: ${name}`);
      let work = (async () => (await run(), "done"))().catch((error) => (log.error({ err: error }, `shutting down: ${name} failed`), clean = !1, "done"));
      if (await Promise.race([work, timeUp]) === "late")
        return log.error(`shutting down: ${name} is not done after ${timeoutMs} ms, the rest is cut off`), !1;
    }
  } finally {
    clearTimeout(timer);
  }
  return clean;
}
var SWEEP_MS2 = 50;
function gracefulClose(server) {
  let sockets = /* @__PURE__ */ new Set();
  function forget() {
    sockets.delete(this);
  }
  let remember = (socket) => {
    sockets.add(socket), socket.on("close", forget);
  };
  return server.on("connection", remember), server.on("secureConnection", remember), async (close, graceMs) => {
    let sweep = setInterval(() => {
      server.closeIdleConnections();
      for (let socket of sockets) socket.bytesRead === 0 && socket.destroy();
    }, SWEEP_MS2), cut2 = setTimeout(() => {
      for (let socket of sockets) socket.destroy();
    }, graceMs);
    try {
      await close();
    } finally {
      clearInterval(sweep), clearTimeout(cut2);
    }
  };
}

// src/store/embedded/embedded.ts
import { mkdirSync as mkdirSync3, realpathSync as realpathSync2 } from "node:fs";

// src/store/database.ts
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";

// src/store/generated/client.ts
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import "@prisma/client/runtime/client";

// src/store/generated/internal/class.ts
import * as runtime2 from "@prisma/client/runtime/client";
var config = {
  previewFeatures: [],
  clientVersion: "7.10.0",
  engineVersion: "0edf323efd1d98336f3f0a68684b56f689b900d3",
  activeProvider: "postgresql",
  inlineSchema: `// The store: what is true now (resource), how it became so (change_log), and where the history stands (head); who did what
// (audit_entry); and the credentials that Signalbox itself gives out (session, registration_token), of which only hashes are kept.

generator client {
  provider = "prisma-client"
  output   = "../src/store/generated"
}

datasource db {
  provider = "postgresql"
}

/// One row. Locking it inside the transaction is what makes revision order commit order.
model Head {
  id         Int    @id @default(1)
  /// Which history this is; a database restored from a backup starts a new one.
  epoch      String
  /// The revision of the last commit.
  revision   BigInt
  /// The change log holds the revisions above this one.
  trimmed    BigInt @default(0)
  /// The database in which this history was begun; a mismatch means that the database is a copy.
  birthplace String

  @@map("head")
}

model Resource {
  /// The resource's path under /v1.
  name     String @id
  kind     String
  /// The revision that last changed it.
  revision BigInt
  // json, not jsonb: always read and written whole, never searched by SQL, so parsing it in the database buys nothing.
  value    Json   @db.Json

  @@map("resource")
}

model LogEntry {
  revision BigInt   @id
  at       DateTime @db.Timestamptz(3)
  author   String
  /// Size of the encoded changes: the log is trimmed by size as well as by age.
  bytes    Int
  changes  Json     @db.Json

  @@map("change_log")
}

/// Append-only; the oldest go by retention alone.
model AuditEntry {
  id             BigInt   @id @default(autoincrement())
  at             DateTime @db.Timestamptz(3)
  /// change, refusal, login or operation
  category       String
  subject        String
  /// The name of the service account, if the subject is one.
  account        String?
  project        String?
  action         String
  /// The name of a resource.
  target         String?
  /// The service that it is about: its owners may read the entry.
  service        String?
  revisionBefore BigInt?  @map("revision_before")
  revision       BigInt?
  result         String
  address        String?
  requestId      String?  @map("request_id")
  detail         String?

  @@index([at])
  @@index([service, id])
  @@map("audit_entry")
}

/// Sessions of browsers, and sign-ins that are under way.
model Session {
  /// SHA-256 of what the cookie says, in hex.
  id        String   @id
  kind      String
  data      Json     @db.Json
  createdAt DateTime @map("created_at") @db.Timestamptz(3)
  expiresAt DateTime @map("expires_at") @db.Timestamptz(3)

  @@index([expiresAt])
  @@map("session")
}

/// A registration token opens one service, to register and renew its instances.
model RegistrationToken {
  id        String    @id
  service   String
  title     String?
  /// SHA-256 of the secret part, in hex.
  hash      String
  createdBy String    @map("created_by")
  createdAt DateTime  @map("created_at") @db.Timestamptz(3)
  expiresAt DateTime  @map("expires_at") @db.Timestamptz(3)
  revokedAt DateTime? @map("revoked_at") @db.Timestamptz(3)

  @@index([service])
  @@map("registration_token")
}
`,
  runtimeDataModel: {
    models: {},
    enums: {},
    types: {}
  },
  parameterizationSchema: {
    strings: [],
    graph: ""
  }
};
config.runtimeDataModel = JSON.parse('{"models":{"Head":{"fields":[{"name":"id","kind":"scalar","type":"Int"},{"name":"epoch","kind":"scalar","type":"String"},{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"trimmed","kind":"scalar","type":"BigInt"},{"name":"birthplace","kind":"scalar","type":"String"}],"dbName":"head","schema":null},"Resource":{"fields":[{"name":"name","kind":"scalar","type":"String"},{"name":"kind","kind":"scalar","type":"String"},{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"value","kind":"scalar","type":"Json"}],"dbName":"resource","schema":null},"LogEntry":{"fields":[{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"at","kind":"scalar","type":"DateTime"},{"name":"author","kind":"scalar","type":"String"},{"name":"bytes","kind":"scalar","type":"Int"},{"name":"changes","kind":"scalar","type":"Json"}],"dbName":"change_log","schema":null},"AuditEntry":{"fields":[{"name":"id","kind":"scalar","type":"BigInt"},{"name":"at","kind":"scalar","type":"DateTime"},{"name":"category","kind":"scalar","type":"String"},{"name":"subject","kind":"scalar","type":"String"},{"name":"account","kind":"scalar","type":"String"},{"name":"project","kind":"scalar","type":"String"},{"name":"action","kind":"scalar","type":"String"},{"name":"target","kind":"scalar","type":"String"},{"name":"service","kind":"scalar","type":"String"},{"name":"revisionBefore","kind":"scalar","type":"BigInt","dbName":"revision_before"},{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"result","kind":"scalar","type":"String"},{"name":"address","kind":"scalar","type":"String"},{"name":"requestId","kind":"scalar","type":"String","dbName":"request_id"},{"name":"detail","kind":"scalar","type":"String"}],"dbName":"audit_entry","schema":null},"Session":{"fields":[{"name":"id","kind":"scalar","type":"String"},{"name":"kind","kind":"scalar","type":"String"},{"name":"data","kind":"scalar","type":"Json"},{"name":"createdAt","kind":"scalar","type":"DateTime","dbName":"created_at"},{"name":"expiresAt","kind":"scalar","type":"DateTime","dbName":"expires_at"}],"dbName":"session","schema":null},"RegistrationToken":{"fields":[{"name":"id","kind":"scalar","type":"String"},{"name":"service","kind":"scalar","type":"String"},{"name":"title","kind":"scalar","type":"String"},{"name":"hash","kind":"scalar","type":"String"},{"name":"createdBy","kind":"scalar","type":"String","dbName":"created_by"},{"name":"createdAt","kind":"scalar","type":"DateTime","dbName":"created_at"},{"name":"expiresAt","kind":"scalar","type":"DateTime","dbName":"expires_at"},{"name":"revokedAt","kind":"scalar","type":"DateTime","dbName":"revoked_at"}],"dbName":"registration_token","schema":null}},"enums":{},"types":{}}');
config.parameterizationSchema = {
  strings: JSON.parse('["where","Head.findUnique","Head.findUniqueOrThrow","orderBy","cursor","Head.findFirst","Head.findFirstOrThrow","Head.findMany","data","Head.createOne","Head.createMany","Head.createManyAndReturn","Head.updateOne","Head.updateMany","Head.updateManyAndReturn","create","update","Head.upsertOne","Head.deleteOne","Head.deleteMany","having","_count","_avg","_sum","_min","_max","Head.groupBy","Head.aggregate","Resource.findUnique","Resource.findUniqueOrThrow","Resource.findFirst","Resource.findFirstOrThrow","Resource.findMany","Resource.createOne","Resource.createMany","Resource.createManyAndReturn","Resource.updateOne","Resource.updateMany","Resource.updateManyAndReturn","Resource.upsertOne","Resource.deleteOne","Resource.deleteMany","Resource.groupBy","Resource.aggregate","LogEntry.findUnique","LogEntry.findUniqueOrThrow","LogEntry.findFirst","LogEntry.findFirstOrThrow","LogEntry.findMany","LogEntry.createOne","LogEntry.createMany","LogEntry.createManyAndReturn","LogEntry.updateOne","LogEntry.updateMany","LogEntry.updateManyAndReturn","LogEntry.upsertOne","LogEntry.deleteOne","LogEntry.deleteMany","LogEntry.groupBy","LogEntry.aggregate","AuditEntry.findUnique","AuditEntry.findUniqueOrThrow","AuditEntry.findFirst","AuditEntry.findFirstOrThrow","AuditEntry.findMany","AuditEntry.createOne","AuditEntry.createMany","AuditEntry.createManyAndReturn","AuditEntry.updateOne","AuditEntry.updateMany","AuditEntry.updateManyAndReturn","AuditEntry.upsertOne","AuditEntry.deleteOne","AuditEntry.deleteMany","AuditEntry.groupBy","AuditEntry.aggregate","Session.findUnique","Session.findUniqueOrThrow","Session.findFirst","Session.findFirstOrThrow","Session.findMany","Session.createOne","Session.createMany","Session.createManyAndReturn","Session.updateOne","Session.updateMany","Session.updateManyAndReturn","Session.upsertOne","Session.deleteOne","Session.deleteMany","Session.groupBy","Session.aggregate","RegistrationToken.findUnique","RegistrationToken.findUniqueOrThrow","RegistrationToken.findFirst","RegistrationToken.findFirstOrThrow","RegistrationToken.findMany","RegistrationToken.createOne","RegistrationToken.createMany","RegistrationToken.createManyAndReturn","RegistrationToken.updateOne","RegistrationToken.updateMany","RegistrationToken.updateManyAndReturn","RegistrationToken.upsertOne","RegistrationToken.deleteOne","RegistrationToken.deleteMany","RegistrationToken.groupBy","RegistrationToken.aggregate","AND","OR","NOT","id","service","title","hash","createdBy","createdAt","expiresAt","revokedAt","equals","in","notIn","lt","lte","gt","gte","not","contains","startsWith","endsWith","kind","string_contains","string_starts_with","string_ends_with","array_starts_with","array_ends_with","array_contains","at","category","subject","account","project","action","target","revisionBefore","revision","result","address","requestId","detail","author","bytes","changes","name","value","epoch","trimmed","birthplace","set","increment","decrement","multiply","divide"]'),
  graph: "5gE5YAhsAADEAQAwbQAABAAQbgAAxAEAMG8CAAAAAZEBBAC6AQAhmwEBAKcBACGcAQQAugEAIZ0BAQCnAQAhAQAAAAEAIAEAAAABACAIbAAAxAEAMG0AAAQAEG4AAMQBADBvAgDAAQAhkQEEALoBACGbAQEApwEAIZwBBAC6AQAhnQEBAKcBACEAAwAAAAQAIAMAAAUAMAQAAAEAIAMAAAAEACADAAAFADAEAAABACADAAAABAAgAwAABQAwBAAAAQAgBW8CAAAAAZEBBAAAAAGbAQEAAAABnAEEAAAAAZ0BAQAAAAEBCAAACQAgBW8CAAAAAZEBBAAAAAGbAQEAAAABnAEEAAAAAZ0BAQAAAAEBCAAACwAwAQgAAAsAMAVvAgDcAQAhkQEEANUBACGbAQEAyQEAIZwBBADVAQAhnQEBAMkBACECAAAAAQAgCAAADgAgBW8CANwBACGRAQQA1QEAIZsBAQDJAQAhnAEEANUBACGdAQEAyQEAIQIAAAAEACAIAAAQACACAAAABAAgCAAAEAAgAwAAAAEAIA8AAAkAIBAAAA4AIAEAAAABACABAAAABAAgBRUAAOIBACAWAADjAQAgFwAA5gEAIBgAAOUBACAZAADkAQAgCGwAAMMBADBtAAAXABBuAADDAQAwbwIAvQEAIZEBBACxAQAhmwEBAJgBACGcAQQAsQEAIZ0BAQCYAQAhAwAAAAQAIAMAABYAMBQAABcAIAMAAAAEACADAAAFADAEAAABACAHbAAAwgEAMG0AAB0AEG4AAMIBADCCAQEApwEAIZEBBAC6AQAhmQEBAAAAAZoBAACvAQAgAQAAABoAIAEAAAAaACAHbAAAwgEAMG0AAB0AEG4AAMIBADCCAQEApwEAIZEBBAC6AQAhmQEBAKcBACGaAQAArwEAIAADAAAAHQAgAwAAHgAwBAAAGgAgAwAAAB0AIAMAAB4AMAQAABoAIAMAAAAdACADAAAeADAEAAAaACAEggEBAAAAAZEBBAAAAAGZAQEAAAABmgGAAAAAAQEIAAAiACAEggEBAAAAAZEBBAAAAAGZAQEAAAABmgGAAAAAAQEIAAAkADABCAAAJAAwBIIBAQDJAQAhkQEEANUBACGZAQEAyQEAIZoBgAAAAAECAAAAGgAgCAAAJwAgBIIBAQDJAQAhkQEEANUBACGZAQEAyQEAIZoBgAAAAAECAAAAHQAgCAAAKQAgAgAAAB0AIAgAACkAIAMAAAAaACAPAAAiACAQAAAnACABAAAAGgAgAQAAAB0AIAUVAADdAQAgFgAA3gEAIBcAAOEBACAYAADgAQAgGQAA3wEAIAdsAADBAQAwbQAAMAAQbgAAwQEAMIIBAQCYAQAhkQEEALEBACGZAQEAmAEAIZoBAACsAQAgAwAAAB0AIAMAAC8AMBQAADAAIAMAAAAdACADAAAeADAEAAAaACAIbAAAvwEAMG0AADYAEG4AAL8BADCJAUAAqQEAIZEBBAAAAAGWAQEApwEAIZcBAgDAAQAhmAEAAK8BACABAAAAMwAgAQAAADMAIAhsAAC_AQAwbQAANgAQbgAAvwEAMIkBQACpAQAhkQEEALoBACGWAQEApwEAIZcBAgDAAQAhmAEAAK8BACAAAwAAADYAIAMAADcAMAQAADMAIAMAAAA2ACADAAA3ADAEAAAzACADAAAANgAgAwAANwAwBAAAMwAgBYkBQAAAAAGRAQQAAAABlgEBAAAAAZcBAgAAAAGYAYAAAAABAQgAADsAIAWJAUAAAAABkQEEAAAAAZYBAQAAAAGXAQIAAAABmAGAAAAAAQEIAAA9ADABCAAAPQAwBYkBQADLAQAhkQEEANUBACGWAQEAyQEAIZcBAgDcAQAhmAGAAAAAAQIAAAAzACAIAABAACAFiQFAAMsBACGRAQQA1QEAIZYBAQDJAQAhlwECANwBACGYAYAAAAABAgAAADYAIAgAAEIAIAIAAAA2ACAIAABCACADAAAAMwAgDwAAOwAgEAAAQAAgAQAAADMAIAEAAAA2ACAFFQAA1wEAIBYAANgBACAXAADbAQAgGAAA2gEAIBkAANkBACAIbAAAvAEAMG0AAEkAEG4AALwBADCJAUAAmgEAIZEBBACxAQAhlgEBAJgBACGXAQIAvQEAIZgBAACsAQAgAwAAADYAIAMAAEgAMBQAAEkAIAMAAAA2ACADAAA3ADAEAAAzACASbAAAuQEAMG0AAE8AEG4AALkBADBvBAAAAAFwAQCoAQAhiQFAAKkBACGKAQEApwEAIYsBAQCnAQAhjAEBAKgBACGNAQEAqAEAIY4BAQCnAQAhjwEBAKgBACGQAQQAuwEAIZEBBAC7AQAhkgEBAKcBACGTAQEAqAEAIZQBAQCoAQAhlQEBAKgBACEBAAAATAAgAQAAAEwAIBJsAAC5AQAwbQAATwAQbgAAuQEAMG8EALoBACFwAQCoAQAhiQFAAKkBACGKAQEApwEAIYsBAQCnAQAhjAEBAKgBACGNAQEAqAEAIY4BAQCnAQAhjwEBAKgBACGQAQQAuwEAIZEBBAC7AQAhkgEBAKcBACGTAQEAqAEAIZQBAQCoAQAhlQEBAKgBACEJcAAAxQEAIIwBAADFAQAgjQEAAMUBACCPAQAAxQEAIJABAADFAQAgkQEAAMUBACCTAQAAxQEAIJQBAADFAQAglQEAAMUBACADAAAATwAgAwAAUAAwBAAATAAgAwAAAE8AIAMAAFAAMAQAAEwAIAMAAABPACADAABQADAEAABMACAPbwQAAAABcAEAAAABiQFAAAAAAYoBAQAAAAGLAQEAAAABjAEBAAAAAY0BAQAAAAGOAQEAAAABjwEBAAAAAZABBAAAAAGRAQQAAAABkgEBAAAAAZMBAQAAAAGUAQEAAAABlQEBAAAAAQEIAABUACAPbwQAAAABcAEAAAABiQFAAAAAAYoBAQAAAAGLAQEAAAABjAEBAAAAAY0BAQAAAAGOAQEAAAABjwEBAAAAAZABBAAAAAGRAQQAAAABkgEBAAAAAZMBAQAAAAGUAQEAAAABlQEBAAAAAQEIAABWADABCAAAVgAwD28EANUBACFwAQDKAQAhiQFAAMsBACGKAQEAyQEAIYsBAQDJAQAhjAEBAMoBACGNAQEAygEAIY4BAQDJAQAhjwEBAMoBACGQAQQA1gEAIZEBBADWAQAhkgEBAMkBACGTAQEAygEAIZQBAQDKAQAhlQEBAMoBACECAAAATAAgCAAAWQAgD28EANUBACFwAQDKAQAhiQFAAMsBACGKAQEAyQEAIYsBAQDJAQAhjAEBAMoBACGNAQEAygEAIY4BAQDJAQAhjwEBAMoBACGQAQQA1gEAIZEBBADWAQAhkgEBAMkBACGTAQEAygEAIZQBAQDKAQAhlQEBAMoBACECAAAATwAgCAAAWwAgAgAAAE8AIAgAAFsAIAMAAABMACAPAABUACAQAABZACABAAAATAAgAQAAAE8AIA4VAADQAQAgFgAA0QEAIBcAANQBACAYAADTAQAgGQAA0gEAIHAAAMUBACCMAQAAxQEAII0BAADFAQAgjwEAAMUBACCQAQAAxQEAIJEBAADFAQAgkwEAAMUBACCUAQAAxQEAIJUBAADFAQAgEmwAALABADBtAABiABBuAACwAQAwbwQAsQEAIXABAJkBACGJAUAAmgEAIYoBAQCYAQAhiwEBAJgBACGMAQEAmQEAIY0BAQCZAQAhjgEBAJgBACGPAQEAmQEAIZABBACyAQAhkQEEALIBACGSAQEAmAEAIZMBAQCZAQAhlAEBAJkBACGVAQEAmQEAIQMAAABPACADAABhADAUAABiACADAAAATwAgAwAAUAAwBAAATAAgCAgAAK8BACBsAACuAQAwbQAAaAAQbgAArgEAMG8BAAAAAXRAAKkBACF1QACpAQAhggEBAKcBACEBAAAAZQAgAQAAAGUAIAgIAACvAQAgbAAArgEAMG0AAGgAEG4AAK4BADBvAQCnAQAhdEAAqQEAIXVAAKkBACGCAQEApwEAIQADAAAAaAAgAwAAaQAwBAAAZQAgAwAAAGgAIAMAAGkAMAQAAGUAIAMAAABoACADAABpADAEAABlACAFCIAAAAABbwEAAAABdEAAAAABdUAAAAABggEBAAAAAQEIAABtACAFCIAAAAABbwEAAAABdEAAAAABdUAAAAABggEBAAAAAQEIAABvADABCAAAbwAwBQiAAAAAAW8BAMkBACF0QADLAQAhdUAAywEAIYIBAQDJAQAhAgAAAGUAIAgAAHIAIAUIgAAAAAFvAQDJAQAhdEAAywEAIXVAAMsBACGCAQEAyQEAIQIAAABoACAIAAB0ACACAAAAaAAgCAAAdAAgAwAAAGUAIA8AAG0AIBAAAHIAIAEAAABlACABAAAAaAAgAxUAAM0BACAYAADPAQAgGQAAzgEAIAgIAACsAQAgbAAAqwEAMG0AAHsAEG4AAKsBADBvAQCYAQAhdEAAmgEAIXVAAJoBACGCAQEAmAEAIQMAAABoACADAAB6ADAUAAB7ACADAAAAaAAgAwAAaQAwBAAAZQAgC2wAAKYBADBtAACBAQAQbgAApgEAMG8BAAAAAXABAKcBACFxAQCoAQAhcgEApwEAIXMBAKcBACF0QACpAQAhdUAAqQEAIXZAAKoBACEBAAAAfgAgAQAAAH4AIAtsAACmAQAwbQAAgQEAEG4AAKYBADBvAQCnAQAhcAEApwEAIXEBAKgBACFyAQCnAQAhcwEApwEAIXRAAKkBACF1QACpAQAhdkAAqgEAIQJxAADFAQAgdgAAxQEAIAMAAACBAQAgAwAAggEAMAQAAH4AIAMAAACBAQAgAwAAggEAMAQAAH4AIAMAAACBAQAgAwAAggEAMAQAAH4AIAhvAQAAAAFwAQAAAAFxAQAAAAFyAQAAAAFzAQAAAAF0QAAAAAF1QAAAAAF2QAAAAAEBCAAAhgEAIAhvAQAAAAFwAQAAAAFxAQAAAAFyAQAAAAFzAQAAAAF0QAAAAAF1QAAAAAF2QAAAAAEBCAAAiAEAMAEIAACIAQAwCG8BAMkBACFwAQDJAQAhcQEAygEAIXIBAMkBACFzAQDJAQAhdEAAywEAIXVAAMsBACF2QADMAQAhAgAAAH4AIAgAAIsBACAIbwEAyQEAIXABAMkBACFxAQDKAQAhcgEAyQEAIXMBAMkBACF0QADLAQAhdUAAywEAIXZAAMwBACECAAAAgQEAIAgAAI0BACACAAAAgQEAIAgAAI0BACADAAAAfgAgDwAAhgEAIBAAAIsBACABAAAAfgAgAQAAAIEBACAFFQAAxgEAIBgAAMgBACAZAADHAQAgcQAAxQEAIHYAAMUBACALbAAAlwEAMG0AAJQBABBuAACXAQAwbwEAmAEAIXABAJgBACFxAQCZAQAhcgEAmAEAIXMBAJgBACF0QACaAQAhdUAAmgEAIXZAAJsBACEDAAAAgQEAIAMAAJMBADAUAACUAQAgAwAAAIEBACADAACCAQAwBAAAfgAgC2wAAJcBADBtAACUAQAQbgAAlwEAMG8BAJgBACFwAQCYAQAhcQEAmQEAIXIBAJgBACFzAQCYAQAhdEAAmgEAIXVAAJoBACF2QACbAQAhDhUAAKABACAYAAClAQAgGQAApQEAIHcBAAAAAXgBAAAABHkBAAAABHoBAAAAAXsBAAAAAXwBAAAAAX0BAAAAAX4BAKQBACF_AQAAAAGAAQEAAAABgQEBAAAAAQ4VAACdAQAgGAAAowEAIBkAAKMBACB3AQAAAAF4AQAAAAV5AQAAAAV6AQAAAAF7AQAAAAF8AQAAAAF9AQAAAAF-AQCiAQAhfwEAAAABgAEBAAAAAYEBAQAAAAELFQAAoAEAIBgAAKEBACAZAAChAQAgd0AAAAABeEAAAAAEeUAAAAAEekAAAAABe0AAAAABfEAAAAABfUAAAAABfkAAnwEAIQsVAACdAQAgGAAAngEAIBkAAJ4BACB3QAAAAAF4QAAAAAV5QAAAAAV6QAAAAAF7QAAAAAF8QAAAAAF9QAAAAAF-QACcAQAhCxUAAJ0BACAYAACeAQAgGQAAngEAIHdAAAAAAXhAAAAABXlAAAAABXpAAAAAAXtAAAAAAXxAAAAAAX1AAAAAAX5AAJwBACEIdwIAAAABeAIAAAAFeQIAAAAFegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAnQEAIQh3QAAAAAF4QAAAAAV5QAAAAAV6QAAAAAF7QAAAAAF8QAAAAAF9QAAAAAF-QACeAQAhCxUAAKABACAYAAChAQAgGQAAoQEAIHdAAAAAAXhAAAAABHlAAAAABHpAAAAAAXtAAAAAAXxAAAAAAX1AAAAAAX5AAJ8BACEIdwIAAAABeAIAAAAEeQIAAAAEegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAoAEAIQh3QAAAAAF4QAAAAAR5QAAAAAR6QAAAAAF7QAAAAAF8QAAAAAF9QAAAAAF-QAChAQAhDhUAAJ0BACAYAACjAQAgGQAAowEAIHcBAAAAAXgBAAAABXkBAAAABXoBAAAAAXsBAAAAAXwBAAAAAX0BAAAAAX4BAKIBACF_AQAAAAGAAQEAAAABgQEBAAAAAQt3AQAAAAF4AQAAAAV5AQAAAAV6AQAAAAF7AQAAAAF8AQAAAAF9AQAAAAF-AQCjAQAhfwEAAAABgAEBAAAAAYEBAQAAAAEOFQAAoAEAIBgAAKUBACAZAAClAQAgdwEAAAABeAEAAAAEeQEAAAAEegEAAAABewEAAAABfAEAAAABfQEAAAABfgEApAEAIX8BAAAAAYABAQAAAAGBAQEAAAABC3cBAAAAAXgBAAAABHkBAAAABHoBAAAAAXsBAAAAAXwBAAAAAX0BAAAAAX4BAKUBACF_AQAAAAGAAQEAAAABgQEBAAAAAQtsAACmAQAwbQAAgQEAEG4AAKYBADBvAQCnAQAhcAEApwEAIXEBAKgBACFyAQCnAQAhcwEApwEAIXRAAKkBACF1QACpAQAhdkAAqgEAIQt3AQAAAAF4AQAAAAR5AQAAAAR6AQAAAAF7AQAAAAF8AQAAAAF9AQAAAAF-AQClAQAhfwEAAAABgAEBAAAAAYEBAQAAAAELdwEAAAABeAEAAAAFeQEAAAAFegEAAAABewEAAAABfAEAAAABfQEAAAABfgEAowEAIX8BAAAAAYABAQAAAAGBAQEAAAABCHdAAAAAAXhAAAAABHlAAAAABHpAAAAAAXtAAAAAAXxAAAAAAX1AAAAAAX5AAKEBACEId0AAAAABeEAAAAAFeUAAAAAFekAAAAABe0AAAAABfEAAAAABfUAAAAABfkAAngEAIQgIAACsAQAgbAAAqwEAMG0AAHsAEG4AAKsBADBvAQCYAQAhdEAAmgEAIXVAAJoBACGCAQEAmAEAIQ8VAACgAQAgGAAArQEAIBkAAK0BACB3gAAAAAF6gAAAAAF7gAAAAAF8gAAAAAF9gAAAAAF-gAAAAAGDAQEAAAABhAEBAAAAAYUBAQAAAAGGAYAAAAABhwGAAAAAAYgBgAAAAAEMd4AAAAABeoAAAAABe4AAAAABfIAAAAABfYAAAAABfoAAAAABgwEBAAAAAYQBAQAAAAGFAQEAAAABhgGAAAAAAYcBgAAAAAGIAYAAAAABCAgAAK8BACBsAACuAQAwbQAAaAAQbgAArgEAMG8BAKcBACF0QACpAQAhdUAAqQEAIYIBAQCnAQAhDHeAAAAAAXqAAAAAAXuAAAAAAXyAAAAAAX2AAAAAAX6AAAAAAYMBAQAAAAGEAQEAAAABhQEBAAAAAYYBgAAAAAGHAYAAAAABiAGAAAAAARJsAACwAQAwbQAAYgAQbgAAsAEAMG8EALEBACFwAQCZAQAhiQFAAJoBACGKAQEAmAEAIYsBAQCYAQAhjAEBAJkBACGNAQEAmQEAIY4BAQCYAQAhjwEBAJkBACGQAQQAsgEAIZEBBACyAQAhkgEBAJgBACGTAQEAmQEAIZQBAQCZAQAhlQEBAJkBACENFQAAoAEAIBYAALcBACAXAAC4AQAgGAAAuAEAIBkAALgBACB3BAAAAAF4BAAAAAR5BAAAAAR6BAAAAAF7BAAAAAF8BAAAAAF9BAAAAAF-BAC2AQAhDRUAAJ0BACAWAAC0AQAgFwAAtQEAIBgAALUBACAZAAC1AQAgdwQAAAABeAQAAAAFeQQAAAAFegQAAAABewQAAAABfAQAAAABfQQAAAABfgQAswEAIQ0VAACdAQAgFgAAtAEAIBcAALUBACAYAAC1AQAgGQAAtQEAIHcEAAAAAXgEAAAABXkEAAAABXoEAAAAAXsEAAAAAXwEAAAAAX0EAAAAAX4EALMBACEIdwgAAAABeAgAAAAFeQgAAAAFeggAAAABewgAAAABfAgAAAABfQgAAAABfggAtAEAIQh3BAAAAAF4BAAAAAV5BAAAAAV6BAAAAAF7BAAAAAF8BAAAAAF9BAAAAAF-BAC1AQAhDRUAAKABACAWAAC3AQAgFwAAuAEAIBgAALgBACAZAAC4AQAgdwQAAAABeAQAAAAEeQQAAAAEegQAAAABewQAAAABfAQAAAABfQQAAAABfgQAtgEAIQh3CAAAAAF4CAAAAAR5CAAAAAR6CAAAAAF7CAAAAAF8CAAAAAF9CAAAAAF-CAC3AQAhCHcEAAAAAXgEAAAABHkEAAAABHoEAAAAAXsEAAAAAXwEAAAAAX0EAAAAAX4EALgBACESbAAAuQEAMG0AAE8AEG4AALkBADBvBAC6AQAhcAEAqAEAIYkBQACpAQAhigEBAKcBACGLAQEApwEAIYwBAQCoAQAhjQEBAKgBACGOAQEApwEAIY8BAQCoAQAhkAEEALsBACGRAQQAuwEAIZIBAQCnAQAhkwEBAKgBACGUAQEAqAEAIZUBAQCoAQAhCHcEAAAAAXgEAAAABHkEAAAABHoEAAAAAXsEAAAAAXwEAAAAAX0EAAAAAX4EALgBACEIdwQAAAABeAQAAAAFeQQAAAAFegQAAAABewQAAAABfAQAAAABfQQAAAABfgQAtQEAIQhsAAC8AQAwbQAASQAQbgAAvAEAMIkBQACaAQAhkQEEALEBACGWAQEAmAEAIZcBAgC9AQAhmAEAAKwBACANFQAAoAEAIBYAALcBACAXAACgAQAgGAAAoAEAIBkAAKABACB3AgAAAAF4AgAAAAR5AgAAAAR6AgAAAAF7AgAAAAF8AgAAAAF9AgAAAAF-AgC-AQAhDRUAAKABACAWAAC3AQAgFwAAoAEAIBgAAKABACAZAACgAQAgdwIAAAABeAIAAAAEeQIAAAAEegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAvgEAIQhsAAC_AQAwbQAANgAQbgAAvwEAMIkBQACpAQAhkQEEALoBACGWAQEApwEAIZcBAgDAAQAhmAEAAK8BACAIdwIAAAABeAIAAAAEeQIAAAAEegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAoAEAIQdsAADBAQAwbQAAMAAQbgAAwQEAMIIBAQCYAQAhkQEEALEBACGZAQEAmAEAIZoBAACsAQAgB2wAAMIBADBtAAAdABBuAADCAQAwggEBAKcBACGRAQQAugEAIZkBAQCnAQAhmgEAAK8BACAIbAAAwwEAMG0AABcAEG4AAMMBADBvAgC9AQAhkQEEALEBACGbAQEAmAEAIZwBBACxAQAhnQEBAJgBACEIbAAAxAEAMG0AAAQAEG4AAMQBADBvAgDAAQAhkQEEALoBACGbAQEApwEAIZwBBAC6AQAhnQEBAKcBACEAAAAAAZ4BAQAAAAEBngEBAAAAAQGeAUAAAAABAZ4BQAAAAAEAAAAAAAAAAAWeAQQAAAABnwEEAAAAAaABBAAAAAGhAQQAAAABogEEAAAAAQWeAQQAAAABnwEEAAAAAaABBAAAAAGhAQQAAAABogEEAAAAAQAAAAAABZ4BAgAAAAGfAQIAAAABoAECAAAAAaEBAgAAAAGiAQIAAAABAAAAAAAAAAAAAAAAAAAFFQAGFgAHFwAIGAAJGQAKAAAAAAAFFQAGFgAHFwAIGAAJGQAKAAAABRUAEBYAERcAEhgAExkAFAAAAAAABRUAEBYAERcAEhgAExkAFAAAAAUVABoWABsXABwYAB0ZAB4AAAAAAAUVABoWABsXABwYAB0ZAB4AAAAFFQAkFgAlFwAmGAAnGQAoAAAAAAAFFQAkFgAlFwAmGAAnGQAoAAAAAxUALhgALxkAMAAAAAMVAC4YAC8ZADAAAAADFQA2GAA3GQA4AAAAAxUANhgANxkAOAECAQIDAQUGAQYHAQcIAQkKAQoMAgsNAwwPAQ0RAg4SBBETARIUARMVAhoYBRsZCxwbDB0cDB4fDB8gDCAhDCEjDCIlAiMmDSQoDCUqAiYrDicsDCgtDCkuAioxDysyFSw0Fi01Fi44Fi85FjA6FjE8FjI-AjM_FzRBFjVDAjZEGDdFFjhGFjlHAjpKGTtLHzxNID1OID5RID9SIEBTIEFVIEJXAkNYIURaIEVcAkZdIkdeIEhfIElgAkpjI0tkKUxmKk1nKk5qKk9rKlBsKlFuKlJwAlNxK1RzKlV1AlZ2LFd3Klh4Kll5Alp8LVt9MVx_Ml2AATJegwEyX4QBMmCFATJhhwEyYokBAmOKATNkjAEyZY4BAmaPATRnkAEyaJEBMmmSAQJqlQE1a5YBOQ"
};
async function decodeBase64AsWasm(wasmBase64) {
  let { Buffer: Buffer2 } = await import("node:buffer"), wasmArray = Buffer2.from(wasmBase64, "base64");
  return new WebAssembly.Module(wasmArray);
}
config.compilerWasm = {
  getRuntime: async () => await import("@prisma/client/runtime/query_compiler_fast_bg.postgresql.mjs"),
  getQueryCompilerWasmModule: async () => {
    let { wasm } = await import("@prisma/client/runtime/query_compiler_fast_bg.postgresql.wasm-base64.mjs");
    return await decodeBase64AsWasm(wasm);
  },
  importName: "./query_compiler_fast_bg.js"
};
function getPrismaClientClass() {
  return runtime2.getPrismaClient(config);
}

// src/store/generated/internal/prismaNamespace.ts
import * as runtime3 from "@prisma/client/runtime/client";
var getExtensionContext = runtime3.Extensions.getExtensionContext;
var NullTypes2 = {
  DbNull: runtime3.NullTypes.DbNull,
  JsonNull: runtime3.NullTypes.JsonNull,
  AnyNull: runtime3.NullTypes.AnyNull
};
var TransactionIsolationLevel = runtime3.makeStrictEnum({
  ReadUncommitted: "ReadUncommitted",
  ReadCommitted: "ReadCommitted",
  RepeatableRead: "RepeatableRead",
  Serializable: "Serializable"
});
var defineExtension = runtime3.Extensions.defineExtension;

// src/store/generated/client.ts
globalThis.__dirname = path.dirname(fileURLToPath(import.meta.url));
var PrismaClient = getPrismaClientClass();

// src/store/database.ts
var silent = { info: () => {
}, warn: () => {
} };
async function openDatabase(pool) {
  try {
    let { rows } = await pool.query("SELECT current_schema() AS schema"), adapter = new PrismaPg(pool, { schema: rows[0]?.schema ?? "public" });
    return { pool, prisma: new PrismaClient({ adapter, errorFormat: "minimal" }) };
  } catch (error) {
    throw await pool.end(), error;
  }
}
async function closeDatabase({ pool, prisma }) {
  await prisma.$disconnect(), await pool.end();
}
function createPool(config2, onError) {
  let pool = new pg.Pool({ application_name: "signalbox", ...config2 });
  return pool.on("error", onError), pool.on("connect", (client) => client.on("error", () => {
  })), pool;
}
async function withClient(pool, use) {
  let client = await pool.connect(), failed3 = !0;
  try {
    let result = await use(client);
    return failed3 = !1, result;
  } finally {
    client.release(failed3);
  }
}
function wholeNumber(value) {
  return BigInt(Math.trunc(Math.min(value, Number.MAX_SAFE_INTEGER)));
}
function storable(text2) {
  return text2.includes("\0") ? text2.replaceAll("\0", "�") : text2;
}

// src/store/epoch.ts
import { randomUUID as randomUUID3 } from "node:crypto";

// src/store/migrate.ts
import { createHash as createHash8, randomUUID as randomUUID2 } from "node:crypto";
import { existsSync as existsSync2 } from "node:fs";
import { readFile as readFile2, readdir } from "node:fs/promises";
import { dirname as dirname2, join as join3 } from "node:path";
import { fileURLToPath as fileURLToPath2 } from "node:url";
async function migrate(pool, dir, log) {
  let migrations = await readMigrations(dir), client = await pool.connect(), applied2 = [];
  try {
    for (; ; ) {
      let name = await applyNext(client, migrations);
      if (name === void 0) break;
      log?.info(`applied migration ${name}`), applied2.push(name);
    }
    let unknown = await recordedButAbsent(client, migrations);
    unknown.length > 0 && log?.warn(`the database has migrations that this version of Signalbox does not know: ${unknown.join(", ")}`);
  } finally {
    client.release();
  }
  return applied2;
}
var MigrationError = class extends Error {
  name = "MigrationError";
};
function migrationsDir() {
  let dir = dirname2(fileURLToPath2(import.meta.url));
  for (; !existsSync2(join3(dir, "package.json")); ) {
    let parent = dirname2(dir);
    if (parent === dir)
      throw new MigrationError("no package.json above the running program: cannot find its migrations");
    dir = parent;
  }
  return join3(dir, "prisma", "migrations");
}
async function readMigrations(dir) {
  let names2 = (await readdir(dir, { withFileTypes: !0 })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return names2.sort(), Promise.all(
    names2.map(async (name) => ({ name, sql: await readFile2(join3(dir, name, "migration.sql"), "utf8") }))
  );
}
var LOCK = "SELECT pg_advisory_xact_lock(72707369)", LOCK_WAIT = "60s";
async function applyNext(client, migrations) {
  await client.query("BEGIN");
  try {
    await lock(client);
    let history = await readHistory(client);
    refuseIfUnsound(history, migrations);
    let done = new Set(history.map((row) => row.migration_name)), next = migrations.find((migration) => !done.has(migration.name));
    return next && await apply3(client, next), await client.query("COMMIT"), next?.name;
  } catch (error) {
    throw await client.query("ROLLBACK").catch(() => {
    }), error;
  }
}
async function lock(client) {
  await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`);
  try {
    await client.query(LOCK);
  } catch (error) {
    throw codeOf(error) !== "55P03" ? error : new MigrationError(`another process has been migrating this database for more than ${LOCK_WAIT}`, {
      cause: error
    });
  }
}
async function apply3(client, { name, sql }) {
  await client.query(CREATE_HISTORY);
  let id2 = randomUUID2();
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, applied_steps_count)
     VALUES ($1, $2, $3, clock_timestamp(), 1)`,
    [id2, checksum2(sql), name]
  );
  try {
    await client.query(sql);
  } catch (error) {
    throw new MigrationError(`migration ${name} failed and was rolled back: ${messageOf(error)}`, { cause: error });
  }
  await client.query("UPDATE _prisma_migrations SET finished_at = clock_timestamp() WHERE id = $1", [id2]);
}
async function readHistory(client) {
  return (await client.query(
    "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present"
  )).rows[0]?.present ? (await client.query(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`
  )).rows : [];
}
async function recordedButAbsent(client, migrations) {
  let known2 = new Set(migrations.map((migration) => migration.name));
  return (await readHistory(client)).map((row) => row.migration_name).filter((name) => !known2.has(name));
}
function refuseIfUnsound(history, migrations) {
  let byName = new Map(migrations.map((migration) => [migration.name, migration]));
  for (let row of history) {
    if (!row.finished)
      throw new MigrationError(
        `migration ${row.migration_name} is recorded as started but not finished: bring the database to a known state, then mark it with \`prisma migrate resolve --applied\` or \`--rolled-back\``
      );
    let migration = byName.get(row.migration_name);
    if (migration && !matches2(migration.sql, row.checksum))
      throw new MigrationError(
        `migration ${row.migration_name} was edited after it was applied to this database: restore the file, and put the change into a new migration`
      );
  }
}
function checksum2(sql) {
  return createHash8("sha256").update(sql).digest("hex");
}
function matches2(sql, recorded) {
  let unix = sql.replaceAll(`\r
`, `
`);
  return [sql, unix, unix.replaceAll(`
`, `\r
`)].some((text2) => checksum2(text2) === recorded);
}
function codeOf(error) {
  return typeof error == "object" && error !== null && "code" in error ? error.code : void 0;
}
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
var CREATE_HISTORY = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)`;

// src/store/failure.ts
async function guarded(what, run) {
  try {
    return await run();
  } catch (error) {
    throw storeError(what, error);
  }
}
function storeError(what, error, outcomeUnknown = !1) {
  return error instanceof StoreUnavailable || !isAway2(error) ? error : new StoreUnavailable(`${what}: ${messageOf2(error)}`, { cause: error, outcomeUnknown });
}
function wasRolledBack(error) {
  return answerOf(error)?.severity === "ERROR";
}
function sqlStateOf(error) {
  return answerOf(error)?.code;
}
function messageOf2(error) {
  let { message, code, errors: errors2 } = fieldsOf2(error);
  return typeof message == "string" && message !== "" ? message : Array.isArray(errors2) && errors2.length > 0 ? messageOf2(errors2[0]) : typeof code == "string" ? code : String(error);
}
var AWAY2 = new RegExp(
  [
    "^08",
    // connection exception
    "^25006$",
    // read-only: a standby, or a primary that was demoted
    "^28",
    // the role may not connect any more
    "^3D000$",
    // the database is gone: dropped, to be restored
    "^40001$|^40P01$|^55P03$",
    // serialization failure, deadlock, lock not available
    "^42P01$",
    // our tables existed when the store was opened: somebody is restoring the database
    "^53",
    // out of connections, memory, disk
    "^55000$",
    // recovery is in progress
    "^57",
    // shutting down, starting up, cancelled, statement timeout
    "^58"
    // input/output errors
  ].join("|")
), AWAY_KINDS = /* @__PURE__ */ new Set([
  "DatabaseNotReachable",
  "ConnectionClosed",
  "SocketTimeout",
  "TlsConnectionError"
]), FILE_CALLS = /* @__PURE__ */ new Set(["open", "stat", "scandir"]), BUGS = /* @__PURE__ */ new Set(["TypeError", "RangeError", "ReferenceError", "SyntaxError", "AssertionError"]);
function isAway2(error) {
  let answer5 = answerOf(error);
  if (answer5) return AWAY2.test(answer5.code);
  if (error instanceof MigrationError) return error.cause !== void 0 && isAway2(error.cause);
  let { name, syscall } = fieldsOf2(error);
  return typeof name == "string" && name.startsWith("Prisma") ? AWAY_KINDS.has(driverCause(error).kind) : !BUGS.has(name) && !FILE_CALLS.has(syscall);
}
function answerOf(error) {
  let { code, severity } = fieldsOf2(error);
  if (typeof code == "string" && typeof severity == "string") return { code, severity };
  let cause = driverCause(error), original = cause.originalCode;
  return typeof original == "string" ? { code: original, severity: cause.severity } : void 0;
}
function driverCause(error) {
  return fieldsOf2(fieldsOf2(fieldsOf2(fieldsOf2(error).meta).driverAdapterError).cause);
}
function fieldsOf2(value) {
  return typeof value == "object" && value !== null ? value : {};
}

// src/store/epoch.ts
var PARTS = [
  "(SELECT system_identifier::text FROM pg_control_system())",
  // Not pg_control_checkpoint(): after a promotion it tells the old timeline until the next checkpoint.
  "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)",
  "(SELECT oid::text FROM pg_database WHERE datname = current_database())"
];
async function birthplaceExpression({ pool }) {
  let parts = [];
  for (let part of PARTS) parts.push(await isAllowed(pool, part) ? part : "'?'");
  return `concat_ws('/', ${parts.join(", ")})`;
}
var REFUSALS2 = /* @__PURE__ */ new Set(["42501", "42883", "0A000"]);
async function isAllowed(pool, expression) {
  try {
    return await pool.query(`SELECT ${expression}`), !0;
  } catch (error) {
    if (REFUSALS2.has(sqlStateOf(error))) return !1;
    throw error;
  }
}
async function ensureHead(db, birthplace) {
  await db.pool.query(
    `INSERT INTO head (id, epoch, revision, trimmed, birthplace) SELECT 1, $1, 0, 0, ${birthplace}
      WHERE NOT EXISTS (SELECT FROM change_log) AND NOT EXISTS (SELECT FROM resource)
     ON CONFLICT DO NOTHING`,
    [randomUUID3()]
  );
}
async function renewEpochIfMoved(client, birthplace, log) {
  let { rows } = await client.query(
    `SELECT birthplace AS was, ${birthplace} AS is FROM head WHERE id = 1`
  ), [head5] = rows;
  if (!head5 || head5.was === head5.is) return;
  (await client.query(
    `UPDATE head SET epoch = $1, birthplace = ${birthplace} WHERE id = 1 AND birthplace = $2`,
    [randomUUID3(), head5.was]
  )).rowCount === 1 && log.warn(
    `the database was restored, copied or failed over (its history began in ${head5.was}, this is ${head5.is}): a new epoch begins, and every watcher starts over`
  );
}
async function newEpoch({ prisma }) {
  await prisma.head.updateMany({ where: { id: 1 }, data: { epoch: randomUUID3() } });
}

// src/store/array.ts
var textArray = (texts2) => strings(25, texts2), jsonArray = (texts2) => strings(114, texts2);
function int4Array(numbers) {
  let buffer = allocate(23, numbers.length, numbers.length * 8), at2 = 20;
  for (let number of numbers)
    buffer.writeInt32BE(4, at2), buffer.writeInt32BE(number, at2 + 4), at2 += 8;
  return buffer;
}
var int8Array = (numbers) => words(20, numbers);
function timestampArray(times) {
  return words(
    1184,
    times.map((time4) => Math.trunc(time4 - 9466848e5) * 1e3)
  );
}
function strings(type, texts2) {
  let size2 = 0, bytes = 0, last;
  for (let text2 of texts2)
    text2 !== last && (bytes = text2 === void 0 ? 0 : Buffer.byteLength(text2)), last = text2, size2 += 4 + bytes;
  let buffer = allocate(type, texts2.length, size2), at2 = 20, from = 0, to = 0;
  last = void 0;
  for (let text2 of texts2)
    text2 === void 0 ? at2 = writeNull(buffer, at2) : text2 === last ? (buffer.copyWithin(at2, from, to), at2 += to - from) : (from = at2, at2 = to = at2 + 4 + buffer.write(text2, at2 + 4), buffer.writeInt32BE(to - from - 4, from), last = text2);
  return buffer;
}
function words(type, numbers) {
  let buffer = allocate(type, numbers.length, numbers.length * 12), at2 = 20;
  for (let number of numbers) {
    if (number === void 0) {
      at2 = writeNull(buffer, at2);
      continue;
    }
    let high = Math.floor(number / 4294967296);
    buffer.writeInt32BE(8, at2), buffer.writeInt32BE(high, at2 + 4), buffer.writeUInt32BE(number - high * 4294967296, at2 + 8), at2 += 12;
  }
  return buffer.subarray(0, at2);
}
function writeNull(buffer, at2) {
  return buffer.writeInt32BE(-1, at2), buffer.writeInt32BE(1, 4), at2 + 4;
}
function allocate(type, length, size2) {
  let buffer = Buffer.allocUnsafe(20 + size2);
  return buffer.writeInt32BE(1, 0), buffer.writeInt32BE(0, 4), buffer.writeInt32BE(type, 8), buffer.writeInt32BE(length, 12), buffer.writeInt32BE(1, 16), buffer;
}

// src/store/audit.ts
var COLUMNS = {
  at: "timestamptz",
  category: "text",
  subject: "text",
  account: "text",
  project: "text",
  action: "text",
  target: "text",
  service: "text",
  revision_before: "bigint",
  revision: "bigint",
  result: "text",
  address: "text",
  request_id: "text",
  detail: "text"
}, NAMES = Object.keys(COLUMNS).join(", "), insertAudit = (first) => `INSERT INTO audit_entry (${NAMES})
  SELECT ${Object.values(COLUMNS).map((type, i) => `unnest($${first + i}::${type}[])`).join(", ")}`;
function auditValues(entries) {
  let texts2 = (field) => textArray(entries.map(({ [field]: text2 }) => text2 === void 0 ? void 0 : storable(text2)));
  return [
    timestampArray(entries.map((entry) => entry.at)),
    texts2("category"),
    texts2("subject"),
    texts2("account"),
    texts2("project"),
    texts2("action"),
    texts2("target"),
    texts2("service"),
    int8Array(entries.map((entry) => entry.before)),
    int8Array(entries.map((entry) => entry.after)),
    texts2("result"),
    texts2("address"),
    texts2("requestId"),
    texts2("detail")
  ];
}
var APPEND = insertAudit(1);
async function appendAudit({ pool }, entries) {
  entries.length !== 0 && await withClient(pool, (client) => client.query({ text: APPEND, values: auditValues(entries) }));
}
async function readAudit({ pool }, filter, page2) {
  let query = auditQuery(filter, page2), { rows } = await withClient(pool, (client) => client.query(query));
  return rows.map(entryOf);
}
function auditQuery(filter, { before, limit: limit2 }) {
  let { category, subject, account, project, action, target, result, services, from, to } = filter, values = [], conditions = [], where = (condition, value) => {
    value !== void 0 && (values.push(value), conditions.push(condition(`$${values.length}`)));
  };
  for (let [column, text3] of Object.entries({ category, subject, account, project, action, target, result }))
    where((p) => `${column} = ${p}`, text3 === void 0 ? void 0 : storable(text3));
  where((p) => `service = ANY (${p}::text[])`, services === void 0 ? void 0 : textArray(services.map(storable))), where((p) => `at >= ${p}`, from === void 0 ? void 0 : new Date(from)), where((p) => `at < ${p}`, to === void 0 ? void 0 : new Date(to)), where((p) => `at <= ${p}`, before && new Date(before.at));
  let filtered = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`, ofLast = before === void 0 ? "" : ` OFFSET ${Math.trunc(before.given)}`;
  return { text: `SELECT ${NAMES} FROM audit_entry ${filtered} ORDER BY at DESC, id LIMIT ${Math.trunc(limit2)}${ofLast}`, values };
}
function entryOf(row) {
  let { at: at2, category, subject, action, result } = row;
  return {
    at: at2.getTime(),
    category,
    subject,
    ...row.account !== null && { account: row.account },
    ...row.project !== null && { project: row.project },
    action,
    ...row.target !== null && { target: row.target },
    ...row.service !== null && { service: row.service },
    ...row.revision_before !== null && { before: Number(row.revision_before) },
    ...row.revision !== null && { after: Number(row.revision) },
    result,
    ...row.address !== null && { address: row.address },
    ...row.request_id !== null && { requestId: row.request_id },
    ...row.detail !== null && { detail: row.detail }
  };
}
var STEP = 1e3;
async function trimAudit({ prisma }, before) {
  let gone = 0;
  for (; ; ) {
    let count3 = await prisma.$executeRaw`
      DELETE FROM audit_entry
       WHERE id IN (SELECT id FROM audit_entry WHERE at < ${new Date(before)} ORDER BY at LIMIT ${STEP})`;
    if (gone += count3, count3 < STEP) return gone;
  }
}

// src/store/commit.ts
var PUT = `
WITH moved AS (
  UPDATE head SET revision = $3 WHERE id = 1 AND epoch = $1 AND revision = $2 RETURNING 1
), put AS (
  INSERT INTO resource (name, kind, revision, value)
  SELECT r.name, r.kind, r.revision, r.value
    FROM moved, unnest($4::text[], $5::text[], $6::bigint[], $7::json[]) AS r (name, kind, revision, value)
  ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, value = excluded.value
)`, remove3 = (first) => `, removed AS (
  DELETE FROM resource USING moved WHERE name = ANY ($${first}::text[])
)`, AUDIT = `, audited AS (
  ${insertAudit(12)} FROM moved
)`, APPEND2 = `
INSERT INTO change_log (revision, at, author, bytes, changes)
SELECT $2::bigint + e.place, e.at, e.author, e.bytes, e.changes
  FROM moved, unnest($8::timestamptz[], $9::text[], $10::int[], $11::json[])
              WITH ORDINALITY AS e (at, author, bytes, changes, place)`;
async function commit(db, batch) {
  let query = encode5(batch), sent = !1;
  try {
    return (await withClient(db.pool, (client) => (sent = !0, client.query(query)))).rowCount === batch.entries.length;
  } catch (error) {
    throw storeError("commit", error, sent && !wasRolledBack(error));
  }
}
function encode5({ epoch, base: base2, entries, audit: audit2 = [] }) {
  if (entries.length === 0) throw new RangeError("a batch holds at least one entry");
  let { items, gone } = lastStates(entries.flatMap((entry) => entry.changes)), changes2 = entries.map((entry) => encodeChanges(entry.changes));
  entries.forEach((entry, i) => {
    if (entry.revision !== base2 + 1 + i) throw new RangeError(`revision ${entry.revision} at place ${i} above ${base2}`);
  });
  let values = [
    epoch,
    base2,
    base2 + entries.length,
    textArray(items.map((item) => item.name)),
    textArray(items.map((item) => item.kind)),
    int8Array(items.map((item) => item.revision)),
    jsonArray(items.map((item) => item.json)),
    timestampArray(entries.map((entry) => entry.at)),
    textArray(entries.map((entry) => storable(entry.author))),
    int4Array(changes2.map((text3) => Buffer.byteLength(text3))),
    jsonArray(changes2)
  ], audited = audit2.length > 0 ? AUDIT : "";
  return audit2.length > 0 && values.push(...auditValues(audit2)), gone.length === 0 ? { text: PUT + audited + APPEND2, values, name: audited === "" ? "commit" : "commit audited" } : { text: PUT + audited + remove3(values.length + 1) + APPEND2, values: [...values, textArray(gone)] };
}
function lastStates(changes2) {
  let last = /* @__PURE__ */ new Map();
  for (let change of changes2) last.set(changeName(change), change);
  let items = [], gone = [];
  for (let [name, change] of last)
    change.op === "put" ? items.push(change.item) : gone.push(name);
  return { items, gone };
}

// src/store/log.ts
async function changesSince({ prisma }, revision, limit2) {
  return (await prisma.$queryRaw`
    SELECT revision, at, author, changes::text AS changes
      FROM (SELECT *, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto,
                   row_number() OVER (ORDER BY revision) AS place
              FROM (SELECT * FROM change_log
                     WHERE revision > ${wholeNumber(revision)}
                     ORDER BY revision LIMIT ${wholeNumber(Math.max(1, limit2.entries))}) AS above) AS measured
     WHERE place = 1 OR upto <= ${wholeNumber(limit2.bytes)}
     ORDER BY revision`).map((row) => ({
    revision: Number(row.revision),
    at: row.at.getTime(),
    author: row.author,
    changes: decodeChanges(JSON.parse(row.changes))
  }));
}

// src/store/head.ts
async function readHead({ prisma }) {
  let row = await prisma.head.findUnique({ where: { id: 1 } });
  return row ? headOf2(row) : noHead();
}
function headOf2({ epoch, revision, trimmed }) {
  return { epoch, revision: Number(revision), trimmed: Number(trimmed) };
}
function noHead() {
  throw new StoreUnavailable("the database holds no head: is it being restored?");
}

// src/store/load.ts
var PAGE3 = 1e3;
async function load({ pool }) {
  return withClient(pool, async (client) => {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    let found = await client.query("SELECT epoch, revision, trimmed FROM head WHERE id = 1"), head5 = found.rows[0] ? headOf2(found.rows[0]) : noHead(), items = await readItems(client);
    return await client.query("COMMIT"), { head: head5, items };
  });
}
async function readItems(client) {
  await client.query("DECLARE resources NO SCROLL CURSOR FOR SELECT value::text FROM resource");
  let items = [];
  for (; ; ) {
    let page2 = await client.query({ text: `FETCH ${PAGE3} FROM resources`, rowMode: "array" });
    for (let [json2] of page2.rows) items.push(makeItem(JSON.parse(json2), json2));
    if (page2.rows.length < PAGE3) return items;
  }
}

// src/store/registration-tokens.ts
var COLUMNS2 = "id, service, title, hash, created_by, created_at, expires_at, revoked_at", LOCK2 = 1534223719;
function registrationTokens(db) {
  let query = async (text2, values) => (await db.pool.query(text2, [...values])).rows.map(tokenOf);
  return {
    insert: (token, limit2, since2 = 0) => guarded("insert a registration token", () => insert(db, token, limit2, since2)),
    find: (ids) => guarded(
      "find registration tokens",
      () => query(`SELECT ${COLUMNS2} FROM registration_token WHERE id = ANY ($1::text[])`, [ids])
    ),
    list: (service, { limit: limit2, since: since2 = 0, after }) => guarded(
      "list registration tokens",
      () => query(
        `SELECT ${COLUMNS2} FROM registration_token
            WHERE service = $1 AND (created_at, id) > ($2::timestamptz, $3::text) AND created_at >= $5::timestamptz
            ORDER BY created_at, id LIMIT $4`,
        [service, new Date(after?.createdAt ?? 0), after?.id ?? "", limit2, new Date(since2)]
      )
    ),
    revoke: (service, id2, at2) => guarded("revoke a registration token", async () => {
      let [token] = await query(
        `UPDATE registration_token SET revoked_at = coalesce(revoked_at, $3)
            WHERE id = $2 AND service = $1 RETURNING ${COLUMNS2}`,
        [service, id2, new Date(at2)]
      );
      return token;
    }),
    deleteEnded: (before) => guarded("delete registration tokens", async () => (await db.pool.query("DELETE FROM registration_token WHERE least(expires_at, revoked_at) < $1", [new Date(before)])).rowCount ?? 0)
  };
}
function insert({ pool }, token, limit2, since2) {
  let { id: id2, service, title: title2, hash: hash2, createdBy: createdBy2, createdAt, expiresAt, revokedAt } = token, created = new Date(createdAt), revoked = revokedAt === void 0 ? null : new Date(revokedAt);
  return withClient(pool, async (client) => {
    await client.query("BEGIN"), await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [LOCK2, service]);
    let { rows } = await client.query(
      `SELECT count(*) AS live FROM registration_token
        WHERE service = $1 AND revoked_at IS NULL AND expires_at > $2 AND created_at >= $3`,
      [service, created, new Date(since2)]
    ), fits2 = Number(rows[0]?.live) < limit2;
    return fits2 && await client.query(`INSERT INTO registration_token (${COLUMNS2}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [
      id2,
      service,
      title2 ?? null,
      hash2,
      storable(createdBy2),
      created,
      new Date(expiresAt),
      revoked
    ]), await client.query("COMMIT"), fits2;
  });
}
function tokenOf(row) {
  let { id: id2, service, title: title2, hash: hash2, created_by: createdBy2, created_at, expires_at, revoked_at } = row;
  return {
    id: id2,
    service,
    ...title2 !== null && { title: title2 },
    hash: hash2,
    createdBy: createdBy2,
    createdAt: created_at.getTime(),
    expiresAt: expires_at.getTime(),
    ...revoked_at !== null && { revokedAt: revoked_at.getTime() }
  };
}

// src/store/sessions.ts
var read6 = ({ id: id2, kind, data, createdAt, expiresAt }) => ({
  id: id2,
  kind,
  data,
  createdAt: createdAt.getTime(),
  expiresAt: expiresAt.getTime()
});
function sessionRows({ prisma }) {
  return {
    insert: ({ id: id2, kind, data, createdAt, expiresAt }) => guarded("write a session", async () => await prisma.$executeRaw`
          INSERT INTO session (id, kind, data, created_at, expires_at)
          VALUES (${id2}, ${kind}, ${JSON.stringify(data)}::json, ${new Date(createdAt)}, ${new Date(expiresAt)})
          ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, data = excluded.data,
                 created_at = excluded.created_at, expires_at = excluded.expires_at
           WHERE session.expires_at <= excluded.created_at` > 0),
    read: (ids) => guarded("read a session", async () => (await prisma.session.findMany({ where: { id: { in: [...ids] } } })).map(read6)),
    update: (id2, { data, expiresAt }) => guarded("write a session", async () => {
      let { count: count3 } = await prisma.session.updateMany({
        where: { id: id2 },
        data: {
          ...data !== void 0 && { data },
          ...expiresAt !== void 0 && { expiresAt: new Date(expiresAt) }
        }
      });
      return count3 > 0;
    }),
    take: (id2) => guarded("end a session", async () => {
      let [row] = await prisma.$queryRaw`
          DELETE FROM session WHERE id = ${id2}
          RETURNING id, kind, data, created_at AS "createdAt", expires_at AS "expiresAt"`;
      return row && read6(row);
    }),
    removeExpired: (before) => guarded("remove old sessions", async () => {
      let { count: count3 } = await prisma.session.deleteMany({ where: { expiresAt: { lte: new Date(before) } } });
      return count3;
    })
  };
}

// src/store/trim.ts
var STEP_ENTRIES = 1e3, STEP_BYTES = 16 * 1024 * 1024;
async function trim(db, policy) {
  let last = await lastToGo(db, policy);
  if (last !== void 0)
    for (; ; ) {
      let trimmed = await step(db, last);
      if (trimmed === void 0 || trimmed >= last) return;
    }
}
async function lastToGo({ prisma }, { before, maxBytes }) {
  return (await prisma.$queryRaw`
    SELECT least(newest - 1, greatest(
             coalesce((SELECT revision FROM change_log WHERE at >= ${new Date(before)} ORDER BY revision LIMIT 1) - 1, newest),
             (SELECT revision
                FROM (SELECT revision, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto
                        FROM change_log) AS measured
               WHERE excess > 0 AND upto >= excess ORDER BY revision LIMIT 1))) AS last
      FROM (SELECT max(revision) AS newest, sum(bytes) - ${wholeNumber(maxBytes)} AS excess FROM change_log) AS log`)[0]?.last ?? void 0;
}
async function step({ prisma }, last) {
  return (await prisma.$queryRaw`
    WITH bound AS (
      SELECT max(revision) AS revision
        FROM (SELECT revision, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto,
                     row_number() OVER (ORDER BY revision) AS place
                FROM (SELECT revision, bytes FROM change_log
                       WHERE revision <= ${last} ORDER BY revision LIMIT ${STEP_ENTRIES}) AS oldest) AS measured
       WHERE place = 1 OR upto <= ${STEP_BYTES}
    ), gone AS (
      DELETE FROM change_log WHERE revision <= (SELECT revision FROM bound) RETURNING revision
    )
    UPDATE head SET trimmed = (SELECT revision FROM bound)
     WHERE id = 1 AND trimmed < (SELECT revision FROM bound) AND (SELECT count(*) FROM gone) >= 0
    RETURNING trimmed`)[0]?.trimmed;
}

// src/store/store.ts
function createStore(db) {
  let closed2;
  return {
    head: () => guarded("read the head", () => readHead(db)),
    load: () => guarded("load the catalog", () => load(db)),
    changesSince: (revision, limit2) => guarded("read the change log", () => changesSince(db, revision, limit2)),
    commit: (batch) => commit(db, batch),
    trim: (policy) => guarded("trim the change log", async () => (await trim(db, policy), readHead(db))),
    appendAudit: (entries) => guarded("write the audit", () => appendAudit(db, entries)),
    readAudit: (filter, page2) => guarded("read the audit", () => readAudit(db, filter, page2)),
    trimAudit: (before) => guarded("trim the audit", () => trimAudit(db, before)),
    newEpoch: () => guarded("begin a new epoch", async () => (await newEpoch(db), readHead(db))),
    registrationTokens: registrationTokens(db),
    sessions: sessionRows(db),
    close: () => closed2 ??= closeDatabase(db)
  };
}

// src/store/embedded/data-directory.ts
import { existsSync as existsSync3, mkdirSync as mkdirSync2, readFileSync as readFileSync3, renameSync as renameSync2, rmSync } from "node:fs";
import { join as join4 } from "node:path";

// src/store/embedded/server.ts
import { Worker } from "node:worker_threads";

// src/store/embedded/worker-stream.ts
import { Duplex } from "node:stream";
var WorkerStream = class extends Duplex {
  #session;
  constructor(session2) {
    super(), this.#session = session2;
  }
  connect() {
    let error = this.#session.open();
    return process.nextTick(() => error ? this.destroy(error) : this.emit("connect")), this;
  }
  receive(bytes) {
    this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
  receiveEnd() {
    this.push(null);
  }
  _read() {
  }
  _write(chunk, _encoding, callback2) {
    this.#session.data(new Uint8Array(chunk)), callback2();
  }
  _writev(chunks, callback2) {
    this.#session.data(new Uint8Array(Buffer.concat(chunks.map(({ chunk }) => chunk)))), callback2();
  }
  _final(callback2) {
    this.#session.end(), callback2();
  }
  _destroy(error, callback2) {
    this.#session.end(), this.#session.closed(), callback2(error);
  }
  setNoDelay() {
    return this;
  }
  setKeepAlive() {
    return this;
  }
  ref() {
    return this;
  }
  unref() {
    return this;
  }
};

// src/store/embedded/server.ts
var OPEN_MS = 12e4, CLOSE_MS = 1e4, PING_EVERY_MS = 5e3, PINGS_UNANSWERED = 12;
async function createDataDir(dataDir) {
  let worker = startWorker({ dataDir, task: "create" }), ended = new Promise((resolve2) => worker.once("exit", resolve2));
  await untilReady(worker, dataDir), await ended;
}
async function startServer(dataDir, onFatal) {
  let worker = startWorker({ dataDir, task: "serve" });
  await untilReady(worker, dataDir);
  let streams = /* @__PURE__ */ new Map(), send2 = (message) => worker.postMessage(message, []), lastSession = 0, closing = !1, dead, unanswered = 0, die = (error) => {
    if (!(dead || closing)) {
      dead = error, clearInterval(watchdog);
      for (let stream of streams.values()) stream.destroy(error);
      onFatal(error);
    }
  }, watchdog = setInterval(() => {
    if (unanswered === PINGS_UNANSWERED) {
      die(new Error("the embedded database does not answer any more")), worker.terminate();
      return;
    }
    unanswered++, send2({ type: "ping" });
  }, PING_EVERY_MS);
  return watchdog.unref(), worker.on("message", (message) => {
    message.type === "data" ? streams.get(message.session)?.receive(message.bytes) : message.type === "ended" ? streams.get(message.session)?.receiveEnd() : message.type === "pong" ? unanswered = 0 : message.type === "failed" && die(new Error(`the embedded database crashed: ${message.message}`));
  }), worker.on("error", (error) => die(new Error(`the embedded database crashed: ${error.message}`, { cause: error }))), worker.on("exit", (code) => die(new Error(`the embedded database ended by itself (code ${code})`))), {
    connect: () => {
      let session2 = ++lastSession, stream = new WorkerStream({
        open: () => (dead || send2({ type: "open", session: session2 }), dead),
        data: (bytes) => send2({ type: "data", session: session2, bytes }),
        end: () => send2({ type: "end", session: session2 }),
        closed: () => streams.delete(session2)
      });
      return streams.set(session2, stream), stream;
    },
    close: async () => {
      if (closing || dead) return;
      closing = !0, clearInterval(watchdog);
      let ended = new Promise((resolve2) => worker.once("exit", resolve2));
      send2({ type: "close" });
      let timer = setTimeout(() => {
        worker.terminate();
      }, CLOSE_MS);
      await ended, clearTimeout(timer);
    }
  };
}
function startWorker(workerData) {
  let options = { workerData, name: "embedded database", execArgv: [] };
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./worker.js", import.meta.url), options);
  let loader = JSON.stringify(import.meta.resolve("tsx/esm/api")), entry = JSON.stringify(new URL("./worker.ts", import.meta.url).href), bootstrap = `import(${loader}).then((tsx) => { tsx.register(); return import(${entry}); })`;
  return new Worker(bootstrap, { ...options, eval: !0 });
}
function untilReady(worker, dataDir) {
  return new Promise((resolve2, reject) => {
    let timer = setTimeout(() => done(new Error(`it was not ready after ${OPEN_MS / 1e3} s`)), OPEN_MS), onMessage = (message) => {
      message.type === "ready" ? done() : message.type === "failed" && done(new Error(message.message));
    }, onExit = (code) => done(new Error(`its thread ended with code ${code}`)), done = (error) => {
      if (clearTimeout(timer), worker.off("message", onMessage).off("exit", onExit).off("error", done), !error) return resolve2();
      worker.on("error", () => {
      }), worker.terminate(), reject(new Error(`cannot open the database in ${dataDir}: ${error.message}`, { cause: error }));
    };
    worker.on("message", onMessage).on("exit", onExit).on("error", done);
  });
}

// src/store/embedded/data-directory.ts
var POSTGRES_MAJOR = 18;
async function ensureDataDirectory(dir) {
  let data = join4(dir, "database");
  return existsSync3(data) || await create3(data), refuseOtherVersions(data), data;
}
async function create3(data) {
  let unfinished = `${data}.new`;
  rmSync(unfinished, { recursive: !0, force: !0 }), mkdirSync2(unfinished, { mode: 448 }), await createDataDir(unfinished), renameSync2(unfinished, data);
}
function refuseOtherVersions(data) {
  let file = join4(data, "PG_VERSION"), found = existsSync3(file) ? readFileSync3(file, "utf8").trim() : void 0;
  if (found !== String(POSTGRES_MAJOR))
    throw found === void 0 ? new Error(`${data} is not a database: it has no PG_VERSION. Restore it from a backup, or move it away`) : new Error(
      `the database in ${data} was made by PostgreSQL ${found}, and this version of Signalbox contains PostgreSQL ${POSTGRES_MAJOR}: export the catalog with the version that made it and apply it here, or move the directory away`
    );
}

// src/store/embedded/directory-lock.ts
import { randomBytes as randomBytes3 } from "node:crypto";
import { mkdtempSync, readdirSync, realpathSync, renameSync as renameSync3, rmSync as rmSync2, symlinkSync } from "node:fs";
import { connect as connect2, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join as join5 } from "node:path";
import { setTimeout as sleep2 } from "node:timers/promises";
var DirectoryInUse = class extends Error {
  name = "DirectoryInUse";
}, NAME3 = /^lock-[0-9a-f]+\.sock$/, HELD = "held", WAITING = "waiting", ANSWER_MS2 = 2e3, WAIT_MS2 = 1e4, LOOK_AGAIN_MS2 = 20;
async function lockDirectory(directory) {
  let dir = realpathSync(directory), id2 = randomBytes3(8).toString("hex"), name = `lock-${id2}.sock`, state = WAITING, server = createServer((socket) => {
    socket.on("error", () => {
    }), socket.end(state, () => socket.destroy());
  });
  await listen(server, dir, `new-${id2}.sock`);
  let release2 = async () => {
    rmSync2(join5(dir, name), { force: !0 }), await new Promise((resolve2) => server.close(resolve2));
  };
  try {
    renameSync3(join5(dir, `new-${id2}.sock`), join5(dir, name)), await untilAlone(dir, name);
  } catch (error) {
    throw await release2(), error;
  }
  return state = HELD, { release: release2 };
}
async function untilAlone(dir, own2) {
  let giveUp2 = performance.now() + WAIT_MS2;
  for (; ; ) {
    let rivals = await livingRivals(dir, own2);
    if (rivals.length === 0) return;
    if (performance.now() > giveUp2 || rivals.some(({ name, state }) => state !== WAITING || name < own2))
      throw new DirectoryInUse(
        `the data directory ${dir} is in use by another Signalbox process: stop that one, or give this one a directory of its own (DATA_DIR), or run both on one PostgreSQL (DATABASE_URL)`
      );
    await sleep2(LOOK_AGAIN_MS2);
  }
}
async function livingRivals(dir, own2) {
  let names2 = readdirSync(dir).filter((name) => NAME3.test(name) && name !== own2), found = await Promise.all(names2.map(async (name) => ({ name, state: await ask(dir, name) })));
  for (let { name, state } of found) state === DEAD && rmSync2(join5(dir, name), { force: !0 });
  return found.filter(({ state }) => state !== DEAD);
}
var DEAD = "dead", SILENT = "silent";
function ask(dir, name) {
  return withShortPath(
    dir,
    name,
    (path2) => new Promise((resolve2) => {
      let answer5 = "", socket = connect2(path2), done = (state) => {
        socket.destroy(), resolve2(state);
      };
      socket.setTimeout(ANSWER_MS2, () => done(SILENT)), socket.on("data", (data) => answer5 += data.toString()), socket.on("end", () => done(answer5 || SILENT)), socket.on("error", (error) => {
        done(error.code === "ECONNREFUSED" || error.code === "ENOENT" ? DEAD : SILENT);
      });
    })
  );
}
function listen(server, dir, name) {
  return withShortPath(
    dir,
    name,
    (path2) => new Promise((resolve2, reject) => {
      server.once("error", (error) => {
        let message = `cannot put a lock into ${dir}: ${error.message}. It has to be on a local file system`;
        reject(new Error(message, { cause: error }));
      }), server.listen(path2, resolve2), server.unref();
    })
  );
}
var LONGEST_PATH = 100;
async function withShortPath(dir, name, use) {
  let path2 = join5(dir, name);
  if (Buffer.byteLength(path2) <= LONGEST_PATH) return use(path2);
  let temporary = mkdtempSync(join5(tmpdir(), "signalbox-"));
  try {
    return symlinkSync(dir, join5(temporary, "d")), await use(join5(temporary, "d", name));
  } finally {
    rmSync2(temporary, { recursive: !0, force: !0 });
  }
}

// src/store/embedded/embedded.ts
var STATEMENT_MS = 3e4;
async function openEmbedded(options) {
  let { dir, log = silent } = options, onFatal = options.onFatal ?? ((error) => log.warn(error.message));
  mkdirSync3(dir, { recursive: !0, mode: 448 });
  let lock2 = await lockDirectory(dir);
  try {
    let data = await ensureDataDirectory(realpathSync2(dir)), server = await startServer(data, onFatal);
    try {
      let db = await openOver(server, log), store = withUpkeep(createStore(db), db), closed2, close = async () => {
        await store.close(), await server.close(), await lock2.release();
      };
      return { ...store, close: () => closed2 ??= close() };
    } catch (error) {
      throw await server.close(), error;
    }
  } catch (error) {
    throw await lock2.release(), error;
  }
}
function openOver(server, log) {
  let pool = createPool(
    {
      user: "postgres",
      database: "postgres",
      stream: () => server.connect(),
      // PGlite is one session: a second connection would share its transactions and its statements.
      max: 1,
      connectionTimeoutMillis: STATEMENT_MS,
      query_timeout: STATEMENT_MS,
      idleTimeoutMillis: 0
    },
    (error) => log.warn(`the connection to the embedded database broke: ${error.message}`)
  );
  return guarded("open the embedded database", async () => {
    let db = await openDatabase(pool);
    try {
      await migrate(pool, migrationsDir(), log);
      let birthplace = await birthplaceExpression(db);
      return await ensureHead(db, birthplace), await renewEpochIfMoved(pool, birthplace, log), db;
    } catch (error) {
      throw await closeDatabase(db), error;
    }
  });
}
function withUpkeep(store, { pool }) {
  return { ...store, trim: async (policy) => {
    let before = await store.head(), after = await store.trim(policy);
    return after.trimmed > before.trimmed && await guarded("vacuum", async () => {
      await pool.query("VACUUM change_log"), await pool.query("VACUUM resource");
    }), after;
  } };
}

// src/store/postgres.ts
var CONNECT_MS = 3e3, GRACE_MS = 1e3, POOL_SIZE = 5;
async function openPostgres(options) {
  let { url: url2, log = silent, statementTimeoutMs = 1e4 } = options, onError = options.onError ?? ((error) => log.warn(`an idle database connection broke: ${error.message}`)), connection = {
    connectionString: url2,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: !0,
    keepAliveInitialDelayMillis: 5e3
  };
  return guarded("open the database", async () => {
    await migrateAlone(connection, log, onError);
    let birthplace, pool = createPool(
      {
        ...connection,
        statement_timeout: statementTimeoutMs,
        idle_in_transaction_session_timeout: statementTimeoutMs,
        query_timeout: statementTimeoutMs + GRACE_MS,
        max: POOL_SIZE,
        min: 1,
        // Not only when the store is opened: behind one address, a standby can take over from a primary at any time.
        // oxlint-disable-next-line typescript/no-misused-promises -- pg-pool waits for it; its types do not say so.
        onConnect: async (client) => {
          await client.query("SET TIME ZONE 'UTC'"), birthplace !== void 0 && await renewEpochIfMoved(client, birthplace, log);
        }
      },
      onError
    ), db = await openDatabase(pool);
    try {
      let expression = await birthplaceExpression(db);
      await ensureHead(db, expression), await renewEpochIfMoved(pool, expression, log), await warnIfNotDurable(pool, log), birthplace = expression;
    } catch (error) {
      throw await closeDatabase(db), error;
    }
    return createStore(db);
  });
}
async function migrateAlone(connection, log, onError) {
  let pool = createPool({ ...connection, max: 1 }, onError);
  try {
    await migrate(pool, migrationsDir(), log);
  } finally {
    await pool.end();
  }
}
async function warnIfNotDurable(pool, log) {
  let { rows } = await pool.query(
    "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'"
  );
  for (let { name } of rows)
    log.warn(`the server runs with ${name} = off: acknowledged writes can be lost in a crash`);
}

// src/main.ts
var WARM_UP = { entries: 2e3, bytes: 16 * 1024 * 1024 }, TRIM_PAUSE_MS = 6e4, TIDY_PAUSE_MS = 36e5, AUDIT_PAUSE_MS = 250, AUDIT_LIMITS = { perWindow: 10, windowMs: 6e4, maxSorts: 500, maxWaiting: 1e4 }, DRAIN_SPREAD_MS = 2e3, LAG_PERIOD_MS = 50, TLS_RELOAD_MS = 2e3, now = () => performance.now();
async function main() {
  let loaded = loadConfig(process.env, { isTTY: process.stdout.isTTY });
  if (!loaded.ok) {
    for (let error of loaded.errors) process.stderr.write(`${error}
`);
    process.exitCode = 2;
    return;
  }
  let { config: config2 } = loaded, { log, written: written3 } = createLog(config2);
  for (let warning2 of loaded.warnings) log.warn(warning2);
  try {
    await start(config2, log, written3);
  } catch (error) {
    let remedy = remedyFor(error, config2), message = `Signalbox could not start: ${remedy ?? (error instanceof Error ? error.message : String(error))}`;
    remedy === void 0 ? log.fatal({ err: error }, message) : log.fatal(message), process.stderr.write(`${message}
`), process.exit(1);
  }
}
function remedyFor(error, { host, port: port2, databaseUrl }) {
  if (!(error instanceof Error)) return;
  if (error.name === "DirectoryInUse") return error.message;
  if (error instanceof StoreUnavailable && databaseUrl !== void 0)
    return `${error.message}. Is the server there that DATABASE_URL names?`;
  let { code, syscall } = error;
  if (syscall === "listen")
    return code === "EADDRINUSE" ? `another program listens on ${host}:${port2}. Stop it, or set another PORT.` : `${error.message}. Set another PORT, or another HOST.`;
}
async function start(config2, log, written3) {
  let startedAt = now(), version = packageVersion(), metrics = createMetrics(), store = await openStore(config2, log, (error) => {
    log.fatal({ err: error }, "the embedded database has failed; this process ends and can be started again"), process.exit(70);
  });
  if (config2.newEpoch) {
    let { epoch } = await store.newEpoch();
    log.warn({ epoch }, "NEW_EPOCH is set: a new history begins with this start, and every client starts over");
  }
  let bus = openBus(config2, log), tail = new Tail(store), lag = new LagMeter(LAG_PERIOD_MS), settings = rateLimitsOf(config2), limits = settings && new RateLimits({ settings, now, lag: () => lag.lag, refused: metrics.turnedAway }), hub = new Hub({
    tail,
    store,
    limits: {
      maxQueuedBytes: config2.watchMaxQueuedBytes,
      maxSubscriptions: config2.watchMaxSubscriptions,
      maxSockets: config2.watchMaxSockets,
      heartbeatMs: config2.watchHeartbeat,
      stallTimeoutMs: config2.watchStallTimeout,
      ringBytes: config2.historyMemoryBytes,
      ...config2.projectMaxSubscriptions !== "off" && { maxProjectSubscriptions: config2.projectMaxSubscriptions }
    },
    ...limits !== void 0 && { gate: frameGateOf(limits) },
    metrics: metrics.hub,
    log,
    now,
    clock: Date.now,
    random: Math.random
  }), loop = new CommitLoop({
    store,
    ledger: tail,
    bus,
    validate: validateResource,
    limits: { maxPending: config2.writeMaxPending, timeoutMs: config2.writeTimeout },
    metrics: metrics.commit,
    now
  }), registry = new Registry2(loop, {
    ledger: tail,
    validate: validateResource,
    permitOf,
    sightOf: sightOf2,
    limits: projectLimitsOf(config2)
  }), egress = createEgress({
    // Development mode is on loopback, and so are the instances. Elsewhere it is where others' secrets are.
    allowLoopback: config2.oidcIssuers === void 0,
    deny: config2.egressDeny ?? [],
    ...config2.egressAllow !== void 0 && { allow: config2.egressAllow }
  }), prober = createProber({ egress, now }), monitor = new Monitor({
    registry,
    view: () => tail.view,
    prober,
    limits: {
      enabled: config2.healthChecks === "on",
      concurrency: config2.checkConcurrency,
      guard: {
        min: config2.evictionGuardMin,
        share: config2.evictionGuardShare / 100,
        windowMs: config2.evictionGuardWindow,
        holdMs: config2.evictionGuardHold
      }
    },
    metrics: metrics.health,
    log,
    now,
    clock: Date.now,
    random: Math.random
  }), instances = new InstanceDesk({
    registry,
    leases: monitor,
    validate: {
      registration: validateRegistration,
      instanceOverride: validateInstanceOverride,
      regionOverride: validateRegionOverride
    },
    deniedAddress: (address) => isIP6(address) === 0 ? void 0 : egress.check(address),
    mustBeInCatalog: config2.registration === "catalog",
    clock: Date.now
  });
  metrics.watch({ tail, hub, loop, monitor });
  let audit2 = new AuditWriter({
    store,
    limits: AUDIT_LIMITS,
    metrics: metrics.audit,
    log,
    now,
    clock: Date.now
  }), people = composeAccess({ config: config2, rows: store.sessions, state: tail, log, audit: audit2 }), registrationTokens2 = new RegistrationTokens({
    find: (ids) => store.registrationTokens.find(ids),
    clock: Date.now,
    now
  }), tokenDesk = new TokenDesk({
    store: store.registrationTokens,
    onRevoked: (id2) => registrationTokens2.revoked(id2),
    random: (bytes) => randomBytes4(bytes).toString("hex"),
    clock: Date.now
  }), certificates = config2.tlsClientCa === void 0 ? void 0 : new Certificates(Date.now), tls2 = await openTls(config2, log, certificates), app = await buildApp({
    config: config2,
    access: {
      ...people.access,
      registrationTokens: registrationTokens2,
      ...certificates !== void 0 && { certificates }
    },
    ...tls2 !== void 0 && { tls: tls2.options },
    ...limits !== void 0 && { limits },
    registry,
    state: tail,
    log: hub.history,
    instances,
    monitoring: monitor,
    feed: hub,
    audit: audit2,
    logger: log,
    metrics: metrics.registry,
    clock: Date.now,
    version,
    plugins: [
      watchRoute({
        hub,
        registrar: registrarOf2({ instances, monitoring: monitor, state: tail, audit: audit2, log }),
        log,
        maxFrameBytes: config2.watchMaxFrameBytes
      }),
      subscribersRoute(hub),
      registrationTokenRoutes({
        desk: tokenDesk,
        state: tail,
        maxLifeMs: config2.registrationTokenMaxAge,
        clock: Date.now,
        audit: audit2
      }),
      auditRoute({ store, state: tail, clock: Date.now }),
      ...people.plugins
    ]
  }), finish = gracefulClose(app.server);
  await app.listen({ host: config2.host, port: config2.port, backlog: config2.listenBacklog }), await people.listening(originOf(app.server.address(), tls2 !== void 0)), await tail.open(async () => {
    await hub.start(WARM_UP), tail.listen(hub), tail.listen(monitor), monitor.start();
  });
  let away = reportOutages(log, metrics.storeErrors, monitor);
  tail.follow(bus, away.failed);
  let failed3 = (error) => log.error({ err: error }, "a background job failed; it will run again"), trim2 = () => trimHistory({ store, maxAgeMs: config2.historyMaxAge, maxBytes: config2.historyMaxBytes, clock: Date.now }).then(
    (head5) => tail.trimmed(head5),
    away.failed
  ), tidyTokens = () => tokenDesk.tidy().catch(away.failed), trimAudit2 = () => store.trimAudit(Date.now() - config2.auditRetention).then(() => {
  }, away.failed);
  trim2().then(trimAudit2).catch(failed3), tidyTokens().catch(failed3);
  let jobs = [
    ...people.jobs.map(({ pauseMs, run }) => every(pauseMs, run, failed3)),
    ...tls2 === void 0 ? [] : [every(TLS_RELOAD_MS, () => tls2.reload(app.server), failed3)],
    ...limits === void 0 ? [] : [every(LAG_PERIOD_MS, () => lag.tick(now()), failed3)],
    every(config2.tailInterval, () => tail.catchUp().then(away.worked, away.failed), failed3),
    every(TRIM_PAUSE_MS, () => trim2().then(trimAudit2), failed3),
    every(AUDIT_PAUSE_MS, () => audit2.flush(), failed3),
    every(TIDY_PAUSE_MS, tidyTokens, failed3),
    every(config2.watchHeartbeat / HEARTBEAT_SLICES, () => hub.heartbeat(), failed3),
    every(TICK_MS, () => monitor.tick(), failed3)
  ];
  banner(config2, app.server.address(), log, {
    version,
    ms: Math.round(now() - startedAt),
    resources: tail.view.size,
    hints: people.hints()
  });
  let stopping = !1, stop = (reason2, code) => {
    if (stopping) return;
    stopping = !0, log.info(`shutting down: ${reason2}`), shutDown([
      {
        name: "checks stop, and leases stand still",
        run: () => {
          monitor.stop(), prober.close();
        }
      },
      { name: "watchers are told to move", run: () => hub.drain(DRAIN_SPREAD_MS) },
      {
        name: "no new connections, requests under way are answered",
        // Half of the time is for the phases that follow.
        run: () => finish(() => app.close(), config2.shutdownTimeout / 2)
      },
      { name: "writes that wait are committed", run: () => loop.close() },
      { name: "background jobs stop", run: () => Promise.all(jobs.map((job) => job.stop())).then(() => {
      }) },
      { name: "the audit is written", run: () => audit2.close() },
      {
        name: "bus and database are closed",
        run: () => Promise.all([bus.close(), store.close()]).then(() => {
        })
      }
    ], config2.shutdownTimeout, log).then(async (clean) => {
      await written3(), process.exit(clean ? code : 1);
    });
  };
  for (let signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop(`received ${signal}`, 0));
}
function openStore(config2, log, onFatal) {
  let storeLog = { info: (m) => log.info(m), warn: (m) => log.warn(m) };
  return config2.databaseUrl === void 0 ? openEmbedded({ dir: config2.dataDir, log: storeLog, onFatal }) : openPostgres({ url: config2.databaseUrl, log: storeLog });
}
async function openTls(config2, log, clients2) {
  let { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa } = config2;
  if (cert === void 0 || key === void 0) return;
  let paths = { cert, key, ...clientCa !== void 0 && { clientCa } };
  return TlsFiles.open(paths, { log, onClientCa: () => clients2?.replaced() });
}
function openBus(config2, log) {
  return config2.redisUrl === void 0 ? new InProcessNetwork().join() : openRedisBus({ url: config2.redisUrl, log });
}
function reportOutages(log, errors2, monitor) {
  let out = !1;
  return {
    failed: (error) => {
      errors2.inc(), out || log.error({ err: error }, "the database is away: reads and watches go on, writes answer 503"), out = !0, monitor.storeAway();
    },
    worked: () => {
      out && log.info("the database is back"), out = !1, monitor.storeBack();
    }
  };
}
function packageVersion() {
  let file = new URL("../package.json", import.meta.url);
  return JSON.parse(readFileSync4(file, "utf8")).version;
}
process.argv[1] !== void 0 && import.meta.url === pathToFileURL(process.argv[1]).href && await main();
