import { createHash } from 'node:crypto';
import type { Caller, InstanceCommand, Origin } from '../domain/command.ts';
import { canonicalAddress, readOverride, readRegistration } from '../domain/instances/registration.ts';
import type { OverrideTarget } from '../domain/instances/edits.ts';
import type { Instance, InstanceIdentity } from '../domain/instances/instance.ts';
import type { FieldError, Refusal } from '../domain/errors.ts';
import type { Item } from '../domain/item.ts';
import { instanceName } from '../domain/names.ts';
import type { Traceparent } from '../domain/trace.ts';
import type { Verdict } from './commit-loop.ts';

export interface InstanceDeskDeps {
  readonly registry: { execute(command: InstanceCommand, options?: { readonly dryRun?: boolean }): Promise<Verdict> };
  /** `isShared`: a lease that has just begun has to be put where other nodes find it. */
  readonly leases: {
    readonly isShared?: boolean;
    renew(id: string, generation?: number): boolean | Promise<boolean>;
  };
  /** The schema checks of the protocol. */
  readonly validate: {
    registration(body: unknown): readonly FieldError[];
    instanceOverride(body: unknown): readonly FieldError[];
    regionOverride(body: unknown): readonly FieldError[];
  };
  /** Why Signalbox may not call an address, if it may not (SEC4). Host names are looked at when they are resolved. */
  readonly deniedAddress: (address: string) => string | undefined;
  readonly mustBeInCatalog: boolean;
  /** What the death of a node may add to the time in which an instance's death is told (INS1); 0 when there is one only. */
  readonly takeoverMs?: number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** How a use case is asked for, beside what it is about. */
export interface Asking {
  readonly dryRun?: boolean;
  readonly origin?: Origin;
  readonly trace?: Traceparent;
}

/** The answer to a registration. */
export interface Registered {
  readonly id: string;
  readonly created: boolean;
  readonly item: Item<'instance'>;
  /** The revision at which the answer holds. */
  readonly revision: number;
}

export interface Deregistered {
  readonly revision: number;
  /** Whether it was there. */
  readonly existed: boolean;
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

/** The use cases of instances and overrides. Rejects with `RegistryUnavailable` when nothing can be decided now. */
export class InstanceDesk {
  readonly #deps: InstanceDeskDeps;

  constructor(deps: InstanceDeskDeps) {
    this.#deps = deps;
  }

  /** Takes an instance in, or says why not. The same content again renews its lease and makes no revision (REV3). */
  async register(caller: Caller, body: unknown, options: Asking = {}): Promise<Outcome<Registered>> {
    const { validate, deniedAddress, mustBeInCatalog, takeoverMs = 0 } = this.#deps;
    const errors = validate.registration(body);
    if (errors.length > 0) return invalid(errors);
    const read = readRegistration(body as Readonly<Record<string, unknown>>);
    if (!read.ok) return invalid(read.errors);
    const registration = read.value;
    const denied = registration.check.type === 'ttl' ? undefined : deniedAddress(registration.address);
    if (denied !== undefined) {
      const detail = `is ${denied}, which Signalbox does not call (SEC4); register another address, or with a ttl check`;
      return invalid([{ pointer: '/address', detail }]);
    }
    const id = instanceIdOf(registration);
    const edit = { op: 'register', id, registration, mustBeInCatalog, takeoverMs } as const;
    const verdict = await this.#execute(caller, [edit], options);
    if (!verdict.ok) return verdict;
    const outcome = verdict.outcomes[0];
    const item = outcome?.after;
    if (item?.kind !== 'instance') throw new Error(`${instanceName(id)} is not there after its registration`);
    const created = outcome?.op === 'created';
    if (options.dryRun !== true) await this.#heard(item, created);
    return { ok: true, value: { id, created, item, revision: verdict.revision } };
  }

  /** A registration is a sign of life whether or not it says anything new; a new lease has just begun. */
  async #heard({ id, value }: Item<'instance'>, created: boolean): Promise<void> {
    const { leases } = this.#deps;
    // Who says that it begins critical waits for its first renewal.
    if (created && (leases.isShared !== true || value.status === 'critical')) return;
    await leases.renew(id, value.generation);
  }

  /** Removes an instance; one that is not there is gone already. */
  async deregister(
    caller: Caller,
    id: string,
    generation?: number,
    options: Asking = {},
  ): Promise<Outcome<Deregistered>> {
    const edit = { op: 'deregister', id, ...(generation !== undefined && { generation }) } as const;
    const verdict = await this.#execute(caller, [edit], options);
    if (!verdict.ok) return verdict;
    return { ok: true, value: { revision: verdict.revision, existed: verdict.outcomes[0]?.op === 'deleted' } };
  }

  /** Sets or, without a body, lifts an override (INS5). */
  async override(caller: Caller, target: OverrideTarget, body: unknown, options: Asking = {}): Promise<Verdict> {
    const { validate } = this.#deps;
    let override;
    if (body !== undefined) {
      const errors = 'instance' in target ? validate.instanceOverride(body) : validate.regionOverride(body);
      if (errors.length > 0) return invalid(errors);
      const read = readOverride(body as Readonly<Record<string, unknown>>);
      if (!read.ok) return invalid(read.errors);
      override = read.value;
    }
    return this.#execute(caller, [{ op: 'override', target, override }], options);
  }

  #execute(caller: Caller, instances: InstanceCommand['instances'], asking: Asking): Promise<Verdict> {
    const { origin, trace, dryRun } = asking;
    const command = {
      caller,
      at: this.#deps.clock(),
      instances,
      ...(origin && { origin }),
      ...(trace !== undefined && { trace }),
    };
    return this.#deps.registry.execute(command, { dryRun: dryRun === true });
  }
}

/** What a registration is answered with, beside the instance. */
export const leaseOf = ({
  check,
  detectionBound,
}: Pick<Instance, 'check' | 'detectionBound'>): { readonly lease?: string; readonly detectionBound: string } => ({
  ...(check.type === 'ttl' && { lease: check.ttl }),
  detectionBound,
});

/** 24 hexadecimal digits: the first 96 bits of the SHA-256 of the identity. */
export function instanceIdOf({ service, environment, protocol, address, port }: InstanceIdentity): string {
  const identity = JSON.stringify([service, environment ?? null, protocol, canonicalAddress(address), port]);
  return createHash('sha256').update(identity).digest('hex').slice(0, 24);
}

function invalid(errors: readonly FieldError[]): { ok: false; refusal: Refusal } {
  const first = `${errors[0]?.pointer ?? ''} ${errors[0]?.detail ?? ''}`.trim();
  const detail = errors.length === 1 ? first : `${first}, and ${errors.length - 1} more`;
  return { ok: false, refusal: { code: 'invalid', detail, errors } };
}
