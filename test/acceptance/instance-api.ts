import { afterAll } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from '../../src/domain/duration.ts';
import { call, type Answer } from '../support/signalbox.ts';
import { Caller } from './http-client.ts';

/** What the answer to a registration has. */
export interface Registered {
  readonly id: string;
  readonly name: string;
  readonly generation: number;
  readonly revision: number;
  readonly lease?: string;
  readonly detectionBound: string;
  readonly instance: InstanceValue;
}

/** As much of an instance as the tests look at. */
export interface InstanceValue {
  readonly name: string;
  readonly revision: number;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly generation: number;
  readonly passing: boolean;
  readonly status: 'passing' | 'warning' | 'critical';
  readonly statusReason: string;
  readonly mode: string;
  readonly weight: number;
  readonly registeredWeight: number;
  readonly detectionBound: string;
  readonly displacedBy?: string;
  readonly override?: { readonly reason: string };
}

/** A check as fast as one may be, unless told otherwise. */
export const httpCheck = (rest: object = {}): object => ({
  type: 'http',
  path: '/health',
  interval: '500ms',
  timeout: '200ms',
  unhealthyAfter: 1,
  healthyAfter: 1,
  ...rest,
});

export const ttlCheck = (ttl: string, rest: object = {}): object => ({ type: 'ttl', ttl, ...rest });

/** A registration with a lease of 30 s, unless told otherwise. */
export const instance = (service: string, port: number, rest: object = {}): object => ({
  service,
  protocol: 'http',
  address: '127.0.0.1',
  port,
  ...rest,
});

export const boundOf = ({ detectionBound }: Pick<Registered, 'detectionBound'>): number => {
  const ms = parseDuration(detectionBound);
  if (ms === undefined) throw new Error(`not a duration: ${detectionBound}`);
  return ms;
};

function registered({ status, body }: Pick<Answer, 'status' | 'body'>): Registered {
  if (status !== 200 && status !== 201) throw new Error(`not registered: ${status} ${JSON.stringify(body)}`);
  return body as Registered;
}

export const register = async (url: string, body: object): Promise<Registered> =>
  registered(await call(url, 'POST', '/v1/instances', body));

const CONNECTIONS = 32;

/** Registers many over a few connections, in any order; the answers are in the order of the bodies. */
export async function registerAll(
  url: string,
  bodies: readonly object[],
  onEach: (registered: Registered) => void = () => {},
): Promise<Registered[]> {
  const answers: Registered[] = [];
  const rest = bodies.entries();
  await Promise.all(
    Array.from({ length: Math.min(CONNECTIONS, bodies.length) }, async () => {
      const caller = new Caller(url);
      // All take from the same iterator.
      for (const [i, body] of rest) {
        const answer = registered(await caller.send('POST', '/v1/instances', body));
        answers[i] = answer;
        onEach(answer);
      }
      caller.close();
    }),
  );
  return answers;
}

async function got(url: string, path: string): Promise<Answer['body']> {
  const { status, body } = await call(url, 'GET', path);
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

export const headOf = async (url: string): Promise<number> => (await got(url, '/v1/state')).revision as number;

/** What callers of the service are told to call. */
export const passingOf = async (url: string, service: string): Promise<InstanceValue[]> =>
  (await got(url, `/v1/services/${service}/instances?passing=true`)).items as InstanceValue[];

export const instancesOf = async (url: string, service: string): Promise<InstanceValue[]> =>
  (await got(url, `/v1/services/${service}/instances`)).items as InstanceValue[];

/** An instance with its report. */
export const read = (url: string, id: string): Promise<Answer['body']> => got(url, `/v1/instances/${id}`);

export const advisoriesOf = async (url: string, service: string): Promise<Answer['body'][]> =>
  ((await got(url, '/v1/advisories')).items as Answer['body'][]).filter((one) => one.service === service);

const keepers = new Set<Keeper>();
afterAll(() => Promise.all([...keepers].map((keeper) => keeper.stop())));

/** Keeps the leases of many as an agent would: again and again, whatever becomes of the requests before. */
export class Keeper {
  readonly ids: Set<string>;
  /** Ids that the server did not know. */
  readonly unknown: string[] = [];
  renewals = 0;
  /** Requests that were answered otherwise than they should be, or not at all. */
  failures = 0;
  readonly #url: string;
  readonly #run: Promise<void>;
  readonly #underWay = new Set<Promise<void>>();
  #stopped = false;

  constructor(url: string, everyMs: number, ids: readonly string[] = []) {
    this.#url = url;
    this.ids = new Set(ids);
    this.#run = this.#keep(everyMs);
    keepers.add(this);
  }

  async renew(): Promise<void> {
    const instances = [...this.ids];
    if (instances.length === 0) return;
    try {
      const { status, body } = await call(this.#url, 'POST', '/v1/instances/renew', { instances });
      if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
      this.renewals += body.renewed as number;
      this.unknown.push(...(body.unknown as string[]));
    } catch {
      this.failures += 1;
    }
  }

  /** Resolves once nothing can renew these any more. */
  async drop(...ids: readonly string[]): Promise<void> {
    for (const id of ids) this.ids.delete(id);
    await Promise.all(this.#underWay);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    keepers.delete(this);
    await this.#run;
    await Promise.all(this.#underWay);
  }

  async #keep(everyMs: number): Promise<void> {
    while (!this.#stopped) {
      const renewal = this.renew().finally(() => this.#underWay.delete(renewal));
      this.#underWay.add(renewal);
      await sleep(everyMs);
    }
  }
}
