import type { AnyItem } from '../domain/item.ts';
import { Frame } from './frame.ts';

const CHUNK_BYTES = 256 * 1024;

/**
 * The state of one topic at one revision. Items are immutable, so it stays true while the view moves on; its frames are
 * made when first asked for and shared by everyone who is served from it.
 */
export class Snapshot {
  readonly revision: number;
  readonly digest: string;
  readonly synced: Frame;
  readonly #topic: string;
  readonly #items: readonly AnyItem[];
  /** Where each chunk ends in `#items`. An empty topic has one empty chunk. */
  readonly #ends: readonly number[];
  readonly #frames: (Frame | undefined)[] = [];

  constructor(topic: string, revision: number, digest: string, items: readonly AnyItem[]) {
    this.revision = revision;
    this.digest = digest;
    this.#topic = JSON.stringify(topic);
    this.#items = items;
    this.#ends = chunkEnds(items);
    this.synced = syncedFrame(topic, revision, digest);
  }

  get chunks(): number {
    return this.#ends.length;
  }

  chunk(index: number): Frame {
    return (this.#frames[index] ??= this.#encode(index));
  }

  #encode(index: number): Frame {
    const start = index === 0 ? 0 : (this.#ends[index - 1] ?? 0);
    const items = this.#items.slice(start, this.#ends[index]).map((item) => item.json);
    const more = index < this.#ends.length - 1;
    return new Frame(
      `{"type":"snapshot","topic":${this.#topic},"revision":${this.revision},"items":[${items.join(',')}],"more":${more}}`,
    );
  }
}

function chunkEnds(items: readonly AnyItem[]): number[] {
  const ends: number[] = [];
  let length = 0;
  items.forEach((item, index) => {
    length += item.json.length;
    if (length > CHUNK_BYTES) {
      ends.push(index + 1);
      length = 0;
    }
  });
  if (ends.at(-1) !== items.length || ends.length === 0) ends.push(items.length);
  return ends;
}

export const syncedFrame = (topic: string, revision: number, digest: string): Frame =>
  new Frame(`{"type":"synced","topic":${JSON.stringify(topic)},"revision":${revision},"digest":"${digest}"}`, revision);
