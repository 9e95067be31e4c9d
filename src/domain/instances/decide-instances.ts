import { changeOf } from '../change-of.ts';
import type { Decision, InstanceCommand, Outcome, Wish } from '../command.ts';
import type { Touch } from '../delta.ts';
import { Draft } from '../draft.ts';
import type { Refusal } from '../errors.ts';
import { atAddress, children } from '../indexes.ts';
import type { AnyItem, Item } from '../item.ts';
import { deploymentOf, serviceOf } from '../lookup.ts';
import { advisoryName, instanceName, instanceOverrideName, partsOf, regionOverrideName } from '../names.ts';
import { hasBody, itemOf } from '../normalise.ts';
import { withAudiences } from '../audiences.ts';
import { overQuota } from '../quota.ts';
import { seenOutcomes } from '../seen-outcomes.ts';
import type { Reader } from '../view.ts';
import { buildInstance, registrationOf, regionOf, standingOf, type Standing } from './build.ts';
import { detectionBound } from './check.ts';
import type { InstanceEdit } from './edits.ts';
import type { Instance, Registration } from './instance.ts';

/** What happens to what runs: the changes of one revision, or why not. Pure, like `decide`. */
export function decideInstances(state: Reader, command: InstanceCommand, revision: number): Decision {
  return new InstanceDecision(state, command, revision).run();
}

type EditOf<Op extends InstanceEdit['op']> = Extract<InstanceEdit, { op: Op }>;

class InstanceDecision {
  readonly #before: Reader;
  readonly #command: InstanceCommand;
  readonly #at: { readonly revision: number; readonly time: string };
  readonly #after: Draft;
  readonly #touches = new Map<string, Touch>();

  constructor(state: Reader, command: InstanceCommand, revision: number) {
    this.#before = state;
    this.#command = command;
    this.#at = { revision, time: new Date(command.at).toISOString() };
    this.#after = new Draft(state);
  }

  run(): Decision {
    const forbidden = this.#command.permit?.(this.#before, this.#command.instances.flatMap(wishesOf));
    if (forbidden !== undefined) return { ok: false, refusal: { code: 'forbidden', detail: forbidden } };
    const named: string[] = [];
    for (const edit of this.#command.instances) {
      named.push(nameOfEdit(edit));
      const refusal = this.#carryOut(edit);
      if (refusal !== undefined) return { ok: false, refusal };
    }
    const touches = [...this.#touches.values()];
    const over = overQuota(this.#before, this.#after, touches, this.#command.limits, this.#command.sight);
    if (over !== undefined) return { ok: false, refusal: over };
    const changes = withAudiences(touches.map(changeOf), this.#before, this.#after, this.#at);
    const states = { before: this.#before, after: this.#after };
    const outcomes = seenOutcomes(this.#outcomes(named, touches), this.#command.sight, states);
    return { ok: true, changes, ...outcomes, warnings: [] };
  }

  #carryOut(edit: InstanceEdit): Refusal | undefined {
    switch (edit.op) {
      case 'register':
        return this.#register(edit);
      case 'deregister': {
        const item = this.#instance(edit.id);
        if (item === undefined) return undefined;
        const isMeant = edit.generation === undefined || edit.generation === item.value.generation;
        const isDown = edit.ifCritical !== true || item.value.status === 'critical';
        if (isMeant && isDown) this.#delete(item.name);
        return undefined;
      }
      case 'status':
        this.#setStatus(edit);
        return undefined;
      case 'override':
        return this.#override(edit);
      case 'advise':
        this.#advise(edit);
        return undefined;
    }
  }

  #register({ id, registration, mustBeInCatalog, takeoverMs }: EditOf<'register'>): Refusal | undefined {
    const refusal = mustBeInCatalog === true ? notInCatalog(this.#before, registration) : undefined;
    if (refusal !== undefined) return refusal;
    const before = this.#instance(id)?.value;
    const after = buildInstance(
      this.#after,
      id,
      registration,
      this.#standing(before, registration, takeoverMs),
      this.#at,
    );
    if (after.revision !== this.#at.revision) return undefined;
    this.#lay(after);
    this.#displaceOthers(after);
    return undefined;
  }

  /** Registering shows that the instance is there: a lease begins anew, and nobody else's claim to the address holds. */
  #standing(before: Instance | undefined, { check }: Registration, takeoverMs: number | undefined): Standing {
    const { revision, time } = this.#at;
    const bound = detectionBound(check, takeoverMs);
    // What was found out holds until a check, which may be another one now, says otherwise.
    const keepsStatus = before !== undefined && !(check.type === 'ttl' && before.status === 'critical');
    if (keepsStatus) return { ...standingOf(before), displacedBy: undefined, detectionBound: bound };
    return {
      generation: before?.generation ?? revision,
      status: check.initialStatus,
      statusSince: time,
      statusReason: check.type === 'ttl' ? 'Registered.' : 'Registered; no check has said anything yet.',
      displacedBy: undefined,
      detectionBound: bound,
    };
  }

  /** INS6: whoever else was at this address is out of service until it shows that it still is. */
  #displaceOthers({ name, value }: Item<'instance'>): void {
    for (const other of this.#after.bucket(atAddress(value.address, value.port))) {
      if (other.kind !== 'instance' || other.name === name) continue;
      const { service, environment, displacedBy } = other.value;
      const isAlike = service === value.service && environment === value.environment;
      if (isAlike || displacedBy === name || !this.#mayDisplace(other, value.address)) continue;
      this.#rebuild(other, { displacedBy: name });
    }
  }

  /** Nobody takes another owner's instance out of service but by being where it was. */
  #mayDisplace(other: Item<'instance'>, address: string): boolean {
    const { permit, origin } = this.#command;
    // IPv4 addresses may come mapped into IPv6.
    if (permit === undefined || origin?.address?.replace(/^::ffff:(?=[0-9.]+$)/, '') === address) return true;
    const wish = { action: 'instance.register', name: other.name, service: other.value.service } as const;
    return permit(this.#before, [wish]) === undefined;
  }

  #setStatus({ id, generation, status, reason, proven, seen, stands }: EditOf<'status'>): void {
    const item = this.#instance(id);
    if (item === undefined || item.value.generation !== generation || stands?.() === false) return;
    // Somebody may have registered at its address after it was last seen there.
    const isThere = proven && status !== 'critical' && (seen === undefined || seen === item.revision);
    const displacedBy = isThere ? undefined : item.value.displacedBy;
    if (status === item.value.status && displacedBy === item.value.displacedBy) return;
    const isNews = status !== item.value.status;
    this.#rebuild(item, {
      displacedBy,
      ...(isNews && { status, statusSince: this.#at.time, statusReason: reason }),
    });
  }

  #override({ target, override }: EditOf<'override'>): Refusal | undefined {
    const name = overrideNameOf(target);
    const before = this.#after.get(name);
    if ('instance' in target) {
      const instance = this.#instance(target.instance);
      const known = instance?.value ?? (before?.kind === 'override' ? before.value : undefined);
      if (known === undefined) return { code: 'not-found', detail: `${instanceName(target.instance)} does not exist` };
      if (override === undefined) this.#delete(name);
      else
        this.#put(name, {
          service: known.service,
          instance: target.instance,
          ...override,
          by: this.#by,
        });
      if (instance !== undefined) this.#rebuild(instance, {});
      return undefined;
    }
    const { service, region } = target;
    if (override === undefined) this.#delete(name);
    else this.#put(name, { service, region, ...override, by: this.#by });
    for (const item of this.#after.bucket(children('instance', service))) {
      if (item.kind === 'instance' && regionOf(item.value) === region) this.#rebuild(item, {});
    }
    return undefined;
  }

  #advise({ id, advisory }: EditOf<'advise'>): void {
    if (advisory === undefined) this.#delete(advisoryName(id));
    else this.#put(advisoryName(id), advisory);
  }

  get #by(): string {
    return this.#command.caller.subject;
  }

  #rebuild(item: Item<'instance'>, news: Partial<Standing>): void {
    const { value } = item;
    const standing = { ...standingOf(value), ...news };
    const after = buildInstance(this.#after, item.id, registrationOf(value), standing, this.#at);
    if (after !== item) this.#lay(after);
  }

  #put(name: string, body: object): void {
    const before = this.#after.get(name);
    const json = JSON.stringify(body);
    if (before !== undefined && hasBody(before, json)) return;
    const { revision, time } = this.#at;
    const assigned = { name, revision, createTime: before?.value.createTime ?? time, updateTime: time };
    this.#lay(itemOf(partsOf(name), assigned, body, json));
  }

  #instance(id: string): Item<'instance'> | undefined {
    const item = this.#after.get(instanceName(id));
    return item?.kind === 'instance' ? item : undefined;
  }

  #lay(item: AnyItem): void {
    this.#after.put(item);
    this.#touches.set(item.name, { name: item.name, before: this.#before.get(item.name), after: item });
  }

  #delete(name: string): void {
    if (this.#after.get(name) === undefined) return;
    const before = this.#before.get(name);
    this.#after.delete(name);
    if (before === undefined) this.#touches.delete(name);
    else this.#touches.set(name, { name, before, after: undefined });
  }

  #outcomes(named: readonly string[], touches: readonly Touch[]): Outcome[] {
    const outcomes = named.map((name): Outcome => {
      const touch = this.#touches.get(name);
      const item = this.#before.get(name);
      return touch === undefined ? { name, op: 'unchanged', before: item, after: item } : outcomeOf(touch);
    });
    if (touches.length > 1 || outcomes[0]?.op === 'unchanged') {
      const seen = new Set(named);
      for (const touch of touches) if (!seen.has(touch.name)) outcomes.push(outcomeOf(touch));
    }
    return outcomes;
  }
}

/** What checks find out is Signalbox's own to say, and nobody's wish. */
function wishesOf(edit: InstanceEdit): Wish[] {
  switch (edit.op) {
    case 'register':
      return [{ action: 'instance.register', name: instanceName(edit.id), service: edit.registration.service }];
    case 'deregister':
      return [{ action: 'instance.register', name: instanceName(edit.id) }];
    case 'override':
      return [{ action: 'instance.override', name: overrideNameOf(edit.target) }];
    case 'status':
    case 'advise':
      return [];
  }
}

function outcomeOf({ name, before, after }: Touch): Outcome {
  const op = after === undefined ? 'deleted' : before === undefined ? 'created' : 'updated';
  return { name, op, before, after };
}

function nameOfEdit(edit: InstanceEdit): string {
  if (edit.op === 'override') return overrideNameOf(edit.target);
  return edit.op === 'advise' ? advisoryName(edit.id) : instanceName(edit.id);
}

const overrideNameOf = (target: EditOf<'override'>['target']): string =>
  'instance' in target ? instanceOverrideName(target.instance) : regionOverrideName(target.service, target.region);

function notInCatalog(state: Reader, { service, region }: Registration): Refusal | undefined {
  if (serviceOf(state, service) === undefined) {
    return invalid(
      '/service',
      `${service} is not in the catalog, and REGISTRATION=catalog takes no others: put it there first`,
    );
  }
  if (region !== undefined && deploymentOf(state, service, region) === undefined) {
    return invalid(
      '/region',
      `${service} is not deployed in ${region}, and REGISTRATION=catalog takes no others: deploy it there first`,
    );
  }
  return undefined;
}

const invalid = (pointer: string, detail: string): Refusal => ({
  code: 'invalid',
  detail: `${pointer} ${detail}`,
  errors: [{ pointer, detail }],
});
