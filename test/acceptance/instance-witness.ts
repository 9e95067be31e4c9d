import { get, type ClientRequest } from 'node:http';
import type { Select, ServerFrame } from '../../src/protocol/frames.ts';
import type { InstanceValue } from './instance-api.ts';
import { until } from './until.ts';
import { parseServerFrame, WatchClient } from './watch-client.ts';

/** One thing that a watcher was told, and when. */
export interface Told {
  /** Of this process's clock, performance.now(). */
  readonly at: number;
  readonly op: 'put' | 'delete';
  readonly key: string;
  readonly revision: number;
  readonly value: InstanceValue | undefined;
}

/** Somebody who watches instances and remembers when they were told what. */
export class Witness {
  readonly told: Told[] = [];
  readonly #byKey = new Map<string, Told[]>();
  readonly #end: () => unknown;
  #synced = false;
  #fault: unknown;

  private constructor(end: () => unknown) {
    this.#end = end;
  }

  /** Over a WebSocket. */
  static async open(url: string, select: object): Promise<Witness> {
    const client = await WatchClient.open(url);
    const witness = new Witness(() => client.ws.terminate());
    let seen = client.frames.length;
    client.ws.on('message', () => {
      // The client has put the frame there before.
      for (; seen < client.frames.length; seen++) witness.#take(client.frames[seen] as ServerFrame);
    });
    await client.sync('witness', select as Select);
    return witness;
  }

  /** As server-sent events. */
  static async events(url: string, query: string): Promise<Witness> {
    const state: { request?: ClientRequest } = {};
    const witness = new Witness(() => state.request?.destroy());
    const options = { agent: false, headers: { accept: 'text/event-stream' } };
    const request = get(`${url}/v1/watch?${query}`, options, (response) => {
      const type = response.headers['content-type'] ?? '';
      if (response.statusCode !== 200 || !type.startsWith('text/event-stream')) {
        witness.#fault = new Error(`no events: ${response.statusCode} ${type}`);
      }
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const events = (rest + text).split(/\r?\n\r?\n/);
        rest = events.pop() ?? '';
        for (const event of events) witness.#takeEvent(event);
      });
      response.on('error', () => {});
    });
    request.on('error', (error) => (witness.#fault ??= error));
    state.request = request;
    await until('server-sent events are synced', () => {
      if (witness.#fault !== undefined) throw witness.#fault;
      return witness.#synced;
    });
    return witness;
  }

  of(key: string): readonly Told[] {
    return this.#byKey.get(key) ?? [];
  }

  /** The first news since that moment that the instance is not to be called. */
  out(key: string, since = 0): Told | undefined {
    return this.of(key).find((told) => told.at >= since && isOut(told));
  }

  async untilOut(key: string, since = 0): Promise<Told> {
    return until(`${key} is out`, () => this.out(key, since));
  }

  /** The last that was told of it is that it is to be called. */
  isIn(key: string): boolean {
    const last = this.of(key).at(-1);
    return last !== undefined && !isOut(last);
  }

  /** How many are to be called, as far as it was told. */
  get passing(): number {
    return [...this.#byKey.keys()].filter((key) => this.isIn(key)).length;
  }

  stop(): void {
    this.#end();
  }

  #takeEvent(event: string): void {
    // The server is going away.
    if (event.includes('event: close')) return;
    try {
      const data = event
        .split(/\r?\n/)
        .flatMap((line) => (line.startsWith('data:') ? [line.slice(5).replace(/^ /, '')] : []))
        .join('\n');
      if (data !== '') this.#take(parseServerFrame(data));
    } catch (error) {
      this.#fault ??= error;
    }
  }

  #take(frame: ServerFrame): void {
    const at = performance.now();
    if (frame.type === 'synced') this.#synced = true;
    if (frame.type === 'snapshot') {
      for (const item of frame.items) {
        const value = item as unknown as InstanceValue;
        this.#note({ at, op: 'put', key: value.name, revision: value.revision, value });
      }
    }
    if (frame.type !== 'change') return;
    for (const { op, key, revision, value } of frame.changes) {
      this.#note({ at, op: op as Told['op'], key, revision, value: value as unknown as InstanceValue | undefined });
    }
  }

  #note(told: Told): void {
    this.told.push(told);
    const those = this.#byKey.get(told.key);
    if (those === undefined) this.#byKey.set(told.key, [told]);
    else those.push(told);
  }
}

/** Not to be called any more; a delete is that, too, and all that a watcher of passing ones is told. */
export const isOut = ({ op, value }: Told): boolean => op === 'delete' || value?.passing !== true;
