import { SpanStatusCode, type Span, type Tracer } from '@opentelemetry/api';
import type { Traceparent, TracedRevision } from '../domain/trace.ts';
import { contextOf, traceparentOf } from './context.ts';
import type { Answer, CommitSpan, CommitTraces } from './port.ts';

export interface CommitsDeps {
  readonly tracer: Tracer;
  readonly deliveries: { expect(traces: readonly TracedRevision[]): void };
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** One `commit` span for each traced command, not for each batch: a batch would have as many parents as commands. */
export class Commits implements CommitTraces {
  readonly #deps: CommitsDeps;

  constructor(deps: CommitsDeps) {
    this.#deps = deps;
  }

  begin(parent: Traceparent): CommitSpan {
    const { tracer, now } = this.#deps;
    return new Commit(tracer.startSpan('commit', {}, contextOf(parent)), parent, now);
  }

  committed(traces: readonly TracedRevision[]): void {
    this.#deps.deliveries.expect(traces);
  }
}

class Commit implements CommitSpan {
  readonly traceparent: Traceparent;
  readonly #span: Span;
  readonly #now: () => number;
  readonly #since: number;

  constructor(span: Span, parent: Traceparent, now: () => number) {
    this.#span = span;
    this.#now = now;
    this.#since = now();
    this.traceparent = traceparentOf(span.spanContext()) ?? parent;
  }

  begun(commands: number): void {
    const waited = Math.round((this.#now() - this.#since) * 1000) / 1000;
    this.#span.setAttributes({ 'signalbox.commands': commands, 'signalbox.wait_ms': waited });
  }

  until<A extends Answer>(answer: Promise<A>): Promise<A> {
    // Both ways are taken here, so that a rejection is the asker's to handle and not this branch's.
    answer.then(
      (given) => this.#end(given),
      (error: unknown) => this.#failed(error),
    );
    return answer;
  }

  #end(answer: Answer): void {
    if (!answer.ok) this.#span.setAttribute('signalbox.outcome', answer.refusal.code);
    else {
      this.#span.setAttributes({
        'signalbox.outcome': answer.changes.length === 0 ? 'unchanged' : 'committed',
        'signalbox.revision': answer.revision,
        'signalbox.changes': answer.changes.length,
      });
    }
    this.#span.end();
  }

  /** The code alone: what an error says may quote what it is about. */
  #failed(error: unknown): void {
    this.#span.setAttribute('signalbox.outcome', codeOf(error));
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.end();
  }
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'failed';
}
