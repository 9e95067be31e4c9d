/**
 * How much the load client can do: a raw socket server that answers whatever comes with a prepared response.
 *
 *   net.ts BYTES
 */
import { createServer } from 'node:net';

const size = Number(process.argv[2]);
const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`;
const response = Buffer.concat([Buffer.from(head), Buffer.alloc(size, 'x')]);

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', () => socket.write(response));
  socket.on('error', () => {});
});

process.on('SIGTERM', () => process.exit(0));
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  console.log(`listening ${typeof address === 'object' ? address?.port : address}`);
});
