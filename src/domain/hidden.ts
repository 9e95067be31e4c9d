import type { CatalogCommand, InstanceCommand } from './command.ts';
import type { AnyItem } from './item.ts';
import { isEmpty, serviceOf, versionsOf } from './lookup.ts';
import { children } from './indexes.ts';
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
 * What hidden services are to be imported or used: nobody is told that they exist, with or without their owners' consent
 * (CAT4). What the same service named before is its own content, and may be said again.
 */
export function hiddenReferences({ before, after, touches }: Resolved, sight: Sight | undefined): Hidden | undefined {
  if (sight === undefined || sight.keys === 'all') return undefined;
  const services = new Set<string>();
  for (const touch of touches.values()) {
    const item = touch.after;
    if (item?.kind !== 'version' && item?.kind !== 'service') continue;
    const wanted = wantedBy(item).filter((service) => isHiddenService(service, sight, after));
    if (wanted.length === 0) continue;
    const named = namedBy(item.kind === 'version' ? item.parent : item.id, before);
    for (const service of wanted) if (!named.has(service)) services.add(service);
  }
  return someOf(services, new Set());
}

/** What a service and its versions name already. */
function namedBy(service: string, state: Reader): ReadonlySet<string> {
  const own = serviceOf(state, service);
  const named = new Set(own?.value.uses);
  for (const version of versionsOf(state, service)) for (const one of wantedBy(version)) named.add(one);
  return named;
}

const wantedBy = (item: AnyItem): readonly string[] =>
  item.kind === 'version'
    ? item.value.imports.map(({ service }) => service)
    : item.kind === 'service'
      ? item.value.uses
      : [];

/**
 * A service that a command creates, and under whose name something runs or is set that its caller may not see: it is
 * somebody else's, and would be the caller's by the name alone.
 */
export function takenName({ before, touches }: Resolved, sight: Sight | undefined): string | undefined {
  if (sight === undefined || sight.keys === 'all') return undefined;
  for (const touch of touches.values()) {
    if (touch.before !== undefined || touch.after?.kind !== 'service') continue;
    const { id, name } = touch.after;
    if (sees(sight, audienceOfServiceId(id, before))) continue;
    for (const kind of LEFT) if (!isEmpty(before.bucket(children(kind, id)))) return name;
  }
  return undefined;
}

const LEFT = ['instance', 'override', 'advisory'] as const;

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
