import { Type, type Static } from 'typebox';
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { decodePageToken, encodePageToken, type TokenQuery } from '../../domain/page-token.ts';
import { servicesOf } from '../../auth/services-of.ts';
import type { Connection } from '../../feed/connection.ts';
import type { Hub } from '../../feed/hub.ts';
import type { Subscription } from '../../feed/subscription.ts';
import { badParameter } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import { answers, json, READ_PROBLEMS, ReadHeaders } from '../openapi.ts';
import { topicFor, type Own } from './subscribers-seen.ts';

const DEFAULT_PAGE_SIZE = 100;

const SubscribersQuery = Type.Object(
  {
    service: Type.Optional(
      Type.String({ description: 'Only those who watch this service, alone, among others, or with all services.' }),
    ),
    transport: Type.Optional(
      Type.Enum(['websocket', 'sse', 'poll'], { description: 'Only those connected like this.' }),
    ),
    pageSize: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: DEFAULT_PAGE_SIZE,
        description: 'How many a page has at most.',
      }),
    ),
    pageToken: Type.Optional(
      Type.String({ description: 'The `nextPageToken` of the page before, with the same service and transport.' }),
    ),
  },
  { additionalProperties: false },
);

type Query = Static<typeof SubscribersQuery>;
export type SubscribersHub = Pick<Hub, 'subscribers' | 'cutOffs' | 'head' | 'view'>;

/** `GET /v1/subscribers`: who watches what, and how far behind they are. Of this node alone. */
function subscribers(hub: SubscribersHub) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const query = request.query as Query;
    const token = tokenQuery(query);
    const after = afterOf(token, query.pageToken);
    const size = query.pageSize ?? DEFAULT_PAGE_SIZE;
    const own = servicesOf(request.caller, 'feed.subscribers', hub.view);
    const page: Connection[] = [];
    let more = false;
    for (const connection of hub.subscribers) {
      if (connection.id <= after || !passes(connection, query, own) || !concerns(connection, own, hub)) continue;
      more = page.length === size;
      if (more) break;
      page.push(connection);
    }
    const last = page.at(-1);
    const nextPageToken = more && last !== undefined ? encodePageToken(token, { values: [], name: `${last.id}` }) : '';
    const { epoch, revision } = hub.head;
    const items = page.map((connection) => describe(connection, revision, own, hub));
    // What those watched who were sent away is not told apart any more.
    const cutOffs = (own === 'all' ? hub.cutOffs : []).map(({ at, ...rest }) => ({
      at: new Date(at).toISOString(),
      ...rest,
    }));
    sendJson(reply, JSON.stringify({ items, nextPageToken, head: { epoch, revision }, cutOffs }));
  };
}

const tokenQuery = ({ service, transport }: Query): TokenQuery => ({
  collection: 'subscribers',
  filter: JSON.stringify([transport, service]),
  orderBy: '',
});

function afterOf(query: TokenQuery, token: string | undefined): number {
  if (token === undefined || token === '') return 0;
  const cursor = decodePageToken(query, token, 0);
  if (cursor === 'other-query') {
    throw badParameter('pageToken', 'belongs to a list with another service or transport; send the same, or no token');
  }
  if (cursor === 'broken' || !/^[0-9]{1,15}$/.test(cursor.name)) {
    throw badParameter('pageToken', 'is not one that a list has answered; send a nextPageToken as it is, or no token');
  }
  return Number(cursor.name);
}

function passes({ peer, subscriptions }: Connection, { service, transport }: Query, own: Own): boolean {
  if (transport !== undefined && peer.transport !== transport) return false;
  // What else a subscriber watches is not to be found out by asking for it.
  if (service !== undefined && own !== 'all' && !own.includes(service)) return false;
  if (service === undefined) return true;
  return subscriptions.some(({ group: { selector } }) => selector.services?.includes(service) ?? true);
}

/** Whether it is the asker's business at all. */
const concerns = ({ sight, subscriptions }: Connection, own: Own, { view }: SubscribersHub): boolean =>
  own === 'all' || subscriptions.some(({ group }) => topicFor(own, group.selector, sight, view) !== undefined);

function describe(connection: Connection, head: number, own: Own, { view }: SubscribersHub): object {
  const { id, peer, caller, sight, since, subscriptions, queuedBytes, bytesSent, instances } = connection;
  const told = subscriptions.flatMap((subscription) => {
    const topic = topicFor(own, subscription.group.selector, sight, view);
    return topic === undefined ? [] : describeSubscription(subscription, topic, peer.transport, head);
  });
  return {
    id: String(id),
    transport: peer.transport,
    remoteAddress: peer.remoteAddress,
    subject: caller.subject,
    since: new Date(since).toISOString(),
    userAgent: peer.userAgent,
    subscriptions: told,
    queuedBytes,
    bytesSent,
    // They may be anybody's.
    ...(own === 'all' && { instances }),
  };
}

function describeSubscription(
  { id, state, sentRevision }: Subscription,
  topic: string,
  transport: string,
  head: number,
): object {
  return {
    // Elsewhere there is one alone, which the client has not named.
    id: transport === 'websocket' ? id : undefined,
    topic,
    phase: state.phase,
    sentRevision,
    lag: sentRevision === undefined ? undefined : Math.max(0, head - sentRevision),
  };
}

/** The list of subscribers. */
export const subscribersRoute =
  (hub: SubscribersHub): FastifyPluginCallback =>
  (app, _options, done) => {
    app.route({
      method: 'GET',
      url: '/v1/subscribers',
      config: { action: 'feed.subscribers' },
      schema: {
        operationId: 'ListSubscribers',
        tags: ['feed'],
        summary: 'Who watches what',
        description:
          'Those who are connected to this node over WebSocket, server-sent events or a waiting long poll, in order of connecting. Administrators are told of all; API owners and service accounts of those who watch services of theirs, and of that alone.',
        querystring: SubscribersQuery,
        headers: ReadHeaders,
        response: answers({ 200: json('A page of subscribers.', SUBSCRIBERS) }, READ_PROBLEMS),
      },
      handler: subscribers(hub),
    });
    done();
  };

const Bytes = (description: string) => Type.Integer({ description });

const SUBSCRIPTION = Type.Object({
  id: Type.Optional(Type.String({ description: "The client's own, over WebSocket." })),
  topic: Type.String({ description: 'The canonical selector.' }),
  phase: Type.Enum(['snapshot', 'following', 'reading', 'looking', 'live', 'closed'], {
    description:
      '`live`: gets changes as they come. `snapshot`: is being sent the state. `following`, `reading`: is being caught up, from memory or from the log. `looking`: has more than this node, which is asking the log.',
  }),
  sentRevision: Type.Optional(
    Type.Integer({ description: 'Everything up to there has been written; absent before the first whole snapshot.' }),
  ),
  lag: Type.Optional(Type.Integer({ description: 'So many revisions it is behind the head.' })),
});

const SUBSCRIBERS = Type.Object({
  items: Type.Array(
    Type.Object({
      id: Type.String({ description: 'Of this node; it rises.' }),
      transport: Type.Enum(['websocket', 'sse', 'poll']),
      remoteAddress: Type.String(),
      subject: Type.String({ description: 'Who it is, as the audit names them.' }),
      since: Type.String({ format: 'date-time', description: 'When it connected.' }),
      userAgent: Type.Optional(Type.String({ description: 'Its first 200 characters.' })),
      subscriptions: Type.Array(SUBSCRIPTION),
      queuedBytes: Bytes('Wait to be taken by the operating system.'),
      bytesSent: Bytes('Were taken by it.'),
      instances: Type.Optional(
        Type.Integer({ description: 'Registered over the connection, which keeps their leases; for administrators.' }),
      ),
    }),
  ),
  nextPageToken: Type.String({ description: 'For the next page; empty on the last one.' }),
  head: Type.Object({ epoch: Type.String(), revision: Type.Integer() }, { description: 'The head of the log.' }),
  cutOffs: Type.Array(
    Type.Object({
      at: Type.String({ format: 'date-time' }),
      remoteAddress: Type.String(),
      reason: Type.Enum(['too-slow', 'silent', 'protocol-error']),
      topics: Type.Array(Type.String(), { description: 'What it watched; of many, the first 16.' }),
    }),
    {
      description:
        'The last 100 connections that were ended for a fault of the client, the newest first; for administrators.',
    },
  ),
});
