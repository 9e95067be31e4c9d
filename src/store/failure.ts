import { MigrationError } from './migrate.ts';
import { StoreUnavailable } from './port.ts';

/** Runs a database operation; what it fails with becomes what the port promises. */
export async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw storeError(what, error);
  }
}

/**
 * `StoreUnavailable` when the database is away, the error itself when it is a bug of ours. What the server answered is
 * told by its SQLSTATE. Whatever else comes out of a driver call is a connection that broke or a deadline that passed,
 * for which `pg` has no codes, unless it is one of the errors that only wrong code raises.
 */
export function storeError(what: string, error: unknown, outcomeUnknown = false): unknown {
  if (error instanceof StoreUnavailable || !isAway(error)) return error;
  return new StoreUnavailable(`${what}: ${messageOf(error)}`, { cause: error, outcomeUnknown });
}

/**
 * True when the server said that the statement did not take effect. A FATAL or PANIC says nothing of the kind: a
 * backend that is ended while it waits for a synchronous standby has committed already.
 */
export function wasRolledBack(error: unknown): boolean {
  return answerOf(error)?.severity === 'ERROR';
}

/** The SQLSTATE that the server answered, if it was the server that answered. */
export function sqlStateOf(error: unknown): string | undefined {
  return answerOf(error)?.code;
}

/** Never empty. */
export function messageOf(error: unknown): string {
  const { message, code, errors } = fieldsOf(error);
  // Where a name has several addresses, node reports an AggregateError with no message of its own.
  if (typeof message === 'string' && message !== '') return message;
  if (Array.isArray(errors) && errors.length > 0) return messageOf(errors[0]);
  return typeof code === 'string' ? code : String(error);
}

/** SQLSTATE classes and codes that mean "not now" and never "wrong statement". */
const AWAY = new RegExp(
  [
    '^08', // connection exception
    '^25006$', // read-only: a standby, or a primary that was demoted
    '^28', // the role may not connect any more
    '^3D000$', // the database is gone: dropped, to be restored
    '^40001$|^40P01$|^55P03$', // serialization failure, deadlock, lock not available
    '^42P01$', // our tables existed when the store was opened: somebody is restoring the database
    '^53', // out of connections, memory, disk
    '^55000$', // recovery is in progress
    '^57', // shutting down, starting up, cancelled, statement timeout
    '^58', // input/output errors
  ].join('|'),
);

const AWAY_KINDS = new Set<unknown>([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TlsConnectionError',
]);

/** Of files: a certificate that the URL names, the migrations of the package. */
const FILE_CALLS = new Set<unknown>(['open', 'stat', 'scandir']);

const BUGS = new Set<unknown>(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'AssertionError']);

function isAway(error: unknown): boolean {
  const answer = answerOf(error);
  if (answer) return AWAY.test(answer.code);
  if (error instanceof MigrationError) return error.cause !== undefined && isAway(error.cause);
  const { name, syscall } = fieldsOf(error);
  if (typeof name === 'string' && name.startsWith('Prisma')) return AWAY_KINDS.has(driverCause(error)['kind']);
  return !BUGS.has(name) && !FILE_CALLS.has(syscall);
}

interface Answer {
  code: string;
  severity: unknown;
}

/** What the server answered, if it was the server: as `pg` reports it, or as Prisma wraps it. */
function answerOf(error: unknown): Answer | undefined {
  const { code, severity } = fieldsOf(error);
  // System errors have a code as well (EPIPE even looks like an SQLSTATE), but no severity.
  if (typeof code === 'string' && typeof severity === 'string') return { code, severity };
  const cause = driverCause(error);
  const original = cause['originalCode'];
  return typeof original === 'string' ? { code: original, severity: cause['severity'] } : undefined;
}

function driverCause(error: unknown): Record<string, unknown> {
  return fieldsOf(fieldsOf(fieldsOf(fieldsOf(error)['meta'])['driverAdapterError'])['cause']);
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
