import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EXIT } from '../../src/cli/errors.ts';
import { run } from '../../src/cli/program.ts';
import { FeedServer } from './feed-server.ts';
import { terminal, type Ran } from './terminal.ts';

describe('signalbox watch', () => {
  let feed: FeedServer;
  beforeEach(async () => {
    feed = new FeedServer();
    feed.put('a1', 'a2');
    await feed.start();
  });
  afterEach(() => feed.stop());

  async function watching(
    args: string[],
    during: (said: (text: string) => Promise<void>) => Promise<void>,
  ): Promise<Ran> {
    const { io, ran } = terminal({ env: { SIGNALBOX_URL: feed.url } });
    const done = run(['watch', ...args], io);
    await during(async (text) => {
      const deadline = performance.now() + 5000;
      while (!(ran.out + ran.err).includes(text)) {
        if (performance.now() > deadline) throw new Error(`never said ${text}: ${ran.out}${ran.err}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
    ran.interrupt();
    return {
      code: await done,
      out: ran.out.replaceAll(/^\d\d:\d\d:\d\d\.\d{3} /gm, ''),
      err: ran.err.replaceAll(/^\d\d:\d\d:\d\d\.\d{3} /gm, ''),
    };
  }

  test('prints changes, over a restart of the server, until it is interrupted', async () => {
    const ran = await watching(['regions', '-l', 'tier=1'], async (said) => {
      await said('2 resources');
      feed.put('a1');
      await said('a1 at 3');
      await feed.stop();
      await said('connection lost');
      feed.delete('a2');
      await feed.start();
      await said('- regions/a2');
    });
    expect(ran).toEqual({
      code: EXIT.ok,
      out: '2 2 resources in region?labels=tier%3D1; watching for changes\n3 ~ regions/a1  title: a1 at 1 → a1 at 3\n4 - regions/a2  (deleted, or its labels are no longer those selected)\n',
      err: 'connection lost: the connection broke (1006); trying again\nconnected again; going on after revision 3\n',
    });
    expect(feed.frames[0]).toMatchObject({ select: { kind: 'region', labels: { tier: '1' } } });
  });

  test('--json --snapshot is a stream that can be folded, whatever happens to the server', async () => {
    const ran = await watching(['regions', '--json', '--snapshot'], async (said) => {
      await said('a2 at 2');
      await feed.stop();
      feed.newHistory('e2');
      feed.put('a2', 'a3');
      await feed.start();
      await said('a3 at 2');
    });
    const folded = new Map<string, unknown>();
    for (const line of ran.out.trimEnd().split('\n')) {
      const { op, key, value } = JSON.parse(line) as { op: string; key: string; value?: unknown };
      if (op === 'put') folded.set(key, value);
      else folded.delete(key);
    }
    expect(folded).toEqual(feed.items);
    expect(ran.err).toContain('the server starts over: it has another history now');
  });

  test('a server that is not there is exit code 3 at once', async () => {
    await feed.stop();
    const { io, ran } = terminal({ env: { SIGNALBOX_URL: feed.url } });
    expect(await run(['watch'], io)).toBe(EXIT.unreachable);
    expect(ran.err).toContain('Nothing listens at');
  });
});
