import { ID_PATTERNS } from '../../domain/names.ts';
import type { Refusal } from '../problem.ts';
import type { Selection } from '../ports.ts';

/** A path prefix that stands for a service. */
export interface PrefixRoute extends Selection {
  /** Such as `/orders`, without a slash at its end: it stands for itself and for all that is below it. `/` stands for everything. */
  readonly prefix: string;
  /** Whether the service is asked without the prefix. */
  readonly strip: boolean;
}

export interface RouteTable {
  /** The longest prefix first; what each selects is the same object at each request. */
  readonly prefixes: readonly (PrefixRoute & { readonly selection: Selection })[];
  /** Whether a header may name the service. */
  readonly byHeader: boolean;
  /** The environment of services that a header names without one. */
  readonly environment: string | undefined;
  /** Origins such as `https://legacy.example.com` that `service_url` may name beside the instances of its service. */
  readonly allowedUrls: ReadonlySet<string>;
}

/** Header fields by their names in lower case, as `node:http` has them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export type Route =
  | { readonly type: 'service'; readonly selection: Selection; readonly path: string; readonly url?: string }
  /** An address that the configuration allows. */
  | { readonly type: 'address'; readonly url: string; readonly path: string }
  | { readonly type: 'refused'; readonly refusal: Refusal };

/** What routes a request, and is not for the service. */
export const ROUTING_HEADERS: ReadonlySet<string> = new Set([
  'service_id',
  'service-id',
  'service_url',
  'service-url',
  'env_tag',
  'env-tag',
]);

const SERVICE = new RegExp(ID_PATTERNS.service);
const ENVIRONMENT = /^[a-zA-Z0-9._-]{0,63}$/;

export const isServiceId = (text: string): boolean => SERVICE.test(text);

export function tableOf(prefixes: readonly PrefixRoute[], rest: Omit<RouteTable, 'prefixes'>): RouteTable {
  const placed = prefixes.map((one) => ({ ...one, selection: selectionOf(one) }));
  return { ...rest, prefixes: placed.toSorted((a, b) => b.prefix.length - a.prefix.length) };
}

const selectionOf = ({ prefix: _prefix, strip: _strip, ...selection }: PrefixRoute): Selection => selection;

/**
 * Where a request goes: by header where one names a service, else by the longest prefix. A caller can only choose between what
 * Signalbox has registered and what the configuration allows (SEC4).
 */
export function route(target: string, headers: Headers, table: RouteTable): Route {
  // `GET http://somewhere/` and `OPTIONS *` are for proxies of another kind.
  if (!target.startsWith('/')) return refused(badTarget);
  const service = onlyValue(headers, 'service_id', 'service-id');
  const url = onlyValue(headers, 'service_url', 'service-url');
  const environment = onlyValue(headers, 'env_tag', 'env-tag');
  if (service === null || url === null || environment === null) return refused(twice);
  if (service === undefined && url === undefined) return byPrefix(target, environment, table);
  if (!table.byHeader) return refused(headersOff);
  const origin = url === undefined ? undefined : originOf(url);
  if (origin === null) return refused(badUrl);
  if (origin !== undefined && table.allowedUrls.has(origin)) return { type: 'address', url: origin, path: target };
  if (service === undefined) return refused(urlAlone);
  if (!isServiceId(service) || !ENVIRONMENT.test(environment ?? '')) return refused(badId);
  const selection = { service, ...environmentOf(environment ?? table.environment) };
  return { type: 'service', selection, path: target, ...(origin !== undefined && { url: origin }) };
}

function byPrefix(target: string, environment: string | undefined, table: RouteTable): Route {
  const found = table.prefixes.find(({ prefix }) => isBelow(target, prefix));
  if (found === undefined) return refused(noRoute(table));
  if (environment !== undefined && !(table.byHeader && ENVIRONMENT.test(environment))) return refused(badId);
  const { prefix, strip } = found;
  const path = strip && prefix !== '/' ? withoutPrefix(target, prefix.length) : target;
  const selection = environment === undefined ? found.selection : { ...found.selection, environment };
  return { type: 'service', selection, path };
}

const environmentOf = (environment: string | undefined): { environment?: string } =>
  environment === undefined ? {} : { environment };

function isBelow(target: string, prefix: string): boolean {
  if (prefix === '/') return true;
  if (!target.startsWith(prefix)) return false;
  const next = target[prefix.length];
  return next === undefined || next === '/' || next === '?';
}

function withoutPrefix(target: string, length: number): string {
  const rest = target.slice(length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Null where two headers, or two values of one, would leave it open which is meant. */
function onlyValue(headers: Headers, name: string, other: string): string | undefined | null {
  if (headers[name] === undefined && headers[other] === undefined) return undefined;
  const values = [headers[name] ?? [], headers[other] ?? []].flat();
  if (values.length > 1 || values[0]?.includes(',') === true) return null;
  return values[0];
}

/** Null where it is not the address of a server alone. */
export function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, origin, username, password, pathname, search, hash } = new URL(url);
  const plain = username === '' && password === '' && pathname === '/' && search === '' && hash === '';
  return plain && (protocol === 'http:' || protocol === 'https:') ? origin : null;
}

const refused = (refusal: Refusal): Route => ({ type: 'refused', refusal });

const bad = (code: string, detail: string): Refusal => ({
  status: 400,
  code,
  title: 'The request cannot be routed',
  detail,
});

const badTarget = bad('bad-target', 'The request target has to be a path that begins with /, such as GET /orders/17.');
const twice = bad('two-services', 'service_id, service_url and env_tag may each be given once, with one value.');
const badUrl = bad(
  'bad-service-url',
  'service_url has to be scheme, host and port alone, such as http://10.0.4.17:8080.',
);
const badId = bad(
  'bad-service',
  'service_id has to be the id of a service, such as orders.example.com, and env_tag an environment.',
);
const urlAlone: Refusal = {
  ...bad(
    'service-url-not-allowed',
    'service_url alone is taken only for addresses in egress.allowedHosts. Name the service in service_id too, or let egress.allowedHosts allow it.',
  ),
  status: 403,
};
const headersOff: Refusal = {
  ...bad(
    'headers-off',
    'egress.byHeader is false: this sidecar routes by path prefix alone. Leave service_id and service_url out.',
  ),
  status: 403,
};

const noRoute = ({ prefixes, byHeader }: RouteTable): Refusal => ({
  status: 404,
  code: 'no-route',
  title: 'No route',
  detail:
    `No prefix in egress.routes fits this path.${byHeader ? ' Or name the service in a header, such as service_id: orders.example.com.' : ''}` +
    ' The member routes lists those there are.',
  more: { routes: prefixes.map(({ prefix, service }) => ({ prefix, service })) },
});
