import { makeItem, type Change, type Entry } from '../../src/domain/item.ts';
import type { Select, ServerFrame } from '../../src/protocol/frames.ts';
import type { Kind, Value } from '../../src/domain/resources.ts';
import { CheckedSubscription, Model } from '../feed/checked-client.ts';
import { call } from '../support/signalbox.ts';

interface WireChange {
  readonly op: 'put' | 'delete';
  readonly kind: Kind;
  readonly key: string;
  readonly revision: number;
  readonly value?: Value;
}

/** The whole log, as `GET /v1/changes` tells it, from the first revision on and without a gap (REV1). */
export async function readLog(url: string): Promise<{ model: Model; head: number; epoch: string }> {
  const model = new Model();
  for (let since = 0; ;) {
    const answer = await call(url, 'GET', `/v1/changes?since=${since}&limit=1000`);
    if (answer.status !== 200) throw new Error(`the log: ${answer.status} ${JSON.stringify(answer.body)}`);
    const { to, head, epoch, changes } = answer.body as {
      to: number;
      head: number;
      epoch: string;
      changes: WireChange[];
    };
    for (const entry of entriesOf(changes)) {
      if (entry.revision !== model.states.size)
        throw new Error(`REV1: ${entry.revision} after ${model.states.size - 1}`);
      model.record(entry);
    }
    if (to !== model.states.size - 1) throw new Error(`the log says "to": ${to} after ${model.states.size - 1}`);
    if (to === head) return { model, head, epoch };
    since = to;
  }
}

function entriesOf(changes: readonly WireChange[]): Entry[] {
  const entries: (Entry & { changes: Change[] })[] = [];
  for (const { op, kind, key: name, revision, value } of changes) {
    let entry = entries.at(-1);
    if (entry?.revision !== revision) entries.push((entry = { revision, at: 0, author: '', changes: [] }));
    if (op === 'delete') entry.changes.push({ op, kind, name, was: {} });
    else if (value === undefined) throw new Error(`a put of ${name} without a value`);
    else entry.changes.push({ op, item: makeItem(value) });
  }
  return entries;
}

/** Holds all frames of one subscription, over all of its sockets, against the log. Throws at the first that is wrong. */
export function check(
  model: Model,
  select: Select,
  topic: string,
  frames: readonly ServerFrame[],
): CheckedSubscription {
  const subscription = new CheckedSubscription(model, select);
  subscription.topic = topic;
  for (const frame of frames) subscription.receive(frame);
  return subscription;
}
