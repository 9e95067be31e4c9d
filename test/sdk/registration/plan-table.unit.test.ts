import { describe, expect, test } from '@jest/globals';
import { KeepPlan, type Action, type Happened, type Step } from '../../../src/sdk/registration/plan.ts';

/** All random numbers are 0: the longest of what is jittered, and no back-off. */
const planned = (): KeepPlan => new KeepPlan({ waitMs: 1000, random: () => 0 });

const LEASE: Happened = { type: 'registered', leaseMs: 15_000 };
const BESIDE_SOCKET: Happened = { type: 'registered', leaseMs: 15_000, heartbeatMs: 10_000 };
const CARRIED: Happened = { type: 'registered', leaseMs: 60_000, heartbeatMs: 10_000 };
const CHECKED: Happened = { type: 'registered' };

/** What was before: each leaves the plan somewhere else. */
const BEFORE = {
  nothing: [],
  'kept by HTTP': [['register', LEASE]],
  'on a socket, renewed': [['register', BESIDE_SOCKET]],
  'on a socket, carried': [['register', CARRIED]],
  'checked by Signalbox': [['register', CHECKED]],
  'away before it was registered': [['register', { type: 'away' }]],
  'away afterwards': [
    ['register', LEASE],
    ['renew', { type: 'away' }],
  ],
  'long lost': [
    ['register', LEASE],
    ['renew', { type: 'away' }],
    ['renew', { type: 'away' }, 20_000],
  ],
  refused: [['register', { type: 'refused' }]],
  'refused afterwards': [
    ['register', LEASE],
    ['renew', { type: 'refused' }],
  ],
} satisfies Record<string, readonly (readonly [Action, Happened, number?])[]>;

type Before = keyof typeof BEFORE;
const all = Object.keys(BEFORE) as Before[];

function after(before: Before): KeepPlan {
  const plan = planned();
  plan.first();
  for (const [action, happened, elapsedMs = 0] of BEFORE[before] as readonly (readonly [Action, Happened, number?])[]) {
    plan.next(action, happened, elapsedMs);
  }
  return plan;
}

const row = (step: Step | undefined): string =>
  step === undefined ? 'as planned' : `${step.action} ${step.afterMs}${step.say === undefined ? '' : ` ${step.say}`}`;

const table = (of: (before: Before) => Step | undefined): Record<string, string> =>
  Object.fromEntries(all.map((before) => [before, row(of(before))]));

/** The same for all but some. */
const allBut = (usual: string, others: Partial<Record<Before, string>>): Record<string, string> => ({
  ...Object.fromEntries(all.map((before) => [before, usual])),
  ...others,
});

const EARLY_MS = 1;

describe('what is done next, whatever was before', () => {
  test.each([
    ['look', { type: 'open' }, allBut('register 0', {})],
    ['look', { type: 'closed' }, allBut('look 100', {})],
    [
      'register',
      LEASE,
      allBut('renew 5000', {
        nothing: 'renew 5000 registered',
        'away before it was registered': 'renew 5000 registered',
        refused: 'renew 5000 registered',
        'away afterwards': 'renew 5000 back',
        'long lost': 'renew 5000 registered-again',
        'refused afterwards': 'renew 5000 registered-again',
      }),
    ],
    [
      'register',
      CARRIED,
      allBut('renew 30000', {
        nothing: 'renew 30000 registered',
        'away before it was registered': 'renew 30000 registered',
        refused: 'renew 30000 registered',
        'away afterwards': 'renew 30000 back',
        'long lost': 'renew 30000 registered-again',
        'refused afterwards': 'renew 30000 registered-again',
      }),
    ],
    [
      'register',
      { type: 'away', retryAfterMs: 700 },
      allBut('register 700 away', {
        'away before it was registered': 'register 700',
        'away afterwards': 'register 700',
        'long lost': 'register 700',
      }),
    ],
    [
      'register',
      { type: 'refused' },
      allBut('register 30000 refused', { refused: 'register 30000', 'refused afterwards': 'register 30000' }),
    ],
    [
      'register',
      { type: 'unauthorized' },
      allBut('register 0 refused', { refused: 'register 0', 'refused afterwards': 'register 0' }),
    ],
    [
      'renew',
      { type: 'renewed' },
      allBut('renew 5000', {
        nothing: 'renew 30000',
        'on a socket, carried': 'renew 30000',
        'checked by Signalbox': 'renew 30000',
        'away before it was registered': 'renew 30000 back',
        'away afterwards': 'renew 5000 back',
        'long lost': 'renew 5000 back',
        refused: 'renew 30000 back',
        'refused afterwards': 'renew 5000 back',
      }),
    ],
    ['renew', { type: 'gone' }, allBut('register 0 lost', {})],
    [
      'renew',
      { type: 'away' },
      allBut('renew 0 away', {
        'away before it was registered': 'renew 0',
        'away afterwards': 'renew 0',
        'long lost': 'renew 0',
      }),
    ],
    [
      'renew',
      { type: 'unauthorized' },
      allBut('renew 0 refused', { refused: 'renew 0', 'refused afterwards': 'renew 0' }),
    ],
    [
      'renew',
      { type: 'refused' },
      allBut('renew 0 refused', {
        nothing: 'register 30000 refused',
        'checked by Signalbox': 'register 30000 refused',
        'away before it was registered': 'register 30000 refused',
        refused: 'register 30000',
        'refused afterwards': 'renew 0',
      }),
    ],
  ] as const)('after %s: %j', (action, happened, expected) => {
    expect(table((before) => after(before).next(action, happened, EARLY_MS))).toEqual(expected);
  });

  test('a new socket: what has a lease registers again over it, what is refused stays refused', () => {
    expect(table((before) => after(before).moved('register', 'open', EARLY_MS))).toEqual(
      allBut('register 0', { refused: 'as planned', 'refused afterwards': 'as planned' }),
    );
    const renewing = table((before) => after(before).moved('renew', 'open', EARLY_MS));
    expect(renewing).toMatchObject({
      'kept by HTTP': 'register 0',
      'on a socket, renewed': 'register 0',
      'on a socket, carried': 'register 0',
      'checked by Signalbox': 'renew 0',
      'away afterwards': 'register 0',
      'long lost': 'register 0',
      'refused afterwards': 'as planned',
    });
    expect(table((before) => after(before).moved('look', 'open', EARLY_MS))).toEqual(allBut('as planned', {}));
  });

  test('no socket any more: only what it has carried is renewed sooner than planned', () => {
    const gone = (waiting: Action) => table((before) => after(before).moved(waiting, 'gone', EARLY_MS));
    expect(gone('renew')).toEqual(allBut('as planned', { 'on a socket, carried': 'renew 6000' }));
    expect(gone('register')).toEqual(allBut('as planned', {}));
    expect(gone('look')).toEqual(allBut('as planned', {}));
  });
});

test('INS1 without its socket a lease is renewed at a third of it again', () => {
  const plan = after('on a socket, carried');
  plan.moved('renew', 'gone', EARLY_MS);
  expect(row(plan.next('renew', { type: 'renewed' }, EARLY_MS))).toBe('renew 20000');
});

test('what cannot be asked about for longer than its lease is lost, which is told once', () => {
  const plan = after('kept by HTTP');
  const say = (elapsedMs: number) => plan.next('renew', { type: 'away' }, elapsedMs).say;
  expect([say(5000), say(14_999), say(15_000), say(16_000)]).toEqual(['away', undefined, 'lost', undefined]);
});

test('INS1 a refused renewal is tried again within the lease, and registered with pauses once that is over', () => {
  const plan = new KeepPlan({ waitMs: undefined, random: () => 1 });
  plan.next('register', LEASE, 0);
  const renewals: Step[] = [];
  let elapsedMs = 5000;
  for (let step = plan.next('renew', { type: 'refused' }, elapsedMs); step.action === 'renew';) {
    renewals.push(step);
    elapsedMs += step.afterMs;
    step = plan.next('renew', { type: 'refused' }, elapsedMs);
    if (step.action === 'register') expect(row(step)).toBe('register 24000');
  }
  expect(renewals.map(({ afterMs, say }) => [afterMs, say])).toEqual([
    [250, 'refused'],
    [500, undefined],
    [1000, undefined],
    [2000, undefined],
    [2500, undefined],
    [2500, undefined],
    [2500, undefined],
  ]);
});

test('INS6 what was only moved to another socket is no news; another generation is', () => {
  const say = (happened: Happened) => after('kept by HTTP').next('register', happened, EARLY_MS).say;
  expect(say({ ...BESIDE_SOCKET, isAnother: false })).toBeUndefined();
  expect(say({ ...BESIDE_SOCKET, isAnother: true })).toBe('registered-again');
});

test('a token that is not taken is tried again soon, for somebody may be about to renew it', () => {
  const plan = new KeepPlan({ waitMs: undefined, random: () => 1 });
  plan.next('register', LEASE, 0);
  const waits = Array.from({ length: 6 }, () => plan.next('renew', { type: 'unauthorized' }, 1).afterMs);
  expect(waits).toEqual([250, 500, 1000, 2000, 2500, 2500]);
});
