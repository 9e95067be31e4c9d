/** What Node's HTTP/2 takes once, of what an answer may have; it throws where such a field comes as a list. */
const ONCE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]);

/** It takes these once as well, but they are lists: several fields are the same as one with commas (RFC 9110, 5.3). */
const JOINED: ReadonlySet<string> = new Set(['content-encoding', 'content-language']);

/**
 * Fields by name, for what does not take a name twice; of names and values by turns. Of what stands there once and was said twice, by a
 * framework and a gateway behind it perhaps, the first counts, as Node and others read it over HTTP/1.1: so callers of both kinds see the same.
 */
export function byName(pairs: readonly string[]): Record<string, string | string[]> {
  // Without a prototype, where an answer may have any name.
  const headers = Object.create(null) as Record<string, string | string[]>;
  for (let n = 0; n + 1 < pairs.length; n += 2) {
    const [name = '', value = ''] = [pairs[n], pairs[n + 1]];
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (JOINED.has(name)) headers[name] = `${String(before)}, ${value}`;
    else if (!ONCE.has(name)) headers[name] = [before, value].flat();
  }
  return headers;
}
