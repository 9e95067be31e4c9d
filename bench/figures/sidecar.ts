import type { Bench, Server } from '../lib/bench.ts';
import type { Figure, Outcome } from '../lib/figure.ts';
import { drive, requestBytes } from '../lib/http-load.ts';
import { asking, requestRate } from '../lib/request-rate.ts';
import { median } from '../lib/stats.ts';

const BYTES = 130;
const PATH = '/orders/v1/things/17';
const SERVICE = 'orders.example.com';

interface Rates {
  readonly node: number[];
  readonly undici: number[];
  readonly sidecar: number[];
}

/** The sidecar knows the instance from a variable, as in development: what is measured is the way of a request. */
export const sidecar: Figure = {
  name: 'sidecar',
  title: `egress of the sidecar, against plain reverse proxies of the same route; ${BYTES} bytes, 64 connections`,
  async measure(bench: Bench): Promise<Outcome> {
    const target = await bench.target('answers.ts', [String(BYTES)]);
    const node = await bench.floor('proxy.ts', ['node', String(target.port)]);
    const undici = await bench.floor('proxy.ts', ['undici', String(target.port)]);
    const ours = bench.options.floorsOnly ? undefined : await bench.sidecar(settings(target.port));
    const notes: string[] = [
      'The instance runs on the core of the load, the proxies on that of the server. One request at a time for what is added.',
    ];
    const rates: Rates = { node: [], undici: [], sidecar: [] };
    const added: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      rates.node.push(await requestRate(bench, node, asking(PATH), notes, 'node:http'));
      rates.undici.push(await requestRate(bench, undici, asking(PATH), notes, 'undici'));
      if (ours === undefined) continue;
      rates.sidecar.push(await requestRate(bench, ours, asking(PATH), notes, 'sidecar'));
      added.push((await alone(bench, ours)) - (await alone(bench, target)));
    }
    const [ofNode, ofUndici] = [median(rates.node), median(rates.undici)];
    return {
      rows: [
        {
          what: 'requests',
          unit: 'per second',
          floor: Math.max(ofNode, ofUndici),
          floorName: ofUndici >= ofNode ? 'node:http in front of undici' : 'node:http in front of node:http',
          ...(rates.sidecar.length > 0 && { value: median(rates.sidecar) }),
          goal: { atLeastFloors: 0.9 },
        },
        {
          what: 'added to a request, p50',
          unit: 'ms',
          ...(added.length > 0 && { value: median(added) }),
          goal: { atMost: 0.3 },
        },
      ],
      notes,
    };
  },
};

/** p50 of one request after the other, in milliseconds. */
async function alone(bench: Bench, { port }: Pick<Server, 'port'>): Promise<number> {
  const request = requestBytes('GET', PATH);
  const load = { port, connections: 1, next: () => request, warmUpMs: 300, durationMs: bench.quick ? 700 : 2000 };
  return (await drive(load)).p50;
}

const settings = (port: number): Record<string, string> => ({
  ORDERS_URL: `http://127.0.0.1:${port}`,
  SIDECAR_EGRESS_ROUTES: JSON.stringify([{ prefix: '/orders', service: SERVICE }]),
});
