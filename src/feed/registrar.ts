import type { Caller, Origin } from '../domain/command.ts';
import type { ErrorFrame, RegisteredFrame } from '../protocol/frames.ts';

/** A connection that instances are registered over: whatever is heard on it renews their leases. */
export interface SignsOfLife {
  /** Monotonic milliseconds of the last thing heard. */
  readonly heardAt: number;
}

export type Registered = Pick<RegisteredFrame, 'instance' | 'revision'>;

export type Answer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Omit<ErrorFrame, 'type' | 'id'> };

/** What the feed needs in order to take registrations; it knows neither the registry nor the health checks. */
export interface Registrar {
  /** Whether leases are kept here at all. */
  readonly keepsLeases: boolean;
  /** Never rejects. */
  register(caller: Caller, body: unknown, origin?: Origin): Promise<Answer<Registered>>;
  /** Of this generation only, if one is given; what is not there is gone already. Never rejects. */
  deregister(
    caller: Caller,
    id: string,
    generation: number | undefined,
    origin?: Origin,
  ): Promise<Answer<{ readonly revision: number }>>;
  /**
   * False: it is not there, or of another generation, and has to register again. A promise where it takes a while until all nodes
   * know of it, which never rejects.
   */
  renew(caller: Caller, id: string, generation: number | undefined): boolean | Promise<Answer<boolean>>;
  /** From now on signs of life renew the lease. Doing it again changes nothing. */
  attach(id: string, life: SignsOfLife): void;
  /** Its countdown begins, unless it is attached to another connection by now. */
  detach(id: string, life: SignsOfLife): void;
}
