/**
 * The digest of a set of (key, revision) pairs (PUSH8): two 32-bit lanes, each the sum modulo 2^32 of the MurmurHash3
 * (x86, 32 bit) of the UTF-8 text `key@revision`, with seed 0 for the first lane and 0x9747b28c for the second. A sum, so
 * that a change costs one subtraction and one addition; a mixing hash, so that neighbouring revisions do not cancel out.
 */
export interface Digest {
  a: number;
  b: number;
}

const SEED_A = 0;
const SEED_B = 0x9747b28c;

export const emptyDigest = (): Digest => ({ a: 0, b: 0 });

/** The digest of one pair alone: what it adds to every digest that has it. */
export function digestOf(key: string, revision: number): Readonly<Digest> {
  const text = `${key}@${revision}`;
  return { a: murmur3(text, SEED_A), b: murmur3(text, SEED_B) };
}

export function add(digest: Digest, { a, b }: Readonly<Digest>): void {
  digest.a = (digest.a + a) >>> 0;
  digest.b = (digest.b + b) >>> 0;
}

export function remove(digest: Digest, { a, b }: Readonly<Digest>): void {
  digest.a = (digest.a - a) >>> 0;
  digest.b = (digest.b - b) >>> 0;
}

export const addTo = (digest: Digest, key: string, revision: number): void => add(digest, digestOf(key, revision));
export const removeFrom = (digest: Digest, key: string, revision: number): void =>
  remove(digest, digestOf(key, revision));

/** 16 lower-case hexadecimal digits, the first lane first. */
export const digestHex = (digest: Digest): string => hex(digest.a) + hex(digest.b);

const hex = (lane: number): string => lane.toString(16).padStart(8, '0');

/** MurmurHash3_x86_32 of a text of ASCII characters, which keys are: each character is one byte. */
export function murmur3(text: string, seed: number): number {
  const length = text.length;
  const whole = length & ~3;
  let h = seed;
  for (let i = 0; i < whole; i += 4) {
    const block =
      text.charCodeAt(i) |
      (text.charCodeAt(i + 1) << 8) |
      (text.charCodeAt(i + 2) << 16) |
      (text.charCodeAt(i + 3) << 24);
    h ^= scramble(block);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= whole; i--) rest = (rest << 8) | text.charCodeAt(i);
  if (length > whole) h ^= scramble(rest);
  h ^= length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}
