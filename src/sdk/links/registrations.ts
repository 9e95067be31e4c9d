import { parseDuration } from '../../domain/duration.ts';
import type {
  ClientFrame,
  DeregisterFrame,
  RegisteredFrame,
  RegisterFrame,
  RenewFrame,
} from '../../protocol/frames.ts';
import type { LinkFrame } from '../connection/link.ts';
import { Refusal, registrationError } from './refusal.ts';
import { within } from './wire.ts';

export interface RegistrationDeps {
  request(path: string, init: RequestInit): Promise<Response>;
  /** Milliseconds for each request. */
  readonly timeoutMs: number;
  tell(frame: LinkFrame): void;
  /** The link cannot go on. */
  fail(error: unknown): void;
}

type RegistrationFrame = Extract<ClientFrame, { type: 'register' | 'renew' | 'deregister' }>;

interface Attached {
  readonly generation: number;
  readonly leaseMs: number | undefined;
}

/** Leases are renewed so often in the time that they last. */
const RENEWALS_IN_A_LEASE = 3;

/**
 * Registrations as HTTP requests, answered with the frames that a socket would bring, in the order in which they were asked.
 * What was registered here is renewed until the link ends, as it would be by being heard on a socket.
 */
export class Registrations {
  readonly #deps: RegistrationDeps;
  readonly #attached = new Map<string, Attached>();
  #last: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(deps: RegistrationDeps) {
    this.#deps = deps;
  }

  send(frame: RegistrationFrame): void {
    this.#last = this.#last.then(() => this.#carryOut(frame));
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #carryOut(frame: RegistrationFrame): Promise<void> {
    try {
      this.#deps.tell(await this.#answer(frame));
    } catch (error) {
      const told = registrationError(frame.id, error);
      if (told === undefined) this.#deps.fail(error);
      else this.#deps.tell(told);
    }
  }

  #answer(frame: RegistrationFrame): Promise<LinkFrame> {
    if (frame.type === 'register') return this.#register(frame);
    return frame.type === 'renew' ? this.#renew(frame) : this.#deregister(frame);
  }

  async #register({ id, instance }: RegisterFrame): Promise<LinkFrame> {
    const answer = (await this.#json('/v1/instances', 'POST', instance)) as RegisteredFrame['instance'] & {
      readonly revision: number;
    };
    const { name, generation, lease, detectionBound, revision } = answer;
    const leaseMs = lease === undefined ? undefined : parseDuration(lease);
    this.#attached.set(answer.id, { generation, leaseMs });
    this.#schedule();
    const registered = { id: answer.id, name, generation, ...(lease !== undefined && { lease }), detectionBound };
    return { type: 'registered', id, instance: registered, revision };
  }

  async #renew({ id, instances: ids = [...this.#attached.keys()] }: RenewFrame): Promise<LinkFrame> {
    const answer = { type: 'renewed', ...(id !== undefined && { id }) } as const;
    if (ids.length === 0) return { ...answer, renewed: 0, unknown: [] };
    const instances = ids.map((each) => ({ id: each, generation: this.#attached.get(each)?.generation }));
    const { renewed, unknown } = (await this.#json('/v1/instances/renew', 'POST', { instances })) as {
      readonly renewed: number;
      readonly unknown: string[];
    };
    for (const each of unknown) this.#attached.delete(each);
    return { ...answer, renewed, unknown };
  }

  async #deregister({ id, instance }: DeregisterFrame): Promise<LinkFrame> {
    const generation = this.#attached.get(instance)?.generation;
    const path = `/v1/instances/${encodeURIComponent(instance)}`;
    const query = generation === undefined ? '' : `?generation=${generation}`;
    const revision = await this.#json(path + query, 'DELETE').then(
      (answer) => (answer as { readonly revision: number }).revision,
      (error: unknown) => {
        if (error instanceof Refusal && error.status === 404) return 0;
        throw error;
      },
    );
    this.#attached.delete(instance);
    return { type: 'deregistered', id, instance, revision };
  }

  #json(path: string, method: string, body?: object): Promise<unknown> {
    const init = {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    };
    return within(this.#deps.timeoutMs, undefined, async (signal) => {
      const response = await this.#deps.request(path, { ...init, signal });
      return response.json();
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const leases = [...this.#attached.values()].map(({ leaseMs }) => leaseMs ?? Infinity);
    const shortest = Math.min(Infinity, ...leases);
    if (this.#isStopped || shortest === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#last = this.#last.then(() => this.#keep()).then(() => this.#schedule());
    }, shortest / RENEWALS_IN_A_LEASE);
  }

  /** A renewal that nobody asked for is told only where it says that something is gone. */
  async #keep(): Promise<void> {
    try {
      const frame = await this.#renew({ type: 'renew' });
      if (frame.type === 'renewed' && frame.unknown.length > 0) this.#deps.tell(frame);
    } catch (error) {
      if (registrationError(undefined, error) === undefined) this.#deps.fail(error);
    }
  }
}
