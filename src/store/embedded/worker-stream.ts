import { Duplex } from 'node:stream';

/** The other end of a stream. */
export interface Session {
  /** Answers why there is nobody to talk to. */
  open(): Error | undefined;
  data(bytes: Uint8Array): void;
  end(): void;
  closed(): void;
}

/**
 * What `pg` takes for a socket: bytes to the database's thread and back. Against a real socket it needs no file system,
 * leaves nothing behind after a kill, and no other process can connect.
 */
export class WorkerStream extends Duplex {
  readonly #session: Session;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  connect(): this {
    const error = this.#session.open();
    // As with a socket, whoever called gets to add listeners first.
    process.nextTick(() => (error ? this.destroy(error) : this.emit('connect')));
    return this;
  }

  receive(bytes: Uint8Array): void {
    this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  receiveEnd(): void {
    this.push(null);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    // A copy: a chunk may be part of a larger buffer, all of which would be sent.
    this.#session.data(new Uint8Array(chunk));
    callback();
  }

  override _writev(chunks: { chunk: Buffer }[], callback: () => void): void {
    this.#session.data(new Uint8Array(Buffer.concat(chunks.map(({ chunk }) => chunk))));
    callback();
  }

  override _final(callback: () => void): void {
    this.#session.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // Said twice when the stream had ended first; the second time nobody is there to hear it.
    this.#session.end();
    this.#session.closed();
    callback(error);
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
