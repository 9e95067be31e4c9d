import { WebSocket } from 'ws';
import type { Selector } from '../../src/domain/selector.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { parseServerFrame, watchUrl } from '../acceptance/watch-client.ts';
import { CheckedSubscription } from './checked-client.ts';
import type { SeenModel } from './sight-model.ts';

/** One socket of one bearer, with one subscription that is held against what that bearer may see, and every byte it got. */
export class SeenClient {
  readonly sub: CheckedSubscription;
  bytes = '';
  /** The status of a refused upgrade. */
  refused: number | undefined;
  closed: number | undefined;
  readonly openedAt: number;
  readonly #ws: WebSocket;
  #fault: unknown;
  #pongs = 0;
  #wake: () => void = () => {};

  private constructor(url: string, token: string, sub: CheckedSubscription, openedAt: number) {
    this.sub = sub;
    this.openedAt = openedAt;
    this.#ws = new WebSocket(watchUrl(url), PROTOCOL, { headers: { authorization: `Bearer ${token}` } });
    this.#ws.on('message', (data: Buffer) => this.#take(data.toString()));
    this.#ws.on('error', () => {});
    this.#ws.on('close', (code) => {
      this.closed = code;
      this.#wake();
    });
    this.#ws.on('unexpected-response', (_request, response) => {
      this.refused = response.statusCode ?? 0;
      response.resume();
      this.#ws.terminate();
    });
  }

  /** With `from`, it resumes there with what its bearer could see then. */
  static async open(
    url: string,
    token: string,
    model: SeenModel,
    select: Selector,
    at: number,
    from?: number,
  ): Promise<SeenClient> {
    const kept =
      from === undefined
        ? undefined
        : {
            position: from,
            cache: new Map(Array.from(model.selected(from, select), ([name, { revision }]) => [name, revision])),
          };
    const client = new SeenClient(url, token, new CheckedSubscription(model, select, kept), at);
    await new Promise((done) => client.#ws.on('open', done).on('close', done));
    if (client.refused === undefined && client.closed === undefined) {
      const since = from === undefined ? {} : { since: { epoch: 'e1', revision: from } };
      client.#ws.send(JSON.stringify({ type: 'subscribe', id: 's', select, ...since }));
      await client.settled();
    }
    return client;
  }

  /** Everything that the server had written before has been looked at. */
  async settled(): Promise<void> {
    const pongs = this.#pongs;
    if (this.closed === undefined && this.#ws.readyState === WebSocket.OPEN) this.#ws.send('{"type":"ping"}');
    while (this.closed === undefined && this.#pongs === pongs) await new Promise<void>((done) => (this.#wake = done));
    if (this.#fault !== undefined) throw this.#fault;
  }

  end(): void {
    this.#ws.terminate();
  }

  #take(text: string): void {
    this.bytes += text;
    try {
      const frame = parseServerFrame(text);
      if (frame.type === 'pong') this.#pongs += 1;
      else if (frame.type === 'error') throw new Error(text);
      else if (frame.type === 'subscribed') this.sub.topic = frame.topic;
      else this.sub.receive(frame);
    } catch (error) {
      this.#fault ??= error;
    }
    this.#wake();
  }
}
