import type { ClientFrame } from '../../protocol/frames.ts';
import type { TokenSource } from '../auth.ts';
import { SignalboxError } from '../errors.ts';
import type { Time } from '../time.ts';
import type { Carrier, Link, LinkEvents, LinkFrame } from './link.ts';
import { INITIAL, step } from './machine.ts';
import { Reauth } from './reauth.ts';
import type { Effect, Event, Phase, Settings, State, Timer } from './state.ts';

/** A link that has brought a welcome. */
export interface Linked {
  /** Another one for each link. */
  readonly number: number;
  readonly epoch: string;
  readonly carrier: Carrier['name'];
  readonly url: string;
  /** What it was opened with. */
  readonly token: string | undefined;
  /** Milliseconds between the server's pings. */
  readonly heartbeatMs: number;
}

export interface ConnectionDeps {
  readonly settings: Settings;
  readonly carriers: readonly Carrier[];
  readonly tokens: TokenSource;
  readonly time: Time;
  readonly random: () => number;
  readonly onLinked: (linked: Linked) => void;
  /** After `onLinked`, before anything of the next link. */
  readonly onUnlinked: () => void;
  /** Of the link that was last told of; not its welcome. */
  readonly onFrame: (frame: LinkFrame) => void;
  readonly onPhase: (phase: Phase, error: SignalboxError | undefined) => void;
  readonly onError: (error: SignalboxError) => void;
}

interface Open {
  readonly number: number;
  readonly link: Link;
  readonly url: string;
  readonly carrier: Carrier['name'];
  readonly token: string | undefined;
  linked: boolean;
  epoch: string;
  heartbeatMs: number;
}

/** Carries out what the machine decides, and tells it what happens. */
export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #timers = new Map<Timer, () => void>();
  readonly #reauth: Reauth;
  #state: State = INITIAL;
  #told: Phase = INITIAL.phase;
  #open: Open | undefined;
  /** Of the token that is asked for now. */
  #asked = 0;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.#reauth = new Reauth({
      time: deps.time,
      token: () => deps.tokens.get(true),
      send: (token) => this.send({ type: 'reauth', token }),
    });
  }

  get phase(): Phase {
    return this.#state.phase;
  }

  send(frame: ClientFrame): void {
    if (this.#open?.linked === true) this.#open.link.send(frame);
  }

  take(event: Event): void {
    const { settings, time, random } = this.#deps;
    const { state, effects } = step(this.#state, event, { settings, now: time.now(), random: random() });
    this.#state = state;
    // One that is carried out may lead further, and back here.
    for (const effect of effects) this.#carryOut(effect);
    const now = this.#state;
    if (now.phase === this.#told) return;
    this.#told = now.phase;
    this.#deps.onPhase(now.phase, now.phase === 'stopped' ? now.error : undefined);
  }

  #carryOut(effect: Effect): void {
    const { time, onError } = this.#deps;
    switch (effect.do) {
      case 'ask-token':
        return this.#askToken(effect.anew);
      case 'open':
        return this.#openLink(effect);
      case 'close':
        this.#left(effect.link)?.link.close();
        return;
      case 'ping':
        return this.send({ type: 'ping' });
      case 'arm': {
        const { timer, afterMs } = effect;
        this.#timers.get(timer)?.();
        this.#timers.set(
          timer,
          time.after(afterMs, () => this.take({ type: 'elapsed', timer })),
        );
        return;
      }
      case 'disarm':
        this.#timers.get(effect.timer)?.();
        this.#timers.delete(effect.timer);
        return;
      case 'greet':
        return this.#greet(effect.link);
      case 'report':
        return onError(effect.error);
    }
  }

  #askToken(anew: boolean): void {
    const asked = (this.#asked += 1);
    const answer = (event: Event): void => {
      if (asked === this.#asked) this.take(event);
    };
    this.#deps.tokens.get(anew).then(
      (token) => answer({ type: 'token', token }),
      (error: unknown) => answer({ type: 'no-token', error: noToken(error), final: !this.#deps.tokens.renewable }),
    );
  }

  #openLink({ link: number, url, carrier: name, token }: Extract<Effect, { do: 'open' }>): void {
    const carrier = this.#deps.carriers.find((one) => one.name === name);
    if (carrier === undefined) throw new Error(`no carrier ${name}`);
    const events: LinkEvents = {
      onFrame: (frame) => this.#received(number, frame),
      onHeard: () => this.take({ type: 'heard', link: number }),
      onEnd: (end) => {
        this.#left(number);
        this.take({ type: 'ended', link: number, end });
      },
    };
    let link: Link;
    try {
      link = carrier.open({ url, token, openTimeoutMs: this.#deps.settings.openTimeoutMs }, events);
    } catch (error) {
      return events.onEnd({ type: 'unreachable', detail: `${url} cannot be opened: ${String(error)}` });
    }
    this.#open = { number, link, url, carrier: name, token, linked: false, epoch: '', heartbeatMs: 0 };
  }

  #received(number: number, frame: LinkFrame): void {
    const open = this.#open;
    if (open?.number !== number) return;
    if (frame.type === 'welcome') {
      const { protocol, heartbeat: heartbeatMs, resumeWithin } = frame;
      open.epoch = frame.epoch;
      open.heartbeatMs = heartbeatMs;
      return this.take({ type: 'welcomed', link: number, protocol, heartbeatMs, resumeWithin });
    }
    this.take({ type: 'heard', link: number });
    if (!open.linked) return;
    if (frame.type === 'reauth') return this.#reauth.wanted(frame.expiresIn);
    if (frame.type === 'error' && frame.code === 'invalid-token') return this.#reauth.refused();
    this.#deps.onFrame(frame);
  }

  #greet(number: number): void {
    const open = this.#open;
    if (open?.number !== number) return;
    open.linked = true;
    this.#reauth.linked(open.token);
    const { epoch, carrier, url, token, heartbeatMs } = open;
    this.#deps.onLinked({ number, epoch, carrier, url, token, heartbeatMs });
  }

  /** The link with this number is not the open one any more. */
  #left(number: number): Open | undefined {
    const open = this.#open;
    if (open?.number !== number) return undefined;
    this.#open = undefined;
    this.#reauth.stop();
    if (open.linked) this.#deps.onUnlinked();
    return open;
  }
}

const noToken = (error: unknown): SignalboxError =>
  error instanceof SignalboxError
    ? error
    : new SignalboxError('unauthorized', `The token for Signalbox cannot be had: ${String(error)}`, { cause: error });
