import { SignalboxError } from '../errors.ts';
import { afterWelcome } from './carrier-choice.ts';
import { beginPulse, feel, heardPulse, tickMs, type Pulse } from './pulse.ts';
import type { Copies, Effect, Event, Moment, Next, Past, Phase, State, Way } from './state.ts';
import {
  afterEnd,
  ask,
  backOff,
  connecting,
  jitter,
  open,
  stopped,
  tokenLate,
  urlOf,
  want,
  withoutLink,
} from './steps.ts';

type StateOf<P extends Phase> = Extract<State, { readonly phase: P }>;
type EventOf<E extends Event['type']> = Extract<Event, { readonly type: E }>;
type Handler<S extends State, E extends Event['type']> = (
  state: S,
  event: EventOf<E>,
  moment: Moment,
) => Next | undefined;

/** The event changes nothing in this state, and that is meant. */
export const IGNORED = 'ignored';

/** What each event does in each state; none is left out. */
export type Table = {
  readonly [P in Phase]: { readonly [E in Event['type']]: Handler<StateOf<P>, E> | typeof IGNORED };
};

type Connecting = StateOf<'loading' | 'stale'>;

const BEGINNING: Past = {
  failures: 0,
  url: 0,
  carrier: 0,
  works: undefined,
  misses: 0,
  unauthorized: 0,
  betterAt: undefined,
  trials: 0,
  retryAt: undefined,
  loaded: false,
  resumeWithin: undefined,
  links: 0,
};

export const INITIAL: State = { phase: 'cold', copies: 'missing', past: BEGINNING };

/** The states in which a connection is made have the same row: what differs is what the watches hold meanwhile. */
const CONNECTING: { readonly [E in Event['type']]: Handler<Connecting, E> | typeof IGNORED } = {
  wanted: IGNORED,
  unwanted: (state) => cool(copiesOf(state), state.past, linkOf(state.way)),
  token: (state, { token }, moment) =>
    state.way.step === 'asking' ? open(copiesOf(state), state.past, token, moment) : undefined,
  'no-token': (state, { error, final }, moment) => {
    if (state.way.step !== 'asking') return undefined;
    if (final && !state.past.loaded) return stopped(error);
    const pause = { afterMs: jitter(state.past, moment), now: moment.now };
    return opened(backOff(copiesOf(state), state.past, error, pause));
  },
  welcomed: (state, event, moment) =>
    state.way.step === 'opening' && state.way.link === event.link ? welcome(state, event, moment) : undefined,
  heard: (state, { link }, { now }) =>
    state.way.step === 'talking' && state.way.link === link
      ? { state: { ...state, way: { ...state.way, pulse: heardPulse(state.way.pulse, now) } }, effects: [] }
      : undefined,
  copies: (state, { copies }, { now }) => {
    const { way, past } = state;
    if (copies !== 'current' || way.step !== 'talking') {
      return { state: connecting(copies, way, past), effects: [] };
    }
    const { link, pulse } = way;
    return { state: live(link, pulse, { ...past, loaded: true, unauthorized: 0 }, now), effects: [] };
  },
  ended: (state, { link, end }, moment) => {
    if (linkOf(state.way) !== link) return undefined;
    return afterEnd({ copies: copiesOf(state), past: state.past, welcomed: state.way.step === 'talking' }, end, moment);
  },
  elapsed: (state, { timer }, moment) => {
    const { way, past } = state;
    if (timer === 'open' && way.step === 'opening') {
      const seconds = Math.round(moment.settings.openTimeoutMs / 1000);
      const detail = `${urlOf(past, moment.settings)} took the connection and said nothing for ${seconds} s.`;
      return lost({ copies: copiesOf(state), past, welcomed: false }, way.link, detail, moment);
    }
    if (timer === 'open' && way.step === 'asking') return tokenLate(copiesOf(state), past, moment);
    if (way.step !== 'talking') return undefined;
    const { link } = way;
    if (timer === 'better') return better(copiesOf(state), past, link, moment);
    if (timer !== 'pulse') return undefined;
    const copies = copiesOf(state);
    return beat(way.pulse, { copies, past, link }, moment, (pulse) => ({ ...state, way: { ...way, pulse } }));
  },
  stop: (state) => stopped(undefined, ...closing(linkOf(state.way))),
};

export const TABLE: Table = {
  cold: {
    wanted: ({ copies, past }, _event, moment) => want(copies, past, moment),
    unwanted: IGNORED,
    token: IGNORED,
    'no-token': IGNORED,
    welcomed: IGNORED,
    heard: IGNORED,
    copies: (state, { copies }) => ({ state: { ...state, copies: withoutLink(copies) }, effects: [] }),
    ended: IGNORED,
    elapsed: IGNORED,
    stop: () => stopped(undefined),
  },
  loading: CONNECTING,
  stale: CONNECTING,
  live: {
    wanted: IGNORED,
    unwanted: (state, _event, moment) => cool('held', rested(state, moment), state.link),
    token: IGNORED,
    'no-token': IGNORED,
    welcomed: IGNORED,
    heard: (state, { link }, { now }) =>
      link === state.link ? { state: { ...state, pulse: heardPulse(state.pulse, now) }, effects: [] } : undefined,
    copies: (state, { copies }, moment) => {
      if (copies === 'current') return undefined;
      const { link, pulse } = state;
      // The copies hear of the end of a link first: what it has made good is not lost by that.
      return { state: connecting(copies, { step: 'talking', link, pulse }, rested(state, moment)), effects: [] };
    },
    ended: (state, { link, end }, moment) =>
      link === state.link
        ? afterEnd({ copies: 'held', past: rested(state, moment), welcomed: true }, end, moment)
        : undefined,
    elapsed: (state, { timer }, moment) => {
      const { link, pulse } = state;
      if (timer === 'better') return better('held', rested(state, moment), link, moment);
      if (timer !== 'pulse') return undefined;
      const past = rested(state, moment);
      return beat(pulse, { copies: 'held', past, link }, moment, (felt) => ({ ...state, pulse: felt }));
    },
    stop: ({ link }) => stopped(undefined, ...closing(link)),
  },
  'backing-off': {
    wanted: IGNORED,
    unwanted: ({ copies, past }) => ({
      state: { phase: 'cold', copies, past },
      effects: [{ do: 'disarm', timer: 'retry' }],
    }),
    token: IGNORED,
    'no-token': IGNORED,
    welcomed: IGNORED,
    heard: IGNORED,
    copies: (state, { copies }) => ({ state: { ...state, copies: withoutLink(copies) }, effects: [] }),
    ended: IGNORED,
    elapsed: ({ copies, past }, { timer }, moment) =>
      timer === 'retry' ? ask(copies, past, moment, past.unauthorized > 0) : undefined,
    stop: () => stopped(undefined),
  },
  stopped: {
    wanted: IGNORED,
    unwanted: IGNORED,
    token: IGNORED,
    'no-token': IGNORED,
    welcomed: IGNORED,
    heard: IGNORED,
    copies: IGNORED,
    ended: IGNORED,
    elapsed: IGNORED,
    stop: IGNORED,
  },
};

/** The next state, and what is to be done. It knows no clock, no socket and no chance but what the moment brings. */
export function step(state: State, event: Event, moment: Moment): Next {
  const handler = TABLE[state.phase][event.type];
  // The table's own type says that the handler is of this state and this event.
  const next = handler === IGNORED ? undefined : (handler as Handler<State, Event['type']>)(state, event, moment);
  return next ?? { state, effects: [] };
}

const copiesOf = ({ phase }: Connecting): Copies => (phase === 'loading' ? 'missing' : 'held');

const linkOf = (way: Way): number | undefined => (way.step === 'asking' ? undefined : way.link);

const closing = (link: number | undefined): Effect[] => (link === undefined ? [] : [{ do: 'close', link }]);

const opened = ({ state, effects }: Next): Next => ({ state, effects: [{ do: 'disarm', timer: 'open' }, ...effects] });

const live = (link: number, pulse: Pulse, past: Past, now: number): State => ({
  phase: 'live',
  link,
  pulse,
  since: now,
  past,
});

/** A link that was live for a while has made good what failed before it. One that breaks at once again and again has not. */
const rested = ({ past, since }: StateOf<'live'>, { now, settings }: Moment): Past =>
  now - since >= settings.backoff.maxMs ? { ...past, failures: 0 } : past;

function cool(copies: Copies, past: Past, link: number | undefined): Next {
  const timers = (['open', 'pulse', 'better'] as const).map((timer) => ({ do: 'disarm', timer }) as const);
  return { state: { phase: 'cold', copies, past }, effects: [...closing(link), ...timers] };
}

function welcome(state: Connecting, event: EventOf<'welcomed'>, { now, settings }: Moment): Next {
  const { link, protocol, heartbeatMs, resumeWithin } = event;
  if (!settings.spoken.includes(protocol)) {
    const message = `${urlOf(state.past, settings)} speaks version ${protocol} of the push protocol, and this client ${settings.spoken.join(', ')}: use a newer client.`;
    return stopped(new SignalboxError('protocol', message), ...closing(link));
  }
  const past = { ...afterWelcome(state.past, now), resumeWithin };
  const pulse = beginPulse(heartbeatMs, now);
  const { betterAt } = past;
  return {
    state: { ...state, way: { step: 'talking', link, pulse }, past },
    effects: [
      { do: 'disarm', timer: 'open' },
      { do: 'arm', timer: 'pulse', afterMs: tickMs(pulse) },
      ...(betterAt === undefined ? [] : [{ do: 'arm', timer: 'better', afterMs: betterAt - now } as const]),
      { do: 'greet', link },
    ],
  };
}

interface Talk {
  readonly copies: Copies;
  readonly past: Past;
  readonly link: number;
}

function beat(pulse: Pulse, { copies, past, link }: Talk, moment: Moment, keep: (pulse: Pulse) => State): Next {
  const felt = feel(pulse, moment.now);
  if (felt.is === 'dead') {
    const detail = `nothing was heard for ${(felt.quietMs / 1000).toFixed(1)} s`;
    return lost({ copies, past, welcomed: true }, link, detail, moment);
  }
  const arm: Effect = { do: 'arm', timer: 'pulse', afterMs: tickMs(pulse) };
  return { state: keep(felt.pulse), effects: felt.is === 'quiet' ? [{ do: 'ping', link }, arm] : [arm] };
}

/** The link is given up from here: to the server, and to what comes next, it broke without a word. */
function lost(left: Parameters<typeof afterEnd>[0], link: number, detail: string, moment: Moment): Next {
  const next = afterEnd(left, { type: 'unreachable', detail }, moment);
  return { ...next, effects: [{ do: 'close', link }, ...next.effects] };
}

/** Positions stay, so that a change of carriers costs a moment and no snapshot. */
function better(copies: Copies, past: Past, link: number, moment: Moment): Next {
  // Its timer says that it is time, even where it comes a moment early.
  const due = past.betterAt === undefined ? past : { ...past, betterAt: moment.now };
  const next = ask(copies, due, moment);
  const timers = (['pulse', 'better'] as const).map((timer) => ({ do: 'disarm', timer }) as const);
  return { ...next, effects: [{ do: 'close', link }, ...timers, ...next.effects] };
}
