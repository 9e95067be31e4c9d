/**
 * The floors of the figure of the sidecar: the plainest reverse proxies of one route that Node has.
 *
 *   proxy.ts node PORT     `node:http` in front of `node:http`, with connections that are kept
 *   proxy.ts undici PORT   `node:http` in front of undici's `dispatch`
 */
import { Agent, createServer, request as send, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const [kind = '', target = ''] = process.argv.slice(2);
const CONNECTIONS = 100;
const PREFIX = '/orders';

function throughNode(): RequestListener {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  return (request, response) => {
    const path = (request.url ?? '').slice(PREFIX.length);
    const { method, headers } = request;
    const upstream = send({ host: '127.0.0.1', port: Number(target), path, method, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    request.pipe(upstream);
  };
}

const ABOUT_CONNECTION = new Set(['connection', 'keep-alive', 'host', 'transfer-encoding']);

function throughUndici(): RequestListener {
  const pool = new Pool(`http://127.0.0.1:${target}`, { connections: CONNECTIONS });
  return (request, response) => {
    const headers: string[] = [];
    for (let n = 0; n + 1 < request.rawHeaders.length; n += 2) {
      const name = (request.rawHeaders[n] ?? '').toLowerCase();
      if (!ABOUT_CONNECTION.has(name)) headers.push(name, request.rawHeaders[n + 1] ?? '');
    }
    const path = (request.url ?? '').slice(PREFIX.length);
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
    pool.dispatch(
      { path, method: request.method ?? 'GET', headers, body: hasBody ? request : null },
      {
        onRequestStart: () => {},
        onResponseStart: (_controller, status, answered) => {
          for (const name of ABOUT_CONNECTION) delete answered[name];
          response.writeHead(status, answered);
        },
        onResponseData: (controller, chunk) => {
          if (response.write(chunk)) return;
          controller.pause();
          response.once('drain', () => controller.resume());
        },
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    );
  };
}

const server = createServer(kind === 'undici' ? throughUndici() : throughNode());
process.on('SIGTERM', () => process.exit(0));
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(`listening ${(server.address() as AddressInfo).port}`);
});
