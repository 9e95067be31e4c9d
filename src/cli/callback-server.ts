import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const TIMEOUT_MS = 600_000;

/** Where a browser comes back to: an address of this machine, for one visit (RFC 8252, section 7.3). */
export interface CallbackServer {
  readonly redirectUri: string;
  /**
   * Resolves with the URL that the browser came back with from where it was sent with this `state`; whatever else comes is
   * not waited for any less. Rejects when it does not come within ten minutes.
   */
  visited(state: string): Promise<URL>;
  close(): void;
}

export async function openCallbackServer(): Promise<CallbackServer> {
  let expected: string | undefined;
  let take: (url: URL) => void;
  let give: (error: Error) => void;
  const visited = new Promise<URL>((resolve, reject) => {
    take = resolve;
    give = reject;
  });
  visited.catch(() => {});
  const server = createServer((request, response) => {
    const target = request.url ?? '/';
    const url = URL.canParse(target, redirectUri) ? new URL(target, redirectUri) : undefined;
    if (request.method !== 'GET' || url?.pathname !== '/callback') return void response.writeHead(404).end();
    // Anyone on this machine, and any page in the browser, can come here.
    if (expected === undefined || url.searchParams.get('state') !== expected) {
      return answer(response, 400, 'This is not of the login that the command line waits for.');
    }
    const failed = url.searchParams.has('error');
    answer(
      response,
      200,
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
    visited: (state) => {
      expected = state;
      return visited;
    },
    close: () => {
      clearTimeout(timer);
      server.close();
      server.closeIdleConnections();
    },
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  };
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Signalbox</title><p>${text}</p></html>`;
  response.writeHead(status, headers).end(page);
}
