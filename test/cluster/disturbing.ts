/** What may move checks from one node to another: a node goes, comes back, or cannot say that it is there. */
export const DISTURBING: ReadonlySet<string> = new Set([
  'kill',
  'stop',
  'pause',
  'partition',
  'cut-postgres',
  'half-open-postgres',
  'slow-postgres',
  'postgres-restart',
  'postgres-crash',
  'postgres-terminate',
]);
