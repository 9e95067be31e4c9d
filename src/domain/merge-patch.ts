/**
 * JSON merge patch (RFC 7396). Neither argument is changed; what the patch does not mention is shared with `target`.
 * A key `__proto__` is dropped: no field of the catalog is called so, and setting it would change the prototype.
 * Without recursion, because a patch is merged before a schema has bounded its depth.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const root = copyOf(target);
  const open: [into: JsonObject, patch: JsonObject][] = [[root, patch]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [into, changes] = next;
    for (const key of Object.keys(changes)) {
      if (key === '__proto__') continue;
      const value = changes[key];
      if (value === null) {
        delete into[key];
      } else if (isObject(value)) {
        const below = copyOf(Object.hasOwn(into, key) ? into[key] : undefined);
        into[key] = below;
        open.push([below, value]);
      } else {
        into[key] = value;
      }
    }
  }
  return root;
}

type JsonObject = Record<string, unknown>;

/** A JSON object: neither an array nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Spreading defines own properties, so that a key `__proto__` of the source stays a plain key. */
const copyOf = (value: unknown): JsonObject => (isObject(value) ? { ...value } : {});
