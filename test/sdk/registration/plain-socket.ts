import WebSocket from 'ws';
import type { ServerFrame } from '../../../src/protocol/frames.ts';
import { PROTOCOL } from '../../../src/protocol/version.ts';
import type { Attachment } from '../../../src/sdk/registration/desk.ts';
import type { AskFrame, AskSocket } from '../../../src/sdk/registration/socket-desk.ts';
import { watchUrl } from '../../acceptance/watch-client.ts';

const RETRY_MS = 100;

/** As much of a connection as registrations need: a WebSocket, and another one when it ends. */
export class PlainSocket implements AskSocket, Attachment {
  socket: number | undefined;
  heartbeatMs: number | undefined;
  readonly #url: string;
  readonly #listeners = new Set<() => void>();
  readonly #waiting = new Map<string, (frame: ServerFrame) => void>();
  #ws: WebSocket | undefined;
  #opened = 0;
  #asked = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(url: string) {
    this.#url = url;
    this.#open();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  send(frame: AskFrame, { timeoutMs }: { readonly timeoutMs: number }): Promise<ServerFrame> {
    const id = String((this.#asked += 1));
    return new Promise((resolve, reject) => {
      if (this.socket === undefined) return reject(new Error('no socket'));
      const timer = setTimeout(() => reject(new Error('no answer')), timeoutMs);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#ws?.send(JSON.stringify({ ...frame, id }));
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#ws?.terminate();
  }

  #open(): void {
    const ws = new WebSocket(watchUrl(this.#url), PROTOCOL);
    this.#ws = ws;
    ws.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ServerFrame;
      if (frame.type === 'welcome') {
        this.heartbeatMs = frame.heartbeat;
        this.#become((this.#opened += 1));
      } else if ('id' in frame && frame.id !== undefined) this.#waiting.get(frame.id)?.(frame);
    });
    ws.on('error', () => {});
    ws.on('close', () => {
      this.#become(undefined);
      if (!this.#closed) this.#timer = setTimeout(() => this.#open(), RETRY_MS);
    });
  }

  #become(socket: number | undefined): void {
    if (this.socket === socket) return;
    this.socket = socket;
    for (const listener of this.#listeners) listener();
  }
}
