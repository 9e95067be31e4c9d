import type { AnyItem, Entry } from '../../src/domain/item.ts';
import type { Identity } from '../../src/auth/identity.ts';
import type { Selector } from '../../src/domain/selector.ts';
import { Model } from './checked-client.ts';

type State = ReadonlyMap<string, AnyItem>;

interface Service {
  readonly public: boolean;
  readonly project: string;
  readonly apiId: string;
  readonly importers?: readonly string[];
  readonly owners?: readonly string[];
}

/** Who a bearer is at a state: docs/access.md in a few lines, from nothing but the resources. `undefined`: nobody. */
export function standingAt(identity: Identity, state: State): Standing {
  let known = STANDINGS.get(state);
  if (known === undefined) STANDINGS.set(state, (known = new Map()));
  if (!known.has(identity)) known.set(identity, findStanding(identity, state));
  return known.get(identity);
}

type Standing = 'administrator' | { readonly project?: string } | undefined;
const STANDINGS = new WeakMap<State, Map<Identity, Standing>>();

function findStanding(identity: Identity, state: State): Standing {
  if (identity.administrator) return 'administrator';
  for (const [name, { kind, value }] of state) {
    const account = value as { clientId?: string };
    if (kind === 'serviceAccount' && account.clientId !== undefined && account.clientId === identity.clientId)
      return { project: name.split('/')[1] ?? '' };
  }
  const { apiIds, services, groups } = identity.owns;
  const owns = [...state.values()].some(
    ({ kind, value }) => kind === 'service' && (value as Service).owners?.some((group) => groups.includes(group)),
  );
  return identity.reader || apiIds.length + services.length > 0 || owns ? {} : undefined;
}

/** Whether a bearer may see a resource at a state. */
export function maySee(identity: Identity, { kind, name, value }: AnyItem, state: State): boolean {
  const standing = standingAt(identity, state);
  if (standing === undefined) return false;
  if (standing === 'administrator') return true;
  const seesService = (id: string): boolean => {
    if (identity.owns.services.includes(id)) return true;
    const service = state.get(`services/${id}`)?.value as Service | undefined;
    if (service === undefined) return false;
    return (
      service.public ||
      [service.project, ...(service.importers ?? [])].some((project) => project === standing.project) ||
      identity.owns.apiIds.includes(service.apiId) ||
      (service.owners ?? []).some((group) => identity.owns.groups.includes(group))
    );
  };
  if (kind === 'region' || kind === 'project') return true;
  if (kind === 'serviceAccount') return name.split('/')[1] === standing.project;
  if (kind === 'bundle') return (value as unknown as { members: string[] }).members.every(seesService);
  return seesService(serviceOf(name, value));
}

export function serviceOf(name: string, value: object): string {
  return name.startsWith('services/') ? (name.split('/')[1] ?? '') : (value as { service: string }).service;
}

/** The history as one bearer is told of it. */
export class SeenModel extends Model {
  readonly #identity: Identity;
  readonly #seen = new Map<string, Map<string, AnyItem>>();

  constructor(whole: Model, identity: Identity) {
    super();
    this.#identity = identity;
    this.whole = whole;
  }

  readonly whole: Model;

  override record(_entry: Entry): void {
    throw new Error('what is seen follows from the whole');
  }

  override selected(revision: number, selector: Selector): Map<string, AnyItem> {
    const key = `${revision} ${JSON.stringify(selector)}`;
    let seen = this.#seen.get(key);
    if (seen === undefined) {
      const state = this.whole.states.get(revision) ?? new Map<string, AnyItem>();
      seen = new Map(
        [...this.whole.selected(revision, selector)].filter(([, item]) => maySee(this.#identity, item, state)),
      );
      this.#seen.set(key, seen);
    }
    return seen;
  }

  /** What differs between two states, in the order of the log. */
  override expected(revision: number, selector: Selector): string[] {
    const before = this.selected(revision - 1, selector);
    const after = this.selected(revision, selector);
    const order = (this.whole.log.get(revision)?.changes ?? []).map((c) => (c.op === 'put' ? c.item.name : c.name));
    const names = new Set([...order, ...before.keys(), ...after.keys()]);
    return [...names].flatMap((name) => {
      const was = before.get(name);
      const is = after.get(name);
      if (is !== undefined) return was?.revision === is.revision ? [] : [`put ${name}@${is.revision}`];
      return was === undefined ? [] : [`delete ${name}@${revision}`];
    });
  }
}
