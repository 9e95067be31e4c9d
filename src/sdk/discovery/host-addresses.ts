/** As `os.networkInterfaces()` answers it. */
type Interfaces = Readonly<Record<string, readonly { readonly address: string }[] | undefined>>;

/** What instances on this host may have registered as their address; for `locality: 'local-first'`. */
export function hostAddresses(interfaces: Interfaces, hostname: string): ReadonlySet<string> {
  const addresses = Object.values(interfaces).flatMap((of = []) => of.map(({ address }) => address));
  return new Set(['localhost', hostname, ...addresses]);
}
