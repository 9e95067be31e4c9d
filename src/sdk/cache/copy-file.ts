import { createHash, randomBytes } from 'node:crypto';
import { addTo, digestHex, emptyDigest } from '../../domain/digest.ts';
import type { Caller } from '../caller.ts';
import type { Resource } from '../watch/watch.ts';
import type { Kept } from './keep.ts';

/**
 * A copy as a file: lines of JSON, the first with everything but the items, the last the SHA-256 of all before it.
 *
 *     signalbox-copy 2
 *     {"topic":…,"server":…,"caller":…,"position":…,"digest":…,"count":2}
 *     {"name":…}
 *     {"name":…}
 *     sha256 …
 */
const FORMAT = 2;
const MAGIC = `signalbox-copy ${FORMAT}\n`;
/** Items in one piece: others get their turn between two of them. */
const ITEMS_IN_A_PIECE = 500;

export const FILE_NAME = /^[0-9a-f]{40}\.copy$/;

/**
 * One file for each topic of a server and each caller, whatever characters they have. Those who are known by nothing but their token
 * share one: tokens change, and nothing would remove what each of them has left.
 */
export function fileNameOf(server: string, topic: string, { kind, key }: Caller): string {
  const caller = kind === 'token' ? kind : `${kind} ${key}`;
  return `${createHash('sha256').update(`${server}\n${caller}\n${topic}`).digest('hex').slice(0, 40)}.copy`;
}

/** What only the same caller makes again with the same salt, and nobody gets back to a token. */
const markOf = ({ kind, key }: Caller, salt: string): string =>
  `${salt} ${createHash('sha256').update(`${salt}\n${kind}\n${key}`).digest('hex')}`;

const isMarkOf = (mark: string, caller: Caller): boolean => mark === markOf(caller, mark.split(' ')[0] ?? '');

/** The file in pieces of some size each. */
export function* encodeCopy(topic: string, { items, caller, ...about }: Kept): Iterable<string> {
  const hash = createHash('sha256');
  const hashed = (piece: string): string => {
    hash.update(piece);
    return piece;
  };
  const head: Head = { topic, caller: markOf(caller, randomBytes(16).toString('hex')), ...about, count: items.length };
  yield hashed(`${MAGIC}${JSON.stringify(head)}\n`);
  for (let at = 0; at < items.length; at += ITEMS_IN_A_PIECE) {
    const piece = items.slice(at, at + ITEMS_IN_A_PIECE).map((item) => `${JSON.stringify(item)}\n`);
    yield hashed(piece.join(''));
  }
  yield `sha256 ${hash.digest('hex')}\n`;
}

export type Decoded = { readonly ok: true; readonly kept: Kept } | { readonly ok: false; readonly why: string };

const LF = 0x0a;
/** `sha256 `, 64 digits and the end of the line. */
const TRAILER_BYTES = 72;

/** Takes nothing that is not, to the last byte, what was written for this topic of this server and this caller. */
export function decodeCopy(bytes: Buffer, server: string, topic: string, caller: Caller): Decoded {
  const [, format] = /^signalbox-copy ([0-9]{1,9})\n/.exec(bytes.toString('latin1', 0, 32)) ?? [];
  if (format === undefined) return no('it is no copy of Signalbox');
  if (Number(format) !== FORMAT) return no(`it is of format ${format}, and ${FORMAT} is known here`);
  const end = bytes.length - TRAILER_BYTES;
  const body = bytes.subarray(0, Math.max(end, 0));
  const sum = createHash('sha256').update(body).digest('hex');
  if (bytes.toString('latin1', Math.max(end, 0)) !== `sha256 ${sum}\n`) return no('it is not whole');
  const { topic: ofTopic, server: ofServer, caller: mark, count, ...about } = headOf(body);
  if (ofServer !== server || ofTopic !== topic) return no('it is of another server or topic');
  if (!isMarkOf(mark, caller)) return no('it was got with another token');
  const items = itemsOf(body);
  if (items.length !== count || digestOfItems(items) !== about.digest)
    return no('its items are not those of its digest');
  return { ok: true, kept: { server, caller, ...about, items } };
}

const no = (why: string): Decoded => ({ ok: false, why });

type Head = Omit<Kept, 'items' | 'caller'> & {
  readonly topic: string;
  readonly caller: string;
  readonly count: number;
};

/** What has the right sum was written here; so it is what it says. */
const headOf = (body: Buffer): Head =>
  JSON.parse(body.toString('utf8', MAGIC.length, body.indexOf(LF, MAGIC.length))) as Head;

/** Line by line: a text of the whole might be longer than a text may be. */
function itemsOf(body: Buffer): Resource[] {
  const items: Resource[] = [];
  let from = body.indexOf(LF, MAGIC.length) + 1;
  while (from < body.length) {
    const end = body.indexOf(LF, from);
    items.push(JSON.parse(body.toString('utf8', from, end)) as Resource);
    from = end + 1;
  }
  return items;
}

function digestOfItems(items: readonly Resource[]): string {
  const digest = emptyDigest();
  for (const { name, revision } of items) addTo(digest, name, revision);
  return digestHex(digest);
}
