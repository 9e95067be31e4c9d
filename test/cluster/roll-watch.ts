import { every } from '../../src/every.ts';
import type { ClusterNode } from './cluster-node.ts';
import { lookAt, rowsOf, type Look } from './node-look.ts';
import type { Sighting } from './record.ts';

const LOOK_MS = 150;

/** Asks every node, past its links, how it is, in each way in which it says so, and whom it hears: what people see of degraded modes. */
export class RollWatch {
  readonly sightings: Sighting[] = [];
  /** Those in which something was wrong. */
  readonly looks: Look[] = [];
  readonly #nodes: readonly ClusterNode[];
  readonly #counts = new Map<string, number>();
  readonly #jobs: readonly { stop(): Promise<unknown> }[];

  constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes;
    this.#jobs = nodes.map((node) => every(LOOK_MS, () => this.#look(node), failed));
  }

  /** Why not all is well, in words; nothing when each node is ready, has its share, is not degraded, and hears all others. */
  async complaint(): Promise<string | undefined> {
    const all = await Promise.all(this.#nodes.map(async (node) => ({ node, rows: await rowsOf(node) })));
    for (const { node, rows } of all) {
      const self = rows?.find((row) => row.self);
      if (rows === undefined || self === undefined) return `${node.name} does not say how it is`;
      const modes = (self.degraded ?? []).map(({ mode }) => mode);
      if (self.ready !== true || modes.length > 0)
        return `${node.name} is not well: ${modes.join(', ') || 'not ready'}`;
      if (!self.member) return `${node.name} has no share of the work`;
      const heard = new Set(rows.filter(({ live, member }) => live && member).map(({ name }) => name));
      const unheard = this.#nodes.filter(({ name }) => !heard.has(name));
      if (unheard.length > 0) return `${node.name} does not hear ${unheard.map(({ name }) => name).join(', ')}`;
    }
    return undefined;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#jobs.map((job) => job.stop()));
  }

  async #look(node: ClusterNode): Promise<void> {
    const rows = await rowsOf(node);
    if (rows === undefined) return;
    const at = performance.now();
    for (const { name } of this.#nodes)
      if (!rows.some((row) => row.name === name && row.live))
        this.sightings.push({ at, node: name, saw: 'lost', where: 'nodes' });
    const self = rows.find((row) => row.self);
    for (const { mode } of self?.degraded ?? [])
      this.sightings.push({ at, node: node.name, saw: mode, where: 'nodes' });
    const n = (this.#counts.get(node.name) ?? 0) + 1;
    this.#counts.set(node.name, n);
    const look = await lookAt(node, rows, n);
    if (look !== undefined) this.#keep(look);
  }

  #keep(look: Look): void {
    const { node, at, nodes, readyz, metrics } = look;
    for (const saw of readyz?.keys() ?? []) this.sightings.push({ at, node, saw, where: 'readyz' });
    for (const saw of metrics) this.sightings.push({ at, node, saw, where: 'metrics' });
    if (nodes.size + (readyz?.size ?? 0) + metrics.size > 0) this.looks.push(look);
  }
}

function failed(error: unknown): void {
  throw error instanceof Error ? error : new Error(String(error));
}
