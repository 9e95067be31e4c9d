import type { Parts } from '../../src/sdk/parts.ts';
import { realTime } from '../../src/sdk/time.ts';

/** A client's parts without a network, services and registrations. */
export const testParts = (parts: Partial<Parts>): Parts => ({
  carriers: [],
  env: {},
  time: realTime,
  clock: () => 1_700_000_000_000,
  random: Math.random,
  createService: () => ({
    service: () => {
      throw new Error('no services here');
    },
    close: () => Promise.resolve(),
  }),
  createRegistrar: () => ({
    register: () => Promise.reject(new Error('no registrations here')),
    close: () => Promise.resolve(),
  }),
  ...parts,
});
