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

// test/acceptance/watch-client.ts
import { Ajv } from "ajv";
import WebSocket from "ws";

// src/protocol/frames.ts
import { Type as Type2 } from "typebox";

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
], RUNTIME_KINDS = ["instance", "override", "advisory"], KINDS = [...CATALOG_KINDS, ...RUNTIME_KINDS];

// src/protocol/text.ts
import { Type } from "typebox";

// src/domain/duration.ts
var DURATION = "^[0-9]{1,12}(?:ms|s|m|h)$";

// src/protocol/text.ts
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
]);

// src/protocol/frames.ts
var Id = Type2.String({ minLength: 1, maxLength: 64, description: "The client's own name for a subscription." }), InstanceId = Type2.String({ pattern: ID_PATTERNS.instance, description: "The id of an instance." }), Topic = Type2.String({ description: "The canonical selector." }), Revision = Type2.Integer({ minimum: 0 }), Digest = Type2.String({ pattern: "^[0-9a-f]{16}$", description: "Digest of the subscription at the revision." }), Kind = Type2.Enum([...KINDS], { description: "A kind of resource." }), PositionSchema = Type2.Object(
  { epoch: Type2.String({ minLength: 1, maxLength: 64 }), revision: Revision },
  { additionalProperties: !1, description: "A place in one history." }
), texts = (text, description) => Type2.Array(Type2.String({ ...text, pattern: PLAIN }), { minItems: 1, maxItems: 100, description }), names = (description) => texts({ minLength: 1, maxLength: 253 }, description), pairs = (description) => Type2.Record(Type2.String({ pattern: SELECT_KEY }), Type2.String({ maxLength: 63, pattern: PLAIN }), {
  // With a `=` in a key, two selections would be one topic.
  additionalProperties: !1,
  minProperties: 1,
  maxProperties: 16,
  description
}), SelectSchema = Type2.Object(
  {
    kind: Type2.Enum([...KINDS, "*"], { description: "A kind of resource, or * for all." }),
    services: Type2.Optional(names("Only what belongs to one of these services.")),
    regions: Type2.Optional(names("Only these regions, and what is in one of them.")),
    labels: Type2.Optional(pairs("Only what carries each of these labels with exactly this value.")),
    environments: Type2.Optional(
      texts(
        { minLength: 0, maxLength: 64 },
        "Only instances of one of these environments; the empty text is for those that name none."
      )
    ),
    protocols: Type2.Optional(
      texts({ minLength: 1, maxLength: 64 }, "Only instances that speak one of these protocols.")
    ),
    versions: Type2.Optional(texts({ minLength: 1, maxLength: 64 }, "Only instances of one of these versions.")),
    tags: Type2.Optional(pairs("Only instances that carry each of these tags with exactly this value.")),
    passing: Type2.Optional(Type2.Boolean({ description: "Only instances that can be called now, or that cannot." }))
  },
  { additionalProperties: !1 }
), ClientFrames = {
  subscribe: Type2.Object(
    {
      type: Type2.Literal("subscribe"),
      id: Id,
      select: SelectSchema,
      since: Type2.Optional(PositionSchema)
    },
    {
      additionalProperties: !1,
      description: "Asks for a snapshot and all that follows, or for all since a position."
    }
  ),
  unsubscribe: Type2.Object(
    { type: Type2.Literal("unsubscribe"), id: Id },
    { additionalProperties: !1, description: "Ends a subscription." }
  ),
  resync: Type2.Object(
    {
      type: Type2.Literal("resync"),
      id: Id,
      revision: Revision,
      digest: Digest
    },
    {
      additionalProperties: !1,
      description: "Says that the client's cache does not agree with the digest of a bookmark; answered by a reset and a new snapshot."
    }
  ),
  register: Type2.Object(
    {
      type: Type2.Literal("register"),
      id: Id,
      instance: Type2.Record(Type2.String(), Type2.Unknown(), { description: "The body of POST /v1/instances." })
    },
    {
      additionalProperties: !1,
      description: "Registers an instance. From then on whatever is heard on the socket renews its lease."
    }
  ),
  renew: Type2.Object(
    {
      type: Type2.Literal("renew"),
      id: Type2.Optional(Id),
      instances: Type2.Optional(
        Type2.Array(InstanceId, {
          minItems: 1,
          maxItems: 1e3,
          description: "Without them, all that were registered on this socket."
        })
      )
    },
    { additionalProperties: !1, description: "Renews the leases of instances; answered by renewed." }
  ),
  deregister: Type2.Object(
    { type: Type2.Literal("deregister"), id: Id, instance: InstanceId },
    { additionalProperties: !1, description: "Removes an instance; one that is not there is gone already." }
  ),
  reauth: Type2.Object(
    {
      type: Type2.Literal("reauth"),
      token: Type2.String({ minLength: 1, maxLength: 16384, description: "An access token of the same subject." })
    },
    {
      additionalProperties: !1,
      description: "A token in place of the one that the socket was opened with; answered by reauthed, or an error."
    }
  ),
  ping: Type2.Object(
    { type: Type2.Literal("ping") },
    { additionalProperties: !1, description: "Answered by a pong." }
  )
}, ChangeSchema = Type2.Object(
  {
    op: Type2.Enum(["put", "delete"]),
    kind: Kind,
    key: Type2.String({ description: "The resource's name." }),
    revision: Revision,
    value: Type2.Optional(Type2.Record(Type2.String(), Type2.Unknown(), { description: "The resource; only with put." }))
  },
  { additionalProperties: !1 }
), ServerFrames = {
  welcome: Type2.Object(
    {
      type: Type2.Literal("welcome"),
      protocol: Type2.Integer(),
      epoch: Type2.String(),
      revision: Revision,
      heartbeat: Type2.Integer({
        description: "Milliseconds between bookmarks; after three without a word, reconnect."
      })
    },
    { additionalProperties: !1, description: "The first frame on every socket." }
  ),
  subscribed: Type2.Object(
    { type: Type2.Literal("subscribed"), id: Id, topic: Topic },
    { additionalProperties: !1, description: "A subscription stands; its frames carry this topic." }
  ),
  unsubscribed: Type2.Object(
    { type: Type2.Literal("unsubscribed"), id: Id, topic: Topic },
    { additionalProperties: !1, description: "A subscription has ended; no frame of its topic follows." }
  ),
  snapshot: Type2.Object(
    {
      type: Type2.Literal("snapshot"),
      topic: Topic,
      revision: Revision,
      items: Type2.Array(Type2.Record(Type2.String(), Type2.Unknown()), { description: "Whole resources." }),
      more: Type2.Boolean({ description: "Whether another part of the same snapshot follows." })
    },
    { additionalProperties: !1, description: "A part of the state at the revision." }
  ),
  synced: Type2.Object(
    { type: Type2.Literal("synced"), topic: Topic, revision: Revision, digest: Digest },
    { additionalProperties: !1, description: "The subscription now holds everything up to the revision." }
  ),
  change: Type2.Object(
    {
      type: Type2.Literal("change"),
      topic: Topic,
      revision: Revision,
      changes: Type2.Array(ChangeSchema, { minItems: 1 })
    },
    {
      additionalProperties: !1,
      description: "All changes of one or more whole revisions, in order; `revision` is the last of them."
    }
  ),
  bookmark: Type2.Object(
    { type: Type2.Literal("bookmark"), revision: Revision, digests: Type2.Record(Type2.String(), Digest) },
    { additionalProperties: !1, description: "Everything up to the revision has been sent for each topic named." }
  ),
  reset: Type2.Object(
    {
      type: Type2.Literal("reset"),
      topic: Topic,
      epoch: Type2.String({ description: "The history that the snapshot belongs to." }),
      reason: Type2.Enum(["epoch", "future", "trimmed", "resync", "unavailable", "access"])
    },
    { additionalProperties: !1, description: "Forget what you hold of this topic: a new snapshot follows." }
  ),
  registered: Type2.Object(
    {
      type: Type2.Literal("registered"),
      id: Id,
      instance: Type2.Object(
        {
          id: InstanceId,
          name: Type2.String(),
          generation: Revision,
          lease: Type2.Optional(
            Type2.String({ description: "How often it has to be heard of, where its check is ttl." })
          ),
          detectionBound: Type2.String({ description: "The longest time from its death until its watchers are told." })
        },
        { additionalProperties: !1 }
      ),
      revision: Revision
    },
    { additionalProperties: !1, description: "The instance is there, at the revision at the latest." }
  ),
  renewed: Type2.Object(
    {
      type: Type2.Literal("renewed"),
      id: Type2.Optional(Id),
      renewed: Type2.Integer({ minimum: 0, description: "How many were renewed." }),
      unknown: Type2.Array(InstanceId, {
        description: "Those that are not there any more, and have to register again."
      })
    },
    { additionalProperties: !1, description: "Answers a renew." }
  ),
  deregistered: Type2.Object(
    { type: Type2.Literal("deregistered"), id: Id, instance: InstanceId, revision: Revision },
    { additionalProperties: !1, description: "The instance is gone, at the revision at the latest." }
  ),
  reauth: Type2.Object(
    {
      type: Type2.Literal("reauth"),
      expiresIn: Type2.Integer({ minimum: 0, description: "Milliseconds until the token expires that the server has." })
    },
    { additionalProperties: !1, description: "Send a reauth with a new token, or the socket is closed with 4004." }
  ),
  reauthed: Type2.Object(
    { type: Type2.Literal("reauthed") },
    { additionalProperties: !1, description: "The new token is taken." }
  ),
  pong: Type2.Object({ type: Type2.Literal("pong") }, { additionalProperties: !1, description: "Answers a ping." }),
  error: Type2.Object(
    {
      type: Type2.Literal("error"),
      id: Type2.Optional(Id),
      code: Type2.Enum([
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
      message: Type2.String(),
      errors: Type2.Optional(
        Type2.Array(
          Type2.Object(
            { pointer: Type2.String({ description: "JSON pointer into `instance`." }), detail: Type2.String() },
            { additionalProperties: !1 }
          ),
          { description: "With refused: what is wrong with the instance." }
        )
      ),
      retryAfter: Type2.Optional(Type2.Integer({ minimum: 1, description: "With unavailable: seconds." })),
      retryAfterMs: Type2.Optional(Type2.Integer({ minimum: 1, description: "With rate-limited: milliseconds." }))
    },
    { additionalProperties: !1, description: "A client frame was not carried out." }
  )
};

// test/acceptance/until.ts
import { setTimeout as sleep } from "node:timers/promises";
async function until(what, probe, timeoutMs = 4e4) {
  let deadline = performance.now() + timeoutMs;
  for (; ; ) {
    let answer = await probe();
    if (answer != null && answer !== !1)
      return answer;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(15);
  }
}

// test/acceptance/watch-client.ts
var ajv = new Ajv({ strict: !1 }), schemas = new Map(
  Object.entries(ServerFrames).map(([type, schema]) => [type, ajv.compile(schema)])
), watchUrl = (url) => `${url.replace(/^http/, "ws")}/v1/watch`;
function parseServerFrame(text) {
  let frame = JSON.parse(text), validate = schemas.get(frame.type);
  if (validate?.(frame) !== !0)
    throw new Error(`not a frame of the protocol: ${text.slice(0, 300)}: ${ajv.errorsText(validate?.errors)}`);
  return frame;
}
var WatchClient = class _WatchClient {
  texts = [];
  frames = [];
  ws;
  /** How the socket ended, once it has. */
  closed;
  #fault;
  constructor(ws) {
    this.ws = ws, ws.on("message", (data, binary) => {
      try {
        if (binary) throw new Error("a binary message");
        let text = data.toString();
        this.texts.push(text), this.frames.push(parseServerFrame(text));
      } catch (error) {
        this.#fault ??= error;
      }
    }), ws.on("error", () => {
    }), ws.on("close", (code, reason) => this.closed = { code, reason: reason.toString() });
  }
  /** Resolves with the welcome. */
  static async open(url) {
    let client = new _WatchClient(new WebSocket(watchUrl(url), PROTOCOL, { maxPayload: 67108864 }));
    return await client.next("welcome"), client;
  }
  get welcome() {
    let [first] = this.frames;
    if (first?.type !== "welcome") throw new Error(`the first frame is ${this.texts[0]}`);
    return first;
  }
  send(frame) {
    let raw = typeof frame == "string" || Buffer.isBuffer(frame);
    this.ws.send(raw ? frame : JSON.stringify(frame));
  }
  /** The first frame of the type, from that index on, for which the predicate holds. */
  async next(type, where = () => !0, from = 0) {
    return await this.#find(type, (frame) => frame.type === type && where(frame), from);
  }
  async #find(what, where, from) {
    let at = from;
    return until(what, () => {
      if (this.#fault !== void 0) throw this.#fault;
      for (; at < this.frames.length; at++) {
        let frame = this.frames[at];
        if (frame !== void 0 && where(frame)) return frame;
      }
      if (this.closed !== void 0) throw new Error("the socket is closed");
    }).catch((error) => {
      throw new Error(`no frame ${what}; ${this.#situation()}`, { cause: error });
    });
  }
  /** Subscribes, and resolves with the topic once it is synced. */
  async sync(id, select, since) {
    let from = this.frames.length;
    this.send({ type: "subscribe", id, select, ...since && { since } });
    let answer = await this.#find("subscribed", (frame) => "id" in frame && frame.id === id, from);
    if (answer.type !== "subscribed") throw new Error(`not subscribed: ${JSON.stringify(answer)}`);
    let { topic } = answer;
    return await this.next("synced", (frame) => frame.topic === topic, from), topic;
  }
  /** Resolves once everything of the topic up to the revision has come, by a bookmark or a frame of its own. */
  async reached(topic, revision, from = 0) {
    await this.next("bookmark", (frame) => frame.revision >= revision && topic in frame.digests, from);
  }
  of(topic, from = 0) {
    return this.frames.slice(from).filter((frame) => frame.type === "bookmark" || "topic" in frame && frame.topic === topic);
  }
  async untilClosed() {
    return until(`the socket closed; ${this.#situation()}`, () => this.closed);
  }
  async end() {
    if (this.ws.close(), await this.untilClosed(), this.#fault !== void 0) throw this.#fault;
  }
  #situation() {
    let last = this.texts.slice(-3).map((text) => text.slice(0, 200));
    return `${this.frames.length} frames, the last: ${last.join(" ")} ${JSON.stringify(this.closed ?? "")}`;
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
