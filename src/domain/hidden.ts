import type { CatalogCommand, InstanceCommand } from './command.ts';
import { allows } from './consent.ts';
import type { AnyItem } from './item.ts';
import { serviceOf } from './lookup.ts';
import { Masked } from './masked.ts';
import { instanceName, instanceOverrideName, parseName } from './names.ts';
import type { Resolved } from './resolve.ts';
import { itemFacets } from './selector.ts';
import type { Reader } from './view.ts';
import { audienceOf, audienceOfServiceId, sees, type Sight } from './visibility.ts';

/** What a command mentions and its caller may not see: services with all that is theirs, and single resources. */
export interface Hidden {
  readonly services: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
}

/** What hidden resources a catalog command is about; `undefined` when none. */
export function hiddenTargets(state: Reader, { sight, edits }: CatalogCommand): Hidden | undefined {
  if (sight === undefined || sight.keys === 'all') return undefined;
  const services = new Set<string>();
  const names = new Set<string>();
  for (const { name } of edits) {
    const parts = parseName(name);
    if (parts === undefined) continue;
    const item = state.get(name);
    const service = parts.kind === 'service' ? parts.id : parts.kind === 'serviceAccount' ? undefined : parts.parent;
    if (service !== undefined && isHiddenService(service, sight, state)) services.add(service);
    else if (item !== undefined && !sees(sight, audienceOf(item, state))) names.add(name);
  }
  return someOf(services, names);
}

/**
 * What hidden services are from now on to be imported or used without their owners' consent (CAT4): nobody is told that
 * they exist. What was there before is content of the resource that names it.
 */
export function hiddenReferences({ after, touches }: Resolved, sight: Sight | undefined): Hidden | undefined {
  if (sight === undefined || sight.keys === 'all') return undefined;
  const services = new Set<string>();
  for (const touch of touches.values()) {
    const item = touch.after;
    if (item?.kind !== 'version' && item?.kind !== 'service') continue;
    const had = new Set(touch.before === undefined ? [] : wantedBy(touch.before));
    const wanted = wantedBy(item).filter((service) => !had.has(service));
    const own = item.kind === 'version' ? serviceOf(after, item.parent)?.value : item.value;
    for (const service of wanted) {
      // What belongs to no service has nobody's consent.
      const isAllowed = own !== undefined && allows(serviceOf(after, service), own.project);
      if (!isAllowed && isHiddenService(service, sight, after)) services.add(service);
    }
  }
  return someOf(services, new Set());
}

const wantedBy = (item: AnyItem): readonly string[] =>
  item.kind === 'version'
    ? item.value.imports.map(({ service }) => service)
    : item.kind === 'service'
      ? item.value.uses
      : [];

/** What hidden instances a command is about. */
export function hiddenInstances(state: Reader, { sight, instances }: InstanceCommand): Hidden | undefined {
  if (sight === undefined || sight.keys === 'all') return undefined;
  const names = new Set<string>();
  for (const edit of instances) {
    const id =
      edit.op === 'deregister'
        ? edit.id
        : edit.op === 'override' && 'instance' in edit.target
          ? edit.target.instance
          : '';
    for (const name of id === '' ? [] : [instanceName(id), instanceOverrideName(id)]) {
      const item = state.get(name);
      if (item !== undefined && !sees(sight, audienceOf(item, state))) names.add(name);
    }
  }
  return someOf(new Set(), names);
}

/** The state without it: what is decided on that says nothing about it. */
export const without = (state: Reader, { services, names }: Hidden): Reader =>
  new Masked(state, (item: AnyItem) => names.has(item.name) || services.has(itemFacets(item).service ?? ''));

/** Only of what is in the catalog: that something else is not there is no secret. */
function isHiddenService(service: string, sight: Sight, state: Reader): boolean {
  return serviceOf(state, service) !== undefined && !sees(sight, audienceOfServiceId(service, state));
}

const someOf = (services: ReadonlySet<string>, names: ReadonlySet<string>): Hidden | undefined =>
  services.size + names.size === 0 ? undefined : { services, names };
