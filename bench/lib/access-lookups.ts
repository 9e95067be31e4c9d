import type { Bench } from './bench.ts';
import { Asking, byTurns, type Comparison, type Turn } from './by-turns.ts';
import { bearing, requestBytes } from './http-load.ts';
import { instanceId, PER_SERVICE, REGISTER_PATH, runtimeServiceId } from './instances.ts';
import { deploymentPathOf, servicesOf, servicesSeenBy, type Side, type Who } from './sides.ts';

const CONNECTIONS = 64;

interface Question {
  readonly what: string;
  readonly who: readonly Who[];
  /** What a caller asks in turn. */
  requests(who: Who): Buffer[];
}

const READERS: readonly Who[] = ['an administrator', 'a service account', 'a reader'];
const get = (path: string): Buffer => requestBytes('GET', path);
const renewal = (n: number): Buffer => requestBytes('POST', `${REGISTER_PATH}/${instanceId(n)}/renew`);

const QUESTIONS: readonly Question[] = [
  {
    what: 'finding passing instances',
    who: READERS,
    requests: (who) =>
      servicesSeenBy(who).map((n) => get(`/v1/services/${runtimeServiceId(n)}/instances?passing=true`)),
  },
  {
    what: 'one resource',
    who: READERS,
    requests: (who) => servicesSeenBy(who).map((n) => get(deploymentPathOf(n))),
  },
  { what: 'a page of 10 of a list', who: READERS, requests: () => [get('/v1/services?pageSize=10')] },
  {
    what: 'renewing leases one by one',
    who: ['an administrator', 'a service account'],
    requests: (who) =>
      servicesOf(who).flatMap((service) =>
        Array.from({ length: PER_SERVICE }, (_, n) => renewal(service * PER_SERVICE + n)),
      ),
  },
];

/** The same questions, of both sides by turns. */
export async function* lookups(bench: Bench, [off, on]: readonly [Side, Side]): AsyncGenerator<Comparison> {
  const [ms, pairs] = bench.quick ? [200, 12] : [400, 30];
  const asking = {
    off: await Asking.connect(off.server, CONNECTIONS),
    on: await Asking.connect(on.server, CONNECTIONS),
  };
  try {
    for (const { what, who, requests } of QUESTIONS) {
      for (const caller of who) {
        const asks = (side: Side): (() => Promise<Turn>) => {
          const all = requests(caller).map((request) => bearing(side.token(caller), request));
          let sent = 0;
          return () => asking[side.name].ask(() => all[sent++ % all.length] ?? Buffer.alloc(0), ms);
        };
        const turns = [asks(off), asks(on)] as const;
        // The first pair warms up.
        await byTurns(1, turns);
        const { result } = await bench.measure(on.server, () => byTurns(pairs, turns));
        yield { what: `${what}, by ${caller}`, unit: 'per second', compared: result };
      }
    }
  } finally {
    asking.off.close();
    asking.on.close();
  }
}
