import type { CatalogCommand, DocumentEdit, Edit, ResourceEdit, Validate, Wish } from './command.ts';
import type { Touch } from './delta.ts';
import { Draft } from './draft.ts';
import { changedUses } from './effective-uses.ts';
import { whyNotDocumented } from './api-documents.ts';
import type { FieldError, Refusal } from './errors.ts';
import { keepsIdentity, newIdentity } from './identity.ts';
import type { AnyItem } from './item.ts';
import { allOf } from './lookup.ts';
import { isObject, mergePatch } from './merge-patch.ts';
import { parseName, type NameParts } from './names.ts';
import { bodyOf, contradictions, hasBody, itemOf, type Decided, type Identity } from './normalise.ts';
import { CATALOG_KINDS, isCatalogKind, type CatalogKind, type Labels, type Service } from './resources.ts';
import type { Reader } from './view.ts';
import { audienceOf, EVERYTHING, sees } from './visibility.ts';

/** What a command comes to when nobody objects: the final state, and what it changes in order. */
export interface Resolved {
  readonly before: Reader;
  readonly after: Draft;
  readonly touches: ReadonlyMap<string, Touch>;
}

const RUNTIME_VERBS =
  'instances register with POST /v1/instances, and operators override them at /v1/instances/{id}/override';

type Put = Exclude<ResourceEdit, { op: 'delete' }>;

/** Carries the edits, the prune and what follows from them over to a draft. Judges each document, never the whole. */
export function resolve(
  state: Reader,
  command: CatalogCommand,
  revision: number,
  validate: Validate,
): Resolved | Refusal {
  return new Resolution(state, command, revision, validate).run();
}

class Resolution {
  readonly #state: Reader;
  readonly #command: CatalogCommand;
  readonly #revision: number;
  readonly #validate: Validate;
  readonly #time: string;
  readonly #after: Draft;
  readonly #touches = new Map<string, Touch>();
  readonly #errors: FieldError[] = [];

  constructor(state: Reader, command: CatalogCommand, revision: number, validate: Validate) {
    this.#state = state;
    this.#command = command;
    this.#revision = revision;
    this.#validate = validate;
    this.#time = new Date(command.at).toISOString();
    this.#after = new Draft(state);
  }

  run(): Resolved | Refusal {
    const { edits, prune } = this.#command;
    const names = edits.map((edit) => parseName(edit.name));
    this.#checkNames(names);
    if (prune !== undefined && Object.keys(prune).length === 0)
      this.#fail(-1, '/prune', 'needs a label: it would delete all');
    if (this.#errors.length > 0) return this.#invalid();
    const refusal =
      this.#forbidden(edits.map(wishOf)) ?? this.#checkExpectation() ?? this.#checkPresence() ?? this.#checkDocuments();
    if (refusal !== undefined) return refusal;
    edits.forEach((edit, i) => {
      if (edit.op === 'delete') this.#delete(edit.name);
      else if (edit.op === 'document') this.#describe(edit, names[i] as NameParts);
      else this.#put(i, edit, names[i] as NameParts);
    });
    if (this.#errors.length > 0) return this.#invalid();
    if (prune !== undefined) {
      const pruned = this.#prunedBy(prune);
      const forbidden = this.#forbidden(pruned.map((name) => ({ action: 'catalog.delete', name })));
      if (forbidden !== undefined) return forbidden;
      for (const name of pruned) this.#delete(name);
    }
    this.#deriveUses();
    return { before: this.#state, after: this.#after, touches: this.#touches };
  }

  #checkNames(names: readonly (NameParts | undefined)[]): void {
    const seen = new Set<string>();
    names.forEach((parts, i) => {
      const name = this.#command.edits[i]?.name ?? '';
      if (parts === undefined) this.#fail(i, '/name', `${name} is not the name of a resource`);
      else if (!isCatalogKind(parts.kind)) this.#fail(i, '/name', `${name} is not in the catalog; ${RUNTIME_VERBS}`);
      if (seen.has(name)) this.#fail(i, '/name', `${name} is named twice`);
      seen.add(name);
    });
  }

  #forbidden(wishes: readonly Wish[]): Refusal | undefined {
    const detail = this.#command.permit?.(this.#state, wishes);
    return detail === undefined ? undefined : { code: 'forbidden', detail };
  }

  #checkExpectation(): Refusal | undefined {
    const { edits, expect } = this.#command;
    if (expect === undefined || edits[0] === undefined) return undefined;
    const { name } = edits[0];
    const revision = this.#state.get(name)?.revision;
    if (
      expect === 'absent' ? revision === undefined : revision !== undefined && (expect === '*' || expect === revision)
    ) {
      return undefined;
    }
    const stands = revision === undefined ? 'does not exist' : `is at revision ${revision}`;
    const detail = `${name} ${stands}, which is not what the request expects`;
    return { code: 'precondition-failed', detail, ...(revision !== undefined && { revision }) };
  }

  #checkPresence(): Refusal | undefined {
    for (const { op, name } of this.#command.edits) {
      if (op !== 'put' && this.#state.get(name) === undefined)
        return { code: 'not-found', detail: `${name} does not exist` };
    }
    return undefined;
  }

  #checkDocuments(): Refusal | undefined {
    for (const edit of this.#command.edits) {
      const refusal = edit.op === 'document' ? whyNotDocumented(this.#state.get(edit.name), edit) : undefined;
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** The version stays what it was otherwise. */
  #describe({ name, document }: DocumentEdit, parts: NameParts): void {
    const before = this.#state.get(name);
    if (before?.kind === 'version') this.#become(name, parts, before, { ...before.value }, { document });
  }

  #put(index: number, edit: Put, parts: NameParts): void {
    const { name } = edit;
    const kind = parts.kind as CatalogKind;
    const before = this.#state.get(name);
    const raw = edit.op === 'put' ? edit.value : mergePatch(before?.value, edit.patch);
    if (!isObject(raw)) return this.#fail(index, '', 'is not an object');
    let errors = this.#validate(kind, raw);
    if (errors.length === 0) errors = contradictions(kind, raw);
    if (errors.length > 0) return this.#failAll(index, errors);
    let identity: Identity | undefined;
    if (parts.kind === 'service') {
      const found = this.#identify(before, parts.id, raw);
      if (Array.isArray(found)) return this.#failAll(index, found);
      identity = found;
    }
    // It is published by a request of its own, so that what is said here about it is passed over.
    const document = before?.kind === 'version' ? before.value.document : undefined;
    this.#become(name, parts, before, raw, { identity, document });
  }

  #become(
    name: string,
    parts: NameParts,
    before: AnyItem | undefined,
    raw: Record<string, unknown>,
    decided: Decided,
  ): void {
    const body = bodyOf(parts.kind as CatalogKind, raw, decided);
    const json = JSON.stringify(body);
    if (before !== undefined && hasBody(before, json)) return;
    const createTime = before?.value.createTime ?? this.#time;
    const assigned = { name, revision: this.#revision, createTime, updateTime: this.#time };
    this.#lay(itemOf(parts, assigned, body, json));
  }

  #identify(before: AnyItem | undefined, service: string, raw: Record<string, unknown>): Identity | FieldError[] {
    if (before?.kind !== 'service') return newIdentity(this.#after, this.#command.caller, service, this.#revision, raw);
    const errors = keepsIdentity(before, raw);
    return errors.length > 0 ? errors : before.value;
  }

  #prunedBy(labels: Labels): string[] {
    const pruned: string[] = [];
    const listed = new Set(this.#command.edits.map((edit) => edit.name));
    const wanted = Object.entries(labels);
    for (const kind of CATALOG_KINDS) {
      for (const item of allOf(this.#state, kind)) {
        const { name, value } = item;
        // What is hidden is not there, so it is not what the command means.
        if (!sees(this.#command.sight ?? EVERYTHING, audienceOf(item as AnyItem, this.#state))) continue;
        if (wanted.every(([key, label]) => value.labels[key] === label) && !listed.has(name)) pruned.push(name);
      }
    }
    return pruned;
  }

  #deriveUses(): void {
    for (const { item, value } of changedUses({ before: this.#state, after: this.#after, touches: this.#touches })) {
      const derived: Service = { ...value, revision: this.#revision, updateTime: this.#time };
      const json = JSON.stringify(derived);
      this.#lay({ ...item, revision: this.#revision, value: derived, json });
    }
  }

  #lay(item: AnyItem): void {
    this.#after.put(item);
    this.#touches.set(item.name, { name: item.name, before: this.#state.get(item.name), after: item });
  }

  #delete(name: string): void {
    this.#after.delete(name);
    this.#touches.set(name, { name, before: this.#state.get(name), after: undefined });
  }

  /** Pointers are into the request's body: one document, or a list of them. */
  #fail(index: number, pointer: string, detail: string): void {
    const listed = this.#command.edits.length > 1 && index >= 0;
    this.#errors.push({ pointer: listed ? `/${index}${pointer}` : pointer, detail });
  }

  #failAll(index: number, errors: readonly FieldError[]): void {
    for (const { pointer, detail } of errors) this.#fail(index, pointer, detail);
  }

  #invalid(): Refusal {
    const errors = this.#errors;
    const first = `${errors[0]?.pointer ?? ''} ${errors[0]?.detail ?? ''}`.trim();
    const detail = errors.length === 1 ? first : `${first}, and ${errors.length - 1} more`;
    return { code: 'invalid', detail, errors };
  }
}

const wishOf = ({ op, name }: Edit): Wish => ({ action: op === 'delete' ? 'catalog.delete' : 'catalog.write', name });
