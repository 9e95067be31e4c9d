import type { TtlCheck } from '../../domain/instances/check.ts';
import { SignalboxError } from '../errors.ts';
import type { Registration } from './options.ts';

/** The body of `POST /v1/instances`; without an address while that is not known. */
export type RegistrationBody = Omit<Registration, 'address' | 'check'> & {
  readonly address?: string;
  readonly check: { readonly type: string; readonly ttl?: unknown };
};

/** Shorter than the server's own: a process that keeps its lease by machine can renew it often. */
const TTL = '15s';

/** @throws SignalboxError `invalid-options` where nobody could reach what is registered. */
export function registrationBody(
  registration: Registration,
  address: string | undefined,
  environment?: string,
): RegistrationBody {
  const { service, port, protocol = 'http', check, address: _, ...rest } = registration;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid(`port is ${port}: give the one that it listens on, which \`portOf(server)\` says once it does.`);
  }
  return {
    ...(environment !== undefined && { environment }),
    ...defined(rest),
    service,
    protocol,
    ...(address !== undefined && { address: reachable(address) }),
    port,
    check: checkOf(check),
  };
}

/** Without brackets, as Signalbox has it; not one that means "wherever I am". */
export function reachable(address: string): string {
  const bare = address.trim().replace(/^\[(.*)\]$/, '$1');
  if (bare === '') throw invalid(`address is empty: ${HOW}`);
  if (UNSPECIFIED.test(bare)) {
    throw invalid(`address is ${bare}, where a server listens and nobody can call: ${HOW}`);
  }
  return bare;
}

const UNSPECIFIED = /^(?:(?:::ffff:)?0+(?:\.0+){0,3}|(?=.*:)[0:]+)$/i;
const HOW = 'give the address that others reach this process at, or set POD_IP, or leave it out.';

const invalid = (message: string): SignalboxError => new SignalboxError('invalid-options', message);

const defined = <T extends object>(of: T): T =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as T;

function checkOf(check: Registration['check']): RegistrationBody['check'] {
  if (check !== undefined && check.type !== 'ttl') return check;
  return { ...check, type: 'ttl', ttl: (check as Partial<TtlCheck> | undefined)?.ttl ?? TTL };
}
