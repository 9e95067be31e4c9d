import { canonicalAddress } from '../domain/instances/registration.ts';
import type { Instance } from '../domain/instances/instance.ts';
import { ID_PATTERNS, partsOf } from '../domain/names.ts';
import { failure, usageError } from './errors.ts';
import { literal } from './filter-text.ts';
import type { Api } from './http.ts';
import { placeOf } from './instance-text.ts';
import { printable } from './style.ts';

const WHOLE_ID = new RegExp(ID_PATTERNS.instance);
const PREFIX = /^[0-9a-f]{1,23}$/;
const CANDIDATES_SHOWN = 10;

/** The id of the instance that a person means: by its id, the beginning of one, or its address and port. */
export async function findInstanceId(api: Api, text: string): Promise<string> {
  const id = text.replace(/^instances\//, '');
  if (WHOLE_ID.test(id)) return id;
  const found = PREFIX.test(id) ? await byPrefix(api, id) : await byAddress(api, id);
  const [only] = found;
  if (only === undefined) {
    throw failure(
      `There is no instance ${JSON.stringify(printable(text))}`,
      '`signalbox get instances` lists all; after one is gone, only its whole id finds what is said about it.',
    );
  }
  if (found.length === 1) return partsOf(only.name).id;
  const shown = found.slice(0, CANDIDATES_SHOWN).map((one) => `  ${partsOf(one.name).id}  ${placeOf(one)}`);
  const more = found.length - shown.length;
  throw failure(
    `${found.length} instances are ${JSON.stringify(printable(text))}`,
    ['Say which, by its id:', ...shown, ...(more > 0 ? [`  and ${more} more`] : [])].join('\n'),
  );
}

async function byPrefix(api: Api, prefix: string): Promise<Instance[]> {
  const found = await all(api, `id : ${literal(prefix)}`);
  return found.filter(({ name }) => partsOf(name).id.startsWith(prefix));
}

async function byAddress(api: Api, text: string): Promise<Instance[]> {
  const [, bracketed, plain, port] =
    /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined || (bracketed !== undefined && !URL.canParse(`http://[${bracketed}]`))) {
    throw usageError(
      `"${printable(text)}" is not an instance; one is said by its id, such as 3f1c0e9ab2d44c5e8f7a6b21, by the beginning of one, or by its address and port, such as 10.0.4.17:8080 or [fd00::17]:8080.`,
    );
  }
  return all(api, `address = ${literal(canonicalAddress(address))} and port = ${port}`);
}

async function all(api: Api, filter: string): Promise<Instance[]> {
  const found: Instance[] = [];
  for await (const instance of api.list<Instance>('/v1/instances', { filter })) found.push(instance);
  return found;
}
