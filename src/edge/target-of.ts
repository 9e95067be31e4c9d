import type { Target } from '../auth/target.ts';

type TargetOf = (params: Readonly<Record<string, string>>) => Target | undefined;

const UNKNOWN: TargetOf = () => undefined;

/** How to read off a route's parameters which resource a request is about; `undefined` where the path names none. */
export function targetOf(url: string): TargetOf {
  const [, version, ...path] = url.split('/');
  const parts = path.at(-1) === 'renew' ? path.slice(0, -1) : path;
  if (version !== 'v1' || !parts.some((part) => part.startsWith(':'))) return UNKNOWN;
  return (params) => ({
    name: parts.map((part) => (part.startsWith(':') ? (params[part.slice(1)] ?? '') : part)).join('/'),
  });
}
