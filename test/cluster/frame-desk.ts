import type { AnyItem } from '../../src/domain/item.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { parseServerFrame } from '../acceptance/watch-client.ts';

/** Texts that are kept: those who watch the same get the same bytes at about the same time. */
const KEPT = 400;

/** Reads the frames of all subscribers: what many get is parsed, held against the protocol and against the log once. */
export class FrameDesk {
  readonly #texts = new Map<string, ServerFrame>();
  readonly #true = new WeakSet<ServerFrame>();
  readonly #logged: (key: string, revision: number) => AnyItem | undefined;

  constructor(logged: (key: string, revision: number) => AnyItem | undefined) {
    this.#logged = logged;
  }

  read(text: string): ServerFrame {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const frame = parseServerFrame(text);
    this.#texts.set(text, frame);
    if (this.#texts.size > KEPT) for (const oldest of this.#texts.keys()) return this.#forget(oldest, frame);
    return frame;
  }

  /** The values are those that the log has, as far as it is remembered here. */
  mustBeTrue(frame: Extract<ServerFrame, { type: 'change' }>): void {
    if (this.#true.has(frame)) return;
    this.#true.add(frame);
    for (const { op, key, revision, value } of frame.changes) {
      if (op !== 'put') continue;
      const item = this.#logged(key, revision);
      if (item !== undefined && JSON.stringify(value) !== JSON.stringify(item.value)) {
        throw new Error(`PUSH3: ${key}@${revision} is not what the log has: ${JSON.stringify(value)} not ${item.json}`);
      }
    }
  }

  #forget(oldest: string, frame: ServerFrame): ServerFrame {
    this.#texts.delete(oldest);
    return frame;
  }
}
