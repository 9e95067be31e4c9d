import type { Item } from '../item.ts';
import { instanceName, instanceOverrideName, NO_REGION, regionOverrideName } from '../names.ts';
import { hasBody, itemOf } from '../normalise.ts';
import type { Reader } from '../view.ts';
import type { Duration } from '../duration.ts';
import type { HealthStatus } from './check.ts';
import type { AppliedOverride, Instance, Override, Registration } from './instance.ts';

/** What Signalbox knows about an instance beside what it says about itself. */
export interface Standing {
  readonly generation: number;
  readonly status: HealthStatus;
  readonly statusSince: string;
  readonly statusReason: string;
  readonly displacedBy: string | undefined;
  /** As it was when it last registered: which nodes there were is no news about the instance. */
  readonly detectionBound: Duration;
}

/** The region that overrides and the eviction guard count an instance to. */
export const regionOf = ({ region }: { readonly region?: string }): string => region ?? NO_REGION;

export const standingOf = (instance: Instance): Standing => ({
  generation: instance.generation,
  status: instance.status,
  statusSince: instance.statusSince,
  statusReason: instance.statusReason,
  displacedBy: instance.displacedBy,
  detectionBound: instance.detectionBound,
});

export function registrationOf(instance: Instance): Registration {
  const { service, environment, protocol, address, port, version, region, tags, metadata, check } = instance;
  return {
    service,
    ...(environment !== undefined && { environment }),
    protocol,
    address,
    port,
    ...(version !== undefined && { version }),
    ...(region !== undefined && { region }),
    weight: instance.registeredWeight,
    tags,
    metadata,
    check,
  };
}

/**
 * The instance as it is pushed and stored: what it says, what is known about it, and what operators have set (INS5), which
 * outlives it and so is read from `state`. The item that is there already, when nothing of that is new (REV3).
 */
export function buildInstance(
  state: Reader,
  id: string,
  registration: Registration,
  standing: Standing,
  at: { readonly revision: number; readonly time: string },
): Item<'instance'> {
  const name = instanceName(id);
  const before = state.get(name);
  const body = bodyOf(registration, standing, overridesOf(state, id, registration));
  const json = JSON.stringify(body);
  if (before !== undefined && hasBody(before, json)) return before as Item<'instance'>;
  const isNew = before?.kind !== 'instance' || before.value.generation !== standing.generation;
  const createTime = isNew ? at.time : before.value.createTime;
  const assigned = { name, revision: at.revision, createTime, updateTime: at.time };
  return itemOf({ kind: 'instance', id }, assigned, body, json) as Item<'instance'>;
}

interface Overrides {
  readonly own: Override | undefined;
  readonly region: Override | undefined;
}

function overridesOf(state: Reader, id: string, registration: Registration): Overrides {
  const own = state.get(instanceOverrideName(id));
  const region = state.get(regionOverrideName(registration.service, regionOf(registration)));
  return {
    own: own?.kind === 'override' ? own.value : undefined,
    region: region?.kind === 'override' ? region.value : undefined,
  };
}

function bodyOf(registration: Registration, standing: Standing, overrides: Overrides): object {
  const { service, environment, protocol, address, port, version, region, tags, metadata, check } = registration;
  const { generation, status, statusSince, statusReason, displacedBy, detectionBound } = standing;
  const mode = overrides.own?.mode ?? overrides.region?.mode ?? 'serving';
  const override = applied(overrides);
  return {
    service,
    ...(environment !== undefined && { environment }),
    protocol,
    address,
    port,
    ...(version !== undefined && { version }),
    ...(region !== undefined && { region }),
    weight: overrides.own?.weight ?? overrides.region?.weight ?? registration.weight,
    registeredWeight: registration.weight,
    tags,
    metadata,
    check,
    detectionBound,
    generation,
    passing: status !== 'critical' && mode === 'serving' && displacedBy === undefined,
    status,
    statusSince,
    statusReason,
    mode,
    ...(override !== undefined && { override }),
    ...(displacedBy !== undefined && { displacedBy }),
  };
}

function applied({ own, region }: Overrides): AppliedOverride | undefined {
  const decides = own ?? (region?.mode === undefined && region?.weight === undefined ? undefined : region);
  if (decides === undefined) return undefined;
  const { mode, weight, reason, by } = decides;
  return {
    scope: decides === own ? 'instance' : 'region',
    ...(mode !== undefined && { mode }),
    ...(weight !== undefined && { weight }),
    reason,
    by,
  };
}
