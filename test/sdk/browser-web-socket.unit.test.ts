import { expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { SignalboxClient } from '../../src/sdk/client.ts';
import { browserWebSocket, type BrowserSocketClass } from '../../src/sdk/links/browser-web-socket.ts';
import { FeedServer } from '../cli/feed-server.ts';
import { testParts } from './test-parts.ts';

test('a browser’s WebSocket carries the same frames, and says when it breaks', async () => {
  const server = new FeedServer();
  server.put('a1');
  await server.start();
  // The one of ws has the browser's interface as well.
  const carriers = [browserWebSocket(WebSocket as unknown as BrowserSocketClass)];
  const client = new SignalboxClient({ url: server.url, backoff: { baseMs: 5, maxMs: 20 } }, testParts({ carriers }));
  const watch = client.watch({ kind: 'region' });
  expect((await watch.ready({ timeoutMs: 5000 })).size).toBe(1);
  const states: string[] = [];
  const again = new Promise<void>((resolve) => {
    watch.on('state', (state) => {
      states.push(state);
      if (state === 'live') resolve();
    });
  });
  server.drop();
  await again;
  expect(states).toEqual(['stale', 'live']);
  await server.stop();
  const error = new Promise((resolve) => client.on('error', resolve));
  expect(await error).toMatchObject({ code: 'unreachable' });
  await client.close();
});
