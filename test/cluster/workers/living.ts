import type { Answer } from '../../support/signalbox.ts';
import { parseDuration } from '../../../src/domain/duration.ts';
import { ask } from '../ask.ts';
import type { Asking, Death, Life, Sign } from '../record.ts';
import type { Door } from '../subscriber.ts';

/** So long a request may wait in the buffers of a node that stands still. */
const ON_ITS_WAY_MS = 15_000;

export interface Registering {
  readonly service: string;
  readonly region: string;
  readonly check: object;
  readonly [more: string]: unknown;
}

interface LifeCheck {
  readonly type: string;
  readonly ttl?: string;
  readonly interval?: string;
}

/** What it is answered. */
interface Registered {
  readonly id: string;
  readonly name: string;
  readonly detectionBound: string;
}

/** What the harness knows of an instance while it lives, dies and comes back; `life` is what the validators read. */
export class Living {
  readonly id: string;
  readonly life: Life;
  readonly #body: object;
  #death: { from: number; until: number; isLoose: boolean } | undefined;
  #unansweredAt = -Infinity;

  private constructor(id: string, life: Life, body: object) {
    this.id = id;
    this.life = life;
    this.#body = body;
  }

  /** Registers it for the first time; throws unless that works. */
  static async register(door: Door, body: Registering, asked?: readonly Asking[]): Promise<Living> {
    const sentAt = performance.now();
    const answer = await ask(door.url, 'POST', '/v1/instances', body);
    if (answer?.status !== 201) throw new Error(`not registered: ${answer?.status} ${JSON.stringify(answer?.body)}`);
    const { instance, ...registered } = answer.body;
    return Living.#born(registered, instance.check, body, sentAt, asked === undefined ? {} : { asked });
  }

  /** One that has registered for the first time over a socket. */
  static of(registered: Registered, body: Registering, sentAt: number, signs: Sign[]): Living {
    return Living.#born(registered, body.check as LifeCheck, body, sentAt, { signs });
  }

  static #born(
    { id, name, detectionBound }: Registered,
    { type, ttl, interval }: LifeCheck,
    body: Registering,
    sentAt: number,
    more: Pick<Life, 'asked' | 'signs'>,
  ): Living {
    const life: Life = {
      name,
      group: `${body.service}/${body.region}`,
      check: type === 'ttl' ? 'ttl' : 'http',
      everyMs: parseDuration(ttl ?? interval ?? '') as number,
      boundMs: parseDuration(detectionBound) as number,
      renewals: [{ sentAt, answeredAt: performance.now() }],
      deaths: [],
      leavings: [],
      ...more,
    };
    return new Living(id, life, body);
  }

  get isDead(): boolean {
    return this.#death !== undefined;
  }

  get death(): Death | undefined {
    return this.#death;
  }

  /** Acknowledged: whoever asks finds it. */
  renewed(sentAt: number): void {
    this.life.renewals.push({ sentAt, answeredAt: performance.now() });
  }

  /** Its socket is open, and its node speaks. */
  sign(node: string): void {
    this.life.signs?.push({ at: performance.now(), node });
  }

  /** Whether it was heard, and when, nobody knows. */
  unanswered(): void {
    this.#unansweredAt = performance.now();
  }

  /** Nothing may be under way that would renew it. */
  die(): void {
    const from = performance.now();
    this.#death = { from, until: Infinity, isLoose: from - this.#unansweredAt < ON_ITS_WAY_MS };
    this.life.deaths.push(this.#death);
  }

  /** What it said last may be read later. */
  mayBeHeardYet(): void {
    if (this.#death !== undefined) this.#death.isLoose = true;
  }

  revive(): void {
    if (this.#death !== undefined) this.#death.until = performance.now();
    this.#death = undefined;
  }

  /** Again, because it was gone or comes back. True when it is there. */
  async registerAgain(door: Door): Promise<boolean> {
    const sentAt = performance.now();
    const answer: Answer | undefined = await ask(door.url, 'POST', '/v1/instances', this.#body);
    const done = answer?.status === 200 || answer?.status === 201;
    if (answer === undefined) this.unanswered();
    if (done) this.renewed(sentAt);
    return done;
  }

  async deregister(door: Door): Promise<void> {
    this.life.leavings.push(performance.now());
    await ask(door.url, 'DELETE', `/v1/instances/${this.id}`);
  }
}
