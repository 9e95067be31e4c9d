import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from './free-port.ts';

/** A real node: the built program in a process of its own, on a free port and, unless told otherwise, an embedded database. */
export interface Signalbox {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Everything it has written, both streams. */
  readonly output: () => string;
  /** Ends it with a signal and resolves with its exit code (null when the signal killed it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Resolves when the process has ended by itself. */
  readonly exited: Promise<number | null>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Milliseconds until it has to be ready. */
  readonly readyWithin?: number;
  readonly nodeArgs?: readonly string[];
  /** Another program than the one that was built here, such as the release before. */
  readonly program?: string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts the process without waiting for it to be ready. Needs `npm run build`. */
export async function spawnSignalbox(options: StartOptions = {}): Promise<Signalbox> {
  const port = options.port ?? (await freePort());
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(DATABASE_URL|REDIS_URL|HOST|NODE_OPTIONS|OTEL_.*)$/.test(name)),
  );
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), options.program ?? resolve('dist/main.js')], {
    env: { ...clean, LOG_FORMAT: 'json', LOG_LEVEL: 'info', ...options.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const exited = new Promise<number | null>((done) => {
    child.on('exit', (code) => {
      running.delete(child);
      done(code);
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    output: () => output,
    exited,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}

/** Starts a node and waits until it is ready. */
export async function startSignalbox(options: StartOptions = {}): Promise<Signalbox> {
  const node = await spawnSignalbox(options);
  const deadline = Date.now() + (options.readyWithin ?? 30_000);
  let ended = false;
  void node.exited.then(() => (ended = true));
  for (;;) {
    const ready = await fetch(`${node.url}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return node;
    if (ended || Date.now() > deadline) {
      await node.stop('SIGKILL');
      throw new Error(`Signalbox did not get ready:\n${node.output()}`);
    }
    await new Promise((done) => setTimeout(done, 30));
  }
}

/** A directory that is removed by `remove`. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
  return {
    path,
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // The tests look into answers of every shape.
  readonly body: any;
}

/** One request; JSON in, JSON out. */
export async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  timeoutMs = 30_000,
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not every answer is JSON.
  }
  return { status: response.status, headers: response.headers, body: parsed };
}
