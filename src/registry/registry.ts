import type { Command } from '../domain/command.ts';
import { decide } from '../domain/decide.ts';
import type { CommitLoop, CommitLoopDeps, Verdict } from './commit-loop.ts';
import { RegistryUnavailable } from './errors.ts';

export type { Accepted, Verdict } from './commit-loop.ts';

/** The one way to change anything. */
export class Registry {
  readonly #loop: CommitLoop;
  readonly #deps: Pick<CommitLoopDeps, 'ledger' | 'validate'>;

  constructor(loop: CommitLoop, deps: Pick<CommitLoopDeps, 'ledger' | 'validate'>) {
    this.#loop = loop;
    this.#deps = deps;
  }

  /**
   * Carries out a command, or says why not. Resolves once the change is durable. Rejects with `RegistryUnavailable` when
   * it cannot be decided or committed now. A dry run is the same decision on the present state, not committed (COV5).
   */
  async execute(command: Command, options: { readonly dryRun?: boolean } = {}): Promise<Verdict> {
    if (options.dryRun !== true) return this.#loop.execute(command);
    const { ledger, validate } = this.#deps;
    if (!ledger.ready) throw new RegistryUnavailable('not-ready', 1);
    const { revision } = ledger.head;
    const decision = decide(ledger.view, command, revision + 1, validate);
    if (!decision.ok) return decision;
    return { ...decision, revision: decision.changes.length === 0 ? revision : revision + 1 };
  }
}
