import type { Target } from '../auth/target.ts';

type TargetOf = (params: Readonly<Record<string, string>>) => Target | undefined;

/** What stands behind a resource's name without being one: from there on the path is about that resource. */
const NO_NAMES: ReadonlySet<string> = new Set(['renew', 'registration-tokens', 'document']);

const UNKNOWN: TargetOf = () => undefined;

/** How to read off a route's parameters which resource a request is about; `undefined` where the path names none. */
export function targetOf(url: string): TargetOf {
  const [, version, ...path] = url.split('/');
  const end = path.findIndex((part) => NO_NAMES.has(part));
  const parts = end === -1 ? path : path.slice(0, end);
  if (version !== 'v1' || !parts.some((part) => part.startsWith(':'))) return UNKNOWN;
  return (params) => ({
    name: parts.map((part) => (part.startsWith(':') ? (params[part.slice(1)] ?? '') : part)).join('/'),
  });
}
