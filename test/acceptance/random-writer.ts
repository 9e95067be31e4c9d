import { call } from '../support/signalbox.ts';
import { isNotNow } from './not-now.ts';
import { Random } from '../support/random.ts';
import { acknowledgementsOf, type Acknowledgement, type Asked } from './acknowledgement.ts';

export const REGIONS = ['us-east', 'us-west', 'eu-west', 'eu-north', 'ap-south'];
export const SERVICES = ['iam.example.com', 'logs.example.com', 'devices.example.com', 'maps.example.com'];
const TIERS = ['gold', 'silver', undefined];

const OWNER = 'projects/core/service-accounts/deployer';

/** A small world to write in: a service is deployed in its primary region, the rest comes and goes. */
export const WORLD: readonly object[] = [
  { name: 'projects/core', title: 'Core' },
  { name: OWNER },
  ...REGIONS.map((id) => ({ name: `regions/${id}`, title: id })),
  ...SERVICES.flatMap((id) => [service(id, {}), { name: `services/${id}/versions/v1` }, deployment(id, 'us-east', {})]),
];

const put = (document: { readonly name: string; readonly [field: string]: unknown }): Asked => ({
  method: 'PUT',
  path: `/v1/${document.name}`,
  body: document,
});

function service(id: string, labels: object): object {
  return {
    name: `services/${id}`,
    displayName: id,
    project: 'core',
    creator: OWNER,
    globalEndpoint: id,
    primaryRegion: 'us-east',
    labels,
  };
}

function deployment(id: string, region: string, rest: object): object {
  return {
    name: `services/${id}/deployments/${region}`,
    regionalEndpoint: `${region}.${id}`,
    currentVersion: 'v1',
    ...rest,
  };
}

/** One of several who write at the same time. The same seed asks for the same. */
export class RandomWriter {
  readonly #url: string;
  readonly #random: Random;
  readonly #name: string;
  readonly #note: (made: Acknowledgement) => void;
  #n = 0;
  /** The revision of each write that was acknowledged. */
  readonly acknowledged: number[] = [];
  refused = 0;
  /** Writes to which no answer came, or that they are to be sent again. */
  failed = 0;

  /** `note` is told of each resource that an answer said was written. */
  constructor(url: string, seed: number, note: (made: Acknowledgement) => void = () => undefined) {
    this.#url = url;
    this.#note = note;
    this.#random = new Random(seed);
    this.#name = `w${seed}`;
  }

  async write(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.step();
  }

  async step(): Promise<void> {
    const asked = this.#next();
    const answer = await call(this.#url, asked.method, asked.path, asked.body).catch(() => undefined);
    const status = answer?.status ?? 503;
    if (status === 409 || status === 404) this.refused += 1;
    else if (answer === undefined || isNotNow(answer)) this.failed += 1;
    else if (status < 300) {
      this.acknowledged.push(Number(answer.headers.get('x-signalbox-revision')));
      acknowledgementsOf(asked, answer).forEach(this.#note);
    } else throw new Error(`${status} ${JSON.stringify(answer.body)}`);
  }

  #next(): Asked {
    const random = this.#random;
    const region = random.pick(REGIONS);
    const id = random.pick(SERVICES);
    const dice = random.below(100);
    if (dice < 20) return put({ name: `regions/${region}`, title: this.#stamp(), labels: this.#labels() });
    if (dice < 40)
      return { method: 'PATCH', path: `/v1/services/${id}`, body: { labels: { tier: this.#tier() ?? null } } };
    if (dice < 65) return put(this.#deployment(id, region));
    if (dice < 77) return { method: 'DELETE', path: `/v1/services/${id}/deployments/${region}` };
    // Changes nothing the second time, and so makes no revision (REV3).
    if (dice < 82) return put({ name: 'projects/core', title: 'Core' });
    const documents = [
      service(id, this.#labels()),
      ...REGIONS.filter(() => random.chance(0.5)).map((one) => this.#deployment(id, one)),
      { name: `regions/${region}`, title: this.#stamp(), labels: this.#labels() },
    ];
    return { method: 'POST', path: '/v1/apply', body: documents };
  }

  #deployment(id: string, region: string): { name: string } {
    return deployment(id, region, { labels: this.#labels(), disabled: this.#random.chance(0.2) }) as { name: string };
  }

  #stamp(): string {
    return `${this.#name}-${(this.#n += 1)}`;
  }

  #tier(): string | undefined {
    return this.#random.pick(TIERS);
  }

  #labels(): Record<string, string> {
    const tier = this.#tier();
    return { by: this.#name, ...(tier !== undefined && { tier }) };
  }
}

export async function applyWorld(url: string): Promise<void> {
  const answer = await call(url, 'POST', '/v1/apply', WORLD);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
}
