import type { Traceparent } from '../domain/trace.ts';
import type { Answer, RootSpans } from './port.ts';

/** A registry each of whose commands begins a trace of its own: for what Signalbox decides by itself. */
export function rooted<C extends object, More extends readonly unknown[], A extends Answer>(
  roots: RootSpans,
  name: string,
  registry: { execute(command: C & { readonly trace?: Traceparent }, ...more: More): Promise<A> },
): { execute(command: C, ...more: More): Promise<A> } {
  return {
    async execute(command, ...more) {
      const span = roots.begin(name);
      if (span.traceparent === undefined) return registry.execute(command, ...more);
      let outcome = 'failed';
      try {
        const answer = await registry.execute({ ...command, trace: span.traceparent }, ...more);
        outcome = answer.ok ? 'ok' : answer.refusal.code;
        return answer;
      } finally {
        span.end(outcome);
      }
    },
  };
}
