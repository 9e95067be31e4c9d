import { digestHex, emptyDigest, addTo } from '../../src/domain/digest.ts';
import type { Position } from '../../src/domain/position.ts';
import { select, type Selector } from '../../src/domain/selector.ts';
import type { View } from '../../src/domain/view.ts';
import type { ClientFrame, Select } from '../../src/protocol/frames.ts';
import type { Carrier, Link, LinkEnd, LinkFrame } from '../../src/sdk/connection/link.ts';
import { until } from '../acceptance/until.ts';

type Of<T extends LinkFrame['type']> = Extract<LinkFrame, { type: T }>;

/** The end of a link that a client would hold: all it was told, and the copy that a plain fold makes of it. */
export class LinkPeer {
  readonly frames: LinkFrame[] = [];
  readonly items = new Map<string, number>();
  end: LinkEnd | undefined;
  heard = 0;
  position: Position | undefined;
  link!: Link;
  #epoch = '';

  static open(
    carrier: Carrier,
    url: string,
    { token, openTimeoutMs = 2000 }: { token?: string; openTimeoutMs?: number } = {},
  ): LinkPeer {
    const peer = new LinkPeer();
    peer.link = carrier.open(
      { url, token, openTimeoutMs },
      {
        onFrame: (frame) => peer.#take(frame),
        onHeard: () => peer.heard++,
        onEnd: (end) => {
          if (peer.end !== undefined) throw new Error('it ended twice');
          peer.end = end;
        },
      },
    );
    return peer;
  }

  send(frame: ClientFrame): void {
    this.link.send(frame);
  }

  subscribe(selection: Select, since?: Position, id = '1'): void {
    this.send({ type: 'subscribe', id, select: selection, ...(since && { since }) });
  }

  /** The next frame of this type after `from`, or the one that comes. */
  async next<T extends LinkFrame['type']>(type: T, test: (frame: Of<T>) => boolean = () => true): Promise<Of<T>> {
    const find = (): Of<T> | undefined =>
      this.frames.find((frame): frame is Of<T> => frame.type === type && test(frame as Of<T>));
    await until(`a frame ${type}`, () => find() !== undefined, 10_000).catch((error: Error) => {
      throw new Error(`${error.message}; there are ${JSON.stringify(this.frames)}, and ${JSON.stringify(this.end)}`);
    });
    return find() as Of<T>;
  }

  async ended(): Promise<LinkEnd> {
    await until('the end', () => this.end !== undefined, 10_000);
    return this.end as LinkEnd;
  }

  get types(): string[] {
    return this.frames.map(({ type }) => type);
  }

  get digest(): string {
    const digest = emptyDigest();
    for (const [name, revision] of this.items) addTo(digest, name, revision);
    return digestHex(digest);
  }

  #take(frame: LinkFrame): void {
    if (this.end !== undefined) throw new Error(`a frame after the end: ${frame.type}`);
    this.frames.push(frame);
    if (frame.type === 'welcome') this.#epoch = frame.epoch;
    if (frame.type === 'reset') {
      this.items.clear();
      this.#epoch = frame.epoch;
      this.position = undefined;
    }
    if (frame.type === 'snapshot') {
      for (const { name, revision } of frame.items) this.items.set(String(name), Number(revision));
    }
    if (frame.type === 'change') {
      for (const { op, key, revision } of frame.changes) {
        if (op === 'put') this.items.set(key, revision);
        else this.items.delete(key);
      }
    }
    if (frame.type === 'change' || frame.type === 'synced' || frame.type === 'bookmark') {
      this.position = { epoch: this.#epoch, revision: frame.revision };
    }
  }
}

/** What the server would say of the selection now. */
export function digestIn(view: View, selector: Selector): string {
  const digest = emptyDigest();
  for (const { name, revision } of select(view, selector)) addTo(digest, name, revision);
  return digestHex(digest);
}
