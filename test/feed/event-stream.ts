import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { parseServerFrame } from '../acceptance/watch-client.ts';
import { until } from '../acceptance/until.ts';

export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly retry: number | undefined;
  readonly data: string;
}

/** A client of server-sent events, as the HTML standard reads them, that holds each frame against the protocol. */
export class EventStream {
  readonly events: StreamEvent[] = [];
  readonly frames: ServerFrame[] = [];
  comments = 0;
  ended: 'end' | 'cut' | undefined;
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;
  #rest = '';
  #fault: unknown;

  private constructor(req: ClientRequest, response: IncomingMessage) {
    this.#request = req;
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#take(text));
    response.on('end', () => (this.ended ??= 'end'));
    response.on('error', () => (this.ended ??= 'cut'));
    response.on('close', () => (this.ended ??= 'cut'));
  }

  static async open(
    url: string,
    headers: Readonly<Record<string, string>> = {},
    { reading = true, agent = new Agent() } = {},
  ): Promise<EventStream> {
    const req = request(url, { headers: { accept: 'text/event-stream', ...headers }, agent });
    req.on('error', () => {});
    const response = await new Promise<IncomingMessage>((done, fail) => {
      req.on('response', done);
      req.on('error', fail);
      req.end();
    });
    const stream = new EventStream(req, response);
    if (!reading) response.pause();
    return stream;
  }

  async next<T extends ServerFrame['type']>(
    type: T,
    where: (frame: Extract<ServerFrame, { type: T }>) => boolean = () => true,
  ): Promise<Extract<ServerFrame, { type: T }>> {
    return until(`a frame ${type}; there are ${this.events.map((e) => e.event).join(', ')}`, () => {
      if (this.#fault !== undefined) throw this.#fault;
      return this.frames.find((frame) => frame.type === type && where(frame as never)) as never;
    });
  }

  /** What a browser would send as Last-Event-ID. */
  get lastEventId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }

  destroy(): void {
    this.#request.destroy();
  }

  #take(text: string): void {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map<string, string>();
      for (const line of block.split('\n')) {
        const at = line.indexOf(':');
        if (at === 0) this.comments += 1;
        else fields.set(line.slice(0, at), line.slice(at + 1).trimStart());
      }
      const data = fields.get('data');
      if (data === undefined) continue;
      const retry = fields.get('retry');
      const event = fields.get('event') ?? 'message';
      this.events.push({ event, id: fields.get('id'), retry: retry === undefined ? undefined : Number(retry), data });
      if (event === 'close') continue;
      try {
        const frame = parseServerFrame(data);
        if (frame.type !== event) throw new Error(`event ${event} has a frame ${frame.type}`);
        this.frames.push(frame);
      } catch (error) {
        this.#fault ??= error;
      }
    }
  }
}
