import { MAX_TRACES, type Bus } from '../bus/port.ts';
import type { AuditEntry } from '../domain/audit.ts';
import { auditOf } from '../domain/audit-changes.ts';
import type { Command, Decision, Validate } from '../domain/command.ts';
import { decide } from '../domain/decide.ts';
import { Draft } from '../domain/draft.ts';
import type { Entry } from '../domain/item.ts';
import type { Head } from '../domain/position.ts';
import type { TracedRevision } from '../domain/trace.ts';
import type { View } from '../domain/view.ts';
import { StoreUnavailable, type Nodes, type Store } from '../store/port.ts';
import type { CommitSpan, CommitTraces } from '../tracing/port.ts';
import { RegistryUnavailable } from './errors.ts';

export type Accepted = Extract<Decision, { ok: true }> & {
  /** The revision at which the answer holds: the command's own, or the head when nothing changed. */
  readonly revision: number;
};
export type Verdict = Accepted | Extract<Decision, { ok: false }>;

/** What the loop needs of this node's view. */
export interface Ledger {
  readonly ready: boolean;
  readonly view: View;
  readonly head: Head;
  advance(entries: readonly Entry[]): boolean;
  catchUp(): Promise<void>;
}

export interface CommitLoopDeps {
  readonly store: Pick<Store, 'commit' | 'head'> & { readonly nodes: Pick<Nodes, 'membership'> };
  readonly ledger: Ledger;
  readonly bus: Pick<Bus, 'publish'>;
  readonly validate: Validate;
  readonly limits: {
    /** Commands that may wait; more are turned away at once. */
    readonly maxPending: number;
    /** Milliseconds that a command may wait for its turn. */
    readonly timeoutMs: number;
  };
  readonly metrics: {
    batch(commands: number, revisions: number, seconds: number, audited: number): void;
    /** Decisions of the health checks that came too late: another node owns what they are about. */
    fenced?(commands: number): void;
  };
  /** Hears of every transaction: whether the database took it, or did not, or nobody knows. */
  readonly outages?: { failed(error: StoreUnavailable): void; worked(): void };
  /** Hears of commands that carry a trace; without it, nothing is traced. */
  readonly traces?: CommitTraces;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Waiting {
  readonly command: Command;
  readonly since: number;
  /** Of a command that is traced. */
  readonly span: CommitSpan | undefined;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
}

interface Decided {
  readonly entries: Entry[];
  /** Of all entries, in their order. */
  readonly audit: AuditEntry[];
  readonly verdicts: Verdict[];
}

/** So many commands share a transaction at most; it bounds the size of one statement. */
const MAX_BATCH = 512;
/** Entries up to this many bytes ride along with the announcement. */
const ANNOUNCE_BYTES = 64 * 1024;

/**
 * The commit as a state machine over the log: gather what waits, decide each command in order on the view with the earlier
 * ones laid over it, commit all of it if the counter still stands where the view does, fold, announce, answer. When the
 * counter has moved, the log is read and everything is decided again, so no verdict rests on a state that was not true.
 */
export class CommitLoop {
  readonly #deps: CommitLoopDeps;
  #waiting: Waiting[] = [];
  #running = false;
  #closing: (() => void) | undefined;
  #closed = false;
  /** A commit's outcome is unknown: the log is read before anything else is decided. */
  #suspect = false;

  constructor(deps: CommitLoopDeps) {
    this.#deps = deps;
  }

  get pending(): number {
    return this.#waiting.length;
  }

  execute(command: Command): Promise<Verdict> {
    if (this.#closed) return Promise.reject(new RegistryUnavailable('draining', 2));
    if (!this.#deps.ledger.ready) return Promise.reject(new RegistryUnavailable('not-ready', 1));
    if (this.#waiting.length >= this.#deps.limits.maxPending) {
      return Promise.reject(new RegistryUnavailable('overloaded', 1));
    }
    const span = command.trace === undefined ? undefined : this.#deps.traces?.begin(command.trace);
    const answer = new Promise<Verdict>((resolve, reject) => {
      this.#waiting.push({ command, since: this.#deps.now(), span, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // Requests that arrive in the same turn of the event loop share the transaction.
      setImmediate(() => void this.#run());
    });
    return span === undefined ? answer : span.until(answer);
  }

  /** Takes no more commands and resolves when those that wait are answered. */
  close(): Promise<void> {
    this.#closed = true;
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => {
      this.#closing = resolve;
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#expire(this.#waiting.splice(0, MAX_BATCH));
      try {
        await this.#commit(batch);
      } catch (error) {
        if (error instanceof StoreUnavailable) this.#deps.outages?.failed(error);
        const reason = error instanceof StoreUnavailable ? unavailable(error) : error;
        for (const { reject } of batch) reject(reason);
        this.#suspect = true;
      }
    }
    this.#running = false;
    this.#closing?.();
  }

  #expire(batch: Waiting[]): Waiting[] {
    const oldest = this.#deps.now() - this.#deps.limits.timeoutMs;
    return batch.filter(({ since, reject }) => {
      if (since >= oldest) return true;
      // What it waited for was the database or the commands before it.
      reject(
        this.#suspect ? new RegistryUnavailable('store-unavailable', 2) : new RegistryUnavailable('overloaded', 1),
      );
      return false;
    });
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const { ledger, store, bus, metrics, traces, now } = this.#deps;
    const started = now();
    // Terms only grow, so whatever was decided under an older one than another command's is over.
    let waiting = this.#underTerm(batch, highestFence(batch));
    if (traces !== undefined) for (const { span } of waiting) span?.begun(waiting.length);
    while (waiting.length > 0) {
      if (this.#suspect) {
        await ledger.catchUp();
        this.#suspect = false;
      }
      // It may have turned out meanwhile that the view is not what the database holds.
      if (!ledger.ready) throw new RegistryUnavailable('not-ready', 1);
      const { epoch, revision: base } = ledger.head;
      const fence = highestFence(waiting);
      const { entries, audit, verdicts } = this.#decideAll(waiting, base);
      // A refusal or a "nothing to change" has to rest on the present state too, which no commit then proves.
      const current =
        entries.length > 0
          ? await store.commit({ epoch, base, entries, audit, ...(fence !== undefined && { fence }) })
          : await this.#stands(epoch, base, fence);
      if (!current) {
        if (fence !== undefined) waiting = this.#underTerm(waiting, (await store.nodes.membership()).term);
        await ledger.catchUp();
        continue;
      }
      if (entries.length > 0) {
        this.#deps.outages?.worked();
        // The view was loaded anew meanwhile, from a database that may not know of what the one before it has acknowledged.
        if (ledger.head.epoch !== epoch) throw new RegistryUnavailable('outcome-unknown', 2);
        const traced = traces === undefined ? [] : tracedOf(waiting, verdicts);
        // Before the view moves, which is what the delivery here begins with.
        if (traced.length > 0) traces?.committed(traced);
        ledger.advance(entries);
        bus.publish(announcement(epoch, entries, traced));
      }
      waiting.forEach(({ resolve }, index) => {
        const verdict = verdicts[index];
        if (verdict !== undefined) resolve(verdict);
      });
      metrics.batch(waiting.length, entries.length, (now() - started) / 1000, audit.length);
      return;
    }
  }

  /** Turns away what was decided under another term; those that name none stay. */
  #underTerm(batch: readonly Waiting[], term: number | undefined): readonly Waiting[] {
    const stays = batch.filter((waiting) => {
      const fence = fenceOf(waiting);
      if (fence === undefined || fence === term) return true;
      waiting.reject(new RegistryUnavailable('fenced', 1));
      return false;
    });
    if (stays.length < batch.length) this.#deps.metrics.fenced?.(batch.length - stays.length);
    return stays;
  }

  /** Neither of the two goes back, so if each still stands when it is read, there was a time when both did. */
  async #stands(epoch: string, base: number, fence: number | undefined): Promise<boolean> {
    const { store } = this.#deps;
    const [head, membership] = await Promise.all([
      store.head(),
      fence === undefined ? undefined : store.nodes.membership(),
    ]);
    return head.epoch === epoch && head.revision === base && membership?.term === fence;
  }

  #decideAll(batch: readonly Waiting[], base: number): Decided {
    const { ledger, validate } = this.#deps;
    const state = batch.length === 1 ? ledger.view : new Draft(ledger.view);
    const entries: Entry[] = [];
    const audit: AuditEntry[] = [];
    const verdicts = batch.map(({ command, reject }): Verdict => {
      const revision = base + entries.length + 1;
      let decision: Decision;
      try {
        decision = decide(state, command, revision, validate);
      } catch (error) {
        // A defect in one decision must not take the others' batch with it.
        reject(error);
        return { ok: false, refusal: { code: 'not-found', detail: 'not decided' } };
      }
      if (!decision.ok) return decision;
      if (decision.changes.length === 0) return { ...decision, revision: revision - 1 };
      entries.push({ revision, at: command.at, author: command.caller.subject, changes: decision.changes });
      for (const entry of auditOf(command, [...decision.outcomes, ...decision.untold], revision)) audit.push(entry);
      if (state instanceof Draft) state.absorb(decision.changes);
      return { ...decision, revision };
    });
    return { entries, audit, verdicts };
  }
}

const fenceOf = ({ command }: Waiting): number | undefined => ('instances' in command ? command.fence : undefined);

function highestFence(batch: readonly Waiting[]): number | undefined {
  let highest: number | undefined;
  for (const waiting of batch) {
    const fence = fenceOf(waiting);
    if (fence !== undefined && fence > (highest ?? -1)) highest = fence;
  }
  return highest;
}

function unavailable(error: StoreUnavailable): RegistryUnavailable {
  return new RegistryUnavailable(error.outcomeUnknown ? 'outcome-unknown' : 'store-unavailable', 2, { cause: error });
}

/** The revisions of the commands that are traced; what changed nothing has none. */
function tracedOf(batch: readonly Waiting[], verdicts: readonly Verdict[]): TracedRevision[] {
  const traced: TracedRevision[] = [];
  batch.forEach(({ span }, index) => {
    if (span === undefined) return;
    const verdict = verdicts[index];
    if (verdict?.ok !== true || verdict.changes.length === 0) return;
    traced.push({ revision: verdict.revision, parent: span.traceparent });
  });
  return traced;
}

function announcement(
  epoch: string,
  entries: readonly Entry[],
  traced: readonly TracedRevision[],
): Parameters<Bus['publish']>[0] {
  const from = entries[0]?.revision ?? 0;
  const to = entries.at(-1)?.revision ?? 0;
  let bytes = 0;
  for (const { changes } of entries) {
    for (const change of changes) bytes += change.op === 'put' ? change.item.json.length : change.name.length;
  }
  return {
    epoch,
    from,
    to,
    ...(bytes <= ANNOUNCE_BYTES && { entries }),
    ...(traced.length > 0 && { trace: traced.slice(0, MAX_TRACES) }),
  };
}
