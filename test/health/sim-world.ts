import type { Caller, InstanceCommand } from '../../src/domain/command.ts';
import { milliseconds } from '../../src/domain/duration.ts';
import { regionOf } from '../../src/domain/instances/build.ts';
import { detectionBoundMs, type ActiveCheck } from '../../src/domain/instances/check.ts';
import type { Instance } from '../../src/domain/instances/instance.ts';
import type { Entry } from '../../src/domain/item.ts';
import { NO_MEMBERSHIP, ownerOf, type Membership } from '../../src/domain/membership.ts';
import { instanceName } from '../../src/domain/names.ts';
import { View } from '../../src/domain/view.ts';
import { groupKey } from '../../src/health/claims.ts';
import type { Finding, Target } from '../../src/health/probe.ts';
import { CATCH_UP_MS, slotAt, slotsOf } from '../../src/health/slots.ts';
import { MemoryLeaseServer } from '../support/memory-leases.ts';
import { Random } from '../support/random.ts';
import { Client } from './sim-client.ts';
import { GUARD, GuardJudge, LATE_MS } from './sim-guard.ts';
import { CLAIM_MS, HEARTBEAT_MS, SimNode, TIMEOUT_MS, type Row, type SharedWorld } from './sim-node.ts';

export const TAKEOVER_MS = TIMEOUT_MS + HEARTBEAT_MS + 1500;
const STEP_MS = 10;
/** What was heard is where all nodes find it within this time, or is not acknowledged in time. */
const STORED_MS = 500;
const CLIENT: Caller = { kind: 'administrator', subject: 'client' };

/** Nodes, instances and what goes wrong, in simulated time; every promise is judged as things happen. */
export class World implements SharedWorld {
  readonly random: Random;
  now = 1_000_000;
  readonly log: Entry[] = [];
  /** As the log has it. */
  readonly truth = new View();
  membership: Membership = NO_MEMBERSHIP;
  readonly rows = new Map<string, Row>();
  readonly leases = new MemoryLeaseServer(() => this.now);
  isDatabaseAway = false;
  readonly guard = GUARD;
  nodes: SimNode[] = [];
  readonly clients: Client[];
  readonly stats = {
    critical: 0,
    takeovers: 0,
    acks: 0,
    refused: 0,
    kept: 0,
    trips: 0,
    checks: 0,
    madeUp: 0,
    fenced: 0,
  };
  /** What may have held something up: at each of these somebody else may have had to take over. */
  readonly events: number[] = [];
  /** Whether everything has gone in order since then. */
  disorderAt = Number.NEGATIVE_INFINITY;
  /** When leases last began anew for everybody (INS3). */
  grantedAt = 0;
  /** The database, or every node, was away until then. */
  awayUntil = 0;
  readonly #broken: ReadonlySet<string>;
  readonly #waits: { at: number; go: () => void }[] = [];
  readonly #guards = new GuardJudge(this);
  #fault: unknown;
  #names = 0;
  #wasAnybodyUp = true;

  constructor(seed: number, count: number, broken: readonly string[] = []) {
    this.random = new Random(seed);
    this.#broken = new Set(broken);
    this.clients = Array.from({ length: count }, (_, n) => new Client(n, this.random));
  }

  get up(): SimNode[] {
    return this.nodes.filter((node) => node.isRunning);
  }

  start(): SimNode {
    const node = new SimNode(`n${++this.#names}`, this, this.#broken);
    this.nodes.push(node);
    return node;
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#waits.push({ at: this.now + Math.max(0, ms), go: resolve }));
  }

  fault(error: unknown): void {
    this.#fault ??= error;
  }

  later(ms: number, run: () => void = () => undefined): void {
    void this.wait(ms).then(() => {
      run();
      this.happened(true);
    });
  }

  /** What is read of the leases from now on says nothing about before. */
  leasesAreBack(): void {
    this.leases.comeBack();
    this.grantedAt = this.now;
  }

  append(entry: Entry): void {
    this.log.push(entry);
    this.truth.fold(entry.changes);
  }

  /** Something happened that a single takeover has to make good. */
  happened(isDisorder: boolean): void {
    this.events.push(this.now);
    if (isDisorder) this.disorderAt = this.now;
  }

  async run(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end;) {
      this.now += STEP_MS;
      for (let i = this.#waits.length - 1; i >= 0; i--) {
        const wait = this.#waits[i];
        if (wait === undefined || wait.at > this.now) continue;
        this.#waits[i] = this.#waits.at(-1) as typeof wait;
        this.#waits.pop();
        wait.go();
      }
      await turns();
      for (const client of this.clients) this.#renew(client);
      for (const node of this.nodes) if (!node.isDead) node.step();
      await turns();
      const isAnybodyUp = this.up.length > 0 && !this.isDatabaseAway;
      if (!isAnybodyUp) this.awayUntil = this.now;
      if (isAnybodyUp && !this.#wasAnybodyUp) this.happened(true);
      this.#wasAnybodyUp = isAnybodyUp;
      if (this.now % 100 === 0) this.#verify();
      if (this.#fault !== undefined) throw this.#fault as Error;
    }
  }

  instance({ id }: Pick<Client, 'id'>): Instance | undefined {
    const item = this.truth.get(instanceName(id));
    return item?.kind === 'instance' ? item.value : undefined;
  }

  begin(client: Client): void {
    if (client.isAlive) return;
    client.isAlive = true;
    client.bornAt = this.now;
    client.nextRenewal = this.now;
    client.starts = [];
    client.ran.clear();
  }

  end(client: Client): void {
    if (!client.isAlive) return;
    client.isAlive = false;
    client.diedAt = this.now;
    this.#disconnect(client);
  }

  look({ address }: Target): Finding['status'] | undefined {
    const client = this.clients[Number(address.split('.')[3])] as Client;
    if (client.isAlive) return 'passing';
    // The one refuses, the other hangs.
    return client.n % 2 === 0 ? 'critical' : undefined;
  }

  onProbe(node: SimNode, { address }: Target): void {
    const client = this.clients[Number(address.split('.')[3])] as Client;
    this.stats.checks++;
    this.#started(client, node);
    client.starts.push({ at: this.now, node });
  }

  /** No target is asked twice in one interval, unless a node has died, or has been held up. */
  #started(client: Client, node: SimNode): void {
    const last = client.starts.at(-1);
    const interval = milliseconds((client.check as ActiveCheck).interval);
    // It is checked eagerly until something is decided, and then at its next slot.
    const createdAt = Date.parse(this.instance(client)?.createTime ?? '') - Date.UTC(2025, 0, 1);
    if (last === undefined || !(last.at - createdAt > 8000)) return;
    const gap = this.now - last.at;
    const slots = slotsOf(client.id, interval);
    // The clocks that they share agree to some milliseconds.
    const slot = slotAt(slots, this.now + 10);
    const ran = client.ran.has(slot) && !client.ran.has(slot - interval) ? slot - interval : slot;
    const isOrderly = this.now - this.disorderAt > 2 * interval + TIMEOUT_MS + TAKEOVER_MS;
    const left = slot - 2 * interval;
    if (isOrderly && client.ran.has(ran))
      this.fault(new Error(`${client.id} is checked twice for ${slot}, by ${node.id}: ${this.#storyOf(client)}`));
    // A target that hangs for all of its interval may be late for its next turn, and that one for its next owner.
    const isPrompt = client.isAlive && this.now - client.bornAt > 3 * interval;
    if (isOrderly && isPrompt && left > Math.min(...client.ran) && !client.ran.has(left))
      this.fault(new Error(`${client.id} was not checked for ${left}: ${this.#storyOf(client)}`));
    client.ran.add(ran);
    if (last.node === node && gap < interval - 450 && gap > 0) this.stats.madeUp++;
    if (last.node !== node) this.stats.takeovers++;
    const slack = this.#takeovers(last.at, this.now) * TAKEOVER_MS + LATE_MS;
    if (client.isAlive && this.awayUntil < last.at && gap > interval * 1.05 + slack) {
      this.fault(new Error(`INS1: ${client.id} was not checked for ${gap} ms`));
    }
  }

  /** For whoever has to find out what went wrong. */
  #storyOf(client: Client): string {
    const starts = client.starts.slice(-6).map(({ at, node }) => `${node.id}@${at}`);
    const { runsUntil, heardAt, ttl } = client;
    const { now, grantedAt, membership } = this;
    return JSON.stringify({
      now,
      starts,
      runsUntil,
      heardAt,
      ttl,
      grantedAt,
      events: this.events.slice(-6),
      membership,
    });
  }

  #takeovers(from: number, to: number): number {
    return this.events.filter((at) => at > from - TAKEOVER_MS && at <= to).length;
  }

  onDecided(node: SimNode, command: InstanceCommand): void {
    for (const edit of command.instances) {
      if (edit.op !== 'status' || edit.status !== 'critical') continue;
      const client = this.clients.find(({ id }) => id === edit.id) as Client;
      if (client.check.type !== 'ttl') continue;
      const due = Math.max(client.runsUntil, this.grantedAt + client.ttl);
      const { generation } = this.instance(client) ?? {};
      if (this.now < due && generation === edit.generation) {
        this.fault(
          new Error(`INS3: ${node.id} gives ${edit.id} up ${due - this.now} ms early: ` + this.#storyOf(client)),
        );
      }
    }
  }

  onCommitted(node: SimNode, command: InstanceCommand, entry: Entry): void {
    for (const edit of command.instances) {
      if (edit.op === 'advise') this.#guards.advised(edit.id, edit.advisory?.until);
    }
    for (const change of entry.changes) {
      const item = change.op === 'put' ? change.item : undefined;
      if (item?.kind !== 'instance') continue;
      const key = groupKey(item.value.service, regionOf(item.value));
      const owner = ownerOf(this.membership, key, this.now);
      if (owner !== node.id) this.fault(new Error(`${node.id} has decided about ${key}, which is ${owner}'s`));
      const was = this.truth.get(item.name);
      const before = was?.kind === 'instance' ? was.value.status : undefined;
      if (item.value.status === 'critical' && before !== 'critical') this.#guards.givenUp(key, item.id);
      if (item.value.status !== 'critical') this.#guards.back(key, item.id);
    }
  }

  #renew(client: Client): void {
    if (!client.isAlive || this.now < client.nextRenewal || client.isAsking) return;
    const { socket } = client;
    if (socket !== undefined) {
      if (!socket.node.isRunning) {
        if (socket.node.isDead || this.now - socket.heardAt > 500) this.#disconnect(client);
        return;
      }
      socket.heardAt = socket.node.now;
      client.heardAt = this.now;
      client.nextRenewal = this.now + (client.ttl || 2000) / 4;
      return;
    }
    const nodes = this.nodes.filter((node) => !node.isDead && node.takesPart);
    const node = nodes.length === 0 ? undefined : this.random.pick(nodes);
    client.nextRenewal = this.now + 100;
    if (node === undefined || (!node.isRunning && this.random.chance(0.7))) return;
    client.isAsking = true;
    void Promise.race([this.#ask(client, node), this.wait(600)]).finally(() => {
      client.isAsking = false;
    });
  }

  async #ask(client: Client, node: SimNode): Promise<void> {
    const isActive = client.check.type !== 'ttl';
    await node.travel();
    if (!client.isAlive) return;
    const heardAt = this.now;
    const instance = this.instance(client);
    try {
      const renewed = await node.keeper.renew(client.id);
      if (renewed) client.heardAt = Math.max(client.heardAt, heardAt);
      if (!renewed) await this.#register(client, node);
      else {
        // Some wait until the last moment.
        const pause = this.random.chance(0.15) ? client.ttl - 30 - this.random.below(120) : client.ttl / 3;
        client.nextRenewal = isActive ? this.now + 2000 : heardAt + pause;
        this.#acknowledged(client, heardAt, instance);
      }
    } catch {
      this.stats.refused++;
      return;
    }
    if (client.isOnSocket && client.isAlive && node.isRunning && !isActive) {
      client.socket = { node, heardAt: node.now };
      node.keeper.attach(client.id, client.socket);
    }
  }

  #acknowledged(client: Client, heardAt: number, instance: Instance | undefined): void {
    this.stats.acks++;
    // What came too late says nothing about what was decided meanwhile; from the next one on it counts.
    const wasStored = this.now - heardAt <= STORED_MS;
    const isUp = instance?.status === 'passing' && this.instance(client)?.status === 'passing';
    // After one that was late it may be decided any moment that it is gone.
    if (heardAt > client.renewedAt + client.ttl) client.doubtfulUntil = heardAt + LATE_MS;
    const wasInTime = isUp && heardAt > client.doubtfulUntil;
    client.renewedAt = Math.max(client.renewedAt, heardAt);
    if (wasStored && wasInTime && heardAt + client.ttl > client.runsUntil) client.runsUntil = heardAt + client.ttl;
  }

  async #register(client: Client, node: SimNode): Promise<void> {
    const { id, n, service, region, check } = client;
    const registration = {
      service,
      protocol: 'http',
      address: `10.0.0.${n}`,
      port: 80,
      region,
      weight: 1,
      tags: {},
      metadata: {},
      check,
    } as const;
    const instances = [{ op: 'register', id, registration, takeoverMs: TAKEOVER_MS }] as const;
    await node.execute({ caller: CLIENT, at: Date.UTC(2025, 0, 1) + this.now, instances });
    await node.keeper.renew(id);
  }

  #disconnect(client: Client): void {
    const { socket } = client;
    client.socket = undefined;
    client.nextRenewal = this.now + 200;
    if (socket?.node.isRunning === true) socket.node.keeper.detach(client.id, socket);
  }

  #verify(): void {
    for (const client of this.clients) {
      for (const node of this.up) {
        const report = node.monitor.report(client.id);
        if (report?.guardedFor !== undefined) client.heldAt = this.now;
        if (report?.flapping?.heldFor !== undefined) client.heldDownAt = this.now;
      }
      const instance = this.instance(client);
      if (instance?.status === 'passing' && !client.isAlive) this.#mustBeFoundDead(client);
    }
  }

  /** INS1: within the bound, in which one takeover is; each more adds another. */
  #mustBeFoundDead(client: Client): void {
    const since = Math.max(client.diedAt, this.grantedAt, this.awayUntil);
    let due = since + detectionBoundMs(client.check, TAKEOVER_MS) + LATE_MS;
    if (since === this.awayUntil && client.check.type !== 'ttl') due += milliseconds(client.check.interval);
    const events = this.events.filter((at) => at > since - TAKEOVER_MS).toSorted((a, b) => a - b);
    for (const at of events.slice(1)) if (at < due) due += TAKEOVER_MS + CLAIM_MS + CATCH_UP_MS;
    const held = client.heldAt + (events.length + 1) * (GUARD.holdMs + client.ttl) + LATE_MS;
    if (this.now <= due || (client.heldAt > since - GUARD.holdMs && this.now <= held)) return;
    const report = this.nodes.map((node) => [node.id, node.monitor.report(client.id)]);
    this.fault(
      new Error(
        `INS1: ${client.id} (${client.check.type}) is dead since ${since}, and at ${this.now} still passes ` +
          `(due ${due}): ${JSON.stringify({ report, events, owner: ownerOf(this.membership, client.group, this.now) })}`,
      ),
    );
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await Promise.resolve();
};
