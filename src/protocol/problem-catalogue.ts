interface ProblemType {
  readonly status: number;
  readonly title: string;
  /** When it happens and what to do, for docs/problems.md and for the page behind the `type`. */
  readonly meaning: string;
}

/** Every problem that Signalbox answers. The code is the last part of `type` and never changes. */
export const PROBLEMS = {
  invalid: {
    status: 400,
    title: 'The request is not valid',
    meaning:
      'A body, parameter or header does not have the form it must have. `errors` says for each what is wrong and what would be right. Mend it; sending it again changes nothing.',
  },
  'malformed-body': {
    status: 400,
    title: 'The body cannot be read',
    meaning:
      'The body is not the JSON, NDJSON or YAML that its Content-Type says. The detail says where reading stopped.',
  },
  'malformed-request': {
    status: 400,
    title: 'The request cannot be read',
    meaning: 'The request is not HTTP as RFC 9110 and RFC 9112 describe it, or its URL is not properly encoded.',
  },
  unauthenticated: {
    status: 401,
    title: 'Who is calling is not known',
    meaning:
      'The request carries no token, and needs one: send `Authorization: Bearer TOKEN`. An access token comes from one of the issuers in OIDC_ISSUERS. Browsers log in at `/login`; their session has ended, or never began.',
  },
  'invalid-token': {
    status: 401,
    title: 'The token is not accepted',
    meaning:
      'The token is malformed, has expired, is of another issuer or for another audience, or its signature is not right, or it is a registration token that was revoked; the detail says which. Get a new one from whoever gave it out.',
  },
  'invalid-certificate': {
    status: 401,
    title: 'The client certificate is not accepted',
    meaning:
      'The certificate that was shown in the TLS handshake is not of an authority in TLS_CLIENT_CA, has expired, or names nobody; the detail says which. Connect with another one, with none, or with a token in Authorization.',
  },
  forbidden: {
    status: 403,
    title: 'The caller may not do this',
    meaning:
      'docs/access.md says who may do what. In development mode only programs on the same machine are answered: the connection, the Host header and, from a browser, the Origin header all have to be loopback (localhost, 127.0.0.1, [::1]).',
  },
  'cross-site': {
    status: 403,
    title: 'The request may be the wish of another page',
    meaning:
      "A request with a session cookie has to come from a page of Signalbox itself, by its Origin (or Sec-Fetch-Site), and one that changes something has to carry the session's `csrf` of `/v1/whoami` in X-Signalbox-CSRF. Programs send a token instead of a cookie. docs/access.md says more.",
  },
  'not-found': {
    status: 404,
    title: 'There is no such resource',
    meaning: 'The resource does not exist at the revision in X-Signalbox-Revision, or the caller may not see it.',
  },
  'unknown-path': {
    status: 404,
    title: 'Nothing lives at this path',
    meaning: 'No route has this path. `/` lists what is where; `/openapi.json` has all of it.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The path does not take this method',
    meaning: 'The Allow header lists the methods that the path takes.',
  },
  'not-acceptable': {
    status: 406,
    title: 'The answer has none of the accepted forms',
    meaning: 'The Accept header names no media type that the route can answer; the detail lists those it can.',
  },
  timeout: {
    status: 408,
    title: 'The request did not arrive in time',
    meaning:
      'Headers and body have to arrive within REQUEST_TIMEOUT. Nothing was done: send it again, over a new connection. A node that stood still may say so of a request that waited for it.',
  },
  conflict: {
    status: 409,
    title: 'The change would break a rule',
    meaning:
      'The catalog as it would be after the change breaks rules of docs/rules.md. `violations` lists every one: `code`, `rule`, `resource`, where it applies `importer`, `importerVersion`, `imported`, `importedVersion` and `region`, a `message`, and a `fix`: the request that would mend it. Nothing was changed.',
  },
  'too-many-tokens': {
    status: 409,
    title: 'The service has too many registration tokens',
    meaning:
      'So many registration tokens of the service are neither revoked nor expired that no other is made. Revoke one that is no longer used; `GET /v1/services/{service}/registration-tokens` lists them.',
  },
  'quota-exceeded': {
    status: 409,
    title: 'The project holds as much as it may',
    meaning:
      'PROJECT_MAX_SERVICES, PROJECT_MAX_INSTANCES or PROJECT_MAX_SUBSCRIPTIONS is reached; the detail names the limit and what is there. Nothing was changed. Remove what is not needed, or have the operator raise the setting.',
  },
  'start-over': {
    status: 410,
    title: 'The position is not in the log',
    meaning:
      'The history after `since` cannot be told: it was trimmed, belongs to another epoch, or lies ahead of the log (`reason`: `trimmed`, `epoch`, `future`), or who waited is told something else now (`access`, `fenced`; openapi/PUSH.md). Read the state anew and go on from `head`.',
  },
  'precondition-failed': {
    status: 412,
    title: 'The resource is not as the request expects',
    meaning:
      'If-Match or If-None-Match does not hold. `revision`, where there is one, is what the resource has now: read it, decide again, and send the new ETag.',
  },
  'too-large': {
    status: 413,
    title: 'The body is too large',
    meaning: 'BODY_MAX_BYTES bounds the body of one resource, APPLY_MAX_BYTES that of `/v1/apply`.',
  },
  'uri-too-long': {
    status: 414,
    title: 'The URL is too long',
    meaning: 'A URL has at most 8,192 characters and each part of its path at most 300.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body has a form that the route does not take',
    meaning: 'The detail lists the Content-Types that the route takes. Compressed bodies are not taken.',
  },
  'upgrade-required': {
    status: 426,
    title: 'The path is a WebSocket',
    meaning:
      '`/v1/watch` is a WebSocket: connect with the subprotocol `signalbox.v1`, as openapi/PUSH.md tells; or ask for a stream of events with `Accept: text/event-stream`.',
  },
  'rate-limited': {
    status: 429,
    title: 'There are too many such requests',
    meaning:
      'The caller asks for more than RATE_LIMIT_RENEW, RATE_LIMIT_RESUME, RATE_LIMIT_READ, RATE_LIMIT_LIST or RATE_LIMIT_WRITE gives to one, or too many requests come from an address without a credential that is taken (RATE_LIMIT_UNKNOWN), or the node is late (OVERLOAD_LAG) and gives up what can wait: writes first, then lists, reads, the resuming of watches, and renewals last. Nothing was done. Try again after `retryAfter` seconds.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The header fields are too large',
    meaning: 'All header fields together have at most 16 KiB.',
  },
  internal: {
    status: 500,
    title: 'Signalbox made a mistake',
    meaning: 'The log of the server says more under the `requestId`. Please report it.',
  },
  'not-ready': {
    status: 503,
    title: 'The catalog is not loaded yet',
    meaning:
      'The server has just started. Until it knows everything it answers nothing, rather than an empty list (PUSH7). Try again after `retryAfter` seconds.',
  },
  'revision-not-reached': {
    status: 503,
    title: 'The server has not reached the revision',
    meaning:
      'X-Signalbox-Min-Revision names a revision that this server did not reach within READ_WAIT_MAX. Try again after `retryAfter` seconds, or at another server.',
  },
  'store-unavailable': {
    status: 503,
    title: 'The database cannot be reached',
    meaning: 'Nothing was written. Reads and watches go on. Try again after `retryAfter` seconds.',
  },
  'outcome-unknown': {
    status: 503,
    title: 'It is not known whether the change was made',
    meaning:
      'The database went away during the commit. Every write can be sent again: if it was made, sending it again changes nothing. With If-Match, read the resource first.',
  },
  overloaded: {
    status: 503,
    title: 'Too many requests are waiting',
    meaning:
      'Too many writes wait for their commit, or too many polls and watchers for changes. The request was not queued and nothing was written. Try again after `retryAfter` seconds.',
  },
  'issuer-unavailable': {
    status: 503,
    title: 'The token cannot be verified now',
    meaning:
      'The keys of the issuer that the token names cannot be read, and it is signed with none that is known; or it is a registration token, and the database is away. Try again after `retryAfter` seconds.',
  },
  'session-unavailable': {
    status: 503,
    title: 'The session cannot be looked at now',
    meaning:
      'The database that keeps the sessions cannot be reached, or the issuer that would renew this one. Try again after `retryAfter` seconds.',
  },
  'leases-unavailable': {
    status: 503,
    title: 'Renewals cannot be kept now',
    meaning:
      'The leases that all nodes share cannot be reached from this node, and the others do not know that yet, so a renewal that it kept to itself might not be found in time. A registration may have been written, and can be sent again. Try again after `retryAfter` seconds, or at another node.',
  },
  'health-checks-off': {
    status: 503,
    title: 'This node keeps no leases',
    meaning:
      'The node runs with HEALTH_CHECKS=off, and no node that shares the leases with it has it on, so nobody would look at a renewal. Nothing was renewed: send renewals to a node that has it on.',
  },
  fenced: {
    status: 503,
    title: 'This node no longer owns what it decided about',
    meaning:
      'Nodes share the health checks, and the one that decided this had lost its share to another meanwhile. Nothing was written: the node that has it decides anew. No request of a caller is answered so.',
  },
  draining: {
    status: 503,
    title: 'The server is shutting down',
    meaning:
      'It is, or it loads its view anew and takes no watchers meanwhile. Nothing was written. Try again after `retryAfter` seconds: another server, or this one restarted, will answer.',
  },
} as const satisfies Record<string, ProblemType>;

export type ProblemCode = keyof typeof PROBLEMS;

/** A reference relative to the server, where a route explains it; stable under every host name. */
export const problemType = (code: ProblemCode): string => `/problems/${code}`;
