import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import fc from '../support/properties.ts';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeCopy, encodeCopy, FILE_NAME, fileNameOf } from '../../src/sdk/cache/copy-file.ts';
import type { Caller } from '../../src/sdk/caller.ts';
import { DiskKeep, type DiskOptions } from '../../src/sdk/cache/disk.ts';
import { until } from '../acceptance/until.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { CALLER, keptAt } from './kept.ts';

const SERVER = 'http://a.example.com';
const TOPIC = 'instance?services=orders.example.com&passing=true';

let home: ReturnType<typeof temporaryDirectory>;
let directory: string;
let told: string[];
beforeEach(() => {
  home = temporaryDirectory();
  directory = join(home.path, 'deep', 'copies');
  told = [];
});
afterEach(() => home.remove());

const openKeep = (more: Partial<DiskOptions> = {}): DiskKeep =>
  new DiskKeep({
    directory,
    server: SERVER,
    log: { warn: (_about, message) => void told.push(message) },
    now: () => performance.now(),
    clock: Date.now,
    ...more,
  });

const file = (caller = CALLER): string => join(directory, fileNameOf(SERVER, TOPIC, caller));

async function keep(revision: number, more: Partial<DiskOptions> = {}): Promise<void> {
  const disk = openKeep(more);
  disk.save(TOPIC, keptAt(SERVER, revision));
  await disk.close();
}

test('what was kept is loaded by the next process, for the same topic of the same server alone', async () => {
  const first = openKeep();
  expect(await first.load(TOPIC, CALLER)).toBeUndefined();
  await keep(7);
  expect(await openKeep().load(TOPIC, CALLER)).toEqual(keptAt(SERVER, 7));
  expect(await openKeep().load('region', CALLER)).toBeUndefined();
  expect(await openKeep({ server: 'http://b.example.com' }).load(TOPIC, CALLER)).toBeUndefined();
  expect(told).toEqual([]);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(readdirSync(directory).every((name) => FILE_NAME.test(name))).toBe(true);
});

test('SEC3 a copy is shown to its own caller alone, and says nothing of a token', async () => {
  const subject: Caller = { kind: 'subject', key: '["https://login.example.com","me"]' };
  const first: Caller = { kind: 'token', key: 'first-secret' };
  const second: Caller = { kind: 'token', key: 'second-secret' };
  const disk = openKeep();
  disk.save(TOPIC, { ...keptAt(SERVER, 7), caller: subject });
  await disk.close();
  await keep(8);
  expect((await openKeep().load(TOPIC, subject))?.position.revision).toBe(7);
  expect((await openKeep().load(TOPIC, CALLER))?.position.revision).toBe(8);
  for (const key of ['["https://login.example.com","you"]', '', CALLER.key]) {
    expect(await openKeep().load(TOPIC, { kind: 'subject', key })).toBeUndefined();
  }
  for (const [revision, caller] of [first, second].entries()) {
    const each = openKeep();
    each.save(TOPIC, { ...keptAt(SERVER, revision), caller });
    await each.close();
    expect(await openKeep().load(TOPIC, caller)).toEqual({ ...keptAt(SERVER, revision), caller });
  }
  // Tokens that say nothing follow each other in one file.
  expect(file(first)).toBe(file(second));
  expect(await openKeep().load(TOPIC, first)).toBeUndefined();
  expect(told).toEqual(['A copy on disk is not used: it was got with another token.']);
  const all = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1'));
  expect(all.join('') + readdirSync(directory).join('')).not.toMatch(/secret|login/);
  // Not even its hash is the same twice.
  const marks = [1, 2].map(() => /"caller":"([^"]+)"/.exec([...encodeCopy(TOPIC, keptAt(SERVER, 1))][0] ?? '')?.[1]);
  expect(new Set(marks).size).toBe(2);
});

test('of many copies only the newest is written, once a second for each topic, and what waits at the end', async () => {
  let now = 0;
  const disk = openKeep({ now: () => now });
  disk.save(TOPIC, keptAt(SERVER, 1));
  await until('the first write', () => disk.load(TOPIC, CALLER));
  const { ino } = statSync(file());
  for (let revision = 2; revision < 100; revision++) disk.save(TOPIC, keptAt(SERVER, revision));
  disk.save('region', keptAt(SERVER, 3));
  await until('the write of another topic', () => disk.load('region', CALLER));
  await sleep(300);
  expect(statSync(file()).ino).toBe(ino);
  now = 1000;
  await disk.close();
  expect((await openKeep().load(TOPIC, CALLER))?.position.revision).toBe(99);
  disk.save(TOPIC, keptAt(SERVER, 100));
  await disk.close();
  expect((await openKeep().load(TOPIC, CALLER))?.position.revision).toBe(99);
});

test('the newest copy is written by itself when the second is over', async () => {
  const disk = openKeep();
  disk.save(TOPIC, keptAt(SERVER, 1));
  await until('the first write', () => disk.load(TOPIC, CALLER));
  disk.save(TOPIC, keptAt(SERVER, 2));
  await until('the second', async () => (await disk.load(TOPIC, CALLER))?.position.revision === 2);
  await disk.close();
});

test('PUSH8 a copy that is cut off anywhere is no copy', async () => {
  await keep(7);
  const whole = readFileSync(file());
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(file(), whole.subarray(0, length));
    expect([length, await openKeep().load(TOPIC, CALLER)]).toEqual([length, undefined]);
  }
  expect(told).toHaveLength(whole.length);
  writeFileSync(file(), whole);
  expect(await openKeep().load(TOPIC, CALLER)).toEqual(keptAt(SERVER, 7));
});

test('PUSH8 a copy with any bit flipped, or with more in it, is no copy', async () => {
  await keep(7);
  const whole = readFileSync(file());
  for (let at = 0; at < whole.length; at++) {
    for (const bit of [0, 5]) {
      const damaged = Buffer.from(whole);
      damaged[at] = (whole[at] as number) ^ (1 << bit);
      expect([at, decodeCopy(damaged, SERVER, TOPIC, CALLER).ok]).toEqual([at, false]);
    }
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.uint8Array({ minLength: 1, maxLength: 100 }), async (at, bytes) => {
      const damaged = Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + bytes.length)]);
      fc.pre(!damaged.equals(whole));
      writeFileSync(file(), damaged);
      expect(await openKeep().load(TOPIC, CALLER)).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});

test('a copy of another format, of somebody else or of nobody is no copy, and says why', async () => {
  mkdirSync(directory, { recursive: true });
  const about = { server: SERVER, topic: TOPIC };
  const copyOf = (server: string, topic: string): string => [...encodeCopy(topic, keptAt(server, 1))].join('');
  const cases: readonly [string, RegExp][] = [
    [copyOf(SERVER, TOPIC).replace('signalbox-copy 2', 'signalbox-copy 3'), /format 3/],
    [copyOf('http://b.example.com', TOPIC), /another server/],
    [copyOf(SERVER, 'region'), /another server or topic/],
    [JSON.stringify(about), /no copy of Signalbox/],
    [[...encodeCopy(TOPIC, { ...keptAt(SERVER, 1), digest: '0'.repeat(16) })].join(''), /digest/],
  ];
  for (const [text, why] of cases) {
    writeFileSync(file(), text);
    told = [];
    expect(await openKeep().load(TOPIC, CALLER)).toBeUndefined();
    expect(told).toEqual([expect.stringMatching(why)]);
  }
  rmSync(file());
  mkdirSync(file());
  expect(await openKeep().load(TOPIC, CALLER)).toBeUndefined();
  expect(told).toHaveLength(2);
});

test('a disk that takes nothing is told of once, and is tried again', async () => {
  mkdirSync(join(home.path, 'deep'));
  // A file where the directory should be.
  writeFileSync(directory, '');
  const disk = openKeep({ now: () => (now += 1000) });
  let now = 0;
  for (let revision = 1; revision <= 3; revision++) {
    disk.save(TOPIC, keptAt(SERVER, revision));
    await sleep(50);
  }
  expect(told).toEqual(['Copies cannot be kept on disk; the client goes on without.']);
  rmSync(directory);
  disk.save(TOPIC, keptAt(SERVER, 4));
  await disk.close();
  expect((await disk.load(TOPIC, CALLER))?.position.revision).toBe(4);
  expect(told).toHaveLength(1);
});

test('what killed processes have left behind is removed, and nothing else', async () => {
  await keep(1);
  const old = `${fileNameOf(SERVER, TOPIC, CALLER)}.00000000-0000-4000-8000-000000000000.tmp`;
  const young = old.replace('0000-4000', '1111-4000');
  for (const name of [old, young, 'mine.tmp']) writeFileSync(join(directory, name), '');
  const hourAgo = Date.now() / 1000 - 3600;
  for (const name of [old, 'mine.tmp']) utimesSync(join(directory, name), hourAgo, hourAgo);
  await keep(2);
  expect(readdirSync(directory).toSorted()).toEqual([fileNameOf(SERVER, TOPIC, CALLER), young, 'mine.tmp'].toSorted());
});

test('of two processes that write the same copy, and are killed at any moment, there is always a whole one', async () => {
  await keep(1);
  const child = join(home.path, 'child.mjs');
  const options = { bundle: true, platform: 'node', format: 'esm', outfile: child } as const;
  await build({ entryPoints: [resolve('test/sdk/keep-child.ts')], ...options });
  let from = 2;
  for (let round = 0; round < 20; round++) {
    const written: number[] = [];
    const children = [0, 1].map(() => spawn(process.execPath, [child, directory, SERVER, TOPIC, String(from)]));
    try {
      for (const { stdout } of children) createInterface(stdout).on('line', (line) => written.push(Number(line)));
      await until('the first write', () => written.length > 0);
      const end = performance.now() + ((round * 7) % 60);
      do {
        const kept = await openKeep().load(TOPIC, CALLER);
        expect(kept?.position.revision).toBeGreaterThanOrEqual(1);
      } while (performance.now() < end);
    } finally {
      for (const each of children) each.kill('SIGKILL');
    }
    await Promise.all(children.map(async (each) => (each.exitCode ?? each.signalCode) || once(each, 'exit')));
    const kept = await openKeep().load(TOPIC, CALLER);
    expect(kept).toEqual(keptAt(SERVER, kept?.position.revision ?? 0, 4000));
    expect(kept?.position.revision).toBeGreaterThanOrEqual(from);
    from = Math.max(...written) + 1;
  }
  expect(told).toEqual([]);
}, 60_000);
