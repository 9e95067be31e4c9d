import type { Address } from './url.ts';

export interface ClusterView {
  /** The master of the slot, as of its configuration epoch: the highest one is right. */
  readonly owner: (Address & { readonly epoch: number }) | undefined;
  /** Every server that is not known to have failed. */
  readonly nodes: readonly Address[];
}

/**
 * The answer to CLUSTER NODES. A server that does not know its own address is at the one where it was asked. Names are
 * preferred where certificates have to match.
 */
export function readClusterNodes(text: string, slot: number, askedAt: Address, preferNames: boolean): ClusterView {
  const nodes: Address[] = [];
  let owner: ClusterView['owner'];
  for (const line of text.split('\n')) {
    const [, at = '', flags = '', , , , epoch = '', , ...slots] = line.trim().split(' ');
    const address = readAddress(at, askedAt, preferNames);
    if (address === undefined || /\b(?:noaddr|handshake)\b/u.test(flags)) continue;
    if (!flags.split(',').includes('fail')) nodes.push(address);
    if (slots.some((range) => holds(range, slot))) owner = { ...address, epoch: Number(epoch) };
  }
  return { owner, nodes };
}

/** `10.0.0.1:7000@17000,name`, where the name and more after it are not always there. */
function readAddress(text: string, askedAt: Address, preferNames: boolean): Address | undefined {
  const [, ip = '', port = '', name = ''] = /^(.*):(\d+)(?:@\d+)?(?:,([^,]*))?/u.exec(text) ?? [];
  if (port === '' || port === '0') return undefined;
  const host = preferNames && name !== '' ? name : ip;
  return { host: host === '' ? askedAt.host : host, port: Number(port) };
}

/** `5`, `0-5460`; one that moves, `[5->-id]`, is still where it was. */
function holds(range: string, slot: number): boolean {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/u.exec(range) ?? [];
  return from !== undefined && slot >= Number(from) && slot <= Number(to);
}
