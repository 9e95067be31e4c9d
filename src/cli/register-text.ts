import type { Instance } from '../domain/instances/instance.ts';
import type { About } from '../sdk/registration/keeper.ts';
import type { Say } from '../sdk/registration/plan.ts';
import { hostOf, placeOf } from './instance-text.ts';
import type { RegistrationBody } from './registration-options.ts';
import { printable } from './style.ts';

interface Context {
  readonly body: RegistrationBody;
  readonly wait: string | false;
}

/** What becomes of a registration, in a sentence. That it is lost is none: being registered again is. */
export function sayText(say: Say, { registered, error }: About, { body, wait }: Context): string | undefined {
  const { id = '', lease, detectionBound = '' } = registered ?? {};
  const what = `${placeOf(body as unknown as Instance)} is ${printable(id)}`;
  const how = lease === undefined ? `checked by ${body.check.type}` : `a lease of ${printable(lease)}`;
  switch (say) {
    case 'closed':
      return `nothing takes connections at ${hostOf(body.address)}:${body.port} after ${String(wait)}, so it is not registered yet; --address says that it is elsewhere`;
    case 'registered':
      return `registered: ${what}, ${how}; when it dies, its callers are told within ${printable(detectionBound)}`;
    case 'registered-again':
      return `registered again: ${what}, ${how}`;
    case 'away':
      return `Signalbox cannot be asked now, trying again: ${printable(error?.message ?? '')}`;
    case 'lost':
      return undefined;
    case 'back':
      return `Signalbox is back, and has the registration still`;
    case 'refused':
      return `Signalbox does not take the registration; trying again every half a minute`;
  }
}
