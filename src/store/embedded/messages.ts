/** What the main thread and the database's thread say to each other. A session is one connection of the pool. */
export type ToWorker =
  | { type: 'open'; session: number }
  | { type: 'data'; session: number; bytes: Uint8Array }
  | { type: 'end'; session: number }
  | { type: 'ping' }
  | { type: 'close' };

export type FromWorker =
  | { type: 'ready' }
  | { type: 'failed'; message: string }
  | { type: 'data'; session: number; bytes: Uint8Array }
  | { type: 'ended'; session: number }
  | { type: 'pong' };

/** What the thread is started with. */
export interface WorkerInput {
  dataDir: string;
  /** `create`: make the database and end. `serve`: answer sessions until told to close. */
  task: 'create' | 'serve';
}
