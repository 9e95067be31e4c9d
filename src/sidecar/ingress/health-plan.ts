/** What is known of the backend. `unknown`: it has not been found healthy, or unhealthy, so far. */
export interface BackendHealth {
  readonly status: 'unknown' | 'healthy' | 'unhealthy';
  readonly failuresInARow: number;
}

export const UNKNOWN: BackendHealth = { status: 'unknown', failuresInARow: 0 };

/** One good look is enough; it takes some bad ones in a row to give it up. */
export function afterLook(before: BackendHealth, passed: boolean, unhealthyAfter: number): BackendHealth {
  if (passed) return { status: 'healthy', failuresInARow: 0 };
  const failuresInARow = before.failuresInARow + 1;
  const status = failuresInARow >= unhealthyAfter ? 'unhealthy' : before.status;
  return { status, failuresInARow };
}
