import { mask } from './mask.ts';
import { MASKED } from './mask-text.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Environment variables as they are shown. `names`: those whose values are shown, unless they look like secrets; true: the names of
 * all, without a value.
 */
export function variables(env: Env, names: true | readonly string[], more: readonly RegExp[]): unknown {
  if (names === true) return mask(Object.fromEntries(Object.keys(env).map((name) => [name, MASKED])), more);
  return mask(
    Object.fromEntries(names.filter((name) => env[name] !== undefined).map((name) => [name, env[name]])),
    more,
  );
}
