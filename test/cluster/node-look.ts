import type { Mode } from '../../src/cluster/conditions.ts';
import type { ClusterNode } from './cluster-node.ts';

const PATIENCE_MS = 1000;

/** One node, as `GET /v1/nodes` tells of it. */
export interface Row {
  readonly name: string;
  readonly self: boolean;
  readonly live: boolean;
  readonly member: boolean;
  readonly ready?: boolean;
  readonly degraded?: Degraded;
}

type Degraded = readonly { readonly mode: Mode; readonly since: string }[];

/** Modes, each with since when, by the node's own clock on the wall. */
export type Said = ReadonlyMap<Mode, string>;

/** What a node said of itself in three ways, one after the other; `again` is the first one once more. */
export interface Look {
  readonly node: string;
  /** The looks at a node are counted: two in a row have numbers in a row. */
  readonly n: number;
  readonly at: number;
  readonly nodes: Said;
  /** Nothing of a node that is not ready, which says that alone. */
  readonly readyz: Said | undefined;
  readonly metrics: ReadonlySet<Mode>;
  readonly again: Said;
}

export async function rowsOf({ direct }: Pick<ClusterNode, 'direct'>): Promise<readonly Row[] | undefined> {
  const text = await textOf(`${direct}/v1/nodes`, [200]);
  return text === undefined ? undefined : (JSON.parse(text) as { nodes: Row[] }).nodes;
}

/** Past the links. `rows`: what it has just said of all nodes. Nothing when an answer is missing. */
export async function lookAt(
  { name, direct }: Pick<ClusterNode, 'name' | 'direct'>,
  rows: readonly Row[],
  n: number,
): Promise<Look | undefined> {
  const readiness = await textOf(`${direct}/readyz`, [200, 503]);
  const metrics = await textOf(`${direct}/metrics`, [200]);
  const again = await rowsOf({ direct });
  if (readiness === undefined || metrics === undefined || again === undefined) return undefined;
  return {
    node: name,
    n,
    at: performance.now(),
    nodes: ofSelf(rows),
    readyz: readyzOf(readiness),
    metrics: metricsOf(metrics),
    again: ofSelf(again),
  };
}

export function readyzOf(text: string): Said | undefined {
  const { ready, degraded } = JSON.parse(text) as { ready: boolean; degraded?: Degraded };
  return ready ? saidOf(degraded) : undefined;
}

/** The modes that `signalbox_degraded` says are so. */
export function metricsOf(text: string): ReadonlySet<Mode> {
  const found = text.matchAll(/^signalbox_degraded\{[^}]*\bmode="([^"]+)"[^}]*\} ([\d.]+)$/gm);
  return new Set([...found].filter(([, , value]) => Number(value) > 0).map(([, mode]) => mode as Mode));
}

const ofSelf = (rows: readonly Row[]): Said => saidOf(rows.find(({ self }) => self)?.degraded);

const saidOf = (degraded: Degraded = []): Said => new Map(degraded.map(({ mode, since }) => [mode, since]));

async function textOf(url: string, statuses: readonly number[]): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await response.text();
    return statuses.includes(response.status) ? text : undefined;
  } catch {
    return undefined;
  }
}
