import type { Mode } from '../../src/cluster/conditions.ts';
import { every } from '../../src/every.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { Sighting } from './record.ts';

const LOOK_MS = 150;
const PATIENCE_MS = 1000;

/** What one node says of all, as `GET /v1/nodes` has it. */
interface Row {
  readonly name: string;
  readonly self: boolean;
  readonly live: boolean;
  readonly member: boolean;
  readonly ready?: boolean;
  readonly degraded?: readonly { readonly mode: Mode }[];
}

/** Asks every node, past its links, how it is and whom it hears: what people see of degraded modes. */
export class RollWatch {
  readonly sightings: Sighting[] = [];
  readonly #nodes: readonly ClusterNode[];
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
    const self = rows.find((row) => row.self);
    for (const { mode } of self?.degraded ?? []) this.sightings.push({ at, node: node.name, saw: mode });
    for (const { name } of this.#nodes)
      if (!rows.some((row) => row.name === name && row.live)) this.sightings.push({ at, node: name, saw: 'lost' });
  }
}

async function rowsOf({ direct }: ClusterNode): Promise<readonly Row[] | undefined> {
  try {
    const response = await fetch(`${direct}/v1/nodes`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) return undefined;
    return ((await response.json()) as { nodes: Row[] }).nodes;
  } catch {
    return undefined;
  }
}

function failed(error: unknown): void {
  throw error instanceof Error ? error : new Error(String(error));
}
