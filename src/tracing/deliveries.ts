import { SpanKind, type Span, type Tracer } from '@opentelemetry/api';
import type { Traceparent, TracedRevision } from '../domain/trace.ts';
import { contextOf, traceparentOf } from './context.ts';
import type { DeliveryTraces } from './port.ts';

/** What waits to be folded. News of revisions that never come, as after a restore, must not stay for good. */
const MAX_EXPECTED = 1024;

interface Expected {
  readonly parent: Traceparent;
  /** On a node that heard of it over the bus. */
  readonly receive?: Span;
}

interface Delivering {
  readonly revision: number;
  readonly span: Span;
}

/**
 * Follows traced revisions through this node: `receive` from the news on the bus until the view has it, then `deliver`
 * until the feed has written it to all live subscriptions. It listens to the bus, to the tail and to the feed.
 */
export class Deliveries implements DeliveryTraces {
  readonly #tracer: Tracer;
  readonly #expected = new Map<number, Expected>();
  #delivering: Delivering[] = [];
  /** The last revision that the view moved to. */
  #folded = 0;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  get waiting(): boolean {
    return this.#delivering.length > 0;
  }

  /** Of this node's own commits. */
  expect(traces: readonly TracedRevision[]): void {
    for (const { revision, parent } of traces) this.#expect(revision, { parent });
  }

  /** Of the bus, before the tail hears of it. */
  onAnnouncement({ trace }: { readonly trace?: readonly TracedRevision[] }): void {
    for (const { revision, parent } of trace ?? []) {
      const attributes = { 'signalbox.revision': revision };
      const span = this.#tracer.startSpan('receive', { kind: SpanKind.CONSUMER, attributes }, contextOf(parent));
      const follows = traceparentOf(span.spanContext()) ?? parent;
      if (this.#expect(revision, { parent: follows, receive: span })) continue;
      // The log was faster, or the news came twice.
      span.setAttribute('signalbox.outcome', 'known');
      span.end();
    }
  }

  onGap(): void {}

  /** Of the tail, before the feed hears of it. */
  onAdvance(entries: readonly { readonly entry: { readonly revision: number } }[]): void {
    this.#folded = entries.at(-1)?.entry.revision ?? this.#folded;
    if (this.#expected.size === 0) return;
    for (const { entry } of entries) {
      const expected = this.#expected.get(entry.revision);
      if (expected === undefined) continue;
      this.#expected.delete(entry.revision);
      expected.receive?.setAttribute('signalbox.outcome', 'folded');
      expected.receive?.end();
      const attributes = { 'signalbox.revision': entry.revision };
      const span = this.#tracer.startSpan('deliver', { attributes }, contextOf(expected.parent));
      this.#delivering.push({ revision: entry.revision, span });
    }
  }

  /** Subscribers are told of the new state as a whole: what was under way is delivered by that, or is no more. */
  onReload(): void {
    this.#folded = 0;
    for (const { receive } of this.#expected.values()) abandon(receive);
    for (const { span } of this.#delivering) abandon(span);
    this.#expected.clear();
    this.#delivering = [];
  }

  delivered(to: number, topics: number, subscriptions: number): void {
    const attributes = { 'signalbox.topics': topics, 'signalbox.subscriptions': subscriptions };
    this.#delivering = this.#delivering.filter(({ revision, span }) => {
      if (revision > to) return true;
      span.setAttributes(attributes);
      span.end();
      return false;
    });
  }

  /** False when the view has it already. */
  #expect(revision: number, expected: Expected): boolean {
    if (revision <= this.#folded) return false;
    abandon(this.#expected.get(revision)?.receive);
    this.#expected.set(revision, expected);
    if (this.#expected.size > MAX_EXPECTED) {
      const [oldest] = this.#expected.keys();
      if (oldest === undefined) return true;
      abandon(this.#expected.get(oldest)?.receive);
      this.#expected.delete(oldest);
    }
    return true;
  }
}

function abandon(span: Span | undefined): void {
  span?.setAttribute('signalbox.outcome', 'abandoned');
  span?.end();
}
