import { Type, type Static } from 'typebox';
import { ID_PATTERNS } from '../domain/names.ts';
import { KINDS } from '../domain/resources.ts';
import { PLAIN, SELECT_KEY } from './text.ts';

/** The frames of the push protocol; `openapi/PUSH.md` tells how they follow one another. */

const Id = Type.String({ minLength: 1, maxLength: 64, description: "The client's own name for a subscription." });
const InstanceId = Type.String({ pattern: ID_PATTERNS.instance, description: 'The id of an instance.' });
const Topic = Type.String({ description: 'The canonical selector.' });
const Revision = Type.Integer({ minimum: 0 });
const Digest = Type.String({ pattern: '^[0-9a-f]{16}$', description: 'Digest of the subscription at the revision.' });
const Kind = Type.Enum([...KINDS], { description: 'A kind of resource.' });

export const PositionSchema = Type.Object(
  { epoch: Type.String({ minLength: 1, maxLength: 64 }), revision: Revision },
  { additionalProperties: false, description: 'A place in one history.' },
);

const texts = (text: { readonly minLength: number; readonly maxLength: number }, description: string) =>
  Type.Array(Type.String({ ...text, pattern: PLAIN }), { minItems: 1, maxItems: 100, description });
const names = (description: string) => texts({ minLength: 1, maxLength: 253 }, description);
const pairs = (description: string) =>
  Type.Record(Type.String({ pattern: SELECT_KEY }), Type.String({ maxLength: 63, pattern: PLAIN }), {
    // With a `=` in a key, two selections would be one topic.
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 16,
    description,
  });

export const SelectSchema = Type.Object(
  {
    kind: Type.Enum([...KINDS, '*'], { description: 'A kind of resource, or * for all.' }),
    services: Type.Optional(names('Only what belongs to one of these services.')),
    regions: Type.Optional(names('Only these regions, and what is in one of them.')),
    labels: Type.Optional(pairs('Only what carries each of these labels with exactly this value.')),
    environments: Type.Optional(
      texts(
        { minLength: 0, maxLength: 64 },
        'Only instances of one of these environments; the empty text is for those that name none.',
      ),
    ),
    protocols: Type.Optional(
      texts({ minLength: 1, maxLength: 64 }, 'Only instances that speak one of these protocols.'),
    ),
    versions: Type.Optional(texts({ minLength: 1, maxLength: 64 }, 'Only instances of one of these versions.')),
    tags: Type.Optional(pairs('Only instances that carry each of these tags with exactly this value.')),
    passing: Type.Optional(Type.Boolean({ description: 'Only instances that can be called now, or that cannot.' })),
  },
  { additionalProperties: false },
);

export const ClientFrames = {
  subscribe: Type.Object(
    {
      type: Type.Literal('subscribe'),
      id: Id,
      select: SelectSchema,
      since: Type.Optional(PositionSchema),
    },
    {
      additionalProperties: false,
      description: 'Asks for a snapshot and all that follows, or for all since a position.',
    },
  ),
  unsubscribe: Type.Object(
    { type: Type.Literal('unsubscribe'), id: Id },
    { additionalProperties: false, description: 'Ends a subscription.' },
  ),
  resync: Type.Object(
    {
      type: Type.Literal('resync'),
      id: Id,
      revision: Revision,
      digest: Digest,
    },
    {
      additionalProperties: false,
      description:
        "Says that the client's cache does not agree with the digest of a bookmark; answered by a reset and a new snapshot.",
    },
  ),
  register: Type.Object(
    {
      type: Type.Literal('register'),
      id: Id,
      instance: Type.Record(Type.String(), Type.Unknown(), { description: 'The body of POST /v1/instances.' }),
    },
    {
      additionalProperties: false,
      description: 'Registers an instance. From then on whatever is heard on the socket renews its lease.',
    },
  ),
  renew: Type.Object(
    {
      type: Type.Literal('renew'),
      id: Type.Optional(Id),
      instances: Type.Optional(
        Type.Array(InstanceId, {
          minItems: 1,
          maxItems: 1000,
          description: 'Without them, all that were registered on this socket.',
        }),
      ),
    },
    { additionalProperties: false, description: 'Renews the leases of instances; answered by renewed.' },
  ),
  deregister: Type.Object(
    { type: Type.Literal('deregister'), id: Id, instance: InstanceId },
    { additionalProperties: false, description: 'Removes an instance; one that is not there is gone already.' },
  ),
  reauth: Type.Object(
    {
      type: Type.Literal('reauth'),
      token: Type.String({ minLength: 1, maxLength: 16_384, description: 'An access token of the same subject.' }),
    },
    {
      additionalProperties: false,
      description: 'A token in place of the one that the socket was opened with; answered by reauthed, or an error.',
    },
  ),
  ping: Type.Object(
    { type: Type.Literal('ping') },
    { additionalProperties: false, description: 'Answered by a pong.' },
  ),
} as const;

export const ChangeSchema = Type.Object(
  {
    op: Type.Enum(['put', 'delete']),
    kind: Kind,
    key: Type.String({ description: "The resource's name." }),
    revision: Revision,
    value: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'The resource; only with put.' })),
  },
  { additionalProperties: false },
);

export const ServerFrames = {
  welcome: Type.Object(
    {
      type: Type.Literal('welcome'),
      protocol: Type.Integer(),
      epoch: Type.String(),
      revision: Revision,
      heartbeat: Type.Integer({
        description: 'Milliseconds between bookmarks; after three without a word, reconnect.',
      }),
      resumeWithin: Type.Optional(
        Type.Integer({
          minimum: 0,
          description:
            'Milliseconds: when the connection breaks without a word, wait for a random part of this before the first attempt to return.',
        }),
      ),
    },
    { additionalProperties: false, description: 'The first frame on every socket.' },
  ),
  subscribed: Type.Object(
    { type: Type.Literal('subscribed'), id: Id, topic: Topic },
    { additionalProperties: false, description: 'A subscription stands; its frames carry this topic.' },
  ),
  unsubscribed: Type.Object(
    { type: Type.Literal('unsubscribed'), id: Id, topic: Topic },
    { additionalProperties: false, description: 'A subscription has ended; no frame of its topic follows.' },
  ),
  snapshot: Type.Object(
    {
      type: Type.Literal('snapshot'),
      topic: Topic,
      revision: Revision,
      items: Type.Array(Type.Record(Type.String(), Type.Unknown()), { description: 'Whole resources.' }),
      more: Type.Boolean({ description: 'Whether another part of the same snapshot follows.' }),
    },
    { additionalProperties: false, description: 'A part of the state at the revision.' },
  ),
  synced: Type.Object(
    { type: Type.Literal('synced'), topic: Topic, revision: Revision, digest: Digest },
    { additionalProperties: false, description: 'The subscription now holds everything up to the revision.' },
  ),
  change: Type.Object(
    {
      type: Type.Literal('change'),
      topic: Topic,
      revision: Revision,
      changes: Type.Array(ChangeSchema, { minItems: 1 }),
    },
    {
      additionalProperties: false,
      description: 'All changes of one or more whole revisions, in order; `revision` is the last of them.',
    },
  ),
  bookmark: Type.Object(
    { type: Type.Literal('bookmark'), revision: Revision, digests: Type.Record(Type.String(), Digest) },
    { additionalProperties: false, description: 'Everything up to the revision has been sent for each topic named.' },
  ),
  reset: Type.Object(
    {
      type: Type.Literal('reset'),
      topic: Topic,
      epoch: Type.String({ description: 'The history that the snapshot belongs to.' }),
      reason: Type.Enum(['epoch', 'future', 'trimmed', 'resync', 'unavailable', 'access', 'fenced']),
    },
    { additionalProperties: false, description: 'Forget what you hold of this topic: a new snapshot follows.' },
  ),
  registered: Type.Object(
    {
      type: Type.Literal('registered'),
      id: Id,
      instance: Type.Object(
        {
          id: InstanceId,
          name: Type.String(),
          generation: Revision,
          lease: Type.Optional(
            Type.String({ description: 'How often it has to be heard of, where its check is ttl.' }),
          ),
          detectionBound: Type.String({ description: 'The longest time from its death until its watchers are told.' }),
        },
        { additionalProperties: false },
      ),
      revision: Revision,
    },
    { additionalProperties: false, description: 'The instance is there, at the revision at the latest.' },
  ),
  renewed: Type.Object(
    {
      type: Type.Literal('renewed'),
      id: Type.Optional(Id),
      renewed: Type.Integer({ minimum: 0, description: 'How many were renewed.' }),
      unknown: Type.Array(InstanceId, {
        description: 'Those that are not there any more, and have to register again.',
      }),
    },
    { additionalProperties: false, description: 'Answers a renew.' },
  ),
  deregistered: Type.Object(
    { type: Type.Literal('deregistered'), id: Id, instance: InstanceId, revision: Revision },
    { additionalProperties: false, description: 'The instance is gone, at the revision at the latest.' },
  ),
  reauth: Type.Object(
    {
      type: Type.Literal('reauth'),
      expiresIn: Type.Integer({ minimum: 0, description: 'Milliseconds until the token expires that the server has.' }),
    },
    { additionalProperties: false, description: 'Send a reauth with a new token, or the socket is closed with 4004.' },
  ),
  reauthed: Type.Object(
    { type: Type.Literal('reauthed') },
    { additionalProperties: false, description: 'The new token is taken.' },
  ),
  pong: Type.Object({ type: Type.Literal('pong') }, { additionalProperties: false, description: 'Answers a ping.' }),
  error: Type.Object(
    {
      type: Type.Literal('error'),
      id: Type.Optional(Id),
      code: Type.Enum([
        'bad-frame',
        'bad-select',
        'duplicate-id',
        'duplicate-topic',
        'unknown-id',
        'too-many-subscriptions',
        'refused',
        'forbidden',
        'unavailable',
        'too-many-registrations',
        'too-many-requests',
        'invalid-token',
        'rate-limited',
        'quota-exceeded',
      ]),
      message: Type.String(),
      errors: Type.Optional(
        Type.Array(
          Type.Object(
            { pointer: Type.String({ description: 'JSON pointer into `instance`.' }), detail: Type.String() },
            { additionalProperties: false },
          ),
          { description: 'With refused: what is wrong with the instance.' },
        ),
      ),
      retryAfter: Type.Optional(Type.Integer({ minimum: 1, description: 'With unavailable: seconds.' })),
      retryAfterMs: Type.Optional(Type.Integer({ minimum: 1, description: 'With rate-limited: milliseconds.' })),
    },
    { additionalProperties: false, description: 'A client frame was not carried out.' },
  ),
} as const;

export type ClientFrame = {
  [K in keyof typeof ClientFrames]: Static<(typeof ClientFrames)[K]>;
}[keyof typeof ClientFrames];
export type ServerFrame = {
  [K in keyof typeof ServerFrames]: Static<(typeof ServerFrames)[K]>;
}[keyof typeof ServerFrames];
export type SubscribeFrame = Static<typeof ClientFrames.subscribe>;
export type RegisterFrame = Static<typeof ClientFrames.register>;
export type RenewFrame = Static<typeof ClientFrames.renew>;
export type ReauthFrame = Static<typeof ClientFrames.reauth>;
export type DeregisterFrame = Static<typeof ClientFrames.deregister>;
export type RegisteredFrame = Static<typeof ServerFrames.registered>;
export type ErrorFrame = Static<typeof ServerFrames.error>;
export type ResetFrame = Static<typeof ServerFrames.reset>;
/** What a subscription asks for: a kind, and filters, all of which have to hold (openapi/PUSH.md). */
export type Select = Static<typeof SelectSchema>;
