import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ManyNodes, nameTags } from './many-nodes.ts';
import { BEARERS } from './random-history.ts';
import { SeenHistory, type Counts } from './seen-history.ts';

let many: ManyNodes;
beforeAll(async () => {
  many = await ManyNodes.open(nameTags(BEARERS));
});
afterAll(() => many.close());

const SEEDS = Number(process.env['SEEDS'] ?? 120);
const FIRST = Number(process.env['FIRST_SEED'] ?? 1);

async function play(seeds: readonly number[]): Promise<Counts> {
  const counts: Counts = {
    revisions: 0,
    refused: 0,
    answers: 0,
    frames: 0,
    sockets: 0,
    resumes: 0,
    resets: 0,
    ended: 0,
  };
  for (const seed of seeds) await SeenHistory.play(many, seed, counts);
  return counts;
}

test('SEC3, PUSH2, PUSH3, PUSH4, PUSH8: lists, searches, counts, the log, sockets and digests are what each caller may see', async () => {
  const counts = await play(Array.from({ length: SEEDS }, (_, i) => FIRST + i));
  if (process.env['SEEDS'] !== undefined) process.stderr.write(`${JSON.stringify(counts)}\n`);
  expect(counts.resumes).toBeGreaterThan(SEEDS);
  expect(counts.frames).toBeGreaterThan(10 * SEEDS);
  expect(Math.min(counts.resets, counts.ended)).toBeGreaterThan(0);
}, 3_600_000);
