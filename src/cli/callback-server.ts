import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const TIMEOUT_MS = 600_000;

/** Where a browser comes back to: an address of this machine, for one visit (RFC 8252, section 7.3). */
export interface CallbackServer {
  readonly redirectUri: string;
  /** Resolves with the URL that the browser came back with; rejects when it does not within ten minutes. */
  readonly visited: Promise<URL>;
  close(): void;
}

export async function openCallbackServer(): Promise<CallbackServer> {
  let take: (url: URL) => void;
  let give: (error: Error) => void;
  const visited = new Promise<URL>((resolve, reject) => {
    take = resolve;
    give = reject;
  });
  visited.catch(() => {});
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', redirectUri);
    if (request.method !== 'GET' || url.pathname !== '/callback') return void response.writeHead(404).end();
    const failed = url.searchParams.has('error');
    answer(
      response,
      failed ? 'You are not logged in.' : 'Done. The command line goes on by itself; this page can be closed.',
    );
    take(url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  const timer = setTimeout(() => give(new Error('nobody came back from the browser')), TIMEOUT_MS);
  return {
    redirectUri,
    visited,
    close: () => {
      clearTimeout(timer);
      server.close();
      server.closeIdleConnections();
    },
  };
}

function answer(response: ServerResponse, text: string): void {
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  };
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Signalbox</title><p>${text}</p></html>`;
  response.writeHead(200, headers).end(page);
}
