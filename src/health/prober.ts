import { milliseconds } from '../domain/duration.ts';
import type { Egress } from './egress.ts';
import { probeGrpc } from './grpc-probe.ts';
import { closeIdle, createAgent, probeHttp, type KeepingAgent } from './http-probe.ts';
import { Attempt, noAnswer, type Aim } from './probe-attempt.ts';
import { critical, inWords } from './probe-finding.ts';
import { ResourcesExhausted, type Finding, type Prober, type Target } from './probe.ts';
import { createResolver, type Resolution, type Resolver } from './resolve.ts';
import { probeTcp } from './tcp-probe.ts';

export interface ProberDeps {
  readonly egress: Egress;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly resolver?: Resolver;
}

/** Looks at targets over the network: each name is resolved once, judged, and then connected to at the address judged. */
export const createProber = (deps: ProberDeps): Prober => new NetworkProber(deps);

/** Of a name with more, the others are not tried. */
const MAX_ADDRESSES = 4;

const STOPPED = critical('Signalbox has stopped checking');

class NetworkProber implements Prober {
  readonly #egress: Egress;
  readonly #now: () => number;
  readonly #resolver: Resolver;
  readonly #agents = new Map<string, KeepingAgent>();
  readonly #attempts = new Set<Attempt>();
  #closed = false;

  constructor({ egress, now, resolver }: ProberDeps) {
    this.#egress = egress;
    this.#now = now;
    this.#resolver = resolver ?? createResolver({ now });
  }

  async probe(target: Target): Promise<Finding> {
    try {
      const start = this.#now();
      const timeoutMs = milliseconds(target.check.timeout);
      const found = await this.#address(target.address, timeoutMs);
      if ('reason' in found) return critical(found.reason);
      let last: Finding | undefined;
      for (const address of found.addresses) {
        if (this.#closed) return STOPPED;
        const leftMs = start + timeoutMs - this.#now();
        if (leftMs <= 0) return last ?? noAnswer(target.check);
        const attempt = this.#look(target, address, leftMs);
        last = await attempt.finding;
        if (attempt.failure === 'ours') throw new ResourcesExhausted(last.reason);
        // A name may have several addresses, of which the instance listens on one: `localhost` is ::1 and 127.0.0.1.
        if (attempt.failure !== 'unreachable') return last;
      }
      return last ?? noAnswer(target.check);
    } catch (error) {
      if (error instanceof ResourcesExhausted) throw error;
      return critical(inWords(error));
    }
  }

  forget(target: Pick<Target, 'address' | 'port'>): void {
    for (const tls of [false, true]) {
      const key = agentKey(target, tls);
      const agent = this.#agents.get(key);
      if (agent === undefined) continue;
      this.#agents.delete(key);
      // A check that is under way goes on, and its connection is not kept.
      agent.maxFreeSockets = 0;
      closeIdle(agent);
    }
  }

  close(): void {
    this.#closed = true;
    for (const attempt of this.#attempts) attempt.end(STOPPED);
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #address(host: string, withinMs: number): Promise<Resolution> {
    const resolution = await this.#resolver.resolve(host, withinMs);
    if ('reason' in resolution) return resolution;
    const addresses = resolution.addresses.filter((each) => this.#egress.check(each) === undefined);
    if (addresses.length > 0) return { addresses: addresses.slice(0, MAX_ADDRESSES) };
    const [first = ''] = resolution.addresses;
    const which = first === host ? first : `${host}, which is ${first},`;
    return { reason: `the egress policy denies ${which} because it is ${this.#egress.check(first)}` };
  }

  #look(target: Target, ip: string, leftMs: number): Attempt {
    const { check } = target;
    const aim: Aim = { target, check, ip, port: check.port ?? target.port };
    const attempt = new Attempt(leftMs, check, (ended) => this.#attempts.delete(ended));
    this.#attempts.add(attempt);
    try {
      if (check.type === 'http') probeHttp({ ...aim, check }, this.#agent(target, check.tls), attempt);
      else if (check.type === 'grpc') probeGrpc({ ...aim, check }, attempt);
      else probeTcp({ ...aim, check }, attempt);
    } catch (error) {
      attempt.end(critical(inWords(error)));
    }
    return attempt;
  }

  #agent(target: Target, tls: boolean): KeepingAgent {
    const key = agentKey(target, tls);
    const agent = this.#agents.get(key) ?? createAgent(tls);
    this.#agents.set(key, agent);
    return agent;
  }
}

const agentKey = ({ address, port }: Pick<Target, 'address' | 'port'>, tls: boolean): string =>
  `${address} ${port} ${tls ? 'tls' : 'plain'}`;
