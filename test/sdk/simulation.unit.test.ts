import { describe, expect, test } from '@jest/globals';
import { SignalboxClient } from '../../src/sdk/client.ts';
import type { Select } from '../../src/protocol/frames.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { Random } from '../support/random.ts';
import { CheckedWatch } from './checked-watch.ts';
import { FakeTime, turns } from './fake-time.ts';
import { ModelServer } from './model-server.ts';
import { testParts } from './test-parts.ts';

const SEEDS = 200;
const URLS = ['http://a.localhost', 'http://b.localhost'] as const;
const RESUME_WITHIN_MS = 250;
/** What goes before it is forgotten once a link was live for so long: the longest pause. */
const RESTED_MS = 5000;
const TOPICS = ['region', 'service', '*'] as const;

interface Story {
  readonly mismatches: number;
  readonly opened: number;
  /** Silent breaks of links that were live for long. */
  readonly breaks: number;
  readonly iterations: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
}

async function tell(seed: number): Promise<Story> {
  const random = new Random(seed);
  const time = new FakeTime();
  const server = new ModelServer(random, time);
  for (let i = random.below(30); i > 0; i--) server.commit();
  server.token = 't1';
  const client = new SignalboxClient(
    { urls: URLS, auth: { token: () => server.token }, allowHttp: true },
    testParts({
      time,
      random: () => random.next(),
      carriers: [server.carrier('websocket'), server.carrier('long-poll')],
    }),
  );
  let mismatches = 0;
  client.on('mismatch', () => (mismatches += 1));
  const resumption = new Resumption(server, time, client);
  const watches: CheckedWatch[] = [];
  const watch = (topic: (typeof TOPICS)[number]) =>
    void watches.push(new CheckedWatch(client.watch({ kind: topic } as Select), topic, server));
  watch(random.pick(TOPICS));
  const link = () => server.links.find(({ open }) => open);
  const faults: (() => void)[] = [
    () => link()?.drop(),
    () => link()?.drain(),
    () =>
      link()?.end({
        type: 'closed',
        code: random.pick([CLOSE.tooSlow, CLOSE.full, CLOSE.behind, 4321, 1011]),
        reason: 'x',
      }),
    () => {
      server.token = `t${random.below(1000)}`;
      link()?.end({ type: 'closed', code: CLOSE.tokenEnded, reason: '' });
    },
    () => {
      const current = link();
      const topic = current?.topics[0];
      if (topic !== undefined) current?.startOver(topic, random.pick(['access', 'fenced']));
    },
    () => server.newHistory(),
    () => server.trim(),
    () => {
      const current = link();
      if (current !== undefined) current.mute = true;
    },
    () => {
      const current = link();
      if (current !== undefined) current.loses = true;
    },
    () => server.openings.push('silent'),
    () => server.openings.push({ type: 'unreachable', detail: 'nobody', reached: random.chance(0.5) }),
    () => server.openings.push({ type: 'refused', status: random.pick([401, 429, 502, 503, 404]), detail: 'no' }),
    () => (server.tooSoon += 1),
    () => {
      resumption.excuse();
      time.freeze(60_000);
    },
    () => {
      const status = random.pick([200, 401, 403, 404, 502]);
      const end = { type: 'refused', status, detail: 'a page' } as const;
      server.nonsense = random.chance(0.7) ? { url: random.pick(URLS), end } : undefined;
    },
  ];
  const breakAfterRest = async (): Promise<void> => {
    for (let waited = 0; waited <= RESTED_MS; waited += 1000) {
      for (const one of server.links) one.deliver();
      await time.pass(1000);
    }
    link()?.drop();
  };
  for (let step = 0; step < 120; step++) {
    if (random.chance(0.4)) server.commit();
    if (random.chance(0.12)) random.pick(faults)();
    if (random.chance(0.03)) watch(random.pick(TOPICS));
    for (const { open, deliver } of [...server.links].map((one) => ({
      open: one.open,
      deliver: () => one.deliver(1 + random.below(6)),
    }))) {
      if (open) deliver();
    }
    if (random.chance(0.5)) await time.pass(random.below(random.chance(0.1) ? 20_000 : 300));
    if (random.chance(0.03)) await breakAfterRest();
    for (const one of watches) {
      if (random.chance(0.3)) one.read();
      if (random.chance(0.1)) one.look();
    }
    await turns();
    server.links = server.links.filter(({ open }) => open);
  }
  // All is well from here on, but for an address that answers nonsense.
  server.openings.length = 0;
  server.tooSoon = 0;
  for (let round = 0; round < 80; round++) {
    for (const one of server.links) one.deliver();
    await time.pass(1500);
    for (const one of watches) one.read();
  }
  await turns();
  for (const one of watches) one.end();
  await client.close();
  expect([server.faults, time.pending]).toEqual([[], 0]);
  const iterations = new Set(watches.flatMap((one) => one.iterations));
  const types = new Set(watches.flatMap((one) => one.told.map((text) => text.split(' ')[0] ?? '')));
  return { mismatches, opened: server.opened, breaks: resumption.breaks, iterations, types };
}

/** Whose link was live for long, and broke without a word, is back as soon as the welcome says, whatever was before. */
class Resumption {
  breaks = 0;
  #by = Infinity;

  constructor(server: ModelServer, time: FakeTime, client: SignalboxClient) {
    let liveSince = Infinity;
    client.on('state', (phase) => (liveSince = phase === 'live' ? time.now() : Infinity));
    server.onEnding = (end) => {
      if (end.type !== 'closed' || end.code !== 1006 || time.now() - liveSince < RESTED_MS) return;
      this.breaks += 1;
      this.#by = time.now() + RESUME_WITHIN_MS;
    };
    server.onOpening = () => {
      if (time.now() > this.#by + 1) server.faults.push(`it came back ${time.now() - this.#by} ms too late`);
      this.excuse();
    };
  }

  /** Who stood still is late. */
  excuse(): void {
    this.#by = Infinity;
  }
}

describe('a client and a server to which everything happens', () => {
  test(`PUSH1 PUSH2 PUSH3 PUSH5 PUSH7 PUSH8 hold at every watch, and in the end copies are the server's, over ${SEEDS} seeds`, async () => {
    let mismatches = 0;
    let opened = 0;
    let breaks = 0;
    const seen = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        const story = await tell(seed);
        mismatches += story.mismatches;
        opened += story.opened;
        breaks += story.breaks;
        for (const type of story.types) seen.add(type);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    // The story has to have been about something.
    expect([...seen].sort()).toEqual(['changed', 'loaded', 'reloaded']);
    expect(mismatches).toBeGreaterThan(SEEDS / 10);
    expect(opened).toBeGreaterThan(SEEDS * 3);
    expect(breaks).toBeGreaterThan(SEEDS / 2);
  });
});
