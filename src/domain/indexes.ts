import type { AnyItem } from './item.ts';
import { projectName, regionName, serviceName, versionName } from './names.ts';
import type { Kind } from './resources.ts';

/**
 * The one inverted index of the view: each item stands in the bucket of every key that `indexKeys` gives it, so a
 * question on the hot path is one bucket and never a scan.
 */
export const byKind = (kind: Kind): string => `kind:${kind}`;
/** Versions, resource types, deployments, instances, overrides and advisories of a service; service accounts of a project. */
export const children = (kind: Kind, parent: string): string => `in:${kind}:${parent}`;
/** The deployments in a region. */
export const inRegion = (region: string): string => `region:${region}`;
/** The versions that import a service. */
export const importersOf = (service: string): string => `imports:${service}`;
/** Everything that refers to a name (REF1). */
export const referrersOf = (name: string): string => `ref:${name}`;
/** The bundles that a service is a member of; COV4 allows one. */
export const bundlesOf = (service: string): string => `member:${service}`;
/** The instances at an address and port, whatever they are of (INS6). */
export const atAddress = (address: string, port: number): string => `at:${address}:${port}`;
/** The service with an apiId. */
export const byApiId = (apiId: string): string => `apiId:${apiId}`;
/** The services whose API owners are the members of a group. */
export const ownedBy = (group: string): string => `owner:${group}`;
/** The service accounts with a subject. */
export const bySubject = (subject: string): string => `subject:${subject}`;
/** The service accounts with a client id. */
export const byClient = (clientId: string): string => `client:${clientId}`;

export function indexKeys(item: AnyItem): string[] {
  const keys = [byKind(item.kind)];
  for (const name of references(item)) keys.push(referrersOf(name));
  switch (item.kind) {
    case 'service':
      keys.push(byApiId(item.value.apiId));
      for (const group of item.value.owners ?? []) keys.push(ownedBy(group));
      break;
    case 'serviceAccount': {
      const { subject, clientId } = item.value;
      keys.push(children(item.kind, item.parent));
      if (subject !== undefined) keys.push(bySubject(subject));
      if (clientId !== undefined) keys.push(byClient(clientId));
      break;
    }
    case 'resourceType':
      keys.push(children(item.kind, item.parent));
      break;
    case 'version':
      keys.push(children('version', item.parent));
      for (const service of new Set(item.value.imports.map((i) => i.service))) keys.push(importersOf(service));
      break;
    case 'deployment':
      keys.push(children('deployment', item.parent), inRegion(item.id));
      break;
    case 'bundle':
      for (const service of item.value.members) keys.push(bundlesOf(service));
      break;
    case 'instance':
      keys.push(children('instance', item.value.service), atAddress(item.value.address, item.value.port));
      break;
    case 'override':
    case 'advisory':
      keys.push(children(item.kind, item.value.service));
      break;
    default:
      break;
  }
  return keys;
}

/**
 * The names an item refers to, each once. All of them exist at every revision (REF1). What runs refers to nothing: an
 * instance lives as long as it does, whatever the catalog says about its service.
 */
export function references(item: AnyItem): string[] {
  switch (item.kind) {
    case 'region':
    case 'project':
      return [];
    case 'serviceAccount':
      return [projectName(item.parent)];
    case 'service':
      return [
        ...new Set([
          projectName(item.value.project),
          item.value.creator,
          regionName(item.value.primaryRegion),
          ...item.value.uses.map(serviceName),
          ...(item.value.importers ?? []).map(projectName),
        ]),
      ];
    case 'version':
      return [
        ...new Set([serviceName(item.parent), ...item.value.imports.map((i) => versionName(i.service, i.version))]),
      ];
    case 'resourceType':
      return [
        ...new Set([serviceName(item.parent), ...item.value.versions.map((v) => versionName(item.parent, v.version))]),
      ];
    case 'deployment':
      return [serviceName(item.parent), regionName(item.id), versionName(item.parent, item.value.currentVersion)];
    case 'bundle':
      return item.value.members.map(serviceName);
    case 'instance':
    case 'override':
    case 'advisory':
      return [];
  }
}
