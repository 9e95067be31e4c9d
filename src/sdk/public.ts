/** What users of the client import besides `connect`, in Node and in browsers alike. */
export type * from './api.ts';
export { SignalboxError, type ErrorCode, type ProblemDetails } from './errors.ts';
export type { Auth, CarrierName, ClientLog, ConnectOptions } from './options.ts';
export type * from './discovery/options.ts';
export type { Endpoint, Outcome } from './discovery/endpoint.ts';
export type * from './calling/options.ts';
export type { BreakerOptions } from './calling/breaker.ts';
export type { BudgetOptions } from './calling/budget.ts';
export type { TlsOptions } from './calling/connector.ts';
export type { PublishedDocument, PublishOptions } from './catalog/published-document.ts';
export type * from './registration/options.ts';
export type { Named, Resource, Snapshot, Watch, WatchChange, WatchChanges, WatchState } from './watch/watch.ts';
export type { Select } from './select.ts';
export type { AppliedOverride, Instance, InstanceIdentity, Mode } from '../domain/instances/instance.ts';
export type { Check, HealthStatus, GrpcCheck, HttpCheck, TcpCheck, TtlCheck } from '../domain/instances/check.ts';
export type { Duration } from '../domain/duration.ts';
export type { Position } from '../domain/position.ts';
export type { Assigned, Kind, Labels } from '../domain/resources.ts';
