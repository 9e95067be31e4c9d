import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryInUse, lockDirectory } from '../../src/store/embedded/directory-lock.ts';
import { ask, endChild, startChild } from './child.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'signalbox-lock-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What a process leaves behind that was killed: a socket on which nobody listens. */
async function leaveStaleLock(directory: string): Promise<void> {
  const name = `lock-${Math.random().toString(16).slice(2)}.sock`;
  const server = createServer().listen(join(directory, 'made-here'));
  await once(server, 'listening');
  renameSync(join(directory, 'made-here'), join(directory, name));
  await new Promise((resolve) => server.close(resolve));
}

describe('the lock on a directory', () => {
  test('is refused while it is held, with the directory and a way out in the message, and free after its release', async () => {
    const lock = await lockDirectory(dir);
    const refusal = await lockDirectory(dir).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DirectoryInUse);
    expect(String(refusal)).toContain(dir);
    expect(String(refusal)).toContain('DATA_DIR');
    await lock.release();
    expect(readdirSync(dir)).toEqual([]);
    await (await lockDirectory(dir)).release();
  });

  test('is the same under another name of the directory', async () => {
    const alias = `${dir}-alias`;
    symlinkSync(dir, alias);
    const lock = await lockDirectory(alias);
    await expect(lockDirectory(dir)).rejects.toThrow(DirectoryInUse);
    await lock.release();
    rmSync(alias);
  });

  test('works where the path is longer than the path of a socket may be', async () => {
    const deep = join(dir, 'x'.repeat(100), 'y'.repeat(100));
    mkdirSync(deep, { recursive: true });
    await leaveStaleLock(dir);
    for (const name of readdirSync(dir)) if (name.endsWith('.sock')) renameSync(join(dir, name), join(deep, name));
    const lock = await lockDirectory(deep);
    expect(readdirSync(deep)).toHaveLength(1);
    await expect(lockDirectory(deep)).rejects.toThrow(DirectoryInUse);
    await lock.release();
    expect(readdirSync(deep)).toEqual([]);
  });

  test('removes what dead processes left, and touches nothing else', async () => {
    await leaveStaleLock(dir);
    await leaveStaleLock(dir);
    writeFileSync(join(dir, 'lock-my-notes.txt'), '');
    const lock = await lockDirectory(dir);
    expect(readdirSync(dir)).toHaveLength(2);
    await lock.release();
    expect(readdirSync(dir)).toEqual(['lock-my-notes.txt']);
  });

  test('is refused where the owner is too busy to answer', async () => {
    const owner = createServer(() => {}).listen(join(dir, 'lock-00.sock'));
    await once(owner, 'listening');
    await expect(lockDirectory(dir)).rejects.toThrow(DirectoryInUse);
    await new Promise((resolve) => owner.close(resolve));
  });
});

describe('the lock on a directory between processes', () => {
  let racers: ChildProcess[];
  beforeAll(async () => {
    racers = [1, 2, 3].map(() => startChild('lock-child.ts'));
    await Promise.all(racers.map((racer) => once(racer, 'message')));
  });
  afterAll(() => Promise.all(racers.map((racer) => endChild(racer))));

  test('of processes that race for a stale lock exactly one wins', async () => {
    for (let round = 0; round < 40; round++) {
      const contested = join(dir, String(round));
      mkdirSync(contested);
      await leaveStaleLock(contested);
      const starters = round % 2 ? racers : racers.slice(0, 2);
      const answers = await Promise.all(starters.map((racer) => ask(racer, { take: contested })));
      expect(answers.filter((answer) => answer === 'won')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'DirectoryInUse')).toHaveLength(starters.length - 1);
      await Promise.all(starters.map((racer) => ask(racer, { release: true })));
    }
  }, 60_000);

  test('is free again when its owner was killed, and not before', async () => {
    const owner = startChild('lock-child.ts');
    await once(owner, 'message');
    expect(await ask(owner, { take: dir })).toBe('won');
    await expect(lockDirectory(dir)).rejects.toThrow(DirectoryInUse);
    owner.kill('SIGSTOP');
    await expect(lockDirectory(dir)).rejects.toThrow(DirectoryInUse);
    await endChild(owner);
    await (await lockDirectory(dir)).release();
  });
});
