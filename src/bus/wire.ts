import { decodeChanges, encodeChanges } from '../domain/codec.ts';
import type { Entry } from '../domain/item.ts';
import { isTraceparent, type TracedRevision } from '../domain/trace.ts';
import { MAX_TRACES, type Announcement } from './port.ts';

/** Nodes of different numbers, as during an upgrade, understand of each other only that something has happened. */
export const BUS_PROTOCOL = 1;

/**
 * A message is `<protocol> <node> <JSON>`. The head is not JSON, so that a node tells its own messages without parsing them
 * and so that any later protocol can still be told by its number.
 */
export const headOf = (node: string): string => `${BUS_PROTOCOL} ${node} `;

export function encodeAnnouncement(node: string, { epoch, from, to, entries, trace }: Announcement): string {
  const traced = trace === undefined ? '' : `,"trace":${JSON.stringify(trace)}`;
  const tail = entries === undefined ? traced : `${traced},"entries":[${entries.map(encodeEntry).join(',')}]`;
  return `${headOf(node)}{"epoch":${JSON.stringify(epoch)},"from":${from},"to":${to}${tail}}`;
}

/** Throws when the message is not an announcement of this protocol. */
export function decodeAnnouncement(message: string): Announcement {
  const [, protocol, json] = /^(\d{1,9}) \S{1,64} (.*)$/su.exec(message) ?? [];
  if (protocol === undefined || json === undefined) throw new Error('not a message of Signalbox');
  if (Number(protocol) !== BUS_PROTOCOL) throw new Error(`a message of protocol ${protocol}, not ${BUS_PROTOCOL}`);
  const { epoch, from, to, entries, trace } = JSON.parse(json) as Partial<Announcement>;
  if (typeof epoch !== 'string' || !isRevision(from) || !isRevision(to)) throw new Error('not an announcement');
  return {
    epoch,
    from,
    to,
    ...(entries !== undefined && { entries: entries.map(decodeEntry) }),
    ...(trace !== undefined && { trace: decodeTrace(trace) }),
  };
}

/** A trace is told of for people alone: one that cannot be read is left out, and the news is as good without it. */
function decodeTrace(trace: unknown): TracedRevision[] {
  if (!Array.isArray(trace)) return [];
  return trace.slice(0, MAX_TRACES).flatMap((one: Partial<TracedRevision> | null) => {
    const { revision, parent } = one ?? {};
    return isRevision(revision) && isTraceparent(parent) ? [{ revision, parent }] : [];
  });
}

function encodeEntry({ revision, at, author, changes }: Entry): string {
  return `{"revision":${revision},"at":${at},"author":${JSON.stringify(author)},"changes":${encodeChanges(changes)}}`;
}

/** Whoever may publish on the channel is trusted with the values, as whoever may write to the database is. */
function decodeEntry({ revision, at, author, changes }: Partial<Entry>): Entry {
  if (!isRevision(revision) || typeof at !== 'number' || typeof author !== 'string') throw new Error('not an entry');
  return { revision, at, author, changes: decodeChanges(changes) };
}

const isRevision = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
