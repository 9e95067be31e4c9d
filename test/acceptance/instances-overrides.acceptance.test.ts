import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Answer, type Signalbox } from '../support/signalbox.ts';
import { HOMES, type Home } from './homes.ts';
import { headOf, httpCheck, instance, instancesOf, passingOf, register, ttlCheck } from './instance-api.ts';
import { Target } from './instance-targets.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const SERVICE = 'orders.example.com';
const REGION = 'eu-central';

describe.each(HOMES)('what operators set, on $database', ({ makeHome }) => {
  let home: Home;
  let node: Signalbox;
  let target: Target;
  beforeAll(async () => {
    home = await makeHome();
    node = await startNode(home.env);
    target = await Target.listen();
  }, 180_000);
  afterAll(async () => {
    await target.close();
    await node.stop('SIGKILL');
    await home.drop();
  });

  const done = async (answer: Promise<Answer>): Promise<Answer['body']> => {
    const { status, body } = await answer;
    if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
    return body;
  };
  const names = async (): Promise<string[]> => (await passingOf(node.url, SERVICE)).map(({ name }) => name).toSorted();

  test('INS5 a drain, a weight and a maintenance outlive re-registration, deregistration and restarts, until they are lifted', async () => {
    const leased = instance(SERVICE, 8080, { region: REGION, weight: 7, check: ttlCheck('60s') });
    const checked = instance(SERVICE, target.port, { region: REGION, check: httpCheck() });
    const [one, two] = [await register(node.url, leased), await register(node.url, checked)];
    const far = await register(node.url, instance('far.example.com', 8081, { region: REGION, check: ttlCheck('60s') }));
    const all = [one.name, two.name].toSorted();
    await until('both pass', async () => (await names()).length === 2);

    const drain = { mode: 'drain', reason: 'kernel upgrade' };
    const heavy = { weight: 3, reason: 'half a machine' };
    await done(call(node.url, 'PUT', `/v1/instances/${one.id}/override`, drain));
    await done(call(node.url, 'PUT', `/v1/instances/${two.id}/override`, heavy));
    await done(
      call(node.url, 'PUT', `/v1/services/far.example.com/regions/${REGION}/override`, {
        mode: 'maintenance',
        reason: 'moved',
      }),
    );
    expect(await names()).toEqual([two.name]);

    const standsAsSet = async (): Promise<void> => {
      const values = new Map((await instancesOf(node.url, SERVICE)).map((value) => [value.name, value]));
      expect(values.get(one.name)).toMatchObject({
        mode: 'drain',
        passing: false,
        status: 'passing',
        weight: 7,
        override: { scope: 'instance', mode: 'drain', reason: 'kernel upgrade' },
      });
      expect(values.get(two.name)).toMatchObject({ mode: 'serving', weight: 3, registeredWeight: 1 });
      expect(await names()).toEqual([two.name]);
      const [value] = await instancesOf(node.url, 'far.example.com');
      expect(value).toMatchObject({ mode: 'maintenance', passing: false, override: { scope: 'region' } });
      const { items } = (await done(call(node.url, 'GET', '/v1/overrides'))) as { items: { name: string }[] };
      expect(items.map(({ name }) => name).toSorted()).toEqual(
        [
          `instances/${one.id}/override`,
          `instances/${two.id}/override`,
          `services/far.example.com/regions/${REGION}/override`,
        ].toSorted(),
      );
    };
    await standsAsSet();

    // The same again is nothing new; something else is the same instance with it.
    const head = await headOf(node.url);
    await register(node.url, leased);
    expect(await headOf(node.url)).toBe(head);
    const changed = await register(node.url, { ...leased, version: 'v2' });
    expect(changed.instance).toMatchObject({ version: 'v2', mode: 'drain', passing: false });
    await standsAsSet();

    await done(call(node.url, 'DELETE', `/v1/instances/${one.id}`));
    const again = await register(node.url, leased);
    expect(again.generation).toBeGreaterThan(one.generation);
    expect(again.instance).toMatchObject({ mode: 'drain', passing: false });
    await standsAsSet();

    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await node.stop(signal);
      node = await startNode(home.env);
      await standsAsSet();
      // Its check and its registration say that it is well, and change nothing about that.
      await register(node.url, leased);
      await sleep(1200);
      await standsAsSet();
    }

    // Whoever watches is told as it is lifted.
    const witness = await Witness.open(node.url, { kind: 'instance', services: [SERVICE], passing: true });
    expect(witness.told.map(({ key }) => key)).toEqual([two.name]);
    const lifted = await done(call(node.url, 'DELETE', `/v1/instances/${one.id}/override`));
    expect(lifted).toMatchObject({ deleted: true, affected: 1 });
    expect(await names()).toEqual(all);
    await until('it is told', () => witness.isIn(one.name));
    expect(witness.told.at(-1)).toMatchObject({
      op: 'put',
      revision: lifted.revision,
      value: { mode: 'serving', weight: 7 },
    });
    await done(call(node.url, 'DELETE', `/v1/instances/${two.id}/override`));
    await done(call(node.url, 'DELETE', `/v1/services/far.example.com/regions/${REGION}/override`));
    const [value] = await passingOf(node.url, 'far.example.com');
    expect(value).toMatchObject({ name: far.name, mode: 'serving', passing: true });
    expect(value).not.toHaveProperty('override');
    await register(node.url, leased);
    expect(await names()).toEqual(all);
    witness.stop();
  }, 90_000);

  test("INS5 an instance's own override comes before its region's, also for one that registers later", async () => {
    const service = 'fields.example.com';
    const path = `/v1/services/${service}/regions/-/override`;
    await done(call(node.url, 'PUT', path, { mode: 'drain', weight: 5, reason: 'region' }));
    const { id, instance: first } = await register(node.url, instance(service, 9000));
    expect(first).toMatchObject({ mode: 'drain', weight: 5, passing: false, override: { scope: 'region' } });
    await done(call(node.url, 'PUT', `/v1/instances/${id}/override`, { mode: 'serving', reason: 'just this one' }));
    const [value] = await passingOf(node.url, service);
    expect(value).toMatchObject({ mode: 'serving', weight: 5, override: { scope: 'instance' } });
    const { instance: second } = await register(node.url, instance(service, 9001));
    expect(second).toMatchObject({ mode: 'drain', passing: false });
    await done(call(node.url, 'DELETE', path));
    expect(await passingOf(node.url, service)).toHaveLength(2);
  });
});
