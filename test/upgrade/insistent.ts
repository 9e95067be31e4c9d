import { setTimeout as sleep } from 'node:timers/promises';
import { Caller, NoAnswer, revisionOf, type Reply } from '../acceptance/http-client.ts';

interface Acknowledged {
  /** Of what was written. */
  readonly revision: number;
  readonly name: string;
  readonly title: string;
}

/** Long enough that whoever asks again and again does not keep the machine busy. */
const PAUSE_MS = 15;

/** A client of several nodes: where there is none, or one that cannot now, it asks another, until it is answered. */
export class Insistent {
  readonly acknowledged: Acknowledged[] = [];
  /** Answers that no client should have to deal with. */
  readonly faults: string[] = [];
  readonly #callers: readonly Caller[];
  #turn: number;

  constructor(urls: readonly string[], turn: number) {
    this.#callers = urls.map((url) => new Caller(url));
    this.#turn = turn;
  }

  /** Writes one region after the other, each with a title of its own, and each at another node than the one before. */
  async write(who: string, going: () => boolean): Promise<void> {
    for (let n = 0; going(); n++) {
      this.#turn += 1;
      const region = { name: `regions/${who}-${n % 5}`, title: `${who} ${n}` };
      await this.#ask('PUT', `/v1/${region.name}`, region, (reply) => ({ ...region, revision: revisionOf(reply) }));
      await sleep(PAUSE_MS);
    }
    this.#close();
  }

  /** Renews a lease, so often, at one node for as long as that takes it: what one has said yes to, all have to know. */
  async renew(id: string, everyMs: number, going: () => boolean): Promise<void> {
    while (going()) {
      await this.#ask('POST', `/v1/instances/${id}/renew`, undefined, () => ({ revision: 0, name: id, title: '' }));
      await sleep(everyMs);
    }
    this.#close();
  }

  async #ask(method: string, path: string, body: unknown, done: (reply: Reply) => Acknowledged): Promise<void> {
    for (;;) {
      const caller = this.#callers[this.#turn % this.#callers.length] as Caller;
      const reply = await caller.send(method, path, body).catch((error: unknown) => error as NoAnswer);
      if (reply instanceof NoAnswer ? !reply.torn : reply.status === 503) {
        this.#turn += 1;
        await sleep(PAUSE_MS);
        continue;
      }
      if (reply instanceof NoAnswer || reply.status >= 300) {
        this.faults.push(reply instanceof NoAnswer ? `torn: ${reply.code}` : `${reply.status} ${reply.text}`);
      } else this.acknowledged.push(done(reply));
      return;
    }
  }

  #close(): void {
    for (const caller of this.#callers) caller.close();
  }
}
