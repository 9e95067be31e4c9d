import { formatDuration, milliseconds, type Duration } from '../duration.ts';

/** `warning` is still served to callers; `critical` is not. */
export type HealthStatus = 'passing' | 'warning' | 'critical';

interface Common {
  /** What the instance counts as until its check has said something. */
  readonly initialStatus: HealthStatus;
  /** An instance that was critical for so long is removed. */
  readonly deregisterAfter: Duration;
}

interface Active extends Common {
  /** From the start of one check to the start of the next. */
  readonly interval: Duration;
  /** A check that takes longer has failed. */
  readonly timeout: Duration;
  /** So many failures in a row make it critical. */
  readonly unhealthyAfter: number;
  /** So many passes in a row make it passing again. */
  readonly healthyAfter: number;
  /** The port to check, where it is not the instance's own. */
  readonly port?: number;
}

/** The instance renews its lease, at the latest every `ttl`. */
export interface TtlCheck extends Common {
  readonly type: 'ttl';
  readonly ttl: Duration;
}

/** Passes when the path answers with a status that is expected. */
export interface HttpCheck extends Active {
  readonly type: 'http';
  /** With `{serviceId}`, which is replaced by the service's id, the answer proves who is there (INS6). */
  readonly path: string;
  readonly method: 'GET' | 'HEAD' | 'OPTIONS';
  /** Sorted, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Statuses that pass, such as `204` or `200-299`; without it 200-299 passes and 429 warns. */
  readonly expectedStatuses?: readonly string[];
  readonly tls: boolean;
  /** Whether the certificate has to be valid. */
  readonly tlsVerify: boolean;
}

/** Passes when a connection is accepted. */
export interface TcpCheck extends Active {
  readonly type: 'tcp';
}

/** The protocol grpc.health.v1; passes on SERVING. */
export interface GrpcCheck extends Active {
  readonly type: 'grpc';
  /** What to ask about; empty for the whole server. `{serviceId}` is replaced by the service's id. */
  readonly service: string;
  readonly tls: boolean;
  readonly tlsVerify: boolean;
}

export type ActiveCheck = HttpCheck | TcpCheck | GrpcCheck;
/** How Signalbox knows that an instance lives: the instance says so, or Signalbox asks. */
export type Check = TtlCheck | ActiveCheck;

/** What stands for the service's id in a path or a gRPC service. */
export const SERVICE_ID = '{serviceId}';

/**
 * Whether a pass of this check shows that the instance itself is there, and not another one that has its address now
 * (INS6): only the instance renews its lease, and only its service answers a path with the service's id.
 */
export function provesIdentity(check: Check): boolean {
  if (check.type === 'ttl') return true;
  if (check.type === 'http') return check.path.includes(SERVICE_ID);
  return check.type === 'grpc' && check.service.includes(SERVICE_ID);
}

/** Two checks are so much further apart than their interval at most: what the clock that nodes share may be corrected by in between. */
export const JITTER = 0.05;

/** From a finding to the moment that watchers are told, as long as Signalbox and its database are there: one look at the schedule, one commit, one push. */
export const TELLING_MS = 1000;

/**
 * The longest time from an instance's death to the moment its watchers were told (INS1), in milliseconds. Death may come
 * right after a renewal or a pass; then `unhealthyAfter` checks have to fail, the last of them at its timeout. `takeoverMs`:
 * how long it takes at most until other nodes do the work of one that dies meanwhile; 0 where there are none.
 */
export function detectionBoundMs(check: Check, takeoverMs = 0): number {
  const telling = TELLING_MS + takeoverMs;
  if (check.type === 'ttl') return milliseconds(check.ttl) + telling;
  const rounds = check.unhealthyAfter * milliseconds(check.interval) * (1 + JITTER);
  return Math.ceil(rounds) + milliseconds(check.timeout) + telling;
}

export const detectionBound = (check: Check, takeoverMs = 0): Duration =>
  formatDuration(detectionBoundMs(check, takeoverMs));
