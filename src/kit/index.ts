/** `signalbox/kit`: what a service needs to be a member without Fastify; `signalbox/fastify` is the plugin. */
export { createKit, type Kit } from './kit.ts';
export type { KitDeps, KitOptions } from './options.ts';
export { nodeHandler, type NodeHandler } from './node/handler.ts';
export { boundTo, type Bound } from './node/bound-to.ts';
export { Membership, type MembershipDeps, type MembershipOptions, type Registrar } from './membership.ts';
export { Publication, type PublishedApi, type Publisher } from './publication.ts';
export { createGuard, type Guard, type GuardOptions, type Verdict } from './guard.ts';
export type { Claims } from './guard/scopes.ts';
export type { IssuerOptions } from './guard/tokens.ts';
export { Loggers, type LoggerLevel } from './logging/loggers.ts';
export { Readiness, type ReadinessCheck, type ReadinessOptions, type ReadinessReport } from './health/readiness.ts';
export type { InfoOptions } from './admin/server-info.ts';
export { Admin } from './admin/admin.ts';
export type { AdminAnswer, AdminHandler, AdminRequest } from './admin/request.ts';
export type { AdminRoute } from './admin/routes.ts';
export { mask } from './info/mask.ts';
