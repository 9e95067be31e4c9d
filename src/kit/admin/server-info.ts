import { machine } from '../info/machine.ts';
import { mask } from '../info/mask.ts';
import type { Modules } from '../info/modules.ts';
import { variables } from '../info/variables.ts';
import { answer } from './answers.ts';
import type { AdminAnswer, AdminRequest } from './request.ts';

/** What `/adm/server/info` shows. */
export interface InfoOptions {
  /** The configuration of each component, by its name; a function is asked each time. It is masked. Default: none. */
  readonly components?: Readonly<Record<string, unknown>>;
  /** What else is masked, by the names that values stand under; beside those that the kit knows. Default: none. */
  readonly maskNames?: readonly RegExp[];
  /**
   * Environment variables: false: none. true: the names of all, no values. A list: the values of these, those that look like
   * secrets masked. Default: false.
   */
  readonly environment?: boolean | readonly string[];
  /** A directory of the program: its package.json, there or above, tells name, version and dependencies. Default: where its main file is. */
  readonly directory?: string;
  /** The names of plugins. Default: those that Fastify knows. */
  readonly plugins?: readonly string[];
}

export interface InfoDeps {
  readonly options: InfoOptions;
  readonly modules: Modules;
  /** The version of its API. Default: that of its package. */
  readonly apiVersion: string | undefined;
  /** Such as `fastify 5.12.8`. */
  readonly framework: string;
  readonly plugins: () => readonly string[];
  /** The kit's own configuration. */
  readonly own: object;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `GET /adm/server/info`, in light-4j's shape. */
export const serverInfo =
  ({ options, modules, apiVersion, framework, plugins, own, env }: InfoDeps) =>
  ({ certificate }: Pick<AdminRequest, 'certificate'>): AdminAnswer => {
    const { components = {}, maskNames = [], environment = false } = options;
    const shown = Object.entries({ ...components, signalbox: own }).sort(([a], [b]) => (a < b ? -1 : 1));
    return answer({
      deployment: { apiVersion: apiVersion ?? modules.version ?? null, frameworkVersion: framework },
      environment: {
        ...machine(),
        ...(environment !== false && { variables: variables(env, environment, maskNames) }),
      },
      security: { serverFingerPrint: certificate ?? null },
      component: Object.fromEntries(shown.map(([name, config]) => [name, mask(current(config), maskNames)])),
      plugin: {},
      plugins: [...(options.plugins ?? plugins())].sort(),
      modules,
    });
  };

function current(config: unknown): unknown {
  if (typeof config !== 'function') return config;
  try {
    return config();
  } catch {
    return '[unreadable]';
  }
}
