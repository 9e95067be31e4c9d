import type { RegisteredInstance } from '../api.ts';
import type { Backoff } from '../connection/backoff.ts';
import { SignalboxError } from '../errors.ts';
import type { ClientLog } from '../options.ts';
import { realTime, type Time } from '../time.ts';
import { AddressedDesk } from './addressed-desk.ts';
import { registrationBody, type RegistrationBody } from './body.ts';
import type { Attachment, Desk } from './desk.ts';
import { KeptInstance } from './instance.ts';
import { STOP_MS, type About } from './keeper.ts';
import type { RegisterOptions, Registration } from './options.ts';
import { pause } from './pause.ts';
import { KeepPlan, type Say } from './plan.ts';
import { untilTaken } from './until-taken.ts';

export interface RegistrarDeps {
  readonly desk: Desk;
  readonly attachment: Attachment;
  /** Where others reach this process, as it was told; for registrations that do not say it. */
  readonly toldAddress?: string | undefined;
  /** The same as it can be found out, where nobody says it. Rejects where it cannot be now; it is asked again before the next attempt. */
  readonly ownAddress: () => Promise<string>;
  /** For registrations without one of their own. */
  readonly environment?: string | undefined;
  /** There is an instance to keep: a connection is wanted until the function that it answers is called. */
  readonly hold?: () => () => void;
  readonly log?: ClientLog | undefined;
  /** What goes wrong once nobody waits for it. */
  readonly onError?: (error: SignalboxError) => void;
  readonly time?: Time;
  readonly random?: () => number;
  readonly backoff?: Backoff;
}

/** All instances that a client keeps registered. */
export interface Registrar {
  register(registration: Registration, options?: RegisterOptions): Promise<RegisteredInstance>;
  /** Those that are not gone. */
  readonly instances: readonly RegisteredInstance[];
  /** Deregisters all of them; from now on nothing is registered. Never rejects, and takes two seconds at most, or less if told so. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

const TIMEOUT_MS = 10_000;

export function createRegistrar(deps: RegistrarDeps): Registrar {
  const kept = new Map<KeptInstance, () => void>();
  let closed = false;
  const assertOpen = (): void => {
    if (closed) throw new SignalboxError('stopped', 'The client was closed, so it registers nothing any more.');
  };

  const keep = (body: RegistrationBody): KeptInstance => {
    const time = deps.time ?? realTime;
    const addressed =
      body.address === undefined ? new AddressedDesk({ desk: deps.desk, find: deps.ownAddress, time }) : undefined;
    const instance: KeptInstance = new KeptInstance({
      desk: addressed ?? deps.desk,
      address: () => body.address ?? addressed?.address,
      attachment: deps.attachment,
      plan: new KeepPlan({
        waitMs: undefined,
        ...(deps.random && { random: deps.random }),
        ...(deps.backoff && { backoff: deps.backoff }),
      }),
      registration: body,
      onFault: (error) => deps.log?.error({ err: error }, 'keeping an instance registered failed'),
      time,
    });
    const release = deps.hold?.() ?? (() => {});
    kept.set(instance, release);
    instance.onSaid((said) => tell(said, { ...body, address: instance.address }, deps));
    instance.on('state', (state) => {
      if (state === 'gone' && kept.delete(instance)) release();
    });
    return instance;
  };

  return {
    get instances() {
      return [...kept.keys()];
    },
    async register(registration, { startOnRegistryFailure = false, timeoutMs = TIMEOUT_MS, signal } = {}) {
      assertOpen();
      signal?.throwIfAborted();
      const body = registrationBody(registration, registration.address ?? deps.toldAddress, deps.environment);
      const instance = keep(body);
      if (startOnRegistryFailure) {
        instance.start();
        return instance;
      }
      await untilTaken(instance, { service: registration.service, timeoutMs, signal, time: deps.time ?? realTime });
      return instance;
    },
    async close({ timeoutMs = STOP_MS } = {}) {
      closed = true;
      const all = Promise.all([...kept.keys()].map((instance) => instance.deregister()));
      const inTime = new AbortController();
      await Promise.race([all, pause(deps.time ?? realTime, timeoutMs, inTime.signal)]);
      inTime.abort();
    },
  };
}

/** What became of it, for the log; and for whoever listens to errors. */
function tell(
  { say, registered, error }: About & { readonly say: Say },
  { service, address, port }: Pick<RegistrationBody, 'service' | 'address' | 'port'>,
  { log, onError }: RegistrarDeps,
): void {
  const about = { service, address, port, instance: registered?.id, ...(error && { err: error }) };
  switch (say) {
    case 'registered':
    case 'registered-again':
      return log?.info(
        { service, address, port, ...registered },
        say === 'registered' ? 'registered' : 'registered again',
      );
    case 'back':
      return log?.info(about, 'Signalbox is back, and has the registration still');
    case 'lost':
      return log?.warn(about, 'Signalbox does not have the registration any more; registering again');
    case 'away':
    case 'refused':
      log?.warn(
        about,
        say === 'away' ? 'Signalbox cannot be asked now; trying again' : 'the registration is not taken',
      );
      if (error !== undefined) onError?.(error);
      return;
    case 'closed':
  }
}
