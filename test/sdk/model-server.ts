import { add, digestHex, digestOf, emptyDigest, type Digest } from '../../src/domain/digest.ts';
import { since, type Position } from '../../src/domain/position.ts';
import type { ClientFrame } from '../../src/protocol/frames.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import type { Carrier, Link, LinkAddress, LinkEnd, LinkEvents, LinkFrame } from '../../src/sdk/connection/link.ts';
import type { Resource } from '../../src/sdk/watch/watch.ts';
import type { Random } from '../support/random.ts';
import type { FakeTime } from './fake-time.ts';

type Change = Extract<LinkFrame, { type: 'change' }>['changes'][number];
interface Entry {
  readonly revision: number;
  readonly changes: readonly Change[];
}

const DIRECTORY = { region: 'regions', service: 'services', bundle: 'bundles' } as const;
type ModelKind = keyof typeof DIRECTORY;
const KINDS = Object.keys(DIRECTORY) as ModelKind[];
const UNTAKEN: LinkEnd = { type: 'refused', status: 401, detail: 'the token is not taken', problem: {} };
const HEARTBEAT_MS = 10_000;

/** A history of resources, and nodes that tell of it as the protocol says; what goes wrong is up to the one who simulates. */
export class ModelServer {
  readonly random: Random;
  readonly time: FakeTime;
  epoch = 'e1';
  revision = 0;
  trimmed = 0;
  items = new Map<string, Resource>();
  log: Entry[] = [];
  links: ModelLink[] = [];
  /** By epoch, revision and topic: what a copy at that position has to be. */
  readonly digests = new Map<string, string>();
  /** How the next openings fare; without any they succeed. */
  readonly openings: (LinkEnd | 'silent')[] = [];
  /** Something else answers at one of the addresses, whatever is asked. */
  nonsense: { readonly url: string; readonly end: LinkEnd } | undefined;
  /** Called before a link's client hears of its end, and when one is opened. */
  onEnding: (end: LinkEnd) => void = () => {};
  onOpening: () => void = () => {};
  /** A token that is taken; undefined takes all. */
  token: string | undefined;
  /** So many subscriptions are answered that they come too soon. */
  tooSoon = 0;
  opened = 0;
  /** Topics of which something was lost on the way, until they have arrived anew. */
  readonly wrong = new Set<string>();
  /** Topics whose position was taken from the client, until the next snapshot is whole. */
  readonly taken = new Set<string>();
  readonly faults: string[] = [];
  readonly frames: ClientFrame[] = [];
  resumeWithin: number | undefined = 250;
  readonly #hashes = new WeakMap<Resource, Readonly<Digest>>();

  constructor(random: Random, time: FakeTime) {
    this.random = random;
    this.time = time;
    this.#record();
  }

  carrier(name: Carrier['name'] = 'websocket'): Carrier {
    return {
      name,
      open: (address, events) => {
        const link = new ModelLink(this, name, address, events);
        this.links.push(link);
        return link;
      },
    };
  }

  commit(): void {
    const { random } = this;
    this.revision += 1;
    const { revision } = this;
    const changes = new Map<string, Change>();
    for (let n = 1 + random.below(3); n > 0; n--) {
      const kind = random.pick(KINDS);
      const key = `${DIRECTORY[kind]}/r${random.below(12)}`;
      if (random.chance(0.35) && this.items.has(key)) {
        this.items.delete(key);
        changes.set(key, { op: 'delete', kind, key, revision });
      } else if (!changes.has(key)) {
        const value = { name: key, title: `${key} in ${this.epoch} at ${revision}`, revision };
        this.items.set(key, value);
        changes.set(key, { op: 'put', kind, key, revision, value });
      }
    }
    const entry = { revision, changes: [...changes.values()] };
    this.log.push(entry);
    this.#record();
    for (const link of this.links) link.committed(entry);
  }

  /** A database restored from a backup, whose counting may be the same. */
  newHistory(): void {
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
    const revision = Math.max(0, this.revision - this.random.below(5));
    this.items = new Map(
      [...this.items]
        .filter(() => this.random.chance(0.8))
        .map(([name, item]) => [
          name,
          { ...item, revision: Math.min(item.revision, revision), title: `${name} restored` },
        ]),
    );
    this.revision = this.trimmed = revision;
    this.log = [];
    this.#record();
    for (const link of this.links) link.end({ type: 'closed', code: 1006, reason: '' });
  }

  trim(): void {
    this.trimmed = this.revision;
    this.log = [];
  }

  selected(topic: string): Resource[] {
    return [...this.items.values()].filter(({ name }) => isOf(topic, name));
  }

  digest(topic: string): string {
    const digest = emptyDigest();
    for (const item of this.selected(topic)) add(digest, this.#hashOf(item));
    return digestHex(digest);
  }

  #hashOf(item: Resource): Readonly<Digest> {
    const known = this.#hashes.get(item) ?? digestOf(item.name, item.revision);
    this.#hashes.set(item, known);
    return known;
  }

  digestAt(topic: string, { epoch, revision }: Position): string | undefined {
    return this.digests.get(`${epoch}:${revision}:${topic}`);
  }

  #record(): void {
    for (const topic of [...KINDS, '*']) {
      this.digests.set(`${this.epoch}:${this.revision}:${topic}`, this.digest(topic));
    }
  }
}

const isOf = (topic: string, name: string): boolean =>
  topic === '*' || name.startsWith(`${DIRECTORY[topic as ModelKind]}/`);

/** One connection: what the server says arrives later, in order, as long as it stands. */
export class ModelLink implements Link {
  readonly server: ModelServer;
  readonly carrier: string;
  readonly address: LinkAddress;
  readonly #events: LinkEvents;
  readonly #topics = new Map<string, string>();
  #open = true;
  #inbox: (() => void)[] = [];
  /** Nothing arrives any more, and nobody says so. */
  mute = false;
  /** The next change is lost on its way to this client. */
  loses = false;
  #cancelBeat: (() => void) | undefined;

  constructor(server: ModelServer, carrier: string, address: LinkAddress, events: LinkEvents) {
    this.server = server;
    this.carrier = carrier;
    this.address = address;
    this.#events = events;
    server.onOpening();
    if (server.nonsense?.url === address.url) {
      this.end(server.nonsense.end);
      return;
    }
    const opening = server.openings.shift();
    if (opening === 'silent') return;
    const untaken = server.token !== undefined && address.token !== server.token;
    const end = untaken ? UNTAKEN : opening;
    if (end !== undefined) {
      this.end(end);
      return;
    }
    server.opened += 1;
    const { epoch, revision, resumeWithin } = server;
    const more = server.random.chance(0.3) ? { node: 'n7', weather: { sky: 'clear' } } : {};
    const welcome = { type: 'welcome', protocol: 1, epoch, revision, heartbeat: HEARTBEAT_MS, ...more } as const;
    this.#say(resumeWithin === undefined ? welcome : { ...welcome, resumeWithin });
    this.#beat();
  }

  get open(): boolean {
    return this.#open;
  }

  get topics(): readonly string[] {
    return [...this.#topics.values()];
  }

  /** Delivers some of what is on its way. */
  deliver(count = Infinity): void {
    for (; count > 0 && this.#open && !this.mute; count--) {
      const next = this.#inbox.shift();
      if (next === undefined) return;
      next();
    }
  }

  send(frame: ClientFrame): void {
    if (!this.#open) return;
    const { server } = this;
    server.frames.push(frame);
    switch (frame.type) {
      case 'ping':
        return this.#say({ type: 'pong' });
      case 'unsubscribe': {
        const topic = this.#topics.get(frame.id) ?? '';
        this.#topics.delete(frame.id);
        return this.#say({ type: 'unsubscribed', id: frame.id, topic });
      }
      case 'resync': {
        const topic = this.#topics.get(frame.id);
        return topic === undefined ? undefined : this.startOver(topic, 'resync');
      }
      case 'subscribe':
        return this.#subscribe(frame);
      default:
    }
  }

  close(): void {
    this.#open = false;
    this.#cancelBeat?.();
  }

  end(end: LinkEnd): void {
    if (this.mute) return;
    this.#inbox.push(() => {
      this.close();
      this.server.onEnding(end);
      this.#events.onEnd(end);
    });
  }

  /** Ends at once; what was on its way is lost. */
  drop(end: LinkEnd = { type: 'closed', code: 1006, reason: '' }): void {
    this.#inbox = [];
    this.end(end);
  }

  drain(): void {
    const reason = JSON.stringify({ retryAfterMs: this.server.random.below(300) });
    this.end({ type: 'closed', code: CLOSE.draining, reason });
  }

  startOver(topic: string, reason: 'access' | 'fenced' | 'resync'): void {
    this.#reset(topic, reason);
  }

  committed({ revision, changes }: Entry): void {
    for (const topic of this.#topics.values()) {
      const its = changes.filter(({ key }) => isOf(topic, key));
      if (its.length === 0) continue;
      if (this.loses) {
        this.loses = false;
        this.#inbox.push(() => this.server.wrong.add(topic));
      } else {
        this.#say({ type: 'change', topic, revision, changes: its });
        // No server does that, and a client need not rely on it.
        if (this.server.random.chance(0.05)) this.#say({ type: 'change', topic, revision, changes: its });
      }
    }
  }

  bookmark(): void {
    const { revision } = this.server;
    const digests = Object.fromEntries(this.topics.map((topic) => [topic, this.server.digest(topic)]));
    if (this.topics.length > 0) this.#say({ type: 'bookmark', revision, digests });
    if (this.server.random.chance(0.1)) this.#say({ type: 'weather', sky: 'grey' } as unknown as LinkFrame);
    this.#inbox.push(() => this.#events.onHeard());
  }

  #beat(): void {
    this.#cancelBeat = this.server.time.after(HEARTBEAT_MS, () => {
      if (!this.#open) return;
      this.bookmark();
      this.#beat();
    });
  }

  #subscribe({ id, select, since: position }: Extract<ClientFrame, { type: 'subscribe' }>): void {
    const { server } = this;
    if (server.tooSoon > 0) {
      server.tooSoon -= 1;
      return this.#say({ type: 'error', id, code: 'rate-limited', message: 'too often', retryAfterMs: 50 });
    }
    const topic = select.kind;
    this.#topics.set(id, topic);
    this.#say({ type: 'subscribed', id, topic });
    if (position === undefined) return this.#snapshot(topic);
    if (server.taken.has(topic)) server.faults.push(`PUSH5 ${topic} is resumed from a position that a reset has taken`);
    const { epoch, revision, trimmed } = server;
    const way = since({ epoch, revision, trimmed }, position);
    if (way.kind === 'startOver') {
      return this.#reset(topic, way.reason);
    }
    const missed = server.log.filter((entry) => entry.revision > position.revision);
    const changes = missed.flatMap((entry) => entry.changes.filter(({ key }) => isOf(topic, key)));
    if (changes.length > 0) this.#say({ type: 'change', topic, revision, changes });
    this.#say({ type: 'synced', topic, revision, digest: server.digest(topic) });
  }

  #reset(topic: string, reason: Extract<LinkFrame, { type: 'reset' }>['reason']): void {
    const { epoch, taken } = this.server;
    this.#inbox.push(() => {
      taken.add(topic);
      this.#events.onFrame({ type: 'reset', topic, epoch, reason });
    });
    this.#snapshot(topic);
  }

  /** In parts; what is committed while they are on their way comes after them. */
  #snapshot(topic: string): void {
    const { server } = this;
    const items = server.selected(topic);
    const size = 1 + server.random.below(5);
    const { revision } = server;
    for (let at = 0; at === 0 || at < items.length; at += size) {
      const part = items.slice(at, at + size);
      this.#say({ type: 'snapshot', topic, revision, items: part, more: at + size < items.length });
    }
    this.#inbox.push(() => server.wrong.delete(topic));
    this.#inbox.push(() => server.taken.delete(topic));
    this.#say({ type: 'synced', topic, revision, digest: server.digest(topic) });
  }

  #say(frame: LinkFrame): void {
    // What a client keeps is its own, as after a way through JSON.
    const text = JSON.stringify(frame);
    this.#inbox.push(() => this.#events.onFrame(JSON.parse(text) as LinkFrame));
  }
}
