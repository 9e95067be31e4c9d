import { apply, deploymentBody, deploymentPath, manifest, sequenceText, serviceId } from './catalog.ts';
import { PER_SERVICE, REGISTER_PATH, registerMany, registration, runtimeServiceId } from './instances.ts';

/** What is watched and written in the figures of watchers. */
export interface Subject {
  /** What the watchers subscribe to. */
  readonly select: object;
  readonly method: 'PUT' | 'POST';
  /** Where a writer writes; each has a resource of its own. */
  path(writer: number): string;
  body(writer: number, n: number): string;
  /** Makes what is written later on. */
  prepare(port: number): Promise<void>;
}

const SERVICE = 0;
const WRITABLE = 32;

/** The deployments of one service in the catalog. */
export const DEPLOYMENTS: Subject = {
  select: { kind: 'deployment', services: [serviceId(SERVICE)] },
  method: 'PUT',
  path: (writer) => deploymentPath(SERVICE, writer),
  body: (writer, n) => deploymentBody(SERVICE, writer, sequenceText(n)),
  prepare: (port) => apply(port, manifest(4, WRITABLE)),
};

/** The instances of one service that callers may be sent to; each write registers one anew with other metadata. */
export const INSTANCES: Subject = {
  select: { kind: 'instance', services: [runtimeServiceId(SERVICE)], passing: true },
  method: 'POST',
  path: () => REGISTER_PATH,
  body: (writer, n) => registration(writer, { sequence: n }),
  prepare: async (port) => {
    await registerMany(port, SERVICE, 4 * PER_SERVICE);
  },
};
