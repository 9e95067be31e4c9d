import type { Caller, Origin } from '../domain/command.ts';
import type { DeregisterFrame, ErrorFrame, RegisterFrame, RenewFrame, ServerFrame } from '../protocol/frames.ts';
import type { Peer } from './peer.ts';
import type { Answer, Registrar, SignsOfLife } from './registrar.ts';

/** Instances on one socket. */
export const MAX_REGISTRATIONS = 1000;
/** Requests of one socket that may wait for their answers. */
export const MAX_UNANSWERED = 64;

const NO_LEASES = 'this node keeps no leases (HEALTH_CHECKS=off); connect to the one that does';

export type RegistrationFrame = RegisterFrame | RenewFrame | DeregisterFrame;

/** Who registers over it, as far as is known now. */
export interface Registering extends SignsOfLife {
  readonly caller: Caller;
  readonly peer: Pick<Peer, 'remoteAddress' | 'requestId'>;
}

/** The instances that were registered over one socket, which keeps their leases for as long as it is heard. */
export class Registrations {
  readonly #registrar: Registrar;
  readonly #life: Registering;
  readonly #origin: Origin;
  readonly #send: (frame: ServerFrame) => void;
  /** Generations by id, so that this socket does not keep alive what has taken the place of its own (INS6). */
  readonly #instances = new Map<string, number>();
  #unanswered = 0;
  /** Registrations among them. */
  #arriving = 0;
  #lastAnswer: Promise<void> = Promise.resolve();
  #ended = false;
  /** Nodes share the leases, so that renewals wait for their answers too. */
  #renewalsWait = false;

  constructor(registrar: Registrar, life: Registering, send: (frame: ServerFrame) => void) {
    const { remoteAddress, requestId } = life.peer;
    this.#registrar = registrar;
    this.#origin = { address: remoteAddress, ...(requestId !== undefined && { requestId }) };
    this.#life = life;
    this.#send = send;
  }

  get size(): number {
    return this.#instances.size;
  }

  handle(frame: RegistrationFrame): void {
    if (this.#unanswered >= MAX_UNANSWERED && (frame.type !== 'renew' || this.#renewalsWait)) {
      const message = `${MAX_UNANSWERED} requests of this socket wait for their answers; wait for one of them`;
      return this.#error({ code: 'too-many-requests', ...(frame.id !== undefined && { id: frame.id }), message });
    }
    if (frame.type === 'renew') this.#renew(frame);
    else if (frame.type === 'register') this.#register(frame);
    else this.#deregister(frame);
  }

  /** The socket is gone: nobody is removed, but from now on the leases run out. */
  end(): void {
    this.#ended = true;
    for (const id of this.#instances.keys()) this.#registrar.detach(id, this.#life);
    this.#instances.clear();
  }

  #register({ id, instance }: RegisterFrame): void {
    // It would promise to keep a lease that nobody here keeps.
    if (!this.#registrar.keepsLeases) return this.#error({ code: 'unavailable', message: NO_LEASES, id });
    if (this.#instances.size + this.#arriving >= MAX_REGISTRATIONS) {
      const message = `a socket keeps at most ${MAX_REGISTRATIONS} instances; open another for more`;
      return this.#error({ code: 'too-many-registrations', id, message });
    }
    this.#arriving += 1;
    this.#inTurn(this.#registrar.register(this.#life.caller, instance, this.#origin), (answer) => {
      this.#arriving -= 1;
      if (!answer.ok) return this.#error({ ...answer.error, id });
      const { instance: registered, revision } = answer.value;
      this.#instances.set(registered.id, registered.generation);
      this.#registrar.attach(registered.id, this.#life);
      this.#send({ type: 'registered', id, instance: registered, revision });
    });
  }

  /** Whoever registers is somebody else now: the leases of what is not theirs any more run on without this socket. */
  lookAgain(): void {
    if (!this.#registrar.keepsLeases) return;
    for (const [instance, generation] of this.#instances) {
      if (this.#registrar.renew(this.#life.caller, instance, generation) !== false) continue;
      this.#instances.delete(instance);
      this.#registrar.detach(instance, this.#life);
    }
  }

  #deregister({ id, instance }: DeregisterFrame): void {
    const generation = this.#instances.get(instance);
    this.#inTurn(this.#registrar.deregister(this.#life.caller, instance, generation, this.#origin), (answer) => {
      if (!answer.ok) return this.#error({ ...answer.error, id });
      if (this.#instances.delete(instance)) this.#registrar.detach(instance, this.#life);
      this.#send({ type: 'deregistered', id, instance, revision: answer.value.revision });
    });
  }

  #renew({ id, instances = [...this.#instances.keys()] }: RenewFrame): void {
    const about = id === undefined ? {} : { id };
    if (!this.#registrar.keepsLeases) {
      return this.#error({ code: 'unavailable', message: NO_LEASES, ...about });
    }
    const asked = instances.map((instance) =>
      this.#registrar.renew(this.#life.caller, instance, this.#instances.get(instance)),
    );
    const answer = (renewed: readonly boolean[]): void => {
      const unknown = instances.filter((_, i) => renewed[i] !== true);
      this.#send({ type: 'renewed', ...about, renewed: instances.length - unknown.length, unknown });
    };
    if (asked.every((each) => typeof each === 'boolean')) return answer(asked);
    this.#renewalsWait = true;
    this.#inTurn(allOf(asked), (answers) => {
      if (answers.ok) answer(answers.value);
      else this.#error({ ...answers.error, ...about });
    });
  }

  /** Answers come in the order of the requests, so that the last word about an instance is the last one that was asked for. */
  #inTurn<T>(asked: Promise<Answer<T>>, answer: (answer: Answer<T>) => void): void {
    this.#unanswered += 1;
    this.#lastAnswer = this.#lastAnswer
      .then(() => asked)
      .then((given) => {
        this.#unanswered -= 1;
        if (!this.#ended) answer(given);
      });
  }

  #error(error: Omit<ErrorFrame, 'type'>): void {
    this.#send({ type: 'error', ...error });
  }
}

/** All of them, or the first that failed. */
async function allOf(asked: readonly (boolean | Promise<Answer<boolean>>)[]): Promise<Answer<boolean[]>> {
  const value: boolean[] = [];
  for (const each of asked) {
    const answer = await each;
    if (typeof answer === 'boolean') value.push(answer);
    else if (answer.ok) value.push(answer.value);
    else return answer;
  }
  return { ok: true, value };
}
