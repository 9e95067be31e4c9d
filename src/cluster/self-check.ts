import type { Logger } from 'pino';
import { digestHex } from '../domain/digest.ts';
import type { AnyItem } from '../domain/item.ts';
import type { Head } from '../domain/position.ts';
import type { Roll } from '../store/port.ts';
import { digestOfAll, type ViewDigest } from './view-digest.ts';

interface Loaded {
  readonly head: Head;
  readonly items: readonly AnyItem[];
}

export interface SelfCheckDeps {
  readonly self: string;
  readonly digest: Pick<ViewDigest, 'at' | 'latest'>;
  readonly head: () => Head;
  /** The truth. */
  readonly load: () => Promise<Loaded>;
  readonly catchUp: () => Promise<void>;
  /** The view is wrong: nothing may be answered from it, and nobody may go on from what it has told. */
  readonly fence: () => void;
  /** Puts the truth in its place, and answers again. */
  readonly mend: (loaded: Loaded) => Promise<void>;
  readonly metrics: {
    /** Digests compared, by what came out. */
    readonly compared: { inc(labels: { result: 'same' | 'differs' | 'unknown' }): void };
    readonly reloads: { inc(): void };
  };
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What a node says of its view, in its row. */
export interface ViewSaid {
  readonly epoch: string;
  readonly revision: number;
  readonly digest: string;
}

/** After it has looked at the database and found itself right, it does not look again for so long, whatever another one says. */
const TRUST_MS = 30_000;

/**
 * Nodes fold the same log, so at the same revision they hold the same. Where the digests of two differ, each looks whether it
 * is what the database holds; the one that is not fences itself, loads the truth, and goes on.
 */
export class SelfCheck {
  readonly #deps: SelfCheckDeps;
  #trustedUntil = Number.NEGATIVE_INFINITY;
  #verifying: Promise<void> | undefined;

  constructor(deps: SelfCheckDeps) {
    this.#deps = deps;
  }

  /** What to say in the next heartbeat. */
  get said(): ViewSaid | undefined {
    const latest = this.#deps.digest.latest;
    return latest && { epoch: this.#deps.head().epoch, ...latest };
  }

  /** Compares with what the others have said. Resolves when nothing is left to be done about it. */
  look({ nodes }: Pick<Roll, 'nodes'>): Promise<void> {
    for (const { id, state } of nodes) {
      const said = state['view'];
      if (id === this.#deps.self || !isViewSaid(said) || said.epoch !== this.#deps.head().epoch) continue;
      const own = this.#deps.digest.at(said.revision);
      const result = own === undefined ? 'unknown' : own === said.digest ? 'same' : 'differs';
      this.#deps.metrics.compared.inc({ result });
      if (result === 'differs') this.#suspect(id, said.revision);
    }
    return this.#verifying ?? Promise.resolve();
  }

  #suspect(other: string, revision: number): void {
    const { now, log } = this.#deps;
    if (this.#verifying !== undefined || now() < this.#trustedUntil) return;
    log.warn({ node: other, revision }, 'another node holds something else at the same revision; the database decides');
    this.#verifying = this.#verify().finally(() => {
      this.#verifying = undefined;
    });
  }

  async #verify(): Promise<void> {
    const { load, head, catchUp, digest, fence, mend, metrics, log, now } = this.#deps;
    const truth = await load();
    if (truth.head.epoch !== head().epoch) return catchUp();
    if (head().revision < truth.head.revision) await catchUp();
    const own = digest.at(truth.head.revision);
    // Too much has happened meanwhile to tell: the next heartbeat leads here again.
    if (own === undefined) return;
    if (own === digestHex(digestOfAll(truth.items))) {
      this.#trustedUntil = now() + TRUST_MS;
      return;
    }
    log.error(
      { revision: truth.head.revision },
      'the view is not what the database holds: this node answers nothing until it is loaded anew',
    );
    metrics.reloads.inc();
    fence();
    await mend(truth);
  }
}

function isViewSaid(value: unknown): value is ViewSaid {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, revision, digest } = value as Partial<ViewSaid>;
  return typeof epoch === 'string' && Number.isSafeInteger(revision) && typeof digest === 'string';
}
