import type { CatalogCommand } from '../domain/command.ts';
import type { ApiDocument } from '../domain/resources.ts';
import type { Documents } from '../store/port.ts';
import { available } from './available.ts';
import type { Registry, Verdict } from './registry.ts';

/** So long a document that no version has is kept: between its being stored and a version's having it lies one command. */
const GRACE_MS = 10 * 60_000;

export interface DocumentDeskDeps {
  readonly store: Documents;
  readonly registry: Pick<Registry, 'execute'>;
}

/** Who asks, and what of it is held against what the version has. */
export type Asked = Omit<CatalogCommand, 'edits' | 'prune' | 'expect'>;

export interface Published {
  /** The name of the version. */
  readonly name: string;
  readonly document: ApiDocument;
  readonly body: Uint8Array;
  /** As in `DocumentEdit`. */
  readonly expect?: string | undefined;
}

/** The use cases of API documents. Rejects with `RegistryUnavailable` when it cannot be decided, stored or read now. */
export class DocumentDesk {
  readonly #deps: DocumentDeskDeps;

  constructor(deps: DocumentDeskDeps) {
    this.#deps = deps;
  }

  /**
   * The text first, then the version that has it: whoever hears of a document can read it, and of what breaks off in between a text
   * is left that nobody has, which `tidy` removes.
   */
  async publish(asked: Asked, { name, document, body, expect }: Published, dryRun: boolean): Promise<Verdict> {
    const { store, registry } = this.#deps;
    if (!dryRun) await available(store.put(document.sha256, body));
    const edit = { op: 'document' as const, name, document, ...(expect !== undefined && { expect }) };
    return registry.execute({ ...asked, edits: [edit] }, { dryRun });
  }

  async withdraw(asked: Asked, name: string, expect: string | undefined, dryRun: boolean): Promise<Verdict> {
    const edit = { op: 'document' as const, name, document: undefined, ...(expect !== undefined && { expect }) };
    return this.#deps.registry.execute({ ...asked, edits: [edit] }, { dryRun });
  }

  read(sha256: string): Promise<Uint8Array | undefined> {
    return available(this.#deps.store.read(sha256));
  }

  /** Removes what no version has any more. Rejects with the store's own errors. */
  async tidy(): Promise<void> {
    await this.#deps.store.removeUnused(GRACE_MS);
  }
}
