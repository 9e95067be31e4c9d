/**
 * The floor of the push figures: a bare `ws` server. A PUT is kept in memory, and one prepared frame of as many bytes as
 * Signalbox's goes to every socket, one message a change. A new connection gets the last frame, once there is one.
 *
 *   ws.ts FRAME_BYTES
 */
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { SUBPROTOCOL } from '../lib/crowd.ts';

const frameBytes = Number(process.argv[2]);
const kept = new Map<string, Buffer>();
let revision = 0;
let last: Buffer | undefined;

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  clientTracking: true,
  handleProtocols: () => SUBPROTOCOL,
});

/** Of the form of Signalbox's, so that the client does the same with it. */
function frameOf(change: number): Buffer {
  const head = `{"type":"change","topic":"bench","revision":${change},"changes":[{"op":"put","value":"`;
  const tail = '"}]}';
  return Buffer.from(head + 'x'.repeat(Math.max(0, frameBytes - head.length - tail.length)) + tail);
}

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const body = JSON.stringify({ epoch: 'floor', revision });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    return;
  }
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    kept.set(request.url ?? '', Buffer.concat(parts));
    revision += 1;
    last = frameOf(revision);
    for (const socket of sockets.clients) {
      if (socket.readyState === WebSocket.OPEN) socket.send(last, { binary: false });
    }
    response.writeHead(200, { 'content-length': 0 }).end();
  });
});

server.on('upgrade', (request, socket, upgradeHead) => {
  sockets.handleUpgrade(request, socket, upgradeHead, (client) => {
    client.on('error', () => {});
    client.on('message', () => {});
    if (last !== undefined) client.send(last, { binary: false });
  });
});

process.on('SIGTERM', () => process.exit(0));
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  console.log(`listening ${typeof address === 'object' ? address?.port : address}`);
});
