import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Tracing } from './start.ts';

export type TracingSettings = Pick<
  Config,
  'tracesEndpoint' | 'tracesHeaders' | 'tracesService' | 'tracesShare' | 'nodeName'
>;

/** Undefined when nothing is traced: then nothing of OpenTelemetry is loaded either. */
export async function openTracing(
  settings: TracingSettings,
  version: string,
  log: Pick<Logger, 'info' | 'warn'>,
): Promise<Tracing | undefined> {
  const { tracesEndpoint, tracesHeaders, tracesService, tracesShare, nodeName } = settings;
  if (tracesEndpoint === undefined) return undefined;
  const { startTracing } = await import('./start.ts');
  return startTracing({
    endpoint: tracesEndpoint,
    headers: tracesHeaders ?? {},
    share: tracesShare,
    service: tracesService,
    version,
    node: nodeName ?? hostname(),
    log,
  });
}
