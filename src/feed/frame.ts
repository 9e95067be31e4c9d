/**
 * One message, encoded once (PUSH10). The socket adapter keeps its own form of the bytes in `wire`, so that the work of
 * framing is done once too, however many sockets want it.
 */
export class Frame {
  readonly text: string;
  wire: Buffer | undefined;

  constructor(text: string) {
    this.text = text;
  }
}
