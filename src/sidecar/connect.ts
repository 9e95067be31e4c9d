import type { Logger } from 'pino';
import { listLoggers, setLoggers } from '../kit/admin/logger.ts';
import { serverInfo } from '../kit/admin/server-info.ts';
import { createGuard } from '../kit/guard.ts';
import { readModules } from '../kit/info/modules.ts';
import { Loggers } from '../kit/logging/loggers.ts';
import type { SidecarConfig } from './config/settings.ts';
import type { AdminGuard, OwnAdmin } from './ingress/admin-port.ts';
import { nobody } from './ingress/nobody.ts';
import type { Network } from './ports.ts';
import { SdkNetwork } from './sdk-network.ts';

/** What the sidecar is made of, of the client library and the kit. */
export interface Connected {
  readonly network: Network;
  readonly guard: AdminGuard;
  readonly own: OwnAdmin;
}

export type Connect = (config: SidecarConfig, log: Logger) => Connected;

/** The one place where the client library and the kit are put in. */
export const connect: Connect = (config, log) => {
  const serviceId = config.ingressService ?? 'sidecar';
  const loggers = new Loggers(log);
  const info = serverInfo({
    options: {},
    modules: readModules(import.meta.dirname),
    apiVersion: config.version,
    framework: 'signalbox-sidecar',
    plugins: () => [],
    own: config,
    env: process.env,
  });
  return {
    network: new SdkNetwork(config, { log, env: process.env }),
    guard: guardOf(config, serviceId, log),
    own: { serverInfo: info, listLoggers: listLoggers(loggers), setLoggers: setLoggers(loggers) },
  };
};

function guardOf(
  { issuers, development, ingressApiId: apiId }: SidecarConfig,
  serviceId: string,
  log: Pick<Logger, 'warn'>,
): AdminGuard {
  if (issuers.length === 0 && !development) return nobody;
  const guard = createGuard(issuers.length > 0 ? issuers : 'development', {
    serviceId,
    ...(apiId !== undefined && { apiId }),
  });
  if (guard.warning !== undefined) log.warn(guard.warning);
  return guard;
}
