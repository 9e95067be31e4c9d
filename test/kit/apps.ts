import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { pino, type Logger } from 'pino';
import { signalbox, type FastifyKitOptions } from '../../src/kit/fastify.ts';
import { createKit, nodeHandler, type Kit } from '../../src/kit/index.ts';
import type { KitOptions } from '../../src/kit/options.ts';

export const SERVICE = 'orders.test';
/** What the apps themselves answer beside the kit's `/health/{service}`. */
export const OWN_HEALTH = ['/health', '/health/db/main'];

/** One line of a log, parsed. */
export type Line = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: number };

export interface Running {
  readonly url: string;
  readonly log: readonly Line[];
  readonly kit: Pick<Kit, 'loggers' | 'readiness' | 'chaos'>;
  ask(path: string, init?: RequestInit & { token?: string; json?: unknown }): Promise<Response>;
  close(): Promise<void>;
}

export type Start = (options?: Partial<KitOptions>, host?: string) => Promise<Running>;

/** A log that is kept in memory. */
export function memoryLog(level = 'info'): { readonly lines: Line[]; readonly log: Logger } {
  const lines: Line[] = [];
  const log = pino({ level }, { write: (text: string) => void lines.push(JSON.parse(text) as Line) });
  return { lines, log };
}

export function asker(url: string): Running['ask'] {
  return (path, { token, json, ...init } = {}) =>
    fetch(`${url}${path}`, {
      ...init,
      ...(json !== undefined && { method: init.method ?? 'POST', body: JSON.stringify(json) }),
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...(init.headers as Record<string, string> | undefined),
      },
    });
}

export interface FastifyRunning extends Running {
  readonly app: FastifyInstance;
}

export async function startFastify(
  options: Partial<FastifyKitOptions> = {},
  host = '127.0.0.1',
  server: FastifyServerOptions = {},
  more: (app: FastifyInstance) => void = () => {},
): Promise<FastifyRunning> {
  const { lines, log } = memoryLog();
  const app = Fastify({ loggerInstance: log, forceCloseConnections: true, ...server }) as unknown as FastifyInstance;
  await app.register(signalbox, { serviceId: SERVICE, lingerMs: 0, ...options });
  app.get('/orders', async () => ({ orders: [] }));
  for (const path of OWN_HEALTH) app.get(path, async () => ({ well: true }));
  more(app);
  await app.listen({ port: 0, host });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://${host.includes(':') ? `[${host}]` : host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`;
  return { app, url, log: lines, kit: app.signalbox, ask: asker(url), close: () => app.close() };
}

async function overHttp(server: Server, kit: Kit, lines: readonly Line[], host: string): Promise<Running> {
  server.listen(0, host);
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    kit.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { url, log: lines, kit, ask: asker(url), close };
}

export const startHttp: Start = (options = {}, host = '127.0.0.1') => {
  const { lines, log } = memoryLog();
  const kit = createKit({ serviceId: SERVICE, ...options }, { log, framework: 'node', close: () => server.close() });
  const handler = nodeHandler(kit);
  const server = createServer((request, response) => {
    handler(request, response, () => {
      response.setHeader('content-type', 'application/json');
      response.statusCode = ['/orders', ...OWN_HEALTH].includes(request.url ?? '') ? 200 : 404;
      response.end('{"orders":[]}');
    });
  });
  return overHttp(server, kit, lines, host);
};

export const startExpress: Start = (options = {}, host = '127.0.0.1') => {
  const { lines, log } = memoryLog();
  const kit = createKit({ serviceId: SERVICE, ...options }, { log, framework: 'express', close: () => server.close() });
  const app = express();
  app.use(nodeHandler(kit));
  app.use(express.json());
  app.get(['/orders', ...OWN_HEALTH], (_request, response) => void response.json({ orders: [] }));
  const server = createServer(app);
  return overHttp(server, kit, lines, host);
};

export const STARTS: readonly [name: string, start: Start][] = [
  ['Fastify', startFastify],
  ['Express', startExpress],
  ['node:http', startHttp],
];
