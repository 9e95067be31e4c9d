import type { Frame } from '../../src/feed/frame.ts';
import type { WatchSocket } from '../../src/feed/socket.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';

/** A socket of the feed that keeps what it is given. */
export class ListeningSocket implements WatchSocket {
  /** Bytes that wait, as the test says. */
  queued = 0;
  readonly bytesSent = 0;
  readonly frames: Frame[] = [];
  closed: number | undefined;

  send(frame: Frame): void {
    if (this.closed === undefined) this.frames.push(frame);
  }

  ping(): void {}

  close(code: number): void {
    this.closed ??= code;
  }

  get said(): ServerFrame[] {
    return this.frames.map(({ text }) => JSON.parse(text) as ServerFrame);
  }

  of<T extends ServerFrame['type']>(type: T): Extract<ServerFrame, { type: T }>[] {
    return this.said.filter((frame): frame is Extract<ServerFrame, { type: T }> => frame.type === type);
  }
}
