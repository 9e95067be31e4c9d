import type { HealthStatus } from './check.ts';
import type { OverrideBody, Registration } from './instance.ts';

/** One thing that happens to what runs. `id` is an instance's. */
export type InstanceEdit =
  /**
   * `mustBeInCatalog`: the service, and the deployment in the region that it names, have to be there. `takeoverMs`: what the
   * death of a node adds to its detection bound (INS1).
   */
  | {
      readonly op: 'register';
      readonly id: string;
      readonly registration: Registration;
      readonly mustBeInCatalog?: boolean;
      readonly takeoverMs?: number;
    }
  /** Without a generation, whichever is there. */
  | {
      readonly op: 'deregister';
      readonly id: string;
      readonly generation?: number;
      /** Not if it has come back meanwhile. */
      readonly ifCritical?: boolean;
    }
  /**
   * What checks have found out about the instance of this generation. `proven`: it was the instance itself that showed it,
   * and nobody who has its address now (INS6); not if the instance has changed since `seen`, the revision it was at then.
   * `stands` is asked each time that this is decided: what was found may be over by then, which changes no revision.
   */
  | {
      readonly op: 'status';
      readonly id: string;
      readonly generation: number;
      readonly status: HealthStatus;
      readonly reason: string;
      readonly proven: boolean;
      readonly seen?: number;
      readonly stands?: () => boolean;
    }
  | { readonly op: 'override'; readonly target: OverrideTarget; readonly override: OverrideBody | undefined }
  /** An advisory begins or changes; without one, it ends. */
  | { readonly op: 'advise'; readonly id: string; readonly advisory: AdvisoryBody | undefined };

export type OverrideTarget =
  | { readonly instance: string }
  /** `-` for instances that name no region. */
  | { readonly service: string; readonly region: string };

export interface AdvisoryBody {
  readonly code: string;
  readonly service: string;
  readonly region?: string;
  readonly message: string;
  readonly until?: string;
}
