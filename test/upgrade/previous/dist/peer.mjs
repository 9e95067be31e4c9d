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
};
var LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", ID_PATTERNS = {
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
  let kind = own(own(BELOW, parts[0] ?? "") ?? {}, parts[2] ?? ""), id = parts[3];
  if (!(parts.length !== 4 || kind === void 0 || id === void 0 || !ID_REGEXPS[kind].test(id)))
    return { kind, id, parent: first };
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

// src/domain/item.ts
function makeItem(value, json = JSON.stringify(value)) {
  let { kind, id, parent } = partsOf(value.name);
  return { kind, name: value.name, id, parent: parent ?? id, revision: value.revision, value, json };
}
var NO_LABELS = Object.freeze({});

// src/domain/codec.ts
function encodeChanges(changes) {
  return `[${changes.map((change) => {
    let head = change.op === "delete" ? `"delete","name":${JSON.stringify(change.name)}` : `"put","value":${change.item.json}`, was = change.was === void 0 ? "" : `,"was":${JSON.stringify(change.was)}`, facets = change.facets === void 0 ? "" : `,"facets":${JSON.stringify(change.facets)}`;
    return `{"op":${head}${was}${facets}${encodeAudience(change)}}`;
  }).join(",")}]`;
}
var AUDIENCES = /* @__PURE__ */ new WeakMap();
function audienceJson(audience) {
  let json = AUDIENCES.get(audience);
  return json === void 0 && AUDIENCES.set(audience, json = JSON.stringify(audience)), json;
}
function encodeAudience(change) {
  let audience = change.audience === void 0 ? "" : `,"audience":${audienceJson(change.audience)}`;
  return change.op === "delete" || change.audienceBefore === void 0 ? audience : `${audience},"audienceBefore":${JSON.stringify(change.audienceBefore)}`;
}
function decodeChanges(stored) {
  return stored.map((change) => {
    let { facets, audience, audienceBefore } = change, seen = { ...facets !== void 0 && { facets }, ...audience !== void 0 && { audience } };
    return change.op === "delete" ? { op: "delete", kind: partsOf(change.name).kind, name: change.name, was: change.was, ...seen } : {
      op: "put",
      item: makeItem(change.value),
      ...change.was !== void 0 && { was: change.was },
      ...seen,
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
  let [, protocol, json] = /^(\d{1,9}) \S{1,64} (.*)$/su.exec(message) ?? [];
  if (protocol === void 0 || json === void 0) throw new Error("not a message of Signalbox");
  if (Number(protocol) !== BUS_PROTOCOL) throw new Error(`a message of protocol ${protocol}, not ${BUS_PROTOCOL}`);
  let { epoch, from, to, entries } = JSON.parse(json);
  if (typeof epoch != "string" || !isRevision(from) || !isRevision(to)) throw new Error("not an announcement");
  return entries === void 0 ? { epoch, from, to } : { epoch, from, to, entries: entries.map(decodeEntry) };
}
function encodeEntry({ revision, at, author, changes }) {
  return `{"revision":${revision},"at":${at},"author":${JSON.stringify(author)},"changes":${encodeChanges(changes)}}`;
}
function decodeEntry({ revision, at, author, changes }) {
  if (!isRevision(revision) || typeof at != "number" || typeof author != "string") throw new Error("not an entry");
  return { revision, at, author, changes: decodeChanges(changes) };
}
var isRevision = (value) => Number.isSafeInteger(value) && value >= 0;

// src/protocol/version.ts
var PROTOCOL = "signalbox.v1", PROTOCOL_VERSION = 1;

// src/cli/fresh-token.ts
var FreshToken = class {
  #token;
  #timer;
  constructor(token) {
    this.#token = token;
  }
  /** Calls `onFresh` once there is another token than `old`, which is good for so many milliseconds. */
  await(old, expiresInMs, onFresh) {
    this.stop();
    let again = () => {
      this.#timer = setTimeout(ask, Math.max(1e3, expiresInMs / 10)), this.#timer.unref();
    }, ask = () => {
      this.#now().then((token) => {
        token !== void 0 && token !== old ? onFresh(token) : again();
      }, again);
    };
    ask();
  }
  stop() {
    clearTimeout(this.#timer), this.#timer = void 0;
  }
  async #now() {
    return this.#token();
  }
};

// src/cli/errors.ts
var EXIT = {
  ok: 0,
  /** The server refused, or something else went wrong. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nothing answers at the server's address. */
  unreachable: 3
}, CliError = class extends Error {
  exitCode;
  problem;
  constructor(exitCode, problem, options) {
    super(problem.detail ?? problem.title, options), this.name = "CliError", this.exitCode = exitCode, this.problem = problem;
  }
};
var failure = (title, detail) => new CliError(EXIT.failed, detail === void 0 ? { title } : { title, detail }), unreachable = (detail, cause) => new CliError(EXIT.unreachable, { title: "Signalbox cannot be reached", detail }, { cause }), refused = (problem) => new CliError(EXIT.failed, { ...problem, title: problem.title ?? "The server refused" });

// src/cli/style.ts
var CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39]
};
function styler(enabled) {
  let entries = Object.entries(CODES).map(([name, [open, close]]) => [
    name,
    (text) => enabled && text !== "" ? `\x1B[${open}m${text}\x1B[${close}m` : text
  ]);
  return Object.fromEntries(entries);
}
var plain = styler(!1), UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, printable = (text) => text.replace(UNPRINTABLE, "�");

// src/cli/http.ts
function* causes(error) {
  for (let e = error; typeof e == "object" && e !== null; e = e.cause) yield e;
}
function codeOf(error) {
  for (let { code } of causes(error)) if (typeof code == "string") return code;
}
function whyUnreachable(url, error) {
  let elsewhere = "or say where it is with --url or SIGNALBOX_URL.";
  switch (codeOf(error)) {
    case "ECONNREFUSED":
      return `Nothing listens at ${url}: start Signalbox (\`signalbox start\`), ${elsewhere}`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `The name in ${url} is not known to DNS: check it, ${elsewhere}`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return `The certificate of ${url} is of an authority that is not known here: name the file with that authority in NODE_EXTRA_CA_CERTS, ${elsewhere}`;
    case "CERT_HAS_EXPIRED":
      return `The certificate of ${url} has expired: have it renewed, ${elsewhere}`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `The certificate of ${url} is for another name: use the name that it is for, ${elsewhere}`;
    case "ECONNRESET":
    case "UND_ERR_SOCKET":
      return `${url} closed the connection before it answered: check that Signalbox runs there, ${elsewhere}`;
    default: {
      let root = [...causes(error)].at(-1)?.message;
      return `${url} cannot be reached (${printable(typeof root == "string" ? root : String(error))}): check the address, ${elsewhere}`;
    }
  }
}
function answerError(status, contentType, body, request) {
  let problem = contentType.includes("json") ? tryParse(body) : void 0;
  if (problem !== void 0) {
    let { detail = "" } = problem;
    return refused({ status, ...problem, ...status === 401 && { detail: `${detail} ${HOW_TO_SHOW}`.trim() } });
  }
  return failure(
    "This is not an answer of Signalbox",
    `${request} was answered with ${status}. Check --url or SIGNALBOX_URL.`
  );
}
var HOW_TO_SHOW = "Run `signalbox login`, or give this command an access token with SIGNALBOX_TOKEN or --token-file.";
function tryParse(body) {
  try {
    let parsed = JSON.parse(body);
    return typeof parsed == "object" && parsed !== null ? parsed : void 0;
  } catch {
    return;
  }
}

// src/domain/digest.ts
var emptyDigest = () => ({ a: 0, b: 0 });
function digestOf(key, revision) {
  let text = `${key}@${revision}`;
  return { a: murmur3(text, 0), b: murmur3(text, 2538058380) };
}
function add(digest, { a, b }) {
  digest.a = digest.a + a >>> 0, digest.b = digest.b + b >>> 0;
}
function remove(digest, { a, b }) {
  digest.a = digest.a - a >>> 0, digest.b = digest.b - b >>> 0;
}
var addTo = (digest, key, revision) => add(digest, digestOf(key, revision)), removeFrom = (digest, key, revision) => remove(digest, digestOf(key, revision)), digestHex = (digest) => hex(digest.a) + hex(digest.b), hex = (lane) => lane.toString(16).padStart(8, "0");
function murmur3(text, seed) {
  let length = text.length, whole = length & -4, h = seed;
  for (let i = 0; i < whole; i += 4) {
    let block = text.charCodeAt(i) | text.charCodeAt(i + 1) << 8 | text.charCodeAt(i + 2) << 16 | text.charCodeAt(i + 3) << 24;
    h ^= scramble(block), h = h << 13 | h >>> 19, h = Math.imul(h, 5) + 3864292196 | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= whole; i--) rest = rest << 8 | text.charCodeAt(i);
  return length > whole && (h ^= scramble(rest)), h ^= length, h = Math.imul(h ^ h >>> 16, 2246822507), h = Math.imul(h ^ h >>> 13, 3266489909), (h ^ h >>> 16) >>> 0;
}
function scramble(block) {
  let k = Math.imul(block, 3432918353);
  return Math.imul(k << 15 | k >>> 17, 461845907);
}

// src/cli/watch-cache.ts
var Store = class {
  items = /* @__PURE__ */ new Map();
  #digest = emptyDigest();
  get digest() {
    return digestHex(this.#digest);
  }
  put(key, held) {
    this.delete(key), this.items.set(key, held), addTo(this.#digest, key, held.revision);
  }
  delete(key) {
    let before = this.items.get(key);
    before !== void 0 && (removeFrom(this.#digest, key, before.revision), this.items.delete(key));
  }
}, WatchCache = class {
  #store = new Store();
  /** The snapshot that is arriving; it takes the place of the store once it is whole. */
  #arriving;
  #loaded = !1;
  #epoch;
  #position;
  #topic;
  /** The server has been told of a mismatch: until it starts over, its digests say what is known already. */
  #distrusted = !1;
  /** What to resume from; undefined when only a snapshot will do. */
  get since() {
    return this.#position;
  }
  get size() {
    return this.#store.items.size;
  }
  /** A new connection: what it sends belongs to this history. A snapshot that was half there is not continued. */
  connected(epoch) {
    this.#epoch = epoch, this.#arriving = void 0, this.#topic = void 0, this.#distrusted = !1;
  }
  subscribed(topic) {
    this.#topic = topic;
  }
  /** Takes in a frame of the subscription. */
  fold(frame) {
    if (frame.type !== "bookmark" && frame.topic !== this.#topic) return [];
    switch (frame.type) {
      case "snapshot":
        return this.#snapshot(frame);
      case "synced":
        return this.#synced(frame.revision, frame.digest);
      case "change":
        return this.#change(frame);
      case "bookmark": {
        let digest = frame.digests[this.#topic ?? ""];
        return digest === void 0 ? [] : this.#verify(frame.revision, digest);
      }
      case "reset":
        return this.#epoch = frame.epoch, this.#arriving = void 0, this.#distrusted = !1, [{ type: "reset", reason: frame.reason }];
    }
  }
  #snapshot(frame) {
    this.#arriving ??= new Store();
    for (let value of frame.items) {
      let key = String(value.name);
      this.#arriving.put(key, { kind: parseName(key)?.kind ?? "unknown", revision: Number(value.revision), value });
    }
    return [];
  }
  #synced(revision, digest) {
    let arrived = this.#arriving;
    if (arrived === void 0) return [{ type: "resumed", revision }, ...this.#verify(revision, digest)];
    let old = this.#store;
    this.#store = arrived, this.#arriving = void 0;
    let first = !this.#loaded;
    return this.#loaded = !0, [first ? { type: "loaded", revision, values: [...arrived.items.values()].map((held) => held.value) } : { type: "reloaded", revision, count: arrived.items.size, deltas: difference(old, arrived, revision) }, ...this.#verify(revision, digest)];
  }
  #change(frame) {
    let store = this.#arriving ?? this.#store, from = this.#arriving === void 0 ? this.#position?.revision ?? -1 : -1, deltas = [];
    for (let { op, kind, key, revision, value } of frame.changes) {
      if (revision <= from) continue;
      let before = store.items.get(key)?.value;
      op === "put" && value !== void 0 ? store.put(key, { kind, revision, value }) : store.delete(key), deltas.push({
        op,
        kind,
        key,
        revision,
        ...before !== void 0 && { before },
        ...value !== void 0 && { value }
      });
    }
    return this.#arriving !== void 0 ? [] : (this.#distrusted || this.#advance(frame.revision), deltas.length === 0 ? [] : [{ type: "changed", deltas }]);
  }
  #verify(revision, digest) {
    if (this.#distrusted || this.#arriving !== void 0) return [];
    let own2 = this.#store.digest;
    return own2 === digest ? (this.#advance(revision), []) : (this.#distrusted = !0, this.#position = void 0, [{ type: "mismatch", revision, digest: own2 }]);
  }
  #advance(revision) {
    this.#epoch !== void 0 && (this.#position = { epoch: this.#epoch, revision });
  }
};
function difference(old, now, revision) {
  let deltas = [];
  for (let [key, { kind, value, revision: at }] of now.items) {
    let before = old.items.get(key);
    before === void 0 ? deltas.push({ op: "put", kind, key, revision: at, value }) : JSON.stringify(before.value) !== JSON.stringify(value) && deltas.push({ op: "put", kind, key, revision: at, before: before.value, value });
  }
  for (let [key, { kind, value }] of old.items)
    now.items.has(key) || deltas.push({ op: "delete", kind, key, revision, before: value });
  return deltas.sort((a, b) => a.revision - b.revision);
}

// src/protocol/close-codes.ts
var mayRetry = (code) => code < 4500 || code > 4999;

// src/cli/watch-retry.ts
var BACKOFF = { baseMs: 250, maxMs: 5e3 }, LONGEST_ASKED_MS = 5 * 6e4, backoffMs = (failures, random, { baseMs, maxMs } = BACKOFF) => Math.round(random * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)));
function afterClose(code, reason, failures, random, backoff = BACKOFF) {
  return mayRetry(code) ? { do: "retry", afterMs: retryAfterOf(reason) ?? backoffMs(failures, random, backoff), why: inWords(code) } : { do: "stop", why: reason || `the server closed the connection with ${code}` };
}
function retryAfterOf(reason) {
  try {
    let { retryAfterMs } = JSON.parse(reason);
    return typeof retryAfterMs != "number" || !(retryAfterMs >= 0) ? void 0 : Math.min(retryAfterMs, LONGEST_ASKED_MS);
  } catch {
    return;
  }
}
function inWords(code) {
  switch (code) {
    case 4e3:
      return "the server is going away";
    case 4001:
      return "this command read too slowly";
    case 4002:
      return "the server heard nothing from here";
    case 4003:
      return "the server holds as many watchers as it may";
    case 4004:
      return "the token has expired";
    default:
      return `the connection broke (${code})`;
  }
}
function silence(quietMs, heartbeatMs) {
  return quietMs >= heartbeatMs * 3 ? "dead" : quietMs >= heartbeatMs * 1.5 ? "ask" : "fine";
}

// src/cli/watch-socket.ts
import { once } from "node:events";
import { WebSocket } from "ws";
var MAX_FRAME_BYTES = 64 * 1024 * 1024, MAX_ANSWER_BYTES = 64 * 1024, CLOSE_TIMEOUT_MS = 500, WatchSocket = class {
  #ws;
  #options;
  #ended = !1;
  #heardAt;
  #tickedAt;
  #quietMs;
  #asked = !1;
  #timer;
  constructor(url, options) {
    this.#options = options, this.#quietMs = options.openTimeoutMs / 3, this.#heardAt = this.#tickedAt = options.now(), this.#timer = setInterval(() => this.#tick(), this.#quietMs / 2);
    let ws = new WebSocket(url, PROTOCOL, {
      perMessageDeflate: !1,
      maxPayload: MAX_FRAME_BYTES,
      ...options.token !== void 0 && { headers: { authorization: `Bearer ${options.token}` } }
    });
    this.#ws = ws;
    let opened = !1;
    ws.on("open", () => {
      opened = !0;
    }), ws.on("message", (data, binary) => {
      this.#heard(), !binary && !this.#ended && this.#receive(data.toString());
    }), ws.on("ping", () => this.#heard()), ws.on("error", (error) => {
      opened || this.#end({ kind: "failed", error });
    }), ws.on("close", (code, reason) => this.#end({ kind: "closed", code, reason: reason.toString() })), ws.on("unexpected-response", (_request, response) => {
      this.#answered(response);
    });
  }
  send(frame) {
    this.#ws.readyState === WebSocket.OPEN && this.#ws.send(JSON.stringify(frame));
  }
  /** The server's own measure of silence takes the place of the time to open. */
  expectEvery(heartbeatMs) {
    this.#quietMs = heartbeatMs, clearInterval(this.#timer), this.#tickedAt = this.#options.now(), this.#ended || (this.#timer = setInterval(() => this.#tick(), heartbeatMs / 2));
  }
  /** Says goodbye and waits, not for long, until the server has heard it. Its end is not told. */
  async close() {
    if (this.#finish(), this.#ws.readyState !== WebSocket.OPEN) return this.#ws.terminate();
    this.#ws.close(1e3), await once(this.#ws, "close", { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) }).catch(() => {
    }), this.#ws.terminate();
  }
  #receive(text) {
    let frame = parseServerFrame(text);
    if (frame !== void 0) return this.#options.onFrame(frame);
    this.#ws.terminate(), this.#end({ kind: "closed", code: 1002, reason: "" });
  }
  #heard() {
    this.#heardAt = this.#options.now(), this.#asked = !1;
  }
  #tick() {
    let now = this.#options.now();
    now - this.#tickedAt > this.#quietMs * 1.5 && (this.#heardAt = now), this.#tickedAt = now;
    let quiet = now - this.#heardAt, verdict = silence(quiet, this.#quietMs);
    verdict === "ask" && !this.#asked ? (this.#asked = !0, this.send({ type: "ping" })) : verdict === "dead" && (this.#ws.terminate(), this.#end({ kind: "silent", ms: quiet }));
  }
  async #answered(response) {
    let body = "";
    try {
      for await (let chunk of response.setEncoding("utf8"))
        if (body += String(chunk), body.length > MAX_ANSWER_BYTES) break;
    } catch {
    }
    let { statusCode: status = 0, headers } = response, contentType = headers["content-type"] ?? "";
    this.#end({ kind: "answered", status, contentType, body, retryAfter: headers["retry-after"] }), this.#ws.terminate();
  }
  #end(end) {
    this.#ended || (this.#finish(), this.#options.onEnd(end));
  }
  #finish() {
    this.#ended = !0, clearInterval(this.#timer);
  }
}, SHAPES = {
  welcome: { protocol: "number", epoch: "string", revision: "number", heartbeat: "number" },
  subscribed: { topic: "string" },
  snapshot: { topic: "string", items: "object" },
  synced: { topic: "string", revision: "number", digest: "string" },
  change: { topic: "string", revision: "number", changes: "object" },
  bookmark: { revision: "number", digests: "object" },
  reset: { topic: "string", reason: "string" },
  error: { code: "string", message: "string" },
  reauth: { expiresIn: "number" }
};
function parseServerFrame(text) {
  try {
    let frame = JSON.parse(text), shape = SHAPES[String(frame.type)] ?? { type: "string" };
    return Object.entries(shape).every(([field, type]) => typeof frame[field] === type && frame[field] !== null) ? frame : void 0;
  } catch {
    return;
  }
}

// src/cli/watch-client.ts
var SUBSCRIPTION = "watch", OPEN_TIMEOUT_MS = 1e4, MAX_MISMATCHES = 3, WatchClient = class {
  #options;
  #cache = new WatchCache();
  #random;
  #settle;
  #state = { phase: "ended" };
  /** Connections since the last one that brought everything. */
  #failures = 0;
  #mismatches = 0;
  /** What was asked for last. */
  #asked;
  /** A server of this protocol has spoken once, so that its absence is worth waiting out. */
  #welcomed = !1;
  #lost = !1;
  /** What the server was shown last. */
  #shown;
  #fresh;
  constructor(options) {
    this.#options = options, this.#fresh = new FreshToken(options.token ?? (() => {
    })), this.#random = options.random ?? Math.random;
  }
  /** Resolves after `stop`; rejects when trying again would not help. */
  run() {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }, this.#connect();
    });
  }
  async stop() {
    let state = this.#state;
    this.#state = { phase: "ended" }, this.#fresh.stop(), state.phase === "waiting" && clearTimeout(state.timer), state.phase === "connected" && await state.socket.close(), this.#settle?.resolve();
  }
  #connect() {
    let token;
    try {
      token = this.#options.token?.();
    } catch (error) {
      if (error instanceof CliError) return this.#fail(error);
      throw error;
    }
    if (!(token instanceof Promise)) return this.#open(token);
    this.#state = { phase: "asking" }, token.then(
      (late) => {
        this.#state.phase === "asking" && this.#open(late);
      },
      (error) => {
        if (this.#state.phase !== "asking") return;
        if (!(error instanceof CliError && error.exitCode === EXIT.unreachable) || !this.#welcomed) return this.#fail(error);
        this.#retry(
          backoffMs(this.#failures, this.#random(), this.#options.backoff ?? BACKOFF),
          "the login cannot be renewed"
        );
      }
    );
  }
  #open(token) {
    this.#shown = token;
    let { url, now = () => performance.now(), openTimeoutMs = OPEN_TIMEOUT_MS } = this.#options, socket = new WatchSocket(`${url.replace(/^http/, "ws")}/v1/watch`, {
      now,
      openTimeoutMs,
      token,
      onFrame: (frame) => this.#receive(socket, frame),
      onEnd: (end) => this.#ended(end)
    });
    this.#state = { phase: "connected", socket };
  }
  #receive(socket, frame) {
    if (this.#state.phase === "connected")
      switch (frame.type) {
        case "welcome": {
          if (frame.protocol !== 1)
            return this.#fail(
              failure(
                "The server speaks another protocol",
                `It speaks version ${frame.protocol} of the push protocol and this command version ${1}: use the \`signalbox\` that came with the server.`
              )
            );
          this.#welcomed = !0, socket.expectEvery(frame.heartbeat), this.#cache.connected(frame.epoch);
          let { since } = this.#cache;
          this.#ask(socket, {
            type: "subscribe",
            id: SUBSCRIPTION,
            select: this.#options.select,
            ...since !== void 0 && { since }
          });
          return;
        }
        case "subscribed":
          this.#cache.subscribed(frame.topic), this.#lost && this.#options.onNotice({ type: "regained", since: this.#cache.since?.revision }), this.#lost = !1;
          return;
        case "error":
          return frame.code === "invalid-token" ? void 0 : frame.code === "rate-limited" ? this.#askAgain(socket, frame.retryAfterMs) : this.#fail(failure("The server does not take the subscription", frame.message));
        case "snapshot":
        case "synced":
        case "change":
        case "bookmark":
        case "reset":
          for (let event of this.#cache.fold(frame)) this.#tell(socket, event);
          frame.type === "synced" && (this.#failures = 0);
          return;
        case "reauth":
          this.#fresh.await(this.#shown, frame.expiresIn, (token) => {
            this.#state.phase !== "connected" || this.#state.socket !== socket || (this.#shown = token, this.#asked = { type: "reauth", token }, socket.send(this.#asked));
          });
          return;
        // A later server may say more; a pong has been heard, and that was its purpose.
        default:
      }
  }
  #tell(socket, event) {
    if (this.#options.onNotice(event), event.type !== "mismatch") {
      this.#cache.since !== void 0 && (this.#mismatches = 0);
      return;
    }
    this.#mismatches += 1, this.#mismatches >= MAX_MISMATCHES ? this.#fail(
      failure(
        "The copy does not agree with the server",
        `${MAX_MISMATCHES} times in a row the digest was not the server's: use the \`signalbox\` that came with the server.`
      )
    ) : this.#ask(socket, { type: "resync", id: SUBSCRIPTION, revision: event.revision, digest: event.digest });
  }
  #ask(socket, frame) {
    this.#asked = frame, socket.send(frame);
  }
  /** The server is asked the same again later, over the same connection if that still stands. */
  #askAgain(socket, afterMs = BACKOFF.maxMs) {
    setTimeout(() => {
      let { phase } = this.#state;
      phase === "connected" && this.#state.socket === socket && this.#asked && this.#ask(socket, this.#asked);
    }, afterMs).unref();
  }
  #ended(end) {
    let { url, backoff = BACKOFF } = this.#options;
    switch (end.kind) {
      case "failed":
        return this.#welcomed ? this.#retry(backoffMs(this.#failures, this.#random(), backoff), "it cannot be reached") : this.#fail(unreachable(whyUnreachable(url, end.error), end.error));
      case "silent":
        return this.#welcomed ? this.#retry(
          backoffMs(this.#failures, this.#random(), backoff),
          `nothing was heard for ${(end.ms / 1e3).toFixed(1)} s`
        ) : this.#fail(
          unreachable(`${url} took the connection and said nothing for ${Math.round(end.ms / 1e3)} s.`)
        );
      case "answered": {
        let error = answerError(end.status, end.contentType, end.body, `${url}/v1/watch`);
        if (end.status < 500 && end.status !== 429) return this.#fail(error);
        let asked = Number(end.retryAfter) * 1e3, jittered = backoffMs(this.#failures, this.#random(), backoff);
        return this.#retry(
          Math.max(Number.isFinite(asked) ? asked : 0, 0) + jittered,
          error.problem.title ?? `it answers ${end.status}`
        );
      }
      case "closed": {
        let next = afterClose(end.code, end.reason, this.#failures, this.#random(), backoff);
        return next.do === "stop" ? this.#fail(failure("The server ended the subscription", next.why)) : this.#retry(next.afterMs, next.why);
      }
    }
  }
  #retry(afterMs, why) {
    this.#failures += 1, this.#lost || this.#options.onNotice({ type: "lost", why, connected: this.#welcomed }), this.#lost = !0, this.#state = { phase: "waiting", timer: setTimeout(() => this.#connect(), afterMs) };
  }
  #fail(error) {
    this.#settle?.reject(error), this.stop();
  }
};
export {
  BUS_PROTOCOL,
  PROTOCOL,
  PROTOCOL_VERSION,
  WatchClient,
  decodeAnnouncement,
  encodeAnnouncement
};
