import type { TracedRevision, Traceparent } from '../domain/trace.ts';

/** What a command came to, as far as its span says it. */
export type Answer =
  | { readonly ok: true; readonly revision: number; readonly changes: readonly unknown[] }
  | { readonly ok: false; readonly refusal: { readonly code: string } };

/** The span of one traced command, from when it was asked for until it is answered. */
export interface CommitSpan {
  /** What follows from the command belongs under it. */
  readonly traceparent: Traceparent;
  /** Its turn has come, together with so many commands in all. */
  begun(commands: number): void;
  /** Ends with the answer, and says what it was. The answer is handed on as it is. */
  until<A extends Answer>(answer: Promise<A>): Promise<A>;
}

/** What the commit loop tells of commands that carry a trace. */
export interface CommitTraces {
  begin(parent: Traceparent): CommitSpan;
  /** These revisions are durable, and about to be folded and delivered here. */
  committed(traces: readonly TracedRevision[]): void;
}

/** What the feed tells of its flushes. */
export interface DeliveryTraces {
  /** Whether anything that is traced waits to be delivered: while it is false, nothing need be told. */
  readonly waiting: boolean;
  /** Everything up to the revision was written to all live subscriptions: so many, to so many topics. */
  delivered(to: number, topics: number, subscriptions: number): void;
}

/** A change that does not begin with an HTTP request. */
export interface RootSpan {
  /** Undefined when this one is not sampled. */
  readonly traceparent: Traceparent | undefined;
  /** With what became of it: a word, such as `ok` or the code of a refusal. */
  end(outcome: string): void;
}

export interface RootSpans {
  begin(name: string): RootSpan;
}
