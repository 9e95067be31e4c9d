/** All nodes divide the keys alike, whatever their version: neither this number nor the hash may ever change. */
export const SHARDS = 16;

/** FNV-1a. */
export function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (SHARDS - 1);
}
