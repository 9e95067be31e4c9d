import { describe, expect, test } from '@jest/globals';
import { SignalboxError } from '../../src/sdk/errors.ts';
import type { LinkEnd } from '../../src/sdk/connection/link.ts';
import { IGNORED, INITIAL, step, TABLE } from '../../src/sdk/connection/machine.ts';
import type { Effect, Event, Phase, Settings, State } from '../../src/sdk/connection/state.ts';

const SETTINGS: Settings = {
  urls: ['http://a', 'http://b'],
  carriers: ['websocket', 'event-stream', 'long-poll'],
  backoff: { baseMs: 200, maxMs: 5000 },
  openTimeoutMs: 9000,
  renewable: false,
  spoken: [1],
};

/** A machine with a clock that is turned by hand. */
class Driver {
  state: State = INITIAL;
  now = 0;
  random = 0.5;
  effects: readonly Effect[] = [];
  readonly settings: Settings;

  constructor(settings: Partial<Settings> = {}) {
    this.settings = { ...SETTINGS, ...settings };
  }

  take(...events: Event[]): this {
    for (const event of events) {
      const { now, random, settings } = this;
      const next = step(this.state, event, { now, random, settings });
      this.state = next.state;
      this.effects = next.effects;
    }
    return this;
  }

  get link(): number {
    return 'past' in this.state ? this.state.past.links : 0;
  }

  get opened(): string | undefined {
    const open = this.effects.find((effect) => effect.do === 'open');
    return open === undefined ? undefined : `${open.carrier} ${open.url}`;
  }

  get pause(): number | undefined {
    for (const effect of this.effects) if (effect.do === 'arm' && effect.timer === 'retry') return effect.afterMs;
    return undefined;
  }

  open(): this {
    if (this.state.phase === 'cold') this.take({ type: 'wanted' });
    if (this.state.phase === 'backing-off') this.take({ type: 'elapsed', timer: 'retry' });
    return this.take({ type: 'token', token: undefined });
  }

  welcome(more: { protocol?: number; resumeWithin?: number } = {}): this {
    const { protocol = 1, resumeWithin } = more;
    return this.take({ type: 'welcomed', link: this.link, protocol, heartbeatMs: 1000, resumeWithin });
  }

  live(more: { resumeWithin?: number } = {}): this {
    return this.open().welcome(more).take({ type: 'copies', copies: 'current' });
  }

  end(end: LinkEnd): this {
    return this.take({ type: 'ended', link: this.link, end });
  }

  close(code: number, reason = ''): this {
    return this.end({ type: 'closed', code, reason });
  }

  refuse(status: number, more: { problem?: object; retryAfterMs?: number } = {}): this {
    return this.end({ type: 'refused', status, detail: 'no', ...more });
  }
}

const ERROR = new SignalboxError('unreachable', 'x');
const STATES: readonly State[] = [
  INITIAL,
  new Driver().take({ type: 'wanted' }).state,
  new Driver().open().state,
  new Driver().open().welcome().state,
  new Driver().take({ type: 'copies', copies: 'held' }).open().state,
  new Driver().live().take({ type: 'copies', copies: 'held' }).state,
  new Driver().live().state,
  new Driver().live().close(1006).state,
  { phase: 'stopped', error: ERROR },
];
const EVENTS: readonly Event[] = [
  { type: 'wanted' },
  { type: 'unwanted' },
  { type: 'token', token: 't' },
  { type: 'no-token', error: ERROR, final: false },
  { type: 'no-token', error: ERROR, final: true },
  { type: 'welcomed', link: 1, protocol: 1, heartbeatMs: 10, resumeWithin: 5 },
  { type: 'welcomed', link: 7, protocol: 9, heartbeatMs: 10, resumeWithin: undefined },
  { type: 'heard', link: 1 },
  { type: 'heard', link: 7 },
  { type: 'copies', copies: 'missing' },
  { type: 'copies', copies: 'held' },
  { type: 'copies', copies: 'current' },
  { type: 'ended', link: 1, end: { type: 'closed', code: 1006, reason: '' } },
  { type: 'ended', link: 1, end: { type: 'closed', code: 4500, reason: '' } },
  { type: 'ended', link: 7, end: { type: 'closed', code: 4500, reason: '' } },
  { type: 'elapsed', timer: 'open' },
  { type: 'elapsed', timer: 'pulse' },
  { type: 'elapsed', timer: 'better' },
  { type: 'elapsed', timer: 'retry' },
  { type: 'stop' },
];
const PHASES: readonly Phase[] = ['cold', 'loading', 'live', 'stale', 'backing-off', 'stopped'];
const FIELDS: Readonly<Record<Phase, readonly string[]>> = {
  cold: ['copies', 'past', 'phase'],
  loading: ['past', 'phase', 'way'],
  live: ['link', 'past', 'phase', 'pulse', 'since'],
  stale: ['past', 'phase', 'way'],
  'backing-off': ['copies', 'past', 'phase'],
  stopped: ['error', 'phase'],
};

describe('the table', () => {
  test('has an entry for every state and every event', () => {
    const types = [...new Set(EVENTS.map(({ type }) => type))].sort();
    expect(Object.keys(TABLE).sort()).toEqual([...PHASES].sort());
    for (const phase of PHASES) {
      expect(Object.keys(TABLE[phase]).sort()).toEqual(types);
      for (const entry of Object.values(TABLE[phase])) {
        expect(entry === IGNORED || typeof entry === 'function').toBe(true);
      }
    }
  });

  test('leads from every state with every event to a state that has its own fields and no others', () => {
    expect(new Set(STATES.map(({ phase }) => phase))).toEqual(new Set(PHASES));
    for (const state of STATES) {
      for (const event of EVENTS) {
        const before = JSON.stringify(state);
        const next = step(state, event, { now: 5, random: 0.3, settings: SETTINGS });
        expect(Object.keys(next.state).sort()).toEqual(FIELDS[next.state.phase]);
        expect(JSON.stringify(state)).toBe(before);
        if (TABLE[state.phase][event.type] === IGNORED) expect(next).toEqual({ state, effects: [] });
      }
    }
  });

  test('a link that is left is closed, and its end is nobody else’s', () => {
    for (const state of STATES) {
      const driver = new Driver();
      driver.state = state;
      const had =
        state.phase === 'live' ? state.link : 'way' in state && 'link' in state.way ? state.way.link : undefined;
      driver.take({ type: 'stop' });
      expect(driver.effects.filter((effect) => effect.do === 'close')).toEqual(
        had === undefined ? [] : [{ do: 'close', link: had }],
      );
      expect(driver.state.phase).toBe('stopped');
    }
    const driver = new Driver().live();
    const { state } = driver;
    expect(driver.take({ type: 'ended', link: 99, end: { type: 'closed', code: 4500, reason: '' } }).state).toBe(state);
  });
});

describe('phases', () => {
  test('cold, loading, live, stale, backing off, stale, live, stopped', () => {
    const driver = new Driver();
    const seen = [driver.state.phase];
    const see = (): void => void seen.push(driver.state.phase);
    driver.open();
    see();
    driver.welcome().take({ type: 'copies', copies: 'current' });
    see();
    driver.take({ type: 'copies', copies: 'held' });
    see();
    driver.close(1006);
    see();
    driver.open();
    see();
    driver.welcome().take({ type: 'copies', copies: 'current' });
    see();
    driver.take({ type: 'stop' });
    see();
    expect(seen).toEqual(['cold', 'loading', 'live', 'stale', 'backing-off', 'stale', 'live', 'stopped']);
  });

  test('nothing to do is cold again', () => {
    const driver = new Driver().live().take({ type: 'unwanted' });
    expect(driver.state.phase).toBe('cold');
    expect(driver.effects[0]).toEqual({ do: 'close', link: 1 });
  });
});

describe('where to', () => {
  test('the next address after each failure, round and round', () => {
    const driver = new Driver();
    const urls = [];
    for (let i = 0; i < 4; i++) {
      urls.push(driver.open().opened);
      driver.end({ type: 'unreachable', detail: 'x', reached: false });
    }
    expect(urls).toEqual(['websocket http://a', 'websocket http://b', 'websocket http://a', 'websocket http://b']);
  });

  test.each([200, 400, 403, 404, 426, 502])('%s of something in between is the next carrier at once', (status) => {
    const driver = new Driver().open().refuse(status);
    expect(driver.state).toMatchObject({ phase: 'loading', way: { step: 'asking' } });
    expect(driver.open().opened).toBe('event-stream http://a');
    driver.refuse(status);
    expect(driver.open().opened).toBe('long-poll http://a');
    driver.refuse(status);
    expect(driver.state.phase).toBe('backing-off');
    expect(driver.open().opened).toBe('websocket http://b');
  });

  test('one of several addresses that answers nonsense, or takes no token, is left for the next', () => {
    for (const renewable of [true, false]) {
      const driver = new Driver({ renewable });
      const urls: (string | undefined)[] = [];
      for (let i = 0; i < 3; i++) {
        urls.push(driver.open().opened);
        driver.refuse(401);
      }
      const a = 'websocket http://a';
      expect(urls).toEqual(renewable ? [a, a, 'websocket http://b'] : [a, 'websocket http://b', a]);
    }
    expect(new Driver({ urls: ['http://a'] }).open().refuse(401).state.phase).toBe('stopped');
  });

  test.each([4000, 4001, 4003, 4321])('%s before the welcome is no fault of the carrier', (code) => {
    const driver = new Driver();
    for (let i = 0; i < 8; i++) {
      expect(driver.open().opened).toContain('websocket');
      driver.close(code, '{"retryAfterMs":20}');
      expect(driver.pause).toBe(20);
    }
  });

  test('a carrier that has worked and does not any more is left for the others', () => {
    const driver = new Driver().open().refuse(502).live().close(1006);
    const carriers = [];
    for (let i = 0; i < 10; i++) {
      carriers.push(driver.open().opened?.split(' ')[0]);
      driver.take({ type: 'elapsed', timer: 'open' });
    }
    const [three, worked] = [Array<string>(3).fill('websocket'), Array<string>(3).fill('event-stream')];
    expect(carriers).toEqual([...worked, ...three, 'event-stream', 'long-poll', 'websocket', 'websocket']);
  });

  test('a server that is not there at all is the fault of no carrier', () => {
    const driver = new Driver();
    for (let i = 0; i < 20; i++) {
      expect(driver.open().opened).toContain('websocket');
      driver.end({ type: 'unreachable', detail: 'x', reached: false });
    }
    for (let i = 0; i < 20; i++) {
      expect(driver.open().opened).toContain('websocket');
      driver.refuse(503, { problem: {} });
    }
  });

  test('three openings that bring no welcome are one attempt with another carrier', () => {
    const driver = new Driver();
    const carriers = [];
    for (let i = 0; i < 8; i++) {
      carriers.push(driver.open().opened?.split(' ')[0]);
      driver.take({ type: 'elapsed', timer: 'open' });
    }
    const three = ['websocket', 'websocket', 'websocket'];
    expect(carriers).toEqual([...three, 'event-stream', 'long-poll', ...three]);
  });

  test('the better carrier is tried again after minutes, and left at once where it still cannot be had', () => {
    const driver = new Driver().open().refuse(502).live();
    expect(driver.state.phase).toBe('live');
    driver.now = 5 * 60_000;
    driver.take({ type: 'elapsed', timer: 'better' });
    expect(driver.effects).toContainEqual({ do: 'close', link: 2 });
    expect(driver.state.phase).toBe('stale');
    expect(driver.open().opened).toBe('websocket http://a');
    driver.take({ type: 'elapsed', timer: 'open' });
    expect(driver.open().opened).toContain('event-stream');
    driver.welcome();
    const armed = driver.effects.find((effect) => effect.do === 'arm' && effect.timer === 'better');
    expect(armed).toMatchObject({ afterMs: 10 * 60_000 });
  });
});

test('the timer of the better carrier may come a moment early', () => {
  const driver = new Driver().open().refuse(502).live();
  driver.now = 5 * 60_000 - 0.5;
  driver.take({ type: 'elapsed', timer: 'better' });
  expect(driver.open().opened).toBe('websocket http://a');
});

describe('when', () => {
  test('full jitter: up to a bound that doubles with every failure', () => {
    const driver = new Driver();
    driver.random = 1;
    const pauses = [];
    for (let i = 0; i < 7; i++)
      pauses.push(driver.open().end({ type: 'unreachable', detail: 'x', reached: false }).pause);
    expect(pauses).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
    driver.random = 0;
    expect(driver.open().end({ type: 'unreachable', detail: 'x' }).pause).toBe(0);
  });

  test('PUSH5 after a silent break within what the welcome said, once', () => {
    const driver = new Driver().live({ resumeWithin: 60_000 });
    driver.now = 100_000;
    expect(driver.close(1006).pause).toBe(30_000);
    expect(driver.open().welcome({ resumeWithin: 60_000 }).close(1006).pause).toBe(200);
  });

  test('a link that is live only for a moment makes nothing good', () => {
    const driver = new Driver().live();
    const pauses = [];
    for (let i = 0; i < 4; i++) pauses.push(driver.close(1006).live().close(4001).pause);
    expect(pauses[3]).toBeGreaterThan(pauses[0] ?? Infinity);
    driver.live();
    driver.now += 5000;
    expect(driver.close(4001).pause).toBe(100);
  });

  test('a link that was live for long makes good what was before, also where its copies hear of its end first', () => {
    const driver = new Driver();
    for (let i = 0; i < 6; i++) {
      driver.live({ resumeWithin: 60_000 });
      driver.now += 3_600_000;
      driver.take({ type: 'copies', copies: 'held' });
      expect(driver.close(1006).pause).toBe(30_000);
    }
  });

  test('who closes the last watch and wants another one waits no less for that', () => {
    const driver = new Driver();
    for (let i = 0; i < 6; i++) driver.open().close(4003, '{"retryAfterMs":3000}');
    driver.now += 1000;
    driver.take({ type: 'unwanted' }, { type: 'wanted' });
    expect([driver.state.phase, driver.pause]).toEqual(['backing-off', 2000]);
    driver.take({ type: 'unwanted' });
    driver.now += 2000;
    expect(driver.take({ type: 'wanted' }).state.phase).toBe('loading');
  });

  test.each([4000, 4003, 4005])('%s: when the server says', (code) => {
    expect(new Driver().live().close(code, '{"retryAfterMs":1234}').pause).toBe(1234);
    expect(new Driver().live().close(code, '{"retryAfterMs":99999999}').pause).toBe(300_000);
  });

  test.each([429, 503])('%s: not before Retry-After, and not all at once', (status) => {
    expect(new Driver().open().refuse(status, { problem: {}, retryAfterMs: 3000 }).pause).toBe(3100);
  });

  test('silence of three heartbeats is death, halfway it is asked', () => {
    const driver = new Driver().live();
    const ticks = [];
    for (let i = 1; i <= 6; i++) {
      driver.now = i * 500;
      driver.take({ type: 'elapsed', timer: 'pulse' });
      ticks.push(driver.effects.map((effect) => effect.do)[0]);
    }
    expect(ticks).toEqual(['arm', 'arm', 'ping', 'arm', 'arm', 'close']);
    expect(driver.state.phase).toBe('backing-off');
  });

  test('a closed laptop asks at once, and gives one heartbeat to answer', () => {
    const driver = new Driver().live();
    driver.now = 600_000;
    driver.take({ type: 'elapsed', timer: 'pulse' });
    expect(driver.effects[0]).toEqual({ do: 'ping', link: 1 });
    driver.now += 500;
    driver.take({ type: 'elapsed', timer: 'pulse' });
    expect(driver.state.phase).toBe('live');
    driver.now += 500;
    driver.take({ type: 'elapsed', timer: 'pulse' });
    expect(driver.state.phase).toBe('backing-off');
  });
});

describe('tokens', () => {
  test('a fixed one that is refused before anything was loaded is the end', () => {
    const driver = new Driver().open().refuse(401, { problem: {} });
    expect(driver.state).toMatchObject({ phase: 'stopped', error: { code: 'unauthorized' } });
  });

  test('one that can be renewed is asked for anew at once; a second refusal is a pause', () => {
    const driver = new Driver({ renewable: true }).open().refuse(401);
    expect(driver.effects).toContainEqual({ do: 'ask-token', anew: true });
    driver.open().refuse(401);
    expect(driver.state.phase).toBe('backing-off');
    driver.take({ type: 'elapsed', timer: 'retry' });
    expect(driver.effects).toContainEqual({ do: 'ask-token', anew: true });
  });

  test('4004: another one; and with a fixed one of a client that was live, trying on', () => {
    const driver = new Driver({ renewable: true }).live().close(4004);
    expect(driver.take({ type: 'elapsed', timer: 'retry' }).effects).toContainEqual({ do: 'ask-token', anew: true });
    const fixed = new Driver().live().close(4004);
    expect(fixed.open().refuse(401).state.phase).toBe('backing-off');
  });

  test('one that cannot be had is waited for, unless it is known that it never can be', () => {
    const driver = new Driver().take({ type: 'wanted' }, { type: 'no-token', error: ERROR, final: false });
    expect(driver.state.phase).toBe('backing-off');
    expect(new Driver().take({ type: 'wanted' }, { type: 'no-token', error: ERROR, final: true }).state.phase).toBe(
      'stopped',
    );
  });

  test('one that does not come within the time of an opening is asked for again after a pause', () => {
    const driver = new Driver().take({ type: 'wanted' });
    expect(driver.effects).toContainEqual({ do: 'arm', timer: 'open', afterMs: 9000 });
    driver.take({ type: 'elapsed', timer: 'open' });
    expect(driver.state.phase).toBe('backing-off');
    expect(driver.effects[0]).toMatchObject({ do: 'report', error: { code: 'unauthorized' } });
    driver.take({ type: 'elapsed', timer: 'retry' });
    expect(driver.effects[0]).toEqual({ do: 'ask-token', anew: false });
    driver.take({ type: 'no-token', error: ERROR, final: false });
    expect(driver.effects).toContainEqual({ do: 'disarm', timer: 'open' });
  });

  test('403: the end for a fixed one before anything was loaded; for others the catalog may change', () => {
    expect(new Driver().open().refuse(403, { problem: {} }).state.phase).toBe('stopped');
    expect(new Driver({ renewable: true }).open().refuse(403, { problem: {} }).state.phase).toBe('backing-off');
    expect(new Driver().live().close(1006).open().refuse(403, { problem: {} }).state.phase).toBe('backing-off');
  });
});

describe('the end', () => {
  test.each([4500, 4501, 4999])('%s is one', (code) => {
    expect(new Driver().live().close(code, 'why').state).toMatchObject({ phase: 'stopped', error: { message: 'why' } });
  });

  test.each([1000, 1001, 1006, 1011, 3000, 4321, 4499, 5000])('%s is none', (code) => {
    expect(new Driver().live().close(code).state.phase).toBe('backing-off');
  });

  test('no common version of the protocol is one, said by the upgrade or by the welcome', () => {
    const problem = { type: '/problems/invalid', detail: 'Sec-WebSocket-Protocol must offer signalbox.v2' };
    expect(new Driver().open().refuse(400, { problem }).state).toMatchObject({ error: { code: 'protocol' } });
    const driver = new Driver().open().welcome({ protocol: 2 });
    expect(driver.state).toMatchObject({ phase: 'stopped', error: { code: 'protocol' } });
    expect(driver.effects[0]).toEqual({ do: 'close', link: 1 });
  });
});
