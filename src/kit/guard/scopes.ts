/** What a verified token says; of it `sub`, `client_id`, `scope` and `scp` are looked at. */
export type Claims = Readonly<Record<string, unknown>>;

/** Who may use the admin endpoints of a service: its platform's administrators, and its own. */
export interface Guarded {
  /** The id of the service, such as `orders.example.com`. */
  readonly serviceId: string;
  /** The short id of its API in the catalog, such as `orders`; without it only the scopes made of `serviceId` count. */
  readonly apiId?: string;
}

/** One of these is enough. The dot is how Signalbox writes it, the slash how light-4j does; both are given out. */
export function adminScopes({ serviceId, apiId }: Guarded): readonly string[] {
  const ids = apiId === undefined || apiId === serviceId ? [serviceId] : [apiId, serviceId];
  return ['admin', ...ids.flatMap((id) => [`${id}.admin`, `${id}/admin`])];
}

/** `scope` is a text with spaces or a list, and some issuers call it `scp`. */
export function scopesOf(claims: Claims): ReadonlySet<string> {
  const all = [claims['scope'], claims['scp']].flat().filter((value) => typeof value === 'string');
  return new Set(all.flatMap((text) => text.split(' ')).filter((scope) => scope !== ''));
}

/** Who the bearer is, for the audit. */
export function subjectOf(claims: Claims): string {
  const named = [claims['sub'], claims['client_id'], claims['azp']];
  return named.find((value): value is string => typeof value === 'string' && value !== '') ?? 'unnamed';
}
