import { BlockList, isIP, isIPv4 } from 'node:net';

/** A range of addresses of one family. */
interface Cidr {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Whether a text such as `10.0.0.0/8` or `fd00::/8` is a range of addresses; bits after the prefix do not matter. */
export const isCidr = (text: string): boolean => parseCidr(text) !== undefined;

function parseCidr(text: string): Cidr | undefined {
  const [, address = '', digits] = /^([0-9a-fA-F:.]{2,45})\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  const version = isIP(address);
  const prefix = Number(digits);
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return undefined;
  if (version === 4) return { address, prefix, family: 'ipv4' };
  // A range of mapped addresses is one of IPv4 addresses, because a mapped address is judged as the IPv4 one that it is.
  const mapped = prefix >= 96 ? embeddedIPv4(address) : undefined;
  if (mapped?.by === 'mapped') return { address: mapped.address, prefix: prefix - 96, family: 'ipv4' };
  return { address, prefix, family: 'ipv6' };
}

/** Whether everything in one range is in the other; both are ranges. */
export function isWithin(text: string, outerText: string): boolean {
  const inner = parseCidr(text);
  const outer = parseCidr(outerText);
  if (inner === undefined || outer === undefined || inner.family !== outer.family) return false;
  return inner.prefix >= outer.prefix && new Ranges([outerText]).has(inner.address);
}

/** Ranges of addresses. The families are apart: unlike in a BlockList, `::/0` holds no IPv4 address. */
export class Ranges {
  readonly #lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  constructor(cidrs: readonly string[]) {
    for (const text of cidrs) {
      const cidr = parseCidr(text);
      if (cidr === undefined) throw new Error(`not a range of addresses: ${text}`);
      this.#lists[cidr.family].addSubnet(cidr.address, cidr.prefix, cidr.family);
    }
  }

  has(ip: string): boolean {
    const family = isIPv4(ip) ? 'ipv4' : 'ipv6';
    return this.#lists[family].check(ip, family);
  }
}

/** The IPv4 address that packets to this IPv6 address reach in the end, and what carries them there. */
export interface Embedded {
  readonly address: string;
  readonly by: 'mapped' | 'translated' | '6to4' | 'isatap';
}

/** For IPv6 addresses without a zone. */
export function embeddedIPv4(ip: string): Embedded | undefined {
  const words = wordsOf(ip);
  const startsWith = (...prefix: number[]): boolean => prefix.every((word, index) => words[index] === word);
  const at = (index: number): string => {
    const [high = 0, low = 0] = words.slice(index);
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  };
  if (startsWith(0, 0, 0, 0, 0, 0xffff)) return { address: at(6), by: 'mapped' };
  if (startsWith(0, 0, 0, 0, 0xffff, 0)) return { address: at(6), by: 'translated' };
  if (startsWith(0x64, 0xff9b, 0, 0, 0, 0)) return { address: at(6), by: 'translated' };
  if (startsWith(0x2002)) return { address: at(1), by: '6to4' };
  // RFC 5214: whatever the network is, and whether or not the address is unique in the world.
  if (words[5] === 0x5efe && ((words[4] ?? 0) & 0xfdff) === 0) return { address: at(6), by: 'isatap' };
  return undefined;
}

/** The eight 16-bit words of a valid IPv6 address, however it is spelled. */
function wordsOf(ip: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip);
  const [, start = '', ...octets] = dotted ?? [];
  const [a = 0, b = 0, c = 0, d = 0] = octets.map(Number);
  const text = dotted === null ? ip : `${start}${hex(a * 256 + b)}:${hex(c * 256 + d)}`;
  const [head = [], tail] = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const gap = tail === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...gap, ...(tail ?? [])].map((word) => Number.parseInt(word, 16));
}

const hex = (value: number): string => value.toString(16);
