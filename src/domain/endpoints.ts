/** Endpoints are `host`, `host:port` or a URL; only the host matters to the rules. */

function hostStart(endpoint: string): number {
  const scheme = endpoint.indexOf('://');
  return scheme < 0 ? 0 : scheme + 3;
}

function hostOf(endpoint: string): string {
  const start = hostStart(endpoint);
  let end = start;
  while (end < endpoint.length && endpoint[end] !== ':' && endpoint[end] !== '/') end++;
  return endpoint.slice(start, end).toLowerCase();
}

/** Where a service is reached in a region by convention: `{region}.{domain}`, the domain being its global endpoint. */
export function regionalEndpoint(region: string, globalEndpoint: string): string {
  const start = hostStart(globalEndpoint);
  return `${globalEndpoint.slice(0, start)}${region}.${globalEndpoint.slice(start)}`;
}

export function followsConvention(endpoint: string, region: string, globalEndpoint: string): boolean {
  return (
    endpoint === regionalEndpoint(region, globalEndpoint) || hostOf(endpoint) === `${region}.${hostOf(globalEndpoint)}`
  );
}

/** What follows the first label of the host: what COV4 compares between the members of a bundle. */
export function domainOf(endpoint: string): string {
  const host = hostOf(endpoint);
  return host.slice(host.indexOf('.') + 1);
}

/** The same endpoint in another domain: its first label stays. */
export function inDomain(endpoint: string, domain: string): string {
  const start = hostStart(endpoint);
  const host = hostOf(endpoint);
  const dot = host.indexOf('.');
  const label = dot < 0 ? host : host.slice(0, dot);
  return `${endpoint.slice(0, start)}${label}.${domain}${endpoint.slice(start + host.length)}`;
}
