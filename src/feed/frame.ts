/**
 * One message, encoded once (PUSH10). Each socket adapter keeps its own form of the bytes here, so that the work of framing
 * is done once too, however many sockets want it.
 */
export class Frame {
  readonly text: string;
  /** Of `change`, `synced` and `bookmark`: once this is written, everything up to there is (PUSH6). */
  readonly upTo: number | undefined;
  /** As a WebSocket message. */
  wire: Buffer | undefined;
  /** As a server-sent event. */
  sse: Buffer | undefined;

  constructor(text: string, upTo?: number) {
    this.text = text;
    this.upTo = upTo;
  }
}

const TYPE_AT = '{"type":"'.length;

/** Every frame begins with its type. */
export const typeOf = ({ text }: Frame): string => text.slice(TYPE_AT, text.indexOf('"', TYPE_AT));
