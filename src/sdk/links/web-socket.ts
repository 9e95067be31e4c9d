import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { ClientFrame } from '../../protocol/frames.ts';
import { SPOKEN } from '../../protocol/version.ts';
import type { Carrier, Link, LinkAddress, LinkEnd, LinkEvents } from '../connection/link.ts';
import { parseServerFrame, watchUrl } from '../connection/parse-frame.ts';
import { answerOf } from './http-answer.ts';
import { whyUnreachable } from './why-unreachable.ts';

const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024;
const CLOSE_TIMEOUT_MS = 500;
const PROTOCOL_ERROR = 1002;

/** Frames over a WebSocket, in Node: the token goes in a header, which a browser cannot send. */
export const webSocket: Carrier = {
  name: 'websocket',
  open: (address, events) => new WebSocketLink(address, events),
};

class WebSocketLink implements Link {
  readonly #events: LinkEvents;
  readonly #url: string;
  readonly #ws: WebSocket;
  #ended = false;
  #opened = false;
  #reached = false;

  constructor({ url, token, openTimeoutMs }: LinkAddress, events: LinkEvents) {
    this.#events = events;
    this.#url = url;
    const names = SPOKEN.map(({ name }) => name);
    const ws = (this.#ws = new WebSocket(watchUrl(url), names, {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handshakeTimeout: openTimeoutMs,
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      finishRequest: (request) => {
        request.on('socket', (socket) => socket.once('connect', () => (this.#reached = true)));
        request.end();
      },
    }));
    ws.on('open', () => {
      this.#opened = true;
    });
    ws.on('message', (data, binary) => {
      if (!binary && !this.#ended) this.#receive((data as Buffer).toString());
    });
    ws.on('ping', () => {
      if (!this.#ended) events.onHeard();
    });
    ws.on('error', (error) => {
      if (this.#opened) return;
      this.#end({ type: 'unreachable', detail: whyUnreachable(url, error), reached: this.#reached });
    });
    ws.on('close', (code, reason) => this.#end({ type: 'closed', code, reason: reason.toString() }));
    ws.on('unexpected-response', (_request, response) => void this.#answered(response));
  }

  send(frame: ClientFrame): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify(frame));
  }

  close(): void {
    this.#ended = true;
    if (this.#ws.readyState !== WebSocket.OPEN) return this.#ws.terminate();
    this.#ws.close(1000);
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_TIMEOUT_MS);
    this.#ws.once('close', () => clearTimeout(timer));
  }

  #receive(text: string): void {
    const frame = parseServerFrame(text);
    if (frame !== undefined) return this.#events.onFrame(frame);
    this.#ws.terminate();
    this.#end({ type: 'closed', code: PROTOCOL_ERROR, reason: '' });
  }

  async #answered(response: IncomingMessage): Promise<void> {
    let body = '';
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        body += String(chunk);
        if (body.length > MAX_ANSWER_BYTES) break;
      }
    } catch {
      // The status says enough.
    }
    const { statusCode: status = 0, headers } = response;
    const { 'content-type': type = '', 'retry-after': retryAfter } = headers;
    this.#end(answerOf({ status, type, body, retryAfter, url: `${this.#url}/v1/watch` }));
    this.#ws.terminate();
  }

  #end(end: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onEnd(end);
  }
}
