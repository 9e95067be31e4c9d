import type { Carrier } from '../connection/link.ts';
import { EventParser, EventTooLong, type ServerSentEvent } from './event-parser.ts';
import { HttpLink } from './http-link.ts';
import { BROKEN, Closed, Refusal } from './refusal.ts';
import { frameOf, positionIn, retold } from './stream-frames.ts';
import { SILENT_AFTER, type HttpDeps, type Subscription, type Way, type Wire } from './wire.ts';

/** Selects nothing: a region's id is never so short. What comes on the stream are signs of life. */
const NOTHING = new URLSearchParams({ kind: 'region', regions: '-' });

/** Frames out of server-sent events, one stream for each subscription. */
export function eventStreamCarrier(deps: HttpDeps): Carrier {
  return { name: 'event-stream', open: (address, events) => new HttpLink(way, address, events, deps) };
}

const way: Way = {
  async follow(subscription, wire, signal) {
    let epoch = '';
    await readStream(queryWith(subscription), wire, signal, (event) => {
      const frame = frameOf(event);
      subscription.waitedMs = 0;
      if (frame.type === 'welcome') {
        epoch = frame.epoch;
        wire.welcome(frame.epoch === wire.epoch || wire.epoch === '' ? frame : { ...frame, epoch: wire.epoch });
      }
      const told = retold(frame, subscription, { epoch, linkEpoch: wire.epoch });
      if (frame.type === 'subscribed') subscription.isTold = true;
      if (/^(?:synced|change|bookmark|reset)$/.test(frame.type)) subscription.position = positionIn(event.id);
      for (const each of told) wire.tell(each);
    });
  },
  idle: (wire, signal) =>
    readStream(NOTHING, wire, signal, (event) => {
      const frame = frameOf(event);
      if (frame.type === 'welcome') wire.welcome(frame);
    }),
};

function queryWith({ query, position }: Subscription): URLSearchParams {
  if (position === undefined) return query;
  const { epoch, revision } = position;
  return new URLSearchParams([...query, ['since', String(revision)], ['epoch', epoch]]);
}

/** Reads a stream until it ends; rejects where it breaks, falls silent or says why it closes. */
async function readStream(
  query: URLSearchParams,
  wire: Wire,
  signal: AbortSignal,
  onEvent: (event: ServerSentEvent) => void,
): Promise<void> {
  const alarm = new Alarm(signal);
  try {
    alarm.set(wire.openTimeoutMs, new Error(`nothing came of a stream of events within ${wire.openTimeoutMs} ms`));
    const init = { headers: { accept: 'text/event-stream' }, signal: alarm.signal };
    const response = await wire.request(`/v1/watch?${query.toString()}`, init);
    const { body } = response;
    if (body === null || !/^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '')) {
      throw new Refusal(response.status, undefined, null, 'the answer is no stream of events');
    }
    await readEvents(body.getReader(), wire, alarm, onEvent);
  } finally {
    alarm.end();
  }
}

async function readEvents(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  wire: Wire,
  alarm: Alarm,
  onEvent: (event: ServerSentEvent) => void,
): Promise<void> {
  const parser = new EventParser();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of eventsIn(parser, decoder, value)) {
      if (alarm.signal.aborted) return;
      onEvent(event);
    }
    wire.heard();
    // The first heartbeat is known with the welcome.
    if (wire.heartbeat !== Infinity) alarm.set(SILENT_AFTER * wire.heartbeat, new Closed(BROKEN, SILENT));
  }
}

const SILENT = `nothing was heard for ${SILENT_AFTER} heartbeats`;

function eventsIn(
  parser: EventParser,
  decoder: InstanceType<typeof TextDecoder>,
  bytes: Uint8Array,
): ServerSentEvent[] {
  try {
    return parser.push(decoder.decode(bytes, { stream: true }));
  } catch (error) {
    if (error instanceof EventTooLong) throw new Closed(1009, error.message);
    throw new Closed(1007, 'the stream is not UTF-8');
  }
}

/** Ends what reads when its time is up, or with the signal of whoever wants it; the reason is what it rejects with. */
class Alarm {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #abort = (): void => this.#controller.abort(this.#outer.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#abort();
    outer.addEventListener('abort', this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  set(ms: number, reason: Error): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(reason), ms);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#abort);
    // What is left of the answer is not read any more.
    this.#controller.abort();
  }
}
