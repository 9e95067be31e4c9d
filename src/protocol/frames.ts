import { Type, type Static } from 'typebox';
import { KINDS } from '../domain/resources.ts';

/** The frames of the push protocol; `openapi/PUSH.md` tells how they follow one another. */

const Id = Type.String({ minLength: 1, maxLength: 64, description: "The client's own name for a subscription." });
const Topic = Type.String({ description: 'The canonical selector.' });
const Revision = Type.Integer({ minimum: 0 });
const Digest = Type.String({ pattern: '^[0-9a-f]{16}$', description: 'Digest of the subscription at the revision.' });
const Kind = Type.Enum([...KINDS], { description: 'A kind of resource.' });

export const PositionSchema = Type.Object(
  { epoch: Type.String({ minLength: 1, maxLength: 64 }), revision: Revision },
  { additionalProperties: false, description: 'A place in one history.' },
);

const names = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { minItems: 1, maxItems: 100, description });

export const SelectSchema = Type.Object(
  {
    kind: Type.Enum([...KINDS, '*'], { description: 'A kind of resource, or * for all.' }),
    services: Type.Optional(names('Only what belongs to one of these services.')),
    regions: Type.Optional(names('Only regions and deployments of these regions.')),
    labels: Type.Optional(
      Type.Record(Type.String({ maxLength: 63 }), Type.String({ maxLength: 63 }), {
        minProperties: 1,
        maxProperties: 16,
        description: 'Only what carries each of these labels with exactly this value.',
      }),
    ),
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
      reason: Type.Enum(['epoch', 'future', 'trimmed', 'resync', 'unavailable']),
    },
    { additionalProperties: false, description: 'Forget what you hold of this topic: a new snapshot follows.' },
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
      ]),
      message: Type.String(),
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
export type ErrorFrame = Static<typeof ServerFrames.error>;
export type ResetFrame = Static<typeof ServerFrames.reset>;
export type Select = Static<typeof SelectSchema>;
