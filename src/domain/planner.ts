import { documentOf, type Document } from './document.ts';
import { regionalEndpoint } from './endpoints.ts';
import { references } from './indexes.ts';
import type { Item } from './item.ts';
import { allOf, bundlesWith, deploymentOf, isRetired, serviceOf, versionOf, versionsOf } from './lookup.ts';
import { deploymentName, regionName, serviceName, versionName } from './names.ts';
import { compareVersions, newestOf } from './versions.ts';
import type { Reader } from './view.ts';

export type Plan =
  { readonly ok: true; readonly documents: readonly Document[] } | { readonly ok: false; readonly problem: string };

/** What a command that is being judged says itself. A plan may repeat that, and may not contradict it. */
export interface Given {
  changes(name: string): boolean;
  creates(name: string): boolean;
}

const NOTHING: Given = { changes: () => false, creates: () => false };

/** One deployment that is needed, and what it needs in turn. */
interface Node {
  readonly kind: 'deployment';
  readonly service: string;
  readonly region: string;
  readonly name: string;
  readonly current: Item<'deployment'> | undefined;
  readonly needs: Set<Node | Hub>;
  version: string;
  enabled: boolean;
  problem: string | undefined;
}

/** A bundle in a region. Its members need it and it needs them, which is fewer links than each needing all others. */
interface Hub {
  readonly kind: 'bundle';
  readonly needs: Set<Node>;
  /** What the members that are upgraded together run. */
  version: string;
}

/** Several needs planned together, so that a deployment that two of them share comes out the same in both plans. */
export class Planner {
  readonly #state: Reader;
  readonly #given: Given;
  readonly #nodes = new Map<string, Node>();
  readonly #hubs = new Map<string, Hub>();
  readonly #open: Node[] = [];

  constructor(state: Reader, given: Given = NOTHING) {
    this.#state = state;
    this.#given = given;
  }

  /** A deployment of at least this version. Without one: the version it has, or would choose by itself. */
  need(service: string, region: string, version?: string, enabled = false): void {
    this.#need(service, region, version, enabled);
  }

  /** The plan for one of the needs. */
  planFor(service: string, region: string): Plan {
    this.#settle();
    const start = this.#nodes.get(deploymentName(service, region));
    const reached = new Set<Node | Hub>(start === undefined ? [] : [start]);
    const nodes: Node[] = [];
    for (const one of reached) {
      for (const next of one.needs) reached.add(next);
      if (one.kind === 'bundle') continue;
      if (one.problem !== undefined) return { ok: false, problem: one.problem };
      nodes.push(one);
    }
    const documents = new Map<string, Document>();
    for (const node of nodes) {
      if (!this.#changes(node) && !this.#given.changes(node.name)) continue;
      const document = this.#documentOf(node);
      documents.set(document.name, document);
      this.#addCreated([regionName(node.region), serviceName(node.service)], documents);
      this.#addCreated([versionName(node.service, node.version)], documents);
    }
    return { ok: true, documents: [...documents.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }

  #need(service: string, region: string, version: string | undefined, enabled: boolean): Node {
    const name = deploymentName(service, region);
    let node = this.#nodes.get(name);
    if (node === undefined) {
      const current = deploymentOf(this.#state, service, region);
      const chosen = current?.value.currentVersion ?? version ?? this.#choice(service);
      const parts = { service, region, name, current, version: chosen, enabled: current === undefined };
      node = { kind: 'deployment', ...parts, needs: new Set(), problem: undefined };
      this.#nodes.set(name, node);
      this.#open.push(node);
    }
    if (enabled && !node.enabled) {
      node.enabled = true;
      this.#open.push(node);
    }
    if (version !== undefined) this.#raise(node, version);
    return node;
  }

  #raise(node: Node, version: string): void {
    if (compareVersions(version, node.version) <= 0) return;
    node.version = version;
    this.#open.push(node);
  }

  #settle(): void {
    for (let node = this.#open.pop(); node !== undefined; node = this.#open.pop()) this.#expand(node);
  }

  /** What stands in the state as it is has all that it needs already, the state being valid. */
  #expand(node: Node): void {
    const service = serviceOf(this.#state, node.service);
    const given = this.#given.changes(node.name);
    if (!this.#changes(node) && !given) return;
    node.problem = this.#problemOf(node, given);
    if (node.problem !== undefined || service === undefined) return;
    for (const version of versionsOf(this.#state, node.service)) {
      if (isRetired(version) || compareVersions(version.id, node.version) > 0) continue;
      for (const one of version.value.imports) {
        if (one.service !== node.service) node.needs.add(this.#need(one.service, node.region, one.version, true));
      }
    }
    for (const bundle of bundlesWith(this.#state, node.service)) this.#join(node, bundle);
    if (this.#given.creates(regionName(node.region))) {
      for (const bundle of allOf(this.#state, 'bundle')) {
        if (bundle.value.rules.everyRegion) node.needs.add(this.#hub(bundle, node.region, true));
      }
    }
    const { primaryRegion } = service.value;
    if (node.region !== primaryRegion) {
      const version = deploymentOf(this.#state, node.service, primaryRegion) === undefined ? node.version : undefined;
      node.needs.add(this.#need(node.service, primaryRegion, version, false));
    }
  }

  #join(node: Node, bundle: Item<'bundle'>): void {
    const { deployedTogether, upgradedTogether } = bundle.value.rules;
    if (!deployedTogether && !upgradedTogether) return;
    const hub = this.#hub(bundle, node.region, deployedTogether);
    node.needs.add(hub);
    if (!upgradedTogether) return;
    hub.needs.add(node);
    if (compareVersions(node.version, hub.version) > 0) this.#upgrade(hub, node.version);
    else this.#raise(node, hub.version);
  }

  #hub({ name, value }: Item<'bundle'>, region: string, all: boolean): Hub {
    const key = `${name} ${region} ${all ? 'all' : 'there'}`;
    let hub = this.#hubs.get(key);
    if (hub !== undefined) return hub;
    hub = { kind: 'bundle', needs: new Set(), version: '' };
    this.#hubs.set(key, hub);
    for (const member of value.members) {
      if (!all && deploymentOf(this.#state, member, region) === undefined) continue;
      const mate = this.#need(member, region, undefined, false);
      hub.needs.add(mate);
      if (compareVersions(mate.version, hub.version) > 0) hub.version = mate.version;
    }
    if (value.rules.upgradedTogether) this.#upgrade(hub, hub.version);
    return hub;
  }

  #upgrade(hub: Hub, version: string): void {
    hub.version = version;
    for (const mate of hub.needs) this.#raise(mate, version);
  }

  #changes({ current, enabled, version }: Node): boolean {
    if (current === undefined || (enabled && current.value.disabled)) return true;
    return compareVersions(version, current.value.currentVersion) > 0;
  }

  #problemOf(node: Node, given: boolean): string | undefined {
    const { service, region, version } = node;
    if (serviceOf(this.#state, service) === undefined) return `there is no service ${service}`;
    if (this.#state.get(regionName(region)) === undefined) return `there is no region ${region}`;
    const listed = versionOf(this.#state, service, version);
    if (listed === undefined)
      return version === '' ? `${service} has no version` : `${service} does not list ${version}`;
    if (isRetired(listed)) return `${service} ${version} is retired`;
    if (given && this.#changes(node)) return `the command itself says otherwise about ${node.name}`;
    return undefined;
  }

  /** What a deployment starts with when nothing asks for more: the primary region's version, else the newest. */
  #choice(service: string): string {
    const primary = serviceOf(this.#state, service)?.value.primaryRegion ?? '';
    const running = deploymentOf(this.#state, service, primary)?.value.currentVersion;
    if (running !== undefined) return running;
    const listed: string[] = [];
    for (const version of versionsOf(this.#state, service)) if (!isRetired(version)) listed.push(version.id);
    return newestOf(listed) ?? '';
  }

  #documentOf(node: Node): Document {
    const { current, name, service, region, version: currentVersion } = node;
    if (current !== undefined) {
      const disabled = current.value.disabled && !node.enabled;
      return { ...documentOf(current), currentVersion, disabled };
    }
    const endpoint = regionalEndpoint(region, serviceOf(this.#state, service)?.value.globalEndpoint ?? '');
    return { name, regionalEndpoint: endpoint, currentVersion };
  }

  /** What the command creates does not exist before it: a plan that is to be applied first brings it along. */
  #addCreated(names: readonly string[], documents: Map<string, Document>): void {
    for (const name of names) {
      if (documents.has(name) || !this.#given.creates(name)) continue;
      const item = this.#state.get(name);
      if (item === undefined) continue;
      documents.set(name, documentOf(item));
      this.#addCreated(references(item), documents);
    }
  }
}
