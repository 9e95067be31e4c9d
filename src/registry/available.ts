import { StoreUnavailable } from '../store/port.ts';
import { RegistryUnavailable } from './errors.ts';

/** An answer of the store. Rejects with `RegistryUnavailable` when the database is away. */
export async function available<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreUnavailable) throw new RegistryUnavailable('store-unavailable', 1, { cause: error });
    throw error;
  }
}
