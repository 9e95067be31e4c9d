import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { LOG_SAFETY } from '../log.ts';
import { CONFIG_VARIABLE, loadSidecarConfig, type LoadedConfig } from './config/read.ts';
import type { SidecarConfig } from './config/settings.ts';
import { connect } from './connect.ts';
import type { Env } from './env.ts';
import { startSidecar, type Sidecar } from './sidecar.ts';

export { CannotStart } from './cannot-start.ts';

/** The file that the command line or `SIDECAR_CONFIG` names, and variables. */
export function configOf(file: string | undefined, env: Env): LoadedConfig {
  const path = file ?? env[CONFIG_VARIABLE];
  if (path === undefined || path === '') return loadSidecarConfig(undefined, env);
  try {
    return loadSidecarConfig(readFileSync(path, 'utf8'), env);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { ok: false, errors: [`${path} cannot be read (${code ?? String(error)}).`] };
  }
}

/** The sidecar of this process. @throws as `startSidecar` does. */
export function runSidecar(config: SidecarConfig): Promise<Sidecar> {
  const log = pino({ level: config.logLevel, base: { name: 'signalbox-sidecar' }, ...LOG_SAFETY });
  return startSidecar(config, { ...connect(config, log), log, id: randomBytes(6).toString('hex') });
}
