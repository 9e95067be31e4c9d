import type { Duplex } from 'node:stream';
import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerInput } from './messages.ts';
import { WorkerStream } from './worker-stream.ts';

/** The embedded database in its thread. */
export interface EmbeddedServer {
  /** A connection for `pg`. */
  connect(): Duplex;
  /** Lets the database write out everything and ends its thread. */
  close(): Promise<void>;
}

const OPEN_MS = 120_000;
const CLOSE_MS = 10_000;
const PING_EVERY_MS = 5000;
/** Counted in pings rather than in time, so that a computer that sleeps or a debugger that holds us does not count. */
const PINGS_UNANSWERED = 12;

/** Makes the files of a new database. */
export async function createDataDir(dataDir: string): Promise<void> {
  const worker = startWorker({ dataDir, task: 'create' });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await untilReady(worker, dataDir);
  await ended;
}

/** `onFatal`: the thread has died or hangs. The files are sound, but this process cannot go on with them. */
export async function startServer(dataDir: string, onFatal: (error: Error) => void): Promise<EmbeddedServer> {
  const worker = startWorker({ dataDir, task: 'serve' });
  await untilReady(worker, dataDir);

  const streams = new Map<number, WorkerStream>();
  const send = (message: ToWorker): void => worker.postMessage(message, []);
  let lastSession = 0;
  let closing = false;
  let dead: Error | undefined;
  let unanswered = 0;

  const die = (error: Error): void => {
    if (dead || closing) return;
    dead = error;
    clearInterval(watchdog);
    for (const stream of streams.values()) stream.destroy(error);
    onFatal(error);
  };
  const watchdog = setInterval(() => {
    if (unanswered === PINGS_UNANSWERED) {
      die(new Error('the embedded database does not answer any more'));
      void worker.terminate();
      return;
    }
    unanswered++;
    send({ type: 'ping' });
  }, PING_EVERY_MS);
  watchdog.unref();

  worker.on('message', (message: FromWorker) => {
    if (message.type === 'data') streams.get(message.session)?.receive(message.bytes);
    else if (message.type === 'ended') streams.get(message.session)?.receiveEnd();
    else if (message.type === 'pong') unanswered = 0;
    else if (message.type === 'failed') die(new Error(`the embedded database crashed: ${message.message}`));
  });
  worker.on('error', (error) => die(new Error(`the embedded database crashed: ${error.message}`, { cause: error })));
  worker.on('exit', (code) => die(new Error(`the embedded database ended by itself (code ${code})`)));

  return {
    connect: () => {
      const session = ++lastSession;
      const stream = new WorkerStream({
        open: () => {
          if (!dead) send({ type: 'open', session });
          return dead;
        },
        data: (bytes) => send({ type: 'data', session, bytes }),
        end: () => send({ type: 'end', session }),
        closed: () => streams.delete(session),
      });
      streams.set(session, stream);
      return stream;
    },
    close: async () => {
      if (closing || dead) return;
      closing = true;
      clearInterval(watchdog);
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      send({ type: 'close' });
      const timer = setTimeout(() => void worker.terminate(), CLOSE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function startWorker(workerData: WorkerInput): Worker {
  const options = { workerData, name: 'embedded database', execArgv: [] };
  // Compiled, the worker is JavaScript beside this file.
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./worker.js', import.meta.url), options);
  // From source it takes a loader. Node 20 does not apply one that is named in execArgv to a worker's entry point.
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const entry = JSON.stringify(new URL('./worker.ts', import.meta.url).href);
  const bootstrap = `import(${loader}).then((tsx) => { tsx.register(); return import(${entry}); })`;
  return new Worker(bootstrap, { ...options, eval: true });
}

function untilReady(worker: Worker, dataDir: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(new Error(`it was not ready after ${OPEN_MS / 1000} s`)), OPEN_MS);
    const onMessage = (message: FromWorker): void => {
      if (message.type === 'ready') done();
      else if (message.type === 'failed') done(new Error(message.message));
    };
    const onExit = (code: number): void => done(new Error(`its thread ended with code ${code}`));
    const done = (error?: Error): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('exit', onExit).off('error', done);
      if (!error) return resolve();
      worker.on('error', () => {});
      void worker.terminate();
      reject(new Error(`cannot open the database in ${dataDir}: ${error.message}`, { cause: error }));
    };
    worker.on('message', onMessage).on('exit', onExit).on('error', done);
  });
}
