import { isIP } from 'node:net';
import { embeddedIPv4, isWithin, Ranges } from './egress-addresses.ts';

export { isCidr } from './egress-addresses.ts';

/** Where Signalbox may connect to when others say where (SEC4). */
export interface EgressPolicy {
  /** For one machine: development, tests, a sidecar. Otherwise it takes a range inside of loopback in `allow`. */
  readonly allowLoopback: boolean;
  /** CIDR ranges that are denied besides those that always are. */
  readonly deny: readonly string[];
  /** When given, only these ranges are allowed. It allows nothing that is always denied. */
  readonly allow?: readonly string[];
}

export interface Egress {
  /** Why this address must not be connected to, to follow "it is"; `undefined` when it may be. */
  check(ip: string): string | undefined;
}

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** The first that fits names the reason. */
const ALWAYS_DENIED: readonly (readonly [why: string, cidrs: readonly string[]])[] = [
  [
    'a metadata address of a cloud',
    [
      '169.254.169.254/32',
      '100.100.100.200/32',
      '168.63.129.16/32',
      '192.0.0.192/32',
      'fd00:ec2::254/128',
      'fd00:ec2::23/128',
      'fd20:ce::254/128',
    ],
  ],
  ['an unspecified address', ['0.0.0.0/8', '::/128']],
  ['a link-local address', ['169.254.0.0/16', 'fe80::/10']],
  ['a multicast address', ['224.0.0.0/4', 'ff00::/8']],
  ['the broadcast address', ['255.255.255.255/32']],
  ['a reserved address', ['240.0.0.0/4']],
  // Where the IPv4 address is in these is up to whoever runs the translator, or hidden.
  ['an address that is translated or tunnelled', ['64:ff9b:1::/48', '2001::/32']],
];

/** An egress policy that is ready to judge. Throws when a range is none. */
export function createEgress(policy: EgressPolicy): Egress {
  const always = ALWAYS_DENIED.map(([why, cidrs]) => ({ why, ranges: new Ranges(cidrs) }));
  const loopback = new Ranges(LOOPBACK);
  // Addresses of the form ::a.b.c.d are long gone, and some systems still take them for the IPv4 address.
  const compatible = new Ranges(['::/96']);
  const deny = new Ranges(policy.deny);
  // Whoever allows 0.0.0.0/0 has not thought of what listens on the machine of Signalbox itself.
  const named = new Ranges((policy.allow ?? []).filter((cidr) => LOOPBACK.some((outer) => isWithin(cidr, outer))));
  const allow = policy.allow === undefined ? undefined : new Ranges(policy.allow);

  const denied = (ip: string): string | undefined => {
    for (const { why, ranges } of always) if (ranges.has(ip)) return why;
    if (loopback.has(ip) && !policy.allowLoopback && !named.has(ip)) return 'a loopback address';
    if (compatible.has(ip) && !loopback.has(ip)) return 'a reserved address';
    return deny.has(ip) ? 'in a range that is denied' : undefined;
  };

  return {
    check(ip) {
      const version = isIP(ip);
      if (version === 0) return 'no IP address';
      // Only link-local addresses need a zone, and those are denied.
      if (ip.includes('%')) return 'an address with a zone';
      const inner = version === 6 ? embeddedIPv4(ip)?.address : undefined;
      const why = denied(ip) ?? (inner === undefined ? undefined : denied(inner));
      if (why !== undefined) return why;
      return allow === undefined || allow.has(inner ?? ip) ? undefined : 'not in a range that is allowed';
    },
  };
}
