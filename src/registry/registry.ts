import type { Caller, Command, Permit } from '../domain/command.ts';
import { decide } from '../domain/decide.ts';
import { isHeldTo, type ProjectLimits } from '../domain/quota.ts';
import type { Sight } from '../domain/visibility.ts';
import type { CommitLoop, CommitLoopDeps, Verdict } from './commit-loop.ts';
import { RegistryUnavailable } from './errors.ts';

export type { Accepted, Verdict } from './commit-loop.ts';

export interface RegistryDeps extends Pick<CommitLoopDeps, 'validate'> {
  readonly ledger: Pick<CommitLoopDeps['ledger'], 'ready' | 'view' | 'head'>;
  /** What a caller may change; `undefined` for one who may change everything. */
  readonly permitOf: (caller: Caller) => Permit | undefined;
  /** What a caller may see. */
  readonly sightOf: (caller: Caller) => Sight;
  /** What projects may hold, by whoever is held to it. */
  readonly limits?: ProjectLimits;
}

/** The one way to change anything, and so the one place that nobody changes anything past (SEC1). */
export class Registry {
  readonly #loop: Pick<CommitLoop, 'execute'>;
  readonly #deps: RegistryDeps;

  constructor(loop: Pick<CommitLoop, 'execute'>, deps: RegistryDeps) {
    this.#loop = loop;
    this.#deps = deps;
  }

  /**
   * Carries out a command, or says why not. Resolves once the change is durable. Rejects with `RegistryUnavailable` when
   * it cannot be decided or committed now. A dry run is the same decision on the present state, not committed (COV5).
   */
  async execute(wanted: Command, options: { readonly dryRun?: boolean } = {}): Promise<Verdict> {
    const { ledger, validate } = this.#deps;
    const command = this.#bounded(wanted);
    if (options.dryRun !== true) return this.#loop.execute(command);
    if (!ledger.ready) throw new RegistryUnavailable('not-ready', 1);
    const { revision } = ledger.head;
    const decision = decide(ledger.view, command, revision + 1, validate);
    if (!decision.ok) return decision;
    return { ...decision, revision: decision.changes.length === 0 ? revision : revision + 1 };
  }

  /** With what its caller may change, see and use up; for those who may everything, as it is. */
  #bounded(wanted: Command): Command {
    const { permitOf, sightOf, limits } = this.#deps;
    const { caller } = wanted;
    const sight = sightOf(caller);
    const permit = permitOf(caller);
    const held = limits !== undefined && isHeldTo(caller);
    if (permit === undefined && sight.keys === 'all' && !held) return wanted;
    return { ...wanted, sight, ...(permit !== undefined && { permit }), ...(held && { limits }) };
  }
}
