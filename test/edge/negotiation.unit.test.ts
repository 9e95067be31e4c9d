import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { LiveNode } from '../feed/live-node.ts';

let node: LiveNode;
beforeAll(async () => {
  node = await LiveNode.open();
});
afterAll(() => node.close());

/** What a client that offers these is answered: the subprotocol and the number in `welcome`, or a status and a problem. */
async function offer(...names: string[]): Promise<unknown> {
  const ws = new WebSocket(`${node.url.replace('http', 'ws')}/v1/watch`, names);
  ws.on('error', () => {});
  try {
    const refusal = once(ws, 'unexpected-response').then(([, response]) => response as IncomingMessage);
    const welcome = once(ws, 'message').then(([data]) => String(data));
    const answer = await Promise.race([welcome, refusal]);
    if (typeof answer === 'string') {
      const frame = JSON.parse(answer) as Extract<ServerFrame, { type: 'welcome' }>;
      return [ws.protocol, frame.protocol];
    }
    let body = '';
    for await (const chunk of answer) body += String(chunk);
    return [answer.statusCode, (JSON.parse(body) as { errors: unknown }).errors];
  } finally {
    ws.terminate();
  }
}

test('a client that offers several versions is spoken to in the newest that the server knows', async () => {
  expect(await offer('signalbox.v1')).toEqual(['signalbox.v1', 1]);
  expect(await offer('signalbox.v2', 'signalbox.v1')).toEqual(['signalbox.v1', 1]);
  expect(await offer('signalbox.v1', 'signalbox.v7', 'graphql-ws')).toEqual(['signalbox.v1', 1]);
  expect(await offer()).toEqual(['', 1]);
});

test('one that offers only others is told which are spoken', async () => {
  const errors = [{ header: 'Sec-WebSocket-Protocol', detail: 'must offer signalbox.v1' }];
  expect(await offer('signalbox.v2')).toEqual([400, errors]);
  expect(await offer('graphql-ws', 'signalbox.v9')).toEqual([400, errors]);
});

test('PUSH9 a frame of a later version is answered with an error, and costs nothing else', async () => {
  const ws = new WebSocket(`${node.url.replace('http', 'ws')}/v1/watch`, ['signalbox.v1']);
  const frames: ServerFrame[] = [];
  ws.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as ServerFrame));
  await once(ws, 'open');
  ws.send('{"type":"filter-later","id":"1"}');
  ws.send('{"type":"subscribe","id":"1","select":{"kind":"*"},"compress":true}');
  ws.send('{"type":"ping"}');
  while (frames.length < 4) await once(ws, 'message');
  expect(frames.slice(1)).toMatchObject([
    { type: 'error', code: 'bad-frame' },
    { type: 'error', code: 'bad-frame', id: '1' },
    { type: 'pong' },
  ]);
  ws.terminate();
});
