import type { Instance } from '../domain/instances/instance.ts';
import { printable } from './style.ts';

/** Brackets, where the address has colons of its own. */
export const hostOf = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** Where it is called: `http://10.0.4.17:8080`. */
export const addressOf = ({ protocol, address, port }: Pick<Instance, 'protocol' | 'address' | 'port'>): string =>
  printable(`${protocol}://${hostOf(address)}:${port}`);

type Place = Pick<Instance, 'service' | 'environment' | 'protocol' | 'address' | 'port'>;

/** What makes an instance the one it is: `orders.example.com (prod) http://10.0.4.17:8080`. */
export const placeOf = (instance: Place): string => {
  const { service, environment } = instance;
  return `${printable(service)}${environment === undefined ? '' : ` (${printable(environment)})`} ${addressOf(instance)}`;
};
