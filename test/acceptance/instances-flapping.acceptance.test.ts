import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { headOf, httpCheck, instance, passingOf, read, register } from './instance-api.ts';
import { Target } from './instance-targets.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { Together } from './together.ts';
import { until } from './until.ts';

const FOR_MS = 30_000;

interface Wave {
  readonly name: string;
  readonly periodMs: number;
  readonly high: number;
  readonly low: number;
}

const WAVES: readonly Wave[] = [
  { name: 'fast', periodMs: 1000, high: 200, low: 500 },
  { name: 'slow', periodMs: 3000, high: 200, low: 500 },
  { name: 'warning', periodMs: 3000, high: 200, low: 429 },
  { name: 'warning-failing', periodMs: 3000, high: 429, low: 503 },
  // Every other request, whenever it comes.
  { name: 'alternating', periodMs: 0, high: 200, low: 500 },
];

describe('health that goes up and down', () => {
  const waiting = new Together(120_000);
  const homes: Home[] = [];
  /** One for each: of the first, every revision is counted. */
  const nodes: Signalbox[] = [];
  beforeAll(async () => {
    for (let i = 0; i < 2; i++) {
      const home = await postgresHome();
      homes.push(home);
      nodes.push(await startNode(home.env));
    }
  }, 180_000);
  afterAll(async () => {
    for (const node of nodes) await node.stop('SIGKILL');
    for (const home of homes) await home.drop();
  });

  waiting.test(
    'INS2 square waves of half a minute make a dozen revisions at most, are held down, and seen to be',
    async () => {
      const node = nodes[0] as Signalbox;
      const head = await headOf(node.url);
      const watched = await Promise.all(
        WAVES.map(async ({ name, periodMs, high, low }) => {
          const target = await Target.listen();
          target.answer = (_request, response) => {
            const isHigh = periodMs === 0 ? target.asked.length % 2 === 1 : performance.now() % periodMs < periodMs / 2;
            response.writeHead(isHigh ? high : low).end();
          };
          const service = `${name}.example.com`;
          const witness = await Witness.open(node.url, { kind: 'instance', services: [service] });
          const registered = await register(node.url, instance(service, target.port, { check: httpCheck() }));
          return { name, target, witness, registered };
        }),
      );
      await sleep(FOR_MS);
      for (const { name, target, witness, registered } of watched) {
        // It was asked all the while, and what it said was no secret.
        expect(target.asked.length).toBeGreaterThan(45);
        const revisions = new Set(witness.told.map(({ revision }) => revision)).size;
        expect({ name, revisions: revisions <= 12 || witness.told }).toEqual({ name, revisions: true });
        const { report, status } = await read(node.url, registered.id);
        expect({ name, flapping: report.flapping }).toEqual({
          name,
          flapping: { penalty: expect.any(Number), heldFor: expect.stringMatching(/^[0-9]+(?:ms|s|m)$/) },
        });
        expect(report.flapping.penalty).toBeGreaterThan(1500);
        // It is held down, whatever the last answer was.
        expect(status).toBe(name === 'warning' ? 'warning' : 'critical');
      }
      // Nothing else makes revisions; the waves go on meanwhile.
      const now = await headOf(node.url);
      const told = (): number =>
        new Set(watched.flatMap(({ witness }) => witness.told.map(({ revision }) => revision).filter((r) => r <= now)))
          .size;
      await until('every revision was told', () => told() === now - head);
      // Who fails for good, or is well for good, is not held for what it did before it flapped.
      for (const { target } of watched) target.answer = 500;
      await until('all are critical', async () => {
        const left = await Promise.all(WAVES.map(({ name }) => passingOf(node.url, `${name}.example.com`)));
        return left.every((items) => items.length === 0);
      });
      for (const { target, witness } of watched) {
        witness.stop();
        await target.close();
      }
    },
  );

  waiting.test(
    'INS2 thresholds: so many failures in a row make it critical, so many passes make it pass again',
    async () => {
      const node = nodes[1] as Signalbox;
      const target = await Target.listen();
      const service = 'patient.example.com';
      const check = httpCheck({ unhealthyAfter: 3, healthyAfter: 3 });
      const witness = await Witness.open(node.url, { kind: 'instance', services: [service] });
      await register(node.url, instance(service, target.port, { check }));
      await until('it passes', () => witness.told.at(-1)?.value?.passing);
      const from = witness.told.length;
      /** Answers these, one to each check from now on, and the last of them for good. */
      const play = async (statuses: readonly number[]): Promise<void> => {
        const left = [...statuses];
        target.answer = (_request, response) => {
          const status = (left.length > 1 ? left.shift() : left[0]) as number;
          response.writeHead(status).end();
        };
        await until('all were asked for', () => left.length === 1);
        await sleep(1200);
      };
      await play([500, 500, 200, 500, 200, 200, 500, 500, 200]);
      expect(witness.told.slice(from)).toEqual([]);
      await play([500, 500, 500, 200, 200, 500, 200, 200, 500]);
      expect(witness.told.slice(from).map(({ value }) => value?.status)).toEqual(['critical']);
      await play([200]);
      await until('it passes again', () => witness.told.length === from + 2);
      expect(witness.told.at(-1)?.value?.status).toBe('passing');
      witness.stop();
      await target.close();
    },
  );
});
