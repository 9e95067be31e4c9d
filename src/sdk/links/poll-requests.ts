import type { Position } from '../../domain/position.ts';
import type { Resource } from '../watch/watch.ts';
import { listsOf, StateBuilder, type Changes, type ListPage } from './poll-frames.ts';
import { BROKEN, Closed, ListRefusal, Refusal } from './refusal.ts';
import { pause, SILENT_AFTER, within, type Subscription, type Wire } from './wire.ts';

/** Who is asked to slow down so often in a row, or for so long, does not get anywhere. */
const MAX_RETRIES = 5;
const MAX_RETRY_MS = 30_000;
/** A history that moves away so often while the state is read is not caught up with. */
const MAX_READS = 3;
/** A node that is behind others is asked again so soon. */
export const BEHIND_MS = 200;

/** Where the log stands. */
export const readHead = (wire: Wire, signal: AbortSignal): Promise<Position> =>
  get('/v1/state', wire, signal) as Promise<Position>;

/** What follows a position, at once or when it comes within `waitMs`. Throws `Refusal` 410 where the log does not have it. */
export function changesAfter(
  { epoch, revision }: Position,
  { query, waitMs }: { readonly query: URLSearchParams; readonly waitMs: number },
  wire: Wire,
  signal: AbortSignal,
): Promise<Changes> {
  const wait = waitMs > 0 ? `&wait=${Math.ceil(waitMs)}ms` : '&limit=1000';
  const path = `/v1/changes?${query.toString()}&since=${revision}&epoch=${encodeURIComponent(epoch)}${wait}`;
  // The heartbeat that it waits for, and two more; an answer may take as long as any other beside that.
  return get(path, wire, signal, waitMs > 0 ? Math.max(3 * waitMs, waitMs + wire.openTimeoutMs) : undefined);
}

/** All that is selected, as of one position; by lists, each page of which may be of another revision, and the changes since. */
export async function readState(
  subscription: Pick<Subscription, 'select' | 'query'>,
  wire: Wire,
  signal: AbortSignal,
): Promise<{ readonly position: Position; readonly items: Resource[] }> {
  for (let reads = 0; reads < MAX_READS; reads++) {
    try {
      return await readOnce(subscription, wire, signal);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 410) throw error;
    }
  }
  throw new Closed(BROKEN, 'the log moves on faster than the state can be read');
}

async function readOnce(
  { select, query }: Pick<Subscription, 'select' | 'query'>,
  wire: Wire,
  signal: AbortSignal,
): Promise<{ readonly position: Position; readonly items: Resource[] }> {
  const { epoch, revision } = await readHead(wire, signal);
  const state = new StateBuilder(select);
  let earliest = revision;
  let last = revision;
  for (const list of listsOf(select)) {
    for await (const page of pagesOf(list, wire, signal)) {
      state.page(page);
      earliest = Math.min(earliest, page.revision);
      last = Math.max(last, page.revision);
    }
  }
  let to = earliest;
  while (to < last) {
    const answer = await changesAfter({ epoch, revision: to }, { query, waitMs: 0 }, wire, signal);
    state.changes(answer);
    if (answer.to === to) await pause(BEHIND_MS, signal);
    to = answer.to;
    signal.throwIfAborted();
  }
  return { position: { epoch, revision: to }, items: state.items };
}

async function* pagesOf(list: string, wire: Wire, signal: AbortSignal): AsyncIterable<ListPage> {
  let token: string | undefined = '';
  while (token !== undefined) {
    const path: string = token === '' ? list : `${list}&pageToken=${encodeURIComponent(token)}`;
    const page = await get<ListPage>(path, wire, signal).catch(ofThisList);
    yield page;
    token = page.nextPageToken === '' ? undefined : page.nextPageToken;
  }
}

function ofThisList(error: unknown): never {
  if (!(error instanceof Refusal) || error.status !== 403 || error.problem === undefined) throw error;
  throw new ListRefusal(error.status, error.problem, null);
}

/** One answer. Who is told to slow down does so, as often as is reasonable. */
async function get<T>(path: string, wire: Wire, signal: AbortSignal, timeoutMs = wire.openTimeoutMs): Promise<T> {
  const patienceMs = Math.min(MAX_RETRY_MS, SILENT_AFTER * wire.heartbeat);
  let waitedMs = 0;
  for (let retries = 0; ; retries++) {
    try {
      return await within(timeoutMs, signal, async (limited) => {
        const response = await wire.request(path, { signal: limited });
        const answer = (await response.json()) as T;
        wire.heard();
        return answer;
      });
    } catch (error) {
      const isTooSoon = error instanceof Refusal && error.status === 429;
      if (!isTooSoon || retries === MAX_RETRIES) throw error;
      const { retryAfterMs = 1000 } = error;
      waitedMs += retryAfterMs;
      if (waitedMs > patienceMs) throw error;
      await pause(retryAfterMs, signal);
      signal.throwIfAborted();
    }
  }
}
