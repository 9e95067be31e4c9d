import { setTimeout as sleep } from 'node:timers/promises';
import { head, type Position } from './catalog.ts';
import type { Bench, Server } from './bench.ts';
import { Crowd, type CrowdOptions } from './crowd.ts';
import { HttpConnection, requestBytes } from './http-load.ts';
import { DEPLOYMENTS, type Subject } from './subjects.ts';

/** What the figures of watchers work on: Signalbox or the bare `ws` server, told apart by nothing else. */
export interface Target {
  readonly name: 'floor' | 'signalbox';
  readonly server: Server;
  /** The size of a frame with one change. */
  readonly frameBytes: number;
  crowd(count: number, options?: Partial<CrowdOptions>): Crowd;
  /** A crowd that was at the position before, for `connect`. */
  returning(count: number, position: Position): Crowd;
  /** The n-th write of a writer; each is one revision. */
  write(writer: number, n: number): Buffer;
  head(): Promise<Position>;
}

/** Before the size of Signalbox's frames is known. */
const USUAL_FRAME = 720;
const CATCH_UP_MS = 20_000;

export async function watchTargets(bench: Bench, subject = DEPLOYMENTS): Promise<Target[]> {
  const { floorsOnly } = bench.options;
  const signalbox = floorsOnly ? undefined : await signalboxTarget(bench, undefined, subject);
  const floor = await wsTarget(bench, signalbox?.frameBytes ?? USUAL_FRAME, false, subject);
  return signalbox === undefined ? [floor] : [floor, signalbox];
}

/** A bare `ws` server. */
export async function wsTarget(
  bench: Bench,
  frameBytes: number,
  inspect = false,
  subject: Subject = DEPLOYMENTS,
): Promise<Target> {
  const server = await bench.floor('ws.ts', [String(frameBytes)], inspect);
  const url = `ws://127.0.0.1:${server.port}/`;
  const plain = (count: number, options: Partial<CrowdOptions> = {}): Crowd =>
    new Crowd({ url, count, hello: undefined, ...options });
  return {
    name: 'floor',
    server,
    frameBytes,
    crowd: plain,
    returning: (count) => plain(count),
    write: (writer, n) => requestBytes('PUT', `/${writer}`, subject.body(writer, n)),
    head: async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}/`, { signal: AbortSignal.timeout(10_000) });
      return (await response.json()) as Position;
    },
  };
}

const subscribe = (select: object, since?: Position): string =>
  JSON.stringify({ type: 'subscribe', id: 'bench', select, ...(since === undefined ? {} : { since }) });

/** Signalbox on PostgreSQL. */
export async function signalboxTarget(
  bench: Bench,
  inspect?: boolean,
  subject: Subject = DEPLOYMENTS,
): Promise<Target> {
  const server = await bench.signalbox(await bench.database(), inspect);
  await subject.prepare(server.port);
  const target = targetAt(server, subject);
  return { ...target, frameBytes: await frameSize(target) };
}

/** A node that has what the subject writes, or is on a database that has it. */
export function targetAt(server: Server, { select, method, path, body }: Subject): Omit<Target, 'frameBytes'> {
  const url = `ws://127.0.0.1:${server.port}/v1/watch`;
  return {
    name: 'signalbox',
    server,
    crowd: (count: number, options: Partial<CrowdOptions> = {}): Crowd =>
      new Crowd({ url, count, hello: subscribe(select), ...options }),
    returning: (count: number, { epoch, revision }: Position): Crowd =>
      new Crowd({ url, count, hello: subscribe(select, { epoch, revision }) }),
    write: (writer: number, n: number): Buffer => requestBytes(method, path(writer), body(writer, n)),
    head: (): Promise<Position> => head(server.port),
  };
}

/** Until a node that others write to has come so far. */
export async function untilAt(target: Pick<Target, 'head'>, revision: number): Promise<void> {
  const deadline = performance.now() + CATCH_UP_MS;
  while ((await target.head()).revision < revision) {
    if (performance.now() > deadline) throw new Error(`a node did not come to revision ${revision}`);
    await sleep(50);
  }
}

async function frameSize(target: Pick<Target, 'server' | 'crowd' | 'write'>): Promise<number> {
  const crowd = target.crowd(1);
  await crowd.open();
  const writer = await HttpConnection.connect(target.server.port);
  let size = 0;
  await crowd.within(10_000, 'the first change', (resolve) => {
    crowd.onChange = (_watcher, _revision, frame): void => {
      size = frame.length;
      resolve();
    };
    writer.request(target.write(0, 1)).catch(() => {});
  });
  writer.close();
  await crowd.cut();
  return size;
}
