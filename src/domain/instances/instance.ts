import type { Duration } from '../duration.ts';
import type { Assigned, Labels } from '../resources.ts';
import type { Check, HealthStatus } from './check.ts';

/** What makes an instance the one it is; its id is made of exactly this. */
export interface InstanceIdentity {
  /** A service id; the service need not be in the catalog. */
  readonly service: string;
  /** Free text such as `prod`; left out, it is an environment of its own. */
  readonly environment?: string;
  /** Such as `http`, `https`, `grpc`, `tcp`. */
  readonly protocol: string;
  /** An IP address without brackets, or a host name. */
  readonly address: string;
  readonly port: number;
}

/** What an instance says about itself. */
export interface Registration extends InstanceIdentity {
  readonly version?: string;
  readonly region?: string;
  readonly weight: number;
  readonly tags: Labels;
  readonly metadata: Labels;
  readonly check: Check;
}

/** `drain`: no new calls, those under way end. `maintenance`: out of service. */
export type Mode = 'serving' | 'drain' | 'maintenance';

/** What an operator's override makes of an instance: its own where it has one, otherwise that of its service and region. */
export interface AppliedOverride {
  readonly scope: 'instance' | 'region';
  readonly mode?: Mode;
  readonly weight?: number;
  readonly reason: string;
  readonly by: string;
}

/** A live instance: where a service runs, and whether it can be called. */
export interface Instance extends Assigned, InstanceIdentity {
  readonly version?: string;
  readonly region?: string;
  /** What callers balance by: the override's, or else `registeredWeight`. */
  readonly weight: number;
  readonly registeredWeight: number;
  readonly tags: Labels;
  readonly metadata: Labels;
  readonly check: Check;
  /** The longest time from its death to the moment its watchers were told (INS1). */
  readonly detectionBound: Duration;
  /** The revision at which it came to be; a new one after it was gone (INS6). */
  readonly generation: number;
  /** What callers go by: not critical, serving, and not displaced. */
  readonly passing: boolean;
  readonly status: HealthStatus;
  /** RFC 3339, UTC: when the status was last changed. */
  readonly statusSince: string;
  /** One sentence. */
  readonly statusReason: string;
  readonly mode: Mode;
  readonly override?: AppliedOverride;
  /** The name of an instance of another service or environment that registered at this address and port (INS6). */
  readonly displacedBy?: string;
}

/** What an operator wants of an instance, or of all instances of a service in a region (INS5). */
export interface OverrideBody {
  readonly mode?: Mode;
  readonly weight?: number;
  /** False: instances of this service and region are given up without the eviction guard (INS4); of a region only. */
  readonly evictionGuard?: boolean;
  readonly reason: string;
}

export interface Override extends Assigned, OverrideBody {
  /** Of a region's override always; of an instance's, what it was when the override was set. */
  readonly service: string;
  /** The id of an instance, where the override is about one. */
  readonly instance?: string;
  /** Where the override is about a service's instances in a region; `-` for those without one. */
  readonly region?: string;
  readonly by: string;
}

/** Something that people should know about now; it goes away by itself. */
export interface Advisory extends Assigned {
  /** Stable, kebab-case. */
  readonly code: string;
  readonly service: string;
  /** `-` for instances without a region. */
  readonly region?: string;
  readonly message: string;
  /** RFC 3339, UTC: when it ends at the latest. */
  readonly until?: string;
}

/** What selectors look at in a resource of a runtime kind, apart from its labels. */
export interface RuntimeFacets {
  readonly service: string;
  readonly region?: string;
  readonly environment?: string;
  readonly protocol?: string;
  readonly version?: string;
  readonly passing?: boolean;
}
