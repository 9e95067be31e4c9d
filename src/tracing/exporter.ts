import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';
import { cleaned } from './cleaned.ts';

const REASON_CHARACTERS = 200;

/** Hands cleaned spans to an exporter, and says once that the collector is away and once that it is back. */
export class CleanExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  #away = false;
  #lost = 0;

  constructor(inner: SpanExporter, log: Pick<Logger, 'info' | 'warn'>) {
    this.#inner = inner;
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const clean = spans.map(cleaned).filter((span) => span !== undefined);
    if (clean.length === 0) return done({ code: ExportResultCode.SUCCESS });
    this.#inner.export(clean, (result) => {
      this.#note(result, clean.length);
      done(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#inner.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }

  #note({ code, error }: ExportResult, spans: number): void {
    if (code === ExportResultCode.SUCCESS) {
      if (this.#away) this.#log.info({ lost: this.#lost }, 'the collector of traces is back');
      this.#away = false;
      this.#lost = 0;
      return;
    }
    this.#lost += spans;
    if (!this.#away) {
      const reason = (error?.message || error?.name || 'no reason given').slice(0, REASON_CHARACTERS);
      this.#log.warn({ reason }, 'the collector of traces is away: spans are dropped until it is back');
    }
    this.#away = true;
  }
}
