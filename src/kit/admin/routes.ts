import type { AdminHandler } from './request.ts';

/** An endpoint: `pattern` has names after a colon, such as `/adm/logger/:name`. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly pattern: string;
  /** Whether everybody may ask. Under `/adm` nothing is open. */
  readonly open?: boolean;
  readonly handle: AdminHandler;
}

export type Found =
  | { readonly type: 'route'; readonly route: AdminRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly type: 'none' }
  /** There is the path, but not with this method. */
  | { readonly type: 'method'; readonly allow: string };

/** Whether a path is the kit's to answer, there or not: nothing else may answer under `/adm`. */
export const isOwnPath = (path: string): boolean => isAdminPath(path) || /^\/health\/[^/]+$/.test(path);

/** Whether no assault strikes a path: what an app itself answers under `/health` decides about its life as well. */
export const isSpared = (path: string): boolean => isOwnPath(path) || path === '/health' || path.startsWith('/health/');

export const isAdminPath = (path: string): boolean => path === '/adm' || path.startsWith('/adm/');

/** The first route that fits. HEAD is GET without the body. */
export function findRoute(routes: readonly AdminRoute[], method: string, path: string): Found {
  const fitting = routes.flatMap((route) => {
    const params = match(route.pattern, path);
    return params === undefined ? [] : [{ type: 'route' as const, route, params }];
  });
  const found = fitting.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method));
  if (found !== undefined) return found;
  if (fitting.length === 0) return { type: 'none' };
  return { type: 'method', allow: [...new Set(fitting.map(({ route }) => route.method))].join(', ') };
}

function match(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== text) return undefined;
      continue;
    }
    const value = decoded(text);
    if (value === undefined || value === '') return undefined;
    params[part.slice(1)] = value;
  }
  return params;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
