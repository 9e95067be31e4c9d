import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Service } from '../../src/sdk/api.ts';
import { milliseconds } from '../../src/domain/duration.ts';
import { connect } from '../../src/sdk/index.ts';
import { now } from './clock.ts';
import { idOf, SERVICES, type ServiceName } from './figures.ts';

const LOOK_MS = 20;

/** Who can be called, as any client hears it. */
export class Observer {
  readonly #client: Client;
  readonly #services: ReadonlyMap<ServiceName, Service>;

  #removed = 0;

  constructor(url: string) {
    this.#client = connect({ url });
    this.#services = new Map(SERVICES.map((name) => [name, this.#client.service(idOf(name))]));
    for (const service of this.#services.values()) {
      service.on('change', ({ removed }) => {
        this.#removed += removed.length;
      });
    }
  }

  /** Instances that it was told are gone, so far. */
  get removed(): number {
    return this.#removed;
  }

  get isLive(): boolean {
    return this.#client.phase === 'live';
  }

  countOf(service: ServiceName): number {
    return this.#instancesOf(service).length;
  }

  has(service: ServiceName, port: number): boolean {
    return this.#instancesOf(service).some((instance) => instance.port === port);
  }

  /** What the instance at this port has published (INS1), in milliseconds. */
  boundOf(service: ServiceName, port: number): number | undefined {
    const bound = this.#instancesOf(service).find((instance) => instance.port === port)?.detectionBound;
    return bound === undefined ? undefined : milliseconds(bound);
  }

  /** Resolves with the milliseconds that it took until the instance was there, or was not. */
  async until(
    there: boolean,
    { service, port }: { readonly service: ServiceName; readonly port: number },
    withinMs: number,
  ): Promise<number> {
    return this.untilTrue(
      () => this.has(service, port) === there,
      withinMs,
      `${service} at ${port} ${there ? 'can be called' : 'is gone'}`,
    );
  }

  async untilTrue(holds: () => boolean, withinMs: number, what: string): Promise<number> {
    const began = now();
    while (!holds()) {
      if (now() - began > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await sleep(LOOK_MS);
    }
    return now() - began;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #instancesOf(service: ServiceName): ReturnType<Service['instances']> {
    const known = this.#services.get(service);
    return known === undefined || known.state === 'loading' || known.state === 'closed' ? [] : known.instances();
  }
}
