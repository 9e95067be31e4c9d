import { setTimeout as sleep } from 'node:timers/promises';
import { isNotNow } from '../../acceptance/not-now.ts';
import { acknowledgementsOf, type Acknowledgement, type Asked } from '../../acceptance/acknowledgement.ts';
import type { Random } from '../../support/random.ts';
import type { Answer } from '../../support/signalbox.ts';
import { call } from '../../support/signalbox.ts';
import { ask } from '../ask.ts';
import type { Door } from '../subscriber.ts';

const REGIONS = ['cov-a', 'cov-b', 'cov-c'];
/** Each may import from those before it. */
const SERVICES = ['base.example.com', 'middle.example.com', 'top.example.com'];
const VERSIONS = ['v1', 'v2'];
const OWNER = 'projects/coverage/service-accounts/deployer';
const PAUSE_MS = 120;

/**
 * Adds imports, deploys who imports, and removes, disables and downgrades what is imported, all at once and at any node: most of
 * it is refused, and what is not must leave nobody without what they import (COV2).
 */
export class ImportWriter {
  accepted = 0;
  refused = 0;
  failed = 0;
  readonly odd: Answer[] = [];
  readonly #doors: readonly Door[];
  readonly #random: Random;
  readonly #name: string;
  readonly #note: (made: Acknowledgement) => void;
  #n = 0;

  /** `name`: no other writer has it. `note` is told of each resource that an answer said was written. */
  constructor(name: string, doors: readonly Door[], random: Random, note: (made: Acknowledgement) => void) {
    this.#name = name;
    this.#doors = doors;
    this.#random = random;
    this.#note = note;
  }

  static async prepare(url: string): Promise<void> {
    const documents = [
      { name: 'projects/coverage', title: 'Coverage' },
      { name: OWNER },
      ...REGIONS.map((id) => ({ name: `regions/${id}`, title: id })),
      ...SERVICES.flatMap((id) => [
        {
          name: `services/${id}`,
          displayName: id,
          project: 'coverage',
          creator: OWNER,
          globalEndpoint: id,
          primaryRegion: 'cov-a',
        },
        ...VERSIONS.map((version) => ({ name: `services/${id}/versions/${version}` })),
        deployment(id, 'cov-a', 'v2', false),
      ]),
    ];
    const answer = await call(url, 'POST', '/v1/apply', documents);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  }

  async work(goOn: () => boolean): Promise<void> {
    while (goOn()) {
      await this.step();
      await sleep(this.#random.below(2 * PAUSE_MS));
    }
  }

  async step(): Promise<void> {
    const random = this.#random;
    const { url } = random.pick(this.#doors);
    const service = random.pick(SERVICES);
    const dice = random.below(100);
    const asked = dice < 25 ? this.#import() : this.#deploy(service, dice);
    const answer = await ask(url, asked.method, asked.path, asked.body);
    if (answer === undefined || isNotNow(answer)) this.failed += 1;
    else if (answer.status < 300) {
      this.accepted += 1;
      acknowledgementsOf(asked, answer).forEach(this.#note);
    } else if (answer.status === 409 || answer.status === 404) this.refused += 1;
    else this.odd.push(answer);
  }

  #import(): Asked {
    const random = this.#random;
    const at = 1 + random.below(SERVICES.length - 1);
    const name = `services/${SERVICES[at]}/versions/${random.pick(VERSIONS)}`;
    const imports = SERVICES.slice(0, at)
      .filter(() => random.chance(0.4))
      .map((service) => ({ service, version: random.pick(VERSIONS) }));
    return { method: 'PUT', path: `/v1/${name}`, body: { name, imports, labels: this.#stamp() } };
  }

  #deploy(service: string, dice: number): Asked {
    const region = this.#random.pick(REGIONS);
    if (dice < 45) return { method: 'DELETE', path: `/v1/services/${service}/deployments/${region}` };
    const document = deployment(service, region, this.#random.pick(VERSIONS), this.#random.chance(0.15));
    return { method: 'PUT', path: `/v1/${document.name}`, body: { ...document, labels: this.#stamp() } };
  }

  /** No other write has it. */
  #stamp(): Record<string, string> {
    return { by: this.#name, n: String((this.#n += 1)) };
  }
}

const deployment = (id: string, region: string, currentVersion: string, disabled: boolean) => ({
  name: `services/${id}/deployments/${region}`,
  regionalEndpoint: `${region}.${id}`,
  currentVersion,
  disabled,
});
