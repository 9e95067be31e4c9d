import type { RouteOptions } from 'fastify';
import { isAction, type Action } from '../auth/actions.ts';

export interface RouteEntry {
  readonly method: string;
  /** With its parameters, as `/v1/regions/:region`. */
  readonly url: string;
  readonly action: Action;
}

/** Every route there is: it holds SEC1's rule at registration, and knows which methods a path takes. */
export class RouteTable {
  readonly entries: RouteEntry[] = [];
  readonly #bare: string[] = [];
  readonly #patterns = new Map<string, { readonly parts: readonly string[]; readonly methods: Set<string> }>();

  /** The action of a route that is registered; `undefined` when it declares none, which `check` will not let pass. */
  add(route: Pick<RouteOptions, 'method' | 'url' | 'config'>): Action | undefined {
    const action = route.config?.action;
    if (!isAction(action)) {
      this.#bare.push(`${String(route.method)} ${route.url}`);
      return undefined;
    }
    for (const method of [route.method].flat()) {
      this.entries.push({ method, url: route.url, action });
      this.#methodsOf(route.url).add(method);
    }
    return action;
  }

  /** Throws when a route declares no action (SEC1). */
  check(): void {
    if (this.#bare.length === 0) return;
    const routes = this.#bare.join(', ');
    throw new Error(`${routes} declares no action: add one of src/auth/actions.ts to its config (SEC1)`);
  }

  /** The methods that a path takes, sorted; none when nothing lives there. */
  methodsAt(path: string): string[] {
    const parts = path.split('/');
    const found = new Set<string>();
    for (const pattern of this.#patterns.values()) {
      if (fits(pattern.parts, parts)) for (const method of pattern.methods) found.add(method);
    }
    return [...found].sort();
  }

  #methodsOf(url: string): Set<string> {
    let pattern = this.#patterns.get(url);
    if (pattern === undefined) this.#patterns.set(url, (pattern = { parts: url.split('/'), methods: new Set() }));
    return pattern.methods;
  }
}

function fits(pattern: readonly string[], parts: readonly string[]): boolean {
  if (pattern.at(-1) === '*' ? parts.length < pattern.length : parts.length !== pattern.length) return false;
  return pattern.every((part, i) => part === '*' || part === parts[i] || (part.startsWith(':') && parts[i] !== ''));
}
