/** PUSH.md's words, without the server's code. */
export function digestOf(items: Iterable<readonly [key: string, revision: number]>): string {
  let [a, b] = [0n, 0n];
  for (const [key, revision] of items) {
    const bytes = Buffer.from(`${key}@${revision}`);
    a = (a + murmurHash3(bytes, 0n)) & 0xffffffffn;
    b = (b + murmurHash3(bytes, 0x9747b28cn)) & 0xffffffffn;
  }
  return a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
}

/** MurmurHash3_x86_32, after Austin Appleby's reference. */
function murmurHash3(bytes: Buffer, seed: bigint): bigint {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & mask;
  const scramble = (k: bigint): bigint => (rotate((k * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
  let hash = seed;
  const whole = bytes.length - (bytes.length % 4);
  for (let i = 0; i < whole; i += 4) {
    hash = (rotate(hash ^ scramble(BigInt(bytes.readUInt32LE(i))), 13n) * 5n + 0xe6546b64n) & mask;
  }
  let rest = 0n;
  for (let i = bytes.length - 1; i >= whole; i--) rest = (rest << 8n) | BigInt(bytes[i] ?? 0);
  if (bytes.length > whole) hash ^= scramble(rest);
  hash ^= BigInt(bytes.length);
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask;
  return hash ^ (hash >> 16n);
}
