import type { Bench } from '../lib/bench.ts';
import { deploymentBody, sequenceText, serviceId } from '../lib/catalog.ts';
import { accepted, commands, entries, loaded, REGIONS, SERVICES } from '../lib/catalog-in-memory.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { nanoseconds } from '../lib/nanoseconds.ts';
import { encodeChanges } from '../../src/domain/codec.ts';
import { decide } from '../../src/domain/decide.ts';
import { Draft } from '../../src/domain/draft.ts';
import type { View } from '../../src/domain/view.ts';
import { EVERYTHING, projectKey, sightOf, type Sight } from '../../src/domain/visibility.ts';
import { Hub } from '../../src/feed/hub.ts';
import type { Peer } from '../../src/feed/peer.ts';
import type { WatchSocket } from '../../src/feed/socket.ts';
import { validateResource } from '../../src/protocol/validate.ts';
import { testPeer } from '../../test/support/peer.ts';

/** In this process, without a database and without sockets: what one step costs. */

export const micro: Figure = {
  name: 'micro',
  title: 'single steps in one process, on the core of the load',
  measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return Promise.resolve({ rows: [], notes: [] });
    const rows: Row[] = [];
    const row = (what: string, batch: number, step: () => void): void => {
      rows.push({ what, unit: 'ns', value: nanoseconds(bench, batch, step) });
    };
    const view = loaded();
    const next = commands();

    row('read a PUT of a deployment (JSON.parse)', 1, jsonParsing());
    row('decide a PUT of a deployment on the view', 1, () => accepted(decide(view, next(), 2, validateResource)));
    row('decide a PUT in a batch of 64, with the earlier ones laid over the view', 64, () => {
      const draft = new Draft(view);
      for (let n = 0; n < 64; n++) draft.absorb(accepted(decide(draft, next(), 2 + n, validateResource)).changes);
    });
    row('encode a change for the log', 1, encoding(view));
    row('fold a change', 1, folding(view));
    for (const groups of [1, 1000]) {
      row(`fold and flush a change, for each of ${groups} topics with one watcher`, groups, fanOut(groups, 1));
    }
    row('fold and flush a change, for each of 1,000 watchers of one topic', 1000, fanOut(1, 1000));
    row(
      'fold and flush a change, for each of 1,000 watchers of one topic who see what nobody else sees',
      1000,
      fanOut(1, 1000, unlike),
    );
    return Promise.resolve({
      rows,
      notes: [`A catalog of ${SERVICES * REGIONS} deployments. Sockets that do nothing.`],
    });
  },
};

function jsonParsing(): () => void {
  const bodies = Array.from({ length: 64 }, (_, n) => deploymentBody(n, 1, sequenceText(n)));
  let count = 0;
  return () => {
    JSON.parse(bodies[count++ % bodies.length] ?? '');
  };
}

function encoding(view: View): () => void {
  const next = entries(view);
  return () => {
    encodeChanges(next().changes);
  };
}

function folding(view: View): () => void {
  const next = entries(view);
  return () => {
    view.fold(next().changes);
  };
}

/** Of a project of its own each. */
const unlike = (n: number): Sight => sightOf([projectKey(`project-${n}`)]);

/** Topics that all take every change, so that each change is offered to all and written to all. */
function fanOut(topics: number, watchers: number, sightOfNth: (n: number) => Sight = () => EVERYTHING): () => void {
  const view = loaded();
  const next = entries(view, 1);
  const tail = { view, head: { epoch: 'bench', revision: 1, trimmed: 0 }, catchUp: () => Promise.resolve() };
  const none = { inc: () => {} };
  const hub = new Hub({
    tail,
    store: { changesSince: () => Promise.resolve([]) },
    limits: {
      maxQueuedBytes: 1 << 20,
      maxSubscriptions: 1,
      maxSockets: topics * watchers,
      heartbeatMs: 10_000,
      stallTimeoutMs: 30_000,
      ringBytes: 1 << 20,
    },
    metrics: {
      frames: none,
      fellBehind: none,
      cutOffs: none,
      mismatches: none,
      badFrames: none,
      resets: none,
      resumes: none,
      logReads: none,
      flushDelay: { observe: () => {} },
    },
    log: { warn: () => {}, info: () => {} },
    now: () => performance.now(),
    clock: Date.now,
    random: Math.random,
  });
  for (let n = 0; n < topics * watchers; n++) {
    // The second service, which does not exist, makes the topics differ.
    const services = [serviceId(0), `topic-${n % topics}.example.com`];
    const socket: WatchSocket = { queued: 0, bytesSent: 0, send: () => {}, ping: () => {}, close: () => {} };
    hub
      .connect(socket, seeing(sightOfNth(n)))
      ?.receive(JSON.stringify({ type: 'subscribe', id: 'bench', select: { kind: 'deployment', services } }));
  }
  return () => {
    const entry = next();
    tail.head = { ...tail.head, revision: entry.revision };
    hub.onAdvance([{ entry, folded: view.fold(entry.changes) }]);
    hub.flush();
  };
}

function seeing(sight: Sight): Peer {
  const peer = testPeer();
  return { ...peer, standing: { ...peer.standing, sight } };
}
