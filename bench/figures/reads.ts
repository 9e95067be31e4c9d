import type { Bench } from '../lib/bench.ts';
import { apply, deploymentPath, manifest, serviceId } from '../lib/catalog.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { asking, requestRate, sizeOf } from '../lib/request-rate.ts';
import { median } from '../lib/stats.ts';

const LIST = 10;

interface Read {
  readonly what: string;
  readonly path: string;
  readonly bytes: number;
}

export const reads: Figure = {
  name: 'reads',
  title: 'reads by HTTP, 64 connections',
  async measure(bench: Bench): Promise<Outcome> {
    const signalbox = bench.options.floorsOnly ? undefined : await bench.signalbox(await bench.database());
    if (signalbox !== undefined) await apply(signalbox.port, manifest(8, LIST));
    const wanted = [
      { what: 'one resource', path: deploymentPath(1, 1), usual: 500 },
      { what: `a list of ${LIST}`, path: `/v1/services/${serviceId(1)}/deployments`, usual: 5000 },
    ];
    const all: Read[] = [];
    for (const { what, path, usual } of wanted) {
      all.push({ what, path, bytes: signalbox === undefined ? usual : await sizeOf(signalbox, path, LIST) });
    }

    const fastify = await bench.floor(
      'fastify.ts',
      all.map(({ bytes }) => String(bytes)),
    );
    const rows: Row[] = [];
    const notes: string[] = [];
    for (const read of all) {
      const net = await bench.floor('net.ts', [String(read.bytes)]);
      const floors: number[] = [];
      const values: number[] = [];
      const limits: number[] = [];
      for (let round = 0; round < bench.rounds; round++) {
        limits.push(await requestRate(bench, net, asking('/'), notes, `raw socket, ${read.what}`));
        floors.push(await requestRate(bench, fastify, asking(`/${read.bytes}`), notes, `Fastify, ${read.what}`));
        if (signalbox !== undefined) {
          values.push(await requestRate(bench, signalbox, asking(read.path), notes, `Signalbox, ${read.what}`));
        }
      }
      const name = `${read.what}, ${read.bytes.toLocaleString('en')} bytes`;
      rows.push(
        { what: `${name}: the load client against a raw socket`, unit: 'per second', floor: median(limits) },
        {
          what: name,
          unit: 'per second',
          floor: median(floors),
          floorName: 'bare Fastify',
          ...(signalbox === undefined ? {} : { value: median(values) }),
          goal: { atLeastFloors: 0.7 },
          reference: 'etcd gRPC 21,800, HTTP 5,200; Consul 4,400; bare Fastify 63,000 at 2 kB',
        },
      );
      await net.stop();
    }
    return { rows, notes };
  },
};
