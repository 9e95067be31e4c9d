import type { BalanceName } from '../options.ts';
import type { Balancer, Candidate, Random } from './balancer.ts';
import { ConsistentHash, type Load } from './consistent-hash.ts';
import { LeastOutstanding } from './least-outstanding.ts';
import { RoundRobin } from './round-robin.ts';
import { TwoChoices } from './two-choices.ts';
import { Weighted } from './weighted.ts';

/** `load`: the calls under way of all endpoints together, which a ring bounds each one's by. */
export function createBalancer<C extends Candidate>(name: BalanceName, random: Random, load: Load): Balancer<C> {
  switch (name) {
    case 'round-robin':
      return new RoundRobin(random);
    case 'weighted':
      return new Weighted(random);
    case 'least-outstanding':
      return new LeastOutstanding(random);
    case 'p2c':
      return new TwoChoices(random);
    case 'consistent-hash':
      return new ConsistentHash(random, load);
  }
}
