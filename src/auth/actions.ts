/** Every action there is, each with what it lets its caller do. A route declares one, and nothing is answered without. */
export const ACTIONS = {
  'catalog.read': 'Read resources and lists of them',
  'catalog.write': 'Create, replace and change one resource',
  'catalog.delete': 'Delete one resource',
  'catalog.apply': 'Change many resources in one revision',
  'catalog.export': 'Read the whole catalog as a manifest',
  'instance.read': 'Find instances, and ask how they are',
  'instance.register': 'Register an instance, renew its lease and deregister it',
  'instance.override': 'Drain instances, take them out of service, and set their weight',
  'token.manage': 'Make, list and revoke the registration tokens of a service',
  'coverage.read': 'Read which services are covered where',
  'log.read': 'Read the revision log and its head',
  'feed.watch': 'Subscribe to changes',
  'feed.subscribers': 'See who subscribes to what',
  'audit.read': 'Read the audit: who did what',
  'session.use': 'Log in and out, and ask who one is',
  'health.read': 'Ask whether the server lives and is ready',
  'metrics.read': 'Read the metrics of the server',
  'node.read': 'See the nodes that serve, and how they are',
  'docs.read': 'Read the documentation of the interface',
} as const;

export type Action = keyof typeof ACTIONS;

export const isAction = (name: unknown): name is Action => typeof name === 'string' && Object.hasOwn(ACTIONS, name);
