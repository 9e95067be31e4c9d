import type { Instance } from '../../src/domain/instances/instance.ts';
import { addTo, digestHex, emptyDigest, removeFrom } from '../../src/domain/digest.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import type { Client } from '../../src/sdk/api.ts';
import { SignalboxClient } from '../../src/sdk/client.ts';
import type { Carrier, LinkEvents } from '../../src/sdk/connection/link.ts';
import { parseServerFrame } from '../../src/sdk/connection/parse-frame.ts';
import { nodeParts } from '../../src/sdk/node-parts.ts';

const TOPIC = 'instance';
const PART = 500;

/**
 * Clients of this process, and what a server would tell all of them: the texts that a socket brings, and everything that a client
 * does with them, without the socket.
 */
export class ToldClients {
  readonly clients: Client[] = [];
  readonly #opening: readonly string[];
  readonly #links: LinkEvents[] = [];
  readonly #items: Instance[];
  readonly #digest = emptyDigest();
  #revision = 1;

  constructor(items: readonly Instance[]) {
    this.#items = [...items];
    for (const { name, revision } of items) addTo(this.#digest, name, revision);
    this.#opening = this.#snapshot();
  }

  async open(count: number): Promise<void> {
    const carrier: Carrier = {
      name: 'websocket',
      open: (_address, events) => {
        this.#links.push(events);
        const { epoch } = this;
        const welcome: ServerFrame = { type: 'welcome', protocol: 1, epoch, revision: 1, heartbeat: 3_600_000 };
        queueMicrotask(() => events.onFrame(welcome));
        return {
          send: (frame) => {
            if (frame.type === 'subscribe') queueMicrotask(() => this.#subscribed(events, frame.id));
          },
          close: () => {},
        };
      },
    };
    for (let n = 0; n < count; n++) {
      this.clients.push(new SignalboxClient({ url: 'http://127.0.0.1:1' }, { ...nodeParts(), carriers: [carrier] }));
    }
    await new Promise((done) => setImmediate(done));
  }

  readonly epoch = 'bench';

  /** The next change of an instance, as text. What was asked for is to be told in this order. */
  change(): string {
    this.#revision += 1;
    const n = (this.#revision * 7) % this.#items.length;
    const before = this.#items[n] as Instance;
    const revision = this.#revision;
    const value = { ...before, revision, weight: 1 + (before.weight % 9) };
    this.#items[n] = value;
    removeFrom(this.#digest, before.name, before.revision);
    addTo(this.#digest, value.name, revision);
    const change = { op: 'put', kind: 'instance', key: value.name, revision, value };
    return JSON.stringify({ type: 'change', topic: TOPIC, revision, changes: [change] });
  }

  /** After all changes so far: copies that do not agree with it say so. */
  bookmark(): string {
    const digests = { [TOPIC]: digestHex(this.#digest) };
    return JSON.stringify({ type: 'bookmark', revision: this.#revision, digests });
  }

  tell(text: string): void {
    for (const { onFrame } of this.#links) this.#hand(onFrame, text);
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
  }

  #subscribed({ onFrame }: LinkEvents, id: string): void {
    onFrame({ type: 'subscribed', id, topic: TOPIC });
    for (const text of this.#opening) this.#hand(onFrame, text);
  }

  #hand(onFrame: LinkEvents['onFrame'], text: string): void {
    const frame = parseServerFrame(text);
    if (frame === undefined) throw new Error(`not a frame: ${text.slice(0, 100)}`);
    onFrame(frame);
  }

  #snapshot(): string[] {
    const texts: string[] = [];
    const about = { topic: TOPIC, revision: 1 };
    for (let from = 0; from < this.#items.length; from += PART) {
      const more = from + PART < this.#items.length;
      texts.push(JSON.stringify({ type: 'snapshot', ...about, items: this.#items.slice(from, from + PART), more }));
    }
    texts.push(JSON.stringify({ type: 'synced', ...about, digest: digestHex(this.#digest) }));
    return texts;
  }
}
