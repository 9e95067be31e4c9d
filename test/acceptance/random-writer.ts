import { call, type Answer } from '../support/signalbox.ts';
import { Random } from '../support/random.ts';

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
  #n = 0;
  /** The revision of each write that was acknowledged. */
  readonly acknowledged: number[] = [];
  refused = 0;
  /** Writes to which no answer came, or 503. */
  failed = 0;

  constructor(url: string, seed: number) {
    this.#url = url;
    this.#random = new Random(seed);
    this.#name = `w${seed}`;
  }

  async write(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.step();
  }

  async step(): Promise<void> {
    const answer = await this.#request().catch(() => undefined);
    const status = answer?.status ?? 503;
    if (status === 409 || status === 404) this.refused += 1;
    else if (status === 503) this.failed += 1;
    else if (status < 300) this.acknowledged.push(Number(answer?.headers.get('x-signalbox-revision')));
    else throw new Error(`${status} ${JSON.stringify(answer?.body)}`);
  }

  #request(): Promise<Answer> {
    const random = this.#random;
    const region = random.pick(REGIONS);
    const id = random.pick(SERVICES);
    const dice = random.below(100);
    if (dice < 20) return this.#put({ name: `regions/${region}`, title: this.#stamp(), labels: this.#labels() });
    if (dice < 40) return call(this.#url, 'PATCH', `/v1/services/${id}`, { labels: { tier: this.#tier() ?? null } });
    if (dice < 65) return this.#put(this.#deployment(id, region));
    if (dice < 77) return call(this.#url, 'DELETE', `/v1/services/${id}/deployments/${region}`);
    // Changes nothing the second time, and so makes no revision (REV3).
    if (dice < 82) return this.#put({ name: 'projects/core', title: 'Core' });
    const documents = [
      service(id, this.#labels()),
      ...REGIONS.filter(() => random.chance(0.5)).map((one) => this.#deployment(id, one)),
      { name: `regions/${region}`, title: this.#stamp(), labels: this.#labels() },
    ];
    return call(this.#url, 'POST', '/v1/apply', documents);
  }

  #put(document: { readonly name: string; readonly [field: string]: unknown }): Promise<Answer> {
    return call(this.#url, 'PUT', `/v1/${document.name}`, document);
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
