import type { Check } from '../domain/instances/check.ts';
import { parseDuration } from '../domain/duration.ts';
import { readRegistration } from '../domain/instances/registration.ts';
import type { FieldError } from '../domain/errors.ts';
import { usageError } from './errors.ts';
import { printable } from './style.ts';

/** What the command line says about an instance. */
export interface RegistrationOptions {
  readonly service: string;
  readonly port: number;
  readonly protocol: string;
  readonly environment?: string;
  readonly version?: string;
  readonly region?: string;
  readonly weight?: number;
  readonly tag?: Readonly<Record<string, string>>;
  readonly meta?: Readonly<Record<string, string>>;
  readonly check: string;
  readonly ttl?: string;
  readonly interval?: string;
  readonly checkTimeout?: string;
  readonly deregisterAfter?: string;
}

/** The body of a registration. */
export type RegistrationBody = Readonly<Record<string, unknown>> & {
  readonly address: string;
  readonly port: number;
  readonly check: Readonly<Record<string, unknown>> & { readonly type: Check['type'] };
};

/** Shorter than the server's own: a process that keeps its lease by machine can renew it often. */
const TTL = '15s';

export function registrationBody(options: RegistrationOptions, address: string): RegistrationBody {
  const { service, port, protocol, environment, version, region, weight, tag, meta } = options;
  return {
    service,
    ...(environment !== undefined && { environment }),
    protocol,
    address,
    port,
    ...(version !== undefined && { version }),
    ...(region !== undefined && { region }),
    ...(weight !== undefined && { weight }),
    ...(tag !== undefined && { tags: tag }),
    ...(meta !== undefined && { metadata: meta }),
    check: checkOf(options),
  };
}

function checkOf(options: RegistrationOptions): RegistrationBody['check'] {
  const { ttl, interval, checkTimeout: timeout, deregisterAfter } = options;
  const check = typeOf(options.check);
  const isLease = check.type === 'ttl';
  if (isLease && (interval ?? timeout) !== undefined) {
    throw usageError(
      '--interval and --check-timeout are about checks that Signalbox makes: add --check http, tcp or grpc.',
    );
  }
  if (!isLease && ttl !== undefined)
    throw usageError('--ttl is the lease of --check ttl; other checks have --interval.');
  return {
    ...(isLease && { ttl: TTL }),
    ...check,
    ...(ttl !== undefined && { ttl }),
    ...(interval !== undefined && { interval }),
    ...(timeout !== undefined && { timeout }),
    ...(deregisterAfter !== undefined && { deregisterAfter }),
  };
}

const TYPES: readonly string[] = ['ttl', 'http', 'tcp', 'grpc'] satisfies Check['type'][];

/** `http`, `http:/health`, `grpc:orders.v1.Orders`, or the whole check in JSON. */
function typeOf(text: string): RegistrationBody['check'] {
  const known = 'ttl, http, http:/PATH, tcp, grpc, grpc:SERVICE, or a check in JSON';
  if (text.trimStart().startsWith('{')) {
    const parsed = tryJson(text);
    if (parsed !== undefined && TYPES.includes(String(parsed['type']))) return parsed as RegistrationBody['check'];
    throw usageError(`--check is JSON without a type that is known here: {"type": "http", "path": "/health"} is one.`);
  }
  const [, type = '', detail] = /^([a-z]+)(?::(.*))?$/.exec(text) ?? [];
  const field = { http: 'path', grpc: 'service' }[type];
  if (!TYPES.includes(type) || (detail !== undefined && field === undefined)) {
    throw usageError(`--check is ${known}; not "${printable(text)}".`);
  }
  return { type: type as Check['type'], ...(detail !== undefined && field !== undefined && { [field]: detail }) };
}

function tryJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Milliseconds that an attempt may take, so that there is time for more of them within a lease. */
export function attemptMs({ check }: RegistrationBody, timeoutMs: number): number {
  const lease = check.type === 'ttl' ? parseDuration(String(check['ttl'])) : undefined;
  return Math.min(timeoutMs, Math.max(1000, Math.min(5000, (lease ?? Number.POSITIVE_INFINITY) / 3)));
}

/** What the server would refuse whoever asks is said before the command is started. */
export async function assertValid(body: RegistrationBody): Promise<void> {
  // Only here: compiling all schemas takes longer than most commands do.
  const { validateRegistration } = await import('../protocol/validate.ts');
  const errors = validateRegistration(body);
  const read = errors.length > 0 ? { ok: false as const, errors } : readRegistration(body);
  if (!read.ok) throw usageError(read.errors.map(errorText).join('\n'));
}

const OPTIONS: Readonly<Record<string, string>> = {
  tags: '--tag',
  metadata: '--meta',
  'check/timeout': '--check-timeout',
  'check/interval': '--interval',
  'check/ttl': '--ttl',
  'check/deregisterAfter': '--deregister-after',
};

function errorText({ pointer, detail }: FieldError): string {
  const path = pointer.slice(1);
  const [top = ''] = path.split('/');
  const rest = path.slice(top.length + 1);
  const option = OPTIONS[path] ?? `${OPTIONS[top] ?? `--${top}`}${rest === '' ? '' : ` ${rest}`}`;
  return printable(`${option} ${detail}`);
}
