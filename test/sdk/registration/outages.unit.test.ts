import { describe, expect, test } from '@jest/globals';
import { eitherDesk } from '../../../src/sdk/registration/either-desk.ts';
import { Keeper } from '../../../src/sdk/registration/keeper.ts';
import { KeepPlan, type Say } from '../../../src/sdk/registration/plan.ts';
import { Random } from '../../support/random.ts';
import { TurnedTime } from './turned-time.ts';
import { World } from './world.ts';

const ROUNDS = 12;

interface Setting {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly sockets: boolean;
}

function started(seed: number, setting: Setting) {
  const time = new TurnedTime();
  const random = new Random(seed);
  const world = new World({ time, random, ...setting });
  const said: Say[] = [];
  const faults: unknown[] = [];
  const keeper = new Keeper({
    desk: eitherDesk({ socket: world.socketDesk, http: world.httpDesk, attachment: world }),
    attachment: world,
    plan: new KeepPlan({ waitMs: undefined, random: () => random.next() }),
    registration: { check: { type: 'ttl', ttl: `${setting.leaseMs}ms` } },
    onSay: (say) => void said.push(say),
    onFailure: (error) => void faults.push(error),
    time,
  });
  keeper.start();
  return { time, random, world, said, faults, keeper };
}

/** Leases from 3 s to a minute, over sockets that keep them alone, over sockets that do not, and without sockets. */
function settingOf(random: Random): Setting {
  return {
    leaseMs: 3000 + random.below(57_000),
    heartbeatMs: 500 + random.below(14_500),
    sockets: random.chance(0.75),
  };
}

/** At some time, or at the worst one, which is when a request is about to be sent; as long as promised, or shorter. */
async function outage(time: TurnedTime, random: Random, world: World, leaseMs: number): Promise<void> {
  const how = random.chance(0.5) ? 'silent' : 'loud';
  const ending = random.chance(0.5);
  const longestMs = leaseMs / 3 - 100;
  const lastsMs = random.chance(0.5) ? longestMs : random.below(longestMs);
  if (random.chance(0.3)) {
    world.cut(how, ending);
    time.after(lastsMs, () => world.mend());
  } else {
    world.onNextAsk(() => {
      world.cut(how, ending);
      time.after(lastsMs, () => world.mend());
    });
  }
  await time.pass(30_000 + leaseMs);
}

describe.each(Array.from({ length: 10 }, (_, i) => i))('worlds of seed %i', (block) => {
  test('INS1 cut off for up to a third of its lease, an instance is never unheard for longer than its lease', async () => {
    for (let seed = block * 20; seed < (block + 1) * 20; seed++) {
      const setting = settingOf(new Random(seed));
      const { leaseMs } = setting;
      const { time, random, world, faults, said } = started(seed, setting);
      await time.pass(leaseMs);
      for (let round = 0; round < ROUNDS; round++) {
        await time.pass(random.below(leaseMs));
        if (random.chance(0.3)) world.freeze();
        else await outage(time, random, world, leaseMs);
        await time.pass(2 * leaseMs);
      }
      world.look();
      expect({ seed, setting, faults, generation: world.generation }).toEqual({
        seed,
        setting,
        faults: [],
        generation: 1,
      });
      expect({ seed, setting, isHeard: world.longestMs <= leaseMs, ms: world.longestMs }).toMatchObject({
        isHeard: true,
      });
      expect(said).not.toContain('refused');
    }
  });

  test('INS3 a server that was away, for however long, hears of the instance within its lease', async () => {
    for (let seed = block * 20; seed < (block + 1) * 20; seed++) {
      const setting = settingOf(new Random(seed));
      const { leaseMs } = setting;
      const { time, random, world, faults } = started(seed, setting);
      await time.pass(leaseMs);
      for (let round = 0; round < ROUNDS / 2; round++) {
        await time.pass(random.below(leaseMs));
        world.look();
        world.cut(random.chance(0.5) ? 'silent' : 'loud', true);
        await time.pass(random.below(3 * leaseMs));
        world.restart();
        await time.pass(leaseMs);
      }
      world.look();
      expect({ seed, setting, faults, generation: world.generation }).toEqual({
        seed,
        setting,
        faults: [],
        generation: 1,
      });
      expect({ seed, setting, isHeard: world.longestMs <= leaseMs, ms: world.longestMs }).toMatchObject({
        isHeard: true,
      });
    }
  });
});

test('INS6 what somebody has removed is registered again, with another generation, half a minute later at most', async () => {
  for (let seed = 0; seed < 50; seed++) {
    const setting = settingOf(new Random(seed));
    const { time, world, said } = started(seed, setting);
    await time.pass(setting.leaseMs);
    world.evict();
    await time.pass(Math.min(30_000, setting.heartbeatMs * 5 <= setting.leaseMs ? 30_000 : setting.leaseMs / 3) + 100);
    expect({ seed, setting, generation: world.generation, said }).toMatchObject({
      generation: 2,
      said: ['registered', 'lost', 'registered-again'],
    });
  }
});

test('INS1 a lease that the socket keeps is asked about twice a minute, and no oftener; one that it does not keep is renewed on it', async () => {
  const carried = started(1, { leaseMs: 60_000, heartbeatMs: 10_000, sockets: true });
  await carried.time.pass(10 * 60_000);
  expect(new Set(carried.world.asked)).toEqual(new Set(['socket register', 'socket renew']));
  expect(carried.world.asked.length).toBeLessThanOrEqual(27);
  expect(carried.world.longestMs).toBeLessThanOrEqual(10_000);
  const short = started(1, { leaseMs: 15_000, heartbeatMs: 10_000, sockets: true });
  await short.time.pass(60_000);
  expect(new Set(short.world.asked)).toEqual(new Set(['socket register', 'socket renew']));
  expect(short.world.asked.length).toBeGreaterThanOrEqual(12);
});

test('INS6 deregistering waits for what is under way, and leaves nothing behind', async () => {
  for (let ms = 0; ms < 60; ms++) {
    const { time, world, keeper } = started(ms, { leaseMs: 15_000, heartbeatMs: 10_000, sockets: ms % 2 === 0 });
    await time.pass(ms);
    const stopped = keeper.stop();
    await time.pass(5000);
    await stopped;
    expect({ ms, generation: world.generation }).toEqual({ ms, generation: undefined });
    const asked = world.asked.length;
    await time.pass(60_000);
    expect(world.asked).toHaveLength(asked);
  }
});

test('deregistering goes on trying while Signalbox is away, for two seconds and no longer', async () => {
  const { time, world, keeper } = started(1, { leaseMs: 15_000, heartbeatMs: 10_000, sockets: false });
  await time.pass(100);
  world.cut('loud', true);
  let stoppedAt: number | undefined;
  const stopped = keeper.stop().then(() => (stoppedAt = time.now()));
  await time.pass(1000);
  expect(stoppedAt).toBeUndefined();
  await time.pass(1500);
  await stopped;
  expect(stoppedAt).toBeLessThanOrEqual(2200);
  const back = started(2, { leaseMs: 15_000, heartbeatMs: 10_000, sockets: false });
  await back.time.pass(100);
  back.world.cut('loud', true);
  const again = back.keeper.stop();
  await back.time.pass(500);
  back.world.mend();
  await back.time.pass(1000);
  await again;
  expect(back.world.generation).toBeUndefined();
});
