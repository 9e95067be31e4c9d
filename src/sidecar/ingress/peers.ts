import { BlockList, isIP, isIPv4 } from 'node:net';

const NETWORK = /^([0-9a-fA-F:.]+)(?:\/([0-9]{1,3}))?$/;

interface Network {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Undefined for what is neither an address nor a network such as `10.0.0.0/8`. */
export function networkOf(text: string): Network | undefined {
  const [, address = '', bits] = NETWORK.exec(text) ?? [];
  if (isIP(address) === 0) return undefined;
  const most = isIPv4(address) ? 32 : 128;
  const network = { address, bits: Number(bits ?? most), family: isIPv4(address) ? 'ipv4' : 'ipv6' } as const;
  return network.bits <= most ? network : undefined;
}

/** Whether an address is one of these, or in one of these networks. */
export function isOneOf(networks: readonly string[]): (address: string | undefined) => boolean {
  if (networks.length === 0) return () => false;
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const text of networks) {
    const network = networkOf(text);
    if (network !== undefined) lists[network.family].addSubnet(network.address, network.bits, network.family);
  }
  return (address) => {
    if (address === undefined) return false;
    // A listener for both families has IPv4 callers so.
    const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');
    if (isIP(plain) === 0) return false;
    const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
    return lists[family].check(plain, family);
  };
}
