/**
 * The runs of faults.cluster.test.ts: so long, and with so much quiet at most after each step. Their seeds are chosen so that all sorts of faults
 * come up in them together (faults.unit.test.ts).
 */
export const RUN_MS = 20_000;
export const QUIET_MS = 500;
export const SEEDS: readonly number[] = [66_562, 93_175, 4114];

/*
 * Seeds that failed in a soak did so after many minutes, of what came together then. Each has become tests that show the same in
 * milliseconds, and fail without what mended it:
 *
 * - 942078, 322867 (INS1). A lease was extended for each term of which a node had not heard, though the leases ran in it:
 *   health/claims-watch 'where the membership says since when they run, terms of which this node has not heard extend nothing',
 *   domain/membership 'it says since when leases run, so that nobody has to have heard of each term to know'.
 *   It was extended by a node that stood still, or was without the database, though others had its share meanwhile:
 *   health/shared 'who stood still (was without the database) extends its leases, but not where others had its share meanwhile',
 *   cluster/member 'it knows how often others had its share without a word from it'.
 *   What went undecided when a node died was taken for decided, as the next membership came at once:
 *   domain/membership 'what was lost when the next membership came at once goes on to be undecided, until somebody had time for it',
 *   health/claims-watch 'who takes over takes nothing for decided that whoever had it last had no time for'.
 */
