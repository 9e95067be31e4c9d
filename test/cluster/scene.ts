import type { Select } from '../../src/protocol/frames.ts';
import { until } from '../acceptance/until.ts';
import { Random } from '../support/random.ts';
import { call } from '../support/signalbox.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import type { ClusterNode } from './cluster-node.ts';
import { FrameDesk } from './frame-desk.ts';
import { LogReader } from './log-reader.ts';
import type { Violation } from './record.ts';
import { Subscriber, type Door } from './subscriber.ts';

/** A cluster for a short scenario: every frame that its subscribers get, and every revision of the log, is checked. */
export class Scene {
  readonly cluster: Cluster;
  readonly reader: LogReader;
  readonly violations: Violation[] = [];
  readonly #subscribers: Subscriber[] = [];

  private constructor(cluster: Cluster, selects: readonly Select[]) {
    this.cluster = cluster;
    this.reader = new LogReader(cluster.postgres.url, selects);
    this.reader.onAdvance(() => this.#subscribers.forEach((one) => one.check()));
  }

  static async open(options: ClusterOptions, selects: readonly Select[]): Promise<Scene> {
    return new Scene(await Cluster.start(options), selects);
  }

  node(number: number): ClusterNode {
    return this.cluster.nodes[number] as ClusterNode;
  }

  /** Stays with these nodes, by turns. */
  subscribe(select: Select, ...doors: Door[]): Subscriber {
    const { tracks } = this.reader;
    const desk = new FrameDesk((key, revision) =>
      tracks.get(key)?.revision === revision ? tracks.get(key) : undefined,
    );
    const one = new Subscriber(`subscriber ${this.#subscribers.length}`, select, 0, {
      doors,
      tracks,
      desk,
      random: new Random(1),
      epoch: () => this.reader.epoch,
      onViolation: (violation) => this.violations.push(violation),
      onTold: () => {},
    });
    this.#subscribers.push(one);
    return one;
  }

  async reached(one: Subscriber, revision: number, withinMs?: number): Promise<void> {
    await until(
      `${one.name} is at ${revision}; ${one.situation}`,
      () => one.position >= revision || one.isBroken,
      withinMs,
    );
  }

  /** Puts a region and answers its revision. */
  async put(node: ClusterNode, id: string, title: string): Promise<number> {
    const answer = await call(node.url, 'PUT', `/v1/regions/${id}`, { title });
    if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    return Number(answer.headers.get('x-signalbox-revision'));
  }

  /** Everything that was found wrong since it began. */
  get complaints(): readonly Violation[] {
    return [...this.violations, ...this.reader.violations];
  }

  /** Nobody of the scenario is left, and all nodes and links work. */
  async clear(): Promise<void> {
    for (const one of this.#subscribers.splice(0)) one.stop();
    for (const node of this.cluster.nodes) {
      node.heal();
      node.resume();
      node.setClock(0);
    }
    await Promise.all(this.cluster.nodes.map((node) => node.untilReady()));
    this.violations.length = 0;
  }

  async close(): Promise<void> {
    for (const one of this.#subscribers) one.stop();
    await this.reader.stop();
    await this.cluster.destroy();
  }
}
