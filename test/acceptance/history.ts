import { makeItem, type Change } from '../../src/domain/item.ts';
import type { Value } from '../../src/domain/resources.ts';
import { View } from '../../src/domain/view.ts';
import { call } from '../support/signalbox.ts';
import { WatchClient } from './watch-client.ts';

export interface LoggedChange {
  readonly op: 'put' | 'delete';
  readonly kind: string;
  readonly key: string;
  readonly revision: number;
  readonly value?: Value;
}

/** One revision of the log, as `GET /v1/changes` tells it. */
export interface Revision {
  readonly revision: number;
  readonly changes: readonly LoggedChange[];
}

/** The whole log above `since`, read page by page. Throws unless every revision is there, once, in order (REV1). */
export async function readLog(url: string, since = 0): Promise<Revision[]> {
  const log: Revision[] = [];
  for (let at = since; ;) {
    const { status, body } = await call(url, 'GET', `/v1/changes?since=${at}&limit=500`);
    if (status !== 200) throw new Error(`the log cannot be read: ${status} ${JSON.stringify(body)}`);
    const page = body as { to: number; head: number; changes: LoggedChange[] };
    for (const change of page.changes) {
      const last = log.at(-1);
      if (change.revision === last?.revision) (last.changes as LoggedChange[]).push(change);
      else log.push({ revision: change.revision, changes: [change] });
    }
    if (log.length > 0 && log.at(-1)?.revision !== page.to) throw new Error(`REV1: a page ends before ${page.to}`);
    if (page.to >= page.head) break;
    if (page.to <= at) throw new Error(`REV1: nothing after ${at}, though the head is ${page.head}`);
    at = page.to;
  }
  log.forEach(({ revision }, i) => {
    if (revision !== since + 1 + i) throw new Error(`REV1: revision ${revision} where ${since + 1 + i} should be`);
  });
  return log;
}

/** The state that the log makes, fold by fold; `visit` sees it at every revision. */
export function replay(log: readonly Revision[], visit: (view: View, revision: number) => void = () => {}): View {
  const view = new View();
  for (const { revision, changes } of log) {
    view.fold(changes.map(changeOf));
    visit(view, revision);
  }
  return view;
}

function changeOf({ op, key, value }: LoggedChange): Change {
  if (op === 'delete') return { op, kind: 'region', name: key, was: {} };
  if (value === undefined) throw new Error(`a put of ${key} without a value`);
  return { op, item: makeItem(value) };
}

export type State = Readonly<Record<string, unknown>>;

/** Every resource by name, in order of name. */
export const stateOf = (view: View): State =>
  sorted(Array.from(view.all(), (item) => [item.name, JSON.parse(item.json)]));

/** The server's whole state, from a snapshot of its feed. */
export async function readState(url: string): Promise<State> {
  const feed = await WatchClient.open(url);
  await feed.sync('all', { kind: '*' });
  await feed.end();
  const items = feed.frames.flatMap((frame) => (frame.type === 'snapshot' ? frame.items : []));
  return sorted(items.map((item) => [String(item['name']), item]));
}

const sorted = (entries: [string, unknown][]): State =>
  Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
