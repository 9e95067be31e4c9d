/**
 * Who keeps the leases and runs the checks: all nodes together, or the first one alone (`CLUSTER_WORK=first`), which is
 * how it was before nodes shared the work, and is still allowed with HEALTH_CHECKS=off.
 */
export type Work = 'shared' | 'first';

export const WORK: Work = process.env['CLUSTER_WORK'] === 'first' ? 'first' : 'shared';
