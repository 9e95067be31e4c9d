import { styler, type Style } from './style.ts';

/** The terminal, or whatever stands in its place, as the commands see it. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Columns of standard output; undefined when it is not a terminal, and nothing is cut. */
  readonly width: number | undefined;
  readonly style: Style;
  readonly errStyle: Style;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** One line, or several, to standard output. */
  out(text: string): void;
  /** One line, or several, to standard error. */
  err(text: string): void;
  /** Bytes to standard output as they are; waits until they are taken. */
  write(bytes: Uint8Array): Promise<void>;
  /** Calls back once when the person, or the system, asks the command to end (Ctrl-C); the next time it ends by itself. */
  onInterrupt(listener: () => void): void;
  /** Calls back every time, and keeps the command from ending by itself, until the function that it answers is called. */
  onSignal(listener: (signal: EndSignal) => void): () => void;
}

/** What a terminal, a shell or a process manager ends a command with. */
export type EndSignal = 'SIGINT' | 'SIGTERM';

/** This process's own streams. */
export function processIo(): Io {
  // The reader has gone (`signalbox get deployments | head`): what it has read was right, and it wants no more.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  process.stderr.on('error', () => {});
  return {
    env: process.env,
    get width() {
      return process.stdout.isTTY ? process.stdout.columns : undefined;
    },
    style: styler(wantsColor(process.stdout, process.env)),
    errStyle: styler(wantsColor(process.stderr, process.env)),
    stdin: process.stdin,
    out: (text) => {
      process.stdout.write(`${text}\n`);
    },
    err: (text) => {
      process.stderr.write(`${text}\n`);
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    onInterrupt: (listener) => {
      process.once('SIGINT', listener);
      process.once('SIGTERM', listener);
    },
    onSignal: (listener) => {
      const interrupted = (): void => listener('SIGINT');
      const terminated = (): void => listener('SIGTERM');
      process.on('SIGINT', interrupted);
      process.on('SIGTERM', terminated);
      return () => {
        process.off('SIGINT', interrupted);
        process.off('SIGTERM', terminated);
      };
    },
  };
}

/** https://no-color.org */
export function wantsColor(stream: { readonly isTTY?: boolean }, env: Io['env']): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}
