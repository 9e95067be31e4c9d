import { formatDuration, parseDuration, type Duration } from '../duration.ts';
import type { FieldError } from '../errors.ts';
import type { Labels } from '../resources.ts';
import type { ActiveCheck, Check, GrpcCheck, HealthStatus, HttpCheck } from './check.ts';
import type { OverrideBody, Registration } from './instance.ts';

type Raw = Readonly<Record<string, unknown>>;

export type Read<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errors: readonly FieldError[] };

/**
 * The canonical form of a registration that the schema has accepted: every default filled in, one writing for each address
 * and duration, keys in order, so that equal content is equal (REV3). What no schema can say is checked here.
 */
export function readRegistration(raw: Raw): Read<Registration> {
  const errors: FieldError[] = [];
  const check = checkOf((raw.check as Raw | undefined) ?? { type: 'ttl' }, raw.protocol as string, errors);
  const metadata = sorted(raw.metadata);
  const characters = Object.entries(metadata).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (characters > METADATA_CHARACTERS) {
    errors.push({
      pointer: '/metadata',
      detail: `must have at most ${METADATA_CHARACTERS} characters in all, not ${characters}`,
    });
  }
  if (errors.length > 0) return { ok: false, errors };
  const registration: Registration = {
    service: raw.service as string,
    ...(raw.environment !== undefined && { environment: raw.environment as string }),
    protocol: raw.protocol as string,
    address: canonicalAddress(raw.address as string),
    port: raw.port as number,
    ...(raw.version !== undefined && { version: raw.version as string }),
    ...(raw.region !== undefined && { region: raw.region as string }),
    weight: (raw.weight as number | undefined) ?? 1,
    tags: sorted(raw.tags),
    metadata,
    check,
  };
  return { ok: true, value: registration };
}

/** An override has to set something. */
export function readOverride(raw: Raw): Read<OverrideBody> {
  const { mode, weight, evictionGuard, reason } = raw as unknown as OverrideBody;
  if (mode === undefined && weight === undefined && evictionGuard === undefined) {
    return {
      ok: false,
      errors: [{ pointer: '', detail: 'must set a mode, a weight, or both; DELETE lifts an override' }],
    };
  }
  return {
    ok: true,
    value: {
      ...(mode !== undefined && { mode }),
      ...(weight !== undefined && { weight }),
      ...(evictionGuard !== undefined && { evictionGuard }),
      reason,
    },
  };
}

export const METADATA_CHARACTERS = 32 * 1024;

/** IPv6 in the one writing of RFC 5952; the format has been checked. */
export function canonicalAddress(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

function sorted(raw: unknown): Labels {
  const entries = Object.entries((raw as Labels | undefined) ?? {});
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const LIMITS: Readonly<Record<string, readonly [min: Duration, max: Duration]>> = {
  ttl: ['500ms', '24h'],
  interval: ['500ms', '1h'],
  timeout: ['50ms', '1h'],
  deregisterAfter: ['1s', '720h'],
};

/** Milliseconds of a field, within its limits. */
function lengthOf(raw: Raw, field: string, fallback: number, errors: FieldError[]): number {
  const text = raw[field] as string | undefined;
  if (text === undefined) return fallback;
  const [min = '', max = ''] = LIMITS[field] ?? [];
  const ms = parseDuration(text) ?? -1;
  if (ms >= (parseDuration(min) ?? 0) && ms <= (parseDuration(max) ?? Infinity)) return ms;
  errors.push({ pointer: `/check/${field}`, detail: `must be from ${min} to ${max}, not ${text}` });
  return fallback;
}

function checkOf(raw: Raw, protocol: string, errors: FieldError[]): Check {
  const deregisterAfter = formatDuration(lengthOf(raw, 'deregisterAfter', 600_000, errors));
  const initialStatus = raw.initialStatus as HealthStatus | undefined;
  if (raw.type === 'ttl') {
    const ttl = formatDuration(lengthOf(raw, 'ttl', 30_000, errors));
    return { type: 'ttl', ttl, initialStatus: initialStatus ?? 'passing', deregisterAfter };
  }
  const interval = lengthOf(raw, 'interval', 10_000, errors);
  const timeout = lengthOf(raw, 'timeout', Math.min(2000, interval), errors);
  if (timeout > interval) {
    const detail = `must not be longer than the interval, which is ${formatDuration(interval)}`;
    errors.push({ pointer: '/check/timeout', detail });
  }
  const active = {
    interval: formatDuration(interval),
    timeout: formatDuration(timeout),
    unhealthyAfter: (raw.unhealthyAfter as number | undefined) ?? 2,
    healthyAfter: (raw.healthyAfter as number | undefined) ?? 1,
    ...(raw.port !== undefined && { port: raw.port as number }),
    initialStatus: initialStatus ?? 'critical',
    deregisterAfter,
  };
  return { ...ownFields(raw, protocol, errors), ...active } as ActiveCheck;
}

function ownFields(raw: Raw, protocol: string, errors: FieldError[]): object {
  const tls = (raw.tls as boolean | undefined) ?? (protocol === 'https' || protocol === 'grpcs');
  const tlsVerify = (raw.tlsVerify as boolean | undefined) ?? true;
  if (raw.type === 'tcp') return { type: 'tcp' };
  if (raw.type === 'grpc') {
    return {
      type: 'grpc',
      service: (raw.service as string | undefined) ?? '',
      tls,
      tlsVerify,
    } satisfies Partial<GrpcCheck>;
  }
  return {
    type: 'http',
    path: (raw.path as string | undefined) ?? '/',
    method: (raw.method as HttpCheck['method'] | undefined) ?? 'GET',
    headers: headersOf(raw.headers, errors),
    ...(raw.expectedStatuses !== undefined && { expectedStatuses: statusesOf(raw.expectedStatuses, errors) }),
    tls,
    tlsVerify,
  } satisfies Partial<HttpCheck>;
}

/** Credentials would be seen by whoever may see the instance; the others belong to the connection. */
const FORBIDDEN_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'proxy-connection',
]);

function headersOf(raw: unknown, errors: FieldError[]): Labels {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries((raw as Labels | undefined) ?? {})) {
    const lower = name.toLowerCase();
    if (FORBIDDEN_HEADERS.has(lower)) {
      const why = 'a check may not send it: credentials would be seen by whoever sees the instance';
      errors.push({ pointer: `/check/headers/${name}`, detail: why });
    }
    headers[lower] = value;
  }
  return sorted(headers);
}

function statusesOf(raw: unknown, errors: FieldError[]): string[] {
  const statuses = [...new Set(raw as string[])].sort();
  for (const status of statuses) {
    const [from = '', to = from] = status.split('-');
    if (Number(from) > Number(to)) {
      errors.push({ pointer: '/check/expectedStatuses', detail: `${status} is a range that ends before it begins` });
    }
  }
  return statuses;
}
