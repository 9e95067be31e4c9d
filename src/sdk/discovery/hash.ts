/**
 * MurmurHash3_x86_32 over the text's UTF-16LE bytes, so that it takes any text, and a client in another language can come to the
 * same numbers. Lone surrogates are as good as other characters.
 */
export function hashOf(text: string, seed: number): number {
  const length = text.length;
  const whole = length & ~1;
  let h = seed;
  for (let i = 0; i < whole; i += 2) {
    h ^= scramble(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  if (length > whole) h ^= scramble(text.charCodeAt(whole));
  h ^= length << 1;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}
