import { formatDuration } from '../../domain/duration.ts';
import type { Registration } from '../../sdk/registration/options.ts';
import type { SidecarConfig } from '../config/settings.ts';

/** What is registered: the ingress, on behalf of the backend. */
export function registrationOf(config: SidecarConfig, service: string, port: number): Registration {
  const { ingressTlsCert, registeredAddress, registeredPort, environment, version, region, weight, tags } = config;
  const { lease } = config;
  const tls = ingressTlsCert !== undefined;
  return {
    service,
    port: registeredPort ?? port,
    protocol: tls ? 'https' : 'http',
    weight,
    tags,
    ...(registeredAddress !== undefined && { address: registeredAddress }),
    ...(environment !== undefined && { environment }),
    ...(version !== undefined && { version }),
    ...(region !== undefined && { region }),
    ...(config.check === 'ttl' && lease !== undefined && { check: { type: 'ttl', ttl: formatDuration(lease) } }),
    ...(config.check === 'http' && { check: { type: 'http', path: '/health/{serviceId}', tls, tlsVerify: false } }),
  };
}
