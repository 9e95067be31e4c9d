import { originOf } from './egress/route.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/**
 * The variables that may stand for a service (`ORDERS_URL`). Callers choose which are looked up, by the ids that they send, and the
 * environment of a backend has others of such names: `DATABASE_URL=postgres://…` is no service.
 */
export const originsIn = (env: Env): Env =>
  Object.fromEntries(
    Object.entries(env).filter(
      ([name, value]) => name.endsWith('_URL') && value?.split(',').every((url) => originOf(url.trim()) !== null),
    ),
  );
