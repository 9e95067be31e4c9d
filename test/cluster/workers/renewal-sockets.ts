import WebSocket from 'ws';
import { PROTOCOL } from '../../../src/protocol/version.ts';
import { watchUrl } from '../../acceptance/watch-client.ts';
import type { Answer } from '../../support/signalbox.ts';

type Said = Pick<Answer, 'status' | 'body'>;

/** What a node says for a while, rather than of what it was asked. */
const FOR_NOW: ReadonlySet<string> = new Set(['unavailable', 'rate-limited', 'too-many-requests']);

/** Renewals as `renew` frames, on one watch socket to each node; told as the answers that HTTP gives. */
export class RenewalSockets {
  readonly #sockets = new Map<string, WebSocket>();
  #sent = 0;

  /** Nothing, when no answer came in time; then the socket is given up, as a client would. */
  async renew(url: string, instances: readonly string[], patienceMs: number): Promise<Said | undefined> {
    const ws = this.#socket(url, patienceMs);
    const id = String((this.#sent += 1));
    const frame = JSON.stringify({ type: 'renew', id, instances });
    const said = await answerTo(ws, id, patienceMs, () => ws.send(frame));
    if (said === undefined) this.#giveUp(url, ws);
    return said;
  }

  close(): void {
    for (const [url, ws] of this.#sockets) this.#giveUp(url, ws);
  }

  #socket(url: string, patienceMs: number): WebSocket {
    const there = this.#sockets.get(url);
    if (there !== undefined) return there;
    const ws = new WebSocket(watchUrl(url), PROTOCOL, { handshakeTimeout: patienceMs });
    ws.on('error', () => {});
    ws.on('close', () => this.#giveUp(url, ws));
    this.#sockets.set(url, ws);
    return ws;
  }

  #giveUp(url: string, ws: WebSocket): void {
    ws.terminate();
    if (this.#sockets.get(url) === ws) this.#sockets.delete(url);
  }
}

/** Asks as soon as the socket is open. */
function answerTo(ws: WebSocket, id: string, patienceMs: number, ask: () => void): Promise<Said | undefined> {
  return new Promise((resolve) => {
    const end = (said: Said | undefined): void => {
      clearTimeout(timer);
      ws.off('message', hear);
      ws.off('open', ask);
      ws.off('close', gone);
      resolve(said);
    };
    const gone = (): void => end(undefined);
    const hear = (data: Buffer): void => {
      const frame = JSON.parse(data.toString()) as { type: string; id?: string; code?: string; unknown?: string[] };
      if (frame.id !== id) return;
      if (frame.type === 'renewed') end({ status: 200, body: { unknown: frame.unknown } });
      else end({ status: FOR_NOW.has(frame.code ?? '') ? 503 : 400, body: frame });
    };
    const timer = setTimeout(gone, patienceMs);
    ws.on('message', hear);
    ws.on('close', gone);
    if (ws.readyState === WebSocket.OPEN) ask();
    else ws.once('open', ask);
  });
}
