import type { Logger } from 'pino';
import { SignalboxError } from '../sdk/errors.ts';
import type { SidecarConfig } from './config/settings.ts';
import type { AdminGuard, OwnAdmin } from './ingress/admin-port.ts';
import type { Network } from './ports.ts';

/** What the sidecar is made of, of the client library and the kit. */
export interface Connected {
  readonly network: Network;
  readonly guard: AdminGuard;
  readonly own: OwnAdmin;
}

export type Connect = (config: SidecarConfig, log: Logger) => Connected;

/** The one place where the client library and the kit are put in. */
export const connect: Connect = () => {
  throw new SignalboxError('invalid-options', 'This build of the sidecar has no client library.');
};
