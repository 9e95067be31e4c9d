import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InjectOptions } from 'fastify';
import type { Identity } from '../../src/auth/identity.ts';
import type { Command } from '../../src/domain/command.ts';
import type { AnyItem } from '../../src/domain/item.ts';
import type { Selector } from '../../src/domain/selector.ts';
import { HEARTBEAT_SLICES } from '../../src/feed/roster.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { Random } from '../support/random.ts';
import { Model } from './checked-client.ts';
import type { LiveNode } from './live-node.ts';
import type { ManyNodes } from './many-nodes.ts';
import { BEARERS, beginning, GROUND, nextCommand, SERVICES } from './random-history.ts';
import { SeenClient } from './seen-client.ts';
import { maySee, SeenModel, serviceOf, standingAt } from './sight-model.ts';
import { entriesSince } from '../support/entries-since.ts';

const ALL: Selector = { kind: '*' };
const KINDS = {
  region: '/v1/regions',
  project: '/v1/projects',
  serviceAccount: '/v1/projects/-/service-accounts',
  service: '/v1/services',
  version: '/v1/services/-/versions',
  resourceType: '/v1/services/-/resources',
  deployment: '/v1/services/-/deployments',
  bundle: '/v1/bundles',
  instance: '/v1/instances',
  override: '/v1/overrides',
  advisory: '/v1/advisories',
} as const;
const RUNTIME = new Set(['instance', 'override', 'advisory']);

export interface Counts {
  revisions: number;
  refused: number;
  answers: number;
  frames: number;
  sockets: number;
  resumes: number;
  resets: number;
  ended: number;
}

/** One random history on a node of its own, and everything that a few bearers are told of it. */
export class SeenHistory {
  readonly #many: ManyNodes;
  readonly #node: LiveNode;
  readonly #random: Random;
  readonly #model = new Model();
  readonly #models = new Map<string, SeenModel>();
  readonly #names = new Map<string, { readonly upTo: number; readonly ids: ReadonlySet<string> }>();
  readonly #counts: Counts;
  readonly #clients: { token: string; client: SeenClient }[] = [];
  readonly #resumes: { token: string; select: Selector; from: number }[] = [];

  private constructor(many: ManyNodes, node: LiveNode, seed: number, counts: Counts) {
    this.#many = many;
    this.#node = node;
    this.#random = new Random(seed);
    this.#counts = counts;
  }

  static async play(many: ManyNodes, seed: number, counts: Counts): Promise<void> {
    const history = new SeenHistory(many, await many.next(), seed, counts);
    try {
      await history.#play();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    } finally {
      for (const { client } of history.#clients) client.end();
    }
  }

  async #play(): Promise<void> {
    const random = this.#random;
    await this.#run(GROUND);
    await this.#run(beginning(random));
    for (let n = 12; n > 0; n--) await this.#step();
    const tokens = new Set([
      'root',
      random.pick([...BEARERS.keys()]),
      random.pick([...BEARERS.keys()]),
      random.pick([...BEARERS.keys()]),
    ]);
    for (const token of tokens) {
      await this.#open(token, ALL);
      this.#resumes.push({ token, select: ALL, from: this.#head });
    }
    for (let n = 24; n > 0; n--) {
      await this.#step();
      const token = random.pick([...tokens]);
      if (random.chance(0.4)) await this.#glance(token);
      if (random.chance(0.15)) await this.#open(token, this.#selector());
      if (random.chance(0.15)) this.#resumes.push({ token, select: this.#selector(), from: this.#head });
    }
    for (const { token, select, from } of this.#resumes) await this.#resume(token, select, from);
    this.#node.hub.flush();
    for (let n = 0; n < HEARTBEAT_SLICES; n++) this.#node.hub.heartbeat();
    for (const { token, client } of this.#clients) await this.#check(token, client);
    for (const token of tokens) await this.#rest(token);
    this.#counts.revisions += this.#head;
  }

  get #head(): number {
    return this.#node.head;
  }

  get #state(): ReadonlyMap<string, AnyItem> {
    return this.#stateAt(this.#head);
  }

  #stateAt(revision: number): ReadonlyMap<string, AnyItem> {
    return this.#model.states.get(revision) ?? new Map<string, AnyItem>();
  }

  #seenBy(token: string): SeenModel {
    let model = this.#models.get(token);
    if (model === undefined) this.#models.set(token, (model = new SeenModel(this.#model, identityOf(token))));
    return model;
  }

  #selector(): Selector {
    const random = this.#random;
    const services = [random.pick(SERVICES), random.pick(SERVICES)];
    return random.pick<Selector>([
      { kind: 'service' },
      { kind: 'instance', passing: true },
      { kind: '*', services },
      { kind: 'instance', services, tags: { zone: 'a' } },
      { kind: '*', labels: { team: 'x' } },
      { kind: 'bundle' },
      { kind: 'override' },
      { kind: 'deployment', regions: ['us'] },
    ]);
  }

  /** One command, or two that become one flush. */
  async #step(): Promise<void> {
    const { view } = this.#node.tail;
    const first = nextCommand(this.#random, view);
    const second = nextCommand(this.#random, view);
    if (this.#random.chance(0.4) && leavesBearers(first) && leavesBearers(second)) await this.#run(first, second);
    else await this.#run(first);
  }

  async #run(...commands: Command[]): Promise<void> {
    const before = this.#head;
    const verdicts = await Promise.all(commands.map((command) => this.#node.registry.execute(command)));
    this.#counts.refused += verdicts.filter(({ ok }) => !ok).length;
    for (const entry of await entriesSince(this.#node.store, before)) this.#model.record(entry);
    if (this.#random.chance(0.5) || !commands.every(leavesBearers)) this.#node.hub.flush();
    else await nextTurn();
  }

  async #open(token: string, select: Selector, from?: number): Promise<void> {
    const client = await SeenClient.open(this.#many.url, token, this.#seenBy(token), select, this.#head, from);
    this.#clients.push({ token, client });
    this.#counts.sockets += 1;
  }

  async #resume(token: string, select: Selector, from: number): Promise<void> {
    const then = standingAt(identityOf(token), this.#stateAt(from));
    const now = standingAt(identityOf(token), this.#state);
    // Who has become somebody else starts over: PUSH.md.
    if (then === undefined || JSON.stringify(then) !== JSON.stringify(now)) return;
    for (let r = from; r < this.#head; r++) {
      if (JSON.stringify(standingAt(identityOf(token), this.#stateAt(r))) !== JSON.stringify(now)) return;
    }
    await this.#open(token, select, from);
    this.#counts.resumes += 1;
  }

  async #check(token: string, client: SeenClient): Promise<void> {
    await client.settled();
    const wasNobody = this.#revisions(client.openedAt).some(
      (r) => standingAt(identityOf(token), this.#stateAt(r)) === undefined,
    );
    if (client.refused !== undefined) {
      must(
        standingAt(identityOf(token), this.#stateAt(client.openedAt)) === undefined,
        `${token} was refused at ${client.openedAt}`,
      );
    } else if (client.closed !== undefined) {
      must(client.closed === CLOSE.accessEnded && wasNobody, `${token} was closed with ${client.closed}`);
      this.#counts.ended += 1;
    } else {
      must(!wasNobody, `${token} was nobody since ${client.openedAt}, and its socket is open`);
      must(client.sub.position === this.#head, `${token} is at ${client.sub.position}, not ${this.#head}`);
      this.#counts.resets += client.sub.resets;
      this.#counts.frames += client.sub.events;
    }
    this.#mustNotName(token, client.bytes, 'its socket', client.sub.selector.services);
  }

  #revisions(from: number): number[] {
    return Array.from({ length: this.#head - from + 1 }, (_, i) => from + i);
  }

  /** No bytes for this bearer name a service that it never could see, unless what it could see names it. */
  #mustNotName(token: string, bytes: string, where: string, asked: readonly string[] = []): void {
    const told = this.#told(token);
    const hidden = SERVICES.filter((id) => !asked.includes(id) && !told.has(id));
    for (const id of hidden) must(!bytes.includes(id), `${where} names ${id} to ${token}: ${around(bytes, id)}`);
  }

  /** The ids of all services that a bearer could see so far, or that something says which it could see. */
  #told(token: string): ReadonlySet<string> {
    let told = this.#names.get(token);
    if (told?.upTo !== this.#head) {
      const ids = new Set<string>();
      for (const revision of this.#revisions(0)) {
        for (const { name, value, kind } of this.#seenBy(token).selected(revision, ALL).values()) {
          if (name.startsWith('services/') || RUNTIME.has(kind)) ids.add(serviceOf(name, value));
          for (const id of namedIn(value)) ids.add(id);
        }
      }
      this.#names.set(token, (told = { upTo: this.#head, ids }));
    }
    return told.ids;
  }

  async #get(token: string, url: string, more: InjectOptions = {}): Promise<{ status: number; body: string }> {
    const headers = { authorization: `Bearer ${token}`, ...more.headers };
    const { statusCode, body } = await this.#many.app.inject({ method: 'GET', url, ...more, headers });
    this.#counts.answers += 1;
    return { status: statusCode, body };
  }

  async #json<T>(token: string, url: string): Promise<T> {
    const { status, body } = await this.#get(token, url);
    must(status === 200, `GET ${url} as ${token} is ${status}: ${body.slice(0, 300)}`);
    this.#mustNotName(token, body, url);
    return JSON.parse(body) as T;
  }

  /** Lists, searches, single resources, the export, coverage, counts and the log are the same set as the feed's. */
  async #rest(token: string): Promise<void> {
    if (standingAt(identityOf(token), this.#state) === undefined) {
      for (const url of [...Object.values(KINDS), '/v1/export', '/v1/coverage', '/v1/state', '/v1/changes?since=0']) {
        const { status, body } = await this.#get(token, url);
        must(status === 403, `GET ${url} as ${token}, who is nobody, is ${status}`);
        this.#mustNotName(token, body, url);
      }
      return;
    }
    const seen = this.#seenBy(token).selected(this.#head, ALL);
    const of = (where: (item: AnyItem) => boolean): string[] =>
      Array.from(seen.values())
        .filter(where)
        .map(({ name }) => name);
    for (const [kind, url] of Object.entries(KINDS)) {
      const { items } = await this.#json<{ items: { name: string }[] }>(token, `${url}?pageSize=1000`);
      same(
        items.map(({ name }) => name),
        of((item) => item.kind === kind),
        `${token} lists ${url}`,
      );
    }
    const found = await this.#json<{ items: { name: string }[] }>(
      token,
      '/v1/services?filter=labels.team%20%3D%20x&orderBy=displayName',
    );
    same(
      found.items.map(({ name }) => name),
      of(({ kind, value }) => kind === 'service' && value.labels.team === 'x'),
      `${token} searches`,
    );
    await this.#pages(
      token,
      of(({ kind }) => kind === 'version'),
    );
    const { body } = await this.#get(token, '/v1/export');
    this.#mustNotName(token, body, 'the export');
    const exported = body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { name: string }).name);
    same(
      exported,
      of(({ kind }) => !RUNTIME.has(kind)),
      `${token} exports`,
    );
    const coverage = await this.#json<{
      services: { service: string }[];
      liveWithoutDeployment: { service: string }[];
    }>(token, '/v1/coverage');
    same(
      coverage.services.map(({ service }) => `services/${service}`),
      of(({ kind }) => kind === 'service'),
      `${token} reads the coverage`,
    );
    const running = of(({ kind }) => kind === 'instance').map((name) => serviceOf(name, seen.get(name)?.value ?? {}));
    for (const { service } of coverage.liveWithoutDeployment)
      must(running.includes(service), `${token} is told that ${service} runs`);
    for (const url of ['/v1/state', '/readyz']) {
      const { resources } = await this.#json<{ resources: number }>(token, url);
      must(resources === seen.size, `${token} counts ${resources}, not ${seen.size} (${url})`);
    }
    const service = this.#random.pick(SERVICES);
    const { items } = await this.#json<{ items: { name: string }[] }>(token, `/v1/services/${service}/instances`);
    same(
      items.map(({ name }) => name),
      of(({ kind, value }) => kind === 'instance' && (value as { service: string }).service === service),
      `${token} discovers ${service}`,
    );
    await this.#each(token);
    await this.#log(token);
  }

  /** One list, between two changes: what is kept of it must not outlive who could see it. */
  async #glance(token: string): Promise<void> {
    if (standingAt(identityOf(token), this.#state) === undefined) return;
    const [kind, url] = this.#random.pick(Object.entries(KINDS));
    const { items } = await this.#json<{ items: { name: string }[] }>(token, `${url}?pageSize=1000`);
    const seen = Array.from(this.#seenBy(token).selected(this.#head, ALL).values()).filter(
      (item) => item.kind === kind,
    );
    same(
      items.map(({ name }) => name),
      seen.map(({ name }) => name),
      `${token} lists ${url} at ${this.#head}`,
    );
  }

  async #pages(token: string, names: readonly string[]): Promise<void> {
    const listed: string[] = [];
    for (let pageToken: string | undefined = ''; pageToken !== undefined;) {
      const page: { items: { name: string }[]; nextPageToken: string } = await this.#json(
        token,
        `/v1/services/-/versions?pageSize=2&pageToken=${encodeURIComponent(pageToken)}`,
      );
      listed.push(...page.items.map(({ name }) => name));
      pageToken = page.nextPageToken === '' ? undefined : page.nextPageToken;
    }
    same(listed, names, `${token} turns the pages`);
  }

  /** Single resources: what is hidden is answered as what does not exist is. */
  async #each(token: string): Promise<void> {
    const names = new Set(this.#revisions(0).flatMap((r) => [...this.#stateAt(r).keys()]));
    for (const name of names) {
      if (!this.#random.chance(0.2)) continue;
      const item = this.#state.get(name);
      const isSeen = item !== undefined && maySee(identityOf(token), item, this.#state);
      const { status, body } = await this.#get(token, `/v1/${name}`);
      must(status === (isSeen ? 200 : 404), `GET ${name} as ${token} is ${status}`);
      if (isSeen) continue;
      const other = name
        .replace(/^services\/[^/]+/, 'services/zz0.test')
        .replace(/^instances\/[0-9a-f]{24}/, `instances/${'f'.repeat(24)}`);
      const never = await this.#get(token, `/v1/${other}`);
      same(
        [withoutId(body)],
        [
          withoutId(never.body)
            .replaceAll(other, name)
            .replaceAll(other.split('/')[1] ?? '', name.split('/')[1] ?? ''),
        ],
        `${token} asks for ${name}`,
      );
    }
  }

  /** The log from a random revision on leads from what was seen then to what is seen now. */
  async #log(token: string): Promise<void> {
    const identity = identityOf(token);
    const now = JSON.stringify(standingAt(identity, this.#state));
    const since = this.#random.below(this.#head + 1);
    if (this.#revisions(since).some((r) => JSON.stringify(standingAt(identity, this.#stateAt(r))) !== now)) return;
    const model = this.#seenBy(token);
    const cache = new Map(Array.from(model.selected(since, ALL), ([name, { revision }]) => [name, revision]));
    for (let at = since; at < this.#head;) {
      const page = await this.#json<{ to: number; changes: { op: string; key: string; revision: number }[] }>(
        token,
        `/v1/changes?since=${at}&limit=7`,
      );
      for (const { op, key, revision } of page.changes) {
        if (op === 'put') cache.set(key, revision);
        else must(cache.delete(key), `${token} is told that ${key} is gone, which it never saw`);
      }
      at = page.to;
      same(
        [...cache].map(String),
        Array.from(model.selected(at, ALL), ([name, { revision }]) => `${name},${revision}`),
        `${token} reads the log up to ${at}`,
      );
    }
  }
}

function identityOf(token: string): Identity {
  const identity = BEARERS.get(token);
  if (identity === undefined) throw new Error(`nobody is ${token}`);
  return identity;
}

/** Whether all bearers are who they were before it. */
function leavesBearers(command: Command): boolean {
  if ('instances' in command) return true;
  return command.edits.every(
    (edit) =>
      !edit.name.includes('/service-accounts/') &&
      (!/^services\/[^/]+$/.test(edit.name) || (edit.op === 'patch' && !('owners' in (edit.patch as object)))),
  );
}

/** Service ids that the content of a resource names. */
function namedIn(value: object): string[] {
  const {
    imports = [],
    uses = [],
    effectiveUses = [],
    members = [],
  } = value as {
    imports?: { service: string }[];
    uses?: string[];
    effectiveUses?: string[];
    members?: string[];
  };
  return [...imports.map(({ service }) => service), ...uses, ...effectiveUses, ...members];
}

const withoutId = (body: string): string => body.replace(/"requestId":"[^"]*"/, '');

const around = (text: string, part: string): string =>
  text.slice(Math.max(0, text.indexOf(part) - 150), text.indexOf(part) + 80);

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function same(got: readonly string[], wanted: readonly string[], what: string): void {
  const [a, b] = [got.toSorted().join(' '), wanted.toSorted().join(' ')];
  if (a !== b) throw new Error(`${what}:\n got ${a}\n not ${b}`);
}
