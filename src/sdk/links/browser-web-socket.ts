import type { ClientFrame } from '../../protocol/frames.ts';
import { SPOKEN } from '../../protocol/version.ts';
import type { Carrier, Link, LinkAddress, LinkEnd, LinkEvents } from '../connection/link.ts';
import { parseServerFrame, watchUrl } from '../connection/parse-frame.ts';

/** As much of a browser's WebSocket as is used. */
export interface BrowserSocket {
  readonly readyState: number;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  send(text: string): void;
  close(code?: number): void;
}

export type BrowserSocketClass = new (url: string, protocols: string[]) => BrowserSocket;

const OPEN = 1;
const PROTOCOL_ERROR = 1002;

/**
 * Frames over the WebSocket of a browser, which shows neither pings nor why an opening failed, and sends no headers: who may
 * watch is known by a cookie.
 */
export const browserWebSocket = (
  Socket: BrowserSocketClass = (globalThis as unknown as { WebSocket: BrowserSocketClass }).WebSocket,
): Carrier => ({
  name: 'websocket',
  open: (address, events) => new BrowserLink(Socket, address, events),
});

class BrowserLink implements Link {
  readonly #events: LinkEvents;
  readonly #socket: BrowserSocket;
  #ended = false;

  constructor(Socket: BrowserSocketClass, { url }: LinkAddress, events: LinkEvents) {
    this.#events = events;
    const names = SPOKEN.map(({ name }) => name);
    const socket = (this.#socket = new Socket(watchUrl(url), names));
    let opened = false;
    socket.addEventListener('open', () => {
      opened = true;
    });
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string' && !this.#ended) this.#receive(data);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      const detail = `${url} cannot be reached over a WebSocket.`;
      this.#end(opened ? { type: 'closed', code, reason } : { type: 'unreachable', detail });
    });
  }

  send(frame: ClientFrame): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify(frame));
  }

  close(): void {
    this.#ended = true;
    this.#socket.close(1000);
  }

  #receive(text: string): void {
    const frame = parseServerFrame(text);
    if (frame !== undefined) return this.#events.onFrame(frame);
    this.#socket.close();
    this.#end({ type: 'closed', code: PROTOCOL_ERROR, reason: '' });
  }

  #end(end: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onEnd(end);
  }
}
