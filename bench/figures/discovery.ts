import type { Bench, Server } from '../lib/bench.ts';
import { head } from '../lib/catalog.ts';
import type { Figure, Goal, Outcome, Row } from '../lib/figure.ts';
import { overrideRequest, PER_SERVICE, registerMany, registerRequest, runtimeServiceId } from '../lib/instances.ts';
import { driveAll } from '../lib/drive-all.ts';
import { Paced } from '../lib/paced.ts';
import { asking, requestRate, sizeOf } from '../lib/request-rate.ts';
import { median } from '../lib/stats.ts';

const SERVICES = 100;
const PATH = `/v1/services/${runtimeServiceId(0)}/instances?passing=true`;
const CHANGES_PER_SECOND = 200;
/** Before Signalbox was asked. */
const USUAL_BYTES = 9000;

export const discovery: Figure = {
  name: 'discovery',
  title: `finding the ${PER_SERVICE} passing instances of a service by HTTP, 64 connections`,
  async measure(bench: Bench): Promise<Outcome> {
    const signalbox = bench.options.floorsOnly ? undefined : await bench.signalbox(await bench.database());
    if (signalbox !== undefined) await prepare(signalbox);
    const bytes = signalbox === undefined ? USUAL_BYTES : await sizeOf(signalbox, PATH, PER_SERVICE);
    const fastify = await bench.floor('fastify.ts', [String(bytes)]);
    const notes = [
      `Of ${(SERVICES * PER_SERVICE).toLocaleString('en')} instances; a change is an operator's weight, or a registration with other metadata, ` +
        'by turns of an instance of this service and of another one.',
    ];
    const floors: number[] = [];
    const quiet: number[] = [];
    const busy: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      floors.push(await requestRate(bench, fastify, asking(`/${bytes}`), notes, 'Fastify'));
      if (signalbox === undefined) continue;
      quiet.push(await requestRate(bench, signalbox, asking(PATH), notes, 'Signalbox, no changes'));
      busy.push(await whileChanging(bench, signalbox, notes));
    }
    const row = (what: string, values: readonly number[], goal: Goal): Row => ({
      what: `${what}, ${bytes.toLocaleString('en')} bytes`,
      unit: 'per second',
      floor: median(floors),
      floorName: 'bare Fastify',
      ...(values.length > 0 && { value: median(values) }),
      goal,
      reference: 'about 2 × etcd gRPC, 8 × its HTTP',
    });
    return {
      rows: [
        row('no changes', quiet, { atLeastFloors: 0.7 }),
        row(`${CHANGES_PER_SECOND} changes a second`, busy, { atLeastFloors: 0.6 }),
      ],
      notes,
    };
  },
};

/** With an override each: what is found has the same size from then on. */
async function prepare({ port }: Server): Promise<void> {
  const count = SERVICES * PER_SERVICE;
  await registerMany(port, 0, count);
  await driveAll({ port, connections: 8, count, next: (n) => overrideRequest(n, weightOf(0)) });
}

async function whileChanging(bench: Bench, server: Server, notes: string[]): Promise<number> {
  const { port } = server;
  const before = (await head(port)).revision;
  const started = performance.now();
  const changes = await Paced.start({ port, connections: 16, perSecond: CHANGES_PER_SECOND, next: nextChange });
  try {
    const rate = await requestRate(bench, server, asking(PATH), notes, 'Signalbox, with changes');
    const answered = changes.answered();
    const revisions = (await head(port)).revision - before;
    const perSecond = (1000 * revisions) / (performance.now() - started);
    if (revisions < answered) throw new Error(`${answered} changes made ${revisions} revisions`);
    notes.push(`Meanwhile ${perSecond.toFixed(0)} revisions a second, of changes that took ${changes.percentiles()}.`);
    return rate;
  } finally {
    changes.stop();
  }
}

let change = 0;

/** Each says something new. */
function nextChange(): Buffer {
  change += 1;
  const turn = change >> 2;
  const isOurs = change % 2 === 0;
  const instance = isOurs ? turn % PER_SERVICE : PER_SERVICE + (turn % ((SERVICES - 1) * PER_SERVICE));
  return change & 2 ? overrideRequest(instance, weightOf(change)) : registerRequest(instance, { sequence: change });
}

/** Of three digits. */
const weightOf = (n: number): number => 100 + (n % 900);
