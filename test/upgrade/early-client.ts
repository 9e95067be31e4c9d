import WebSocket from 'ws';
import { addTo, digestHex, emptyDigest, removeFrom, type Digest } from '../../src/domain/digest.ts';
import { until } from '../acceptance/until.ts';
import { watchUrl } from '../acceptance/watch-client.ts';

/** What such a client reads of a frame. Whatever else is in one it does not look at. */
interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly topic?: string;
  readonly revision?: number;
  readonly digest?: string;
  readonly digests?: Readonly<Record<string, string>>;
  readonly items?: readonly Item[];
  readonly changes?: readonly { readonly op: string; readonly key: string; readonly value?: Item }[];
  readonly instance?: { readonly id: string; readonly name: string; readonly generation: number };
  readonly message?: string;
}

interface Item {
  readonly name: string;
  readonly revision: number;
}

interface Copy {
  readonly items: Map<string, number>;
  readonly digest: Digest;
  topic: string;
  /** Of the last digest that it agreed with. */
  checkedAt: number;
}

/** A client of the first days: it knows the frames of `signalbox.v1` as it began, and none of the fields that were added since. */
export class EarlyClient {
  /** What it could not make sense of, and digests that its copy did not agree with. */
  readonly wrong: string[] = [];
  readonly #ws: WebSocket;
  readonly #copies = new Map<string, Copy>();
  #isWelcome = false;
  #instance: Frame['instance'];
  #isGone = false;

  private constructor(url: string) {
    this.#ws = new WebSocket(watchUrl(url), 'signalbox.v1');
    this.#ws.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString()) as Frame));
    this.#ws.on('error', (error) => void this.wrong.push(error.message));
  }

  static async open(url: string): Promise<EarlyClient> {
    const client = new EarlyClient(url);
    await until('it is welcome', () => client.#isWelcome);
    return client;
  }

  async subscribe(id: string, select: object): Promise<void> {
    this.#copies.set(id, { items: new Map(), digest: emptyDigest(), topic: '', checkedAt: -1 });
    this.#send({ type: 'subscribe', id, select });
    await until('it is synced', () => this.checkedAt(id) >= 0);
  }

  async register(instance: object): Promise<NonNullable<Frame['instance']>> {
    this.#send({ type: 'register', id: 'r', instance });
    return until('it is registered', () => this.#instance);
  }

  async deregister(): Promise<void> {
    this.#send({ type: 'deregister', id: 'd', instance: this.#instance?.id });
    await until('it is deregistered', () => this.#isGone);
  }

  copy(id: string): ReadonlyMap<string, number> {
    return this.#copies.get(id)?.items ?? new Map();
  }

  checkedAt(id: string): number {
    return this.#copies.get(id)?.checkedAt ?? -1;
  }

  end(): void {
    this.#ws.terminate();
  }

  #send(frame: object): void {
    this.#ws.send(JSON.stringify(frame));
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'welcome':
        this.#isWelcome = true;
        return;
      case 'subscribed': {
        const copy = this.#copies.get(frame.id ?? '');
        if (copy !== undefined) copy.topic = frame.topic ?? '';
        return;
      }
      case 'snapshot':
        for (const item of frame.items ?? []) this.#put(frame, item.name, item);
        return;
      case 'change':
        for (const { op, key, value } of frame.changes ?? []) this.#put(frame, key, op === 'put' ? value : undefined);
        return;
      case 'synced':
        return this.#check(frame.topic ?? '', frame.digest ?? '', frame.revision ?? -1);
      case 'bookmark':
        for (const [topic, digest] of Object.entries(frame.digests ?? {})) {
          this.#check(topic, digest, frame.revision ?? -1);
        }
        return;
      case 'registered':
        this.#instance = frame.instance;
        return;
      case 'deregistered':
        this.#isGone = true;
        return;
      default:
        this.wrong.push(`${frame.type} ${frame.message ?? ''}`);
    }
  }

  #of(topic: string): Copy | undefined {
    return [...this.#copies.values()].find((copy) => copy.topic === topic);
  }

  #put({ topic = '' }: Frame, name: string, item: Item | undefined): void {
    const copy = this.#of(topic);
    if (copy === undefined) return void this.wrong.push(`a frame of ${topic}`);
    const before = copy.items.get(name);
    if (before !== undefined) removeFrom(copy.digest, name, before);
    copy.items.delete(name);
    if (item === undefined) return;
    addTo(copy.digest, name, item.revision);
    copy.items.set(name, item.revision);
  }

  #check(topic: string, digest: string, revision: number): void {
    const copy = this.#of(topic);
    if (copy === undefined) return void this.wrong.push(`a digest of ${topic}`);
    if (digestHex(copy.digest) === digest) copy.checkedAt = revision;
    else this.wrong.push(`the digest of ${topic} at ${revision}`);
  }
}
