import { beforeEach, expect, test } from '@jest/globals';
import { EVERYTHING, projectKey, serviceKey, sightOf, type Sight } from '../../src/domain/visibility.ts';
import { typeOf, type Frame } from '../../src/feed/frame.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { testPeer } from '../support/peer.ts';
import { LiveNode } from './live-node.ts';

const SIGHTS: readonly Sight[] = [
  EVERYTHING,
  sightOf([]),
  sightOf([projectKey('red')]),
  sightOf([projectKey('green'), serviceKey('iam.test')]),
];

let node: LiveNode;
let sockets: ListeningSocket[];

beforeEach(async () => {
  node = await LiveNode.bare({ heartbeatMs: 60_000 });
  await node.put('regions/us');
  for (const project of ['red', 'green']) {
    await node.put(`projects/${project}`, { title: project });
    await node.put(`projects/${project}/service-accounts/bot`);
  }
  await service('shop.test', true);
  node.hub.flush();
  // Three of each sight.
  sockets = [...SIGHTS, ...SIGHTS, ...SIGHTS].map((sight) => connect(sight));
});

const service = (id: string, isPublic: boolean, project = 'red', more: object = {}): Promise<number> =>
  node.put(`services/${id}`, {
    displayName: id,
    creator: `projects/${project}/service-accounts/bot`,
    globalEndpoint: id,
    primaryRegion: 'us',
    public: isPublic,
    ...more,
  });

function connect(sight: Sight): ListeningSocket {
  const peer = testPeer();
  const socket = new ListeningSocket();
  const connection = node.hub.connect(socket, { ...peer, standing: { ...peer.standing, sight } });
  connection?.subscribe({ id: '1', select: { kind: 'service' } });
  return socket;
}

const last = (type: string): (Frame | undefined)[] =>
  sockets.map(({ frames }) => frames.findLast((frame) => typeOf(frame) === type));

/** Which of the frames are one object; sockets of one sight are four apart. */
const sorts = (type: string): number[] => {
  const found: unknown[] = [];
  return last(type).map((frame) => {
    if (!found.includes(frame)) found.push(frame);
    return found.indexOf(frame);
  });
};
const thrice = (sort: readonly number[]): number[] => [...sort, ...sort, ...sort];

test('PUSH10: a public change is one frame for all who want it, whatever else they see', async () => {
  await service('shop.test', true, 'red', { displayName: 'Shop' });
  node.hub.flush();
  expect(new Set(last('change')).size).toBe(1);
  expect(last('change')[0]?.text).toContain('"displayName":"Shop"');
});

test('PUSH10, SEC3: a private change is one frame for those who see it, and none for the others', async () => {
  await service('cart.test', false);
  node.hub.flush();
  const frames = last('change');
  const [all, nobody, red, green] = frames;
  expect([all === red, all === undefined, nobody, green]).toEqual([true, false, undefined, undefined]);
  expect(sorts('change')).toEqual(thrice([0, 1, 0, 1]));
});

test('PUSH10: what is flushed together is one frame for all who see the same of it', async () => {
  await Promise.all([service('cart.test', false), service('shop.test', true, 'red', { displayName: 'Shop' })]);
  node.hub.flush();
  expect(sorts('change')).toEqual(thrice([0, 1, 0, 1]));
  await Promise.all([service('iam.test', false, 'green'), service('shop.test', true, 'red', { displayName: 'Shops' })]);
  node.hub.flush();
  expect(sorts('change')).toEqual(thrice([0, 1, 1, 0]));
  await service('shop.test', true, 'red', { displayName: 'The shop' });
  node.hub.flush();
  expect(sorts('change')).toEqual(thrice([0, 0, 0, 0]));
});

test('PUSH10, SEC3: loss of sight is one frame, and gain is one', async () => {
  await service('shop.test', false);
  node.hub.flush();
  expect(sorts('change')).toEqual(thrice([0, 1, 0, 1]));
  expect(last('change')[1]?.text).toContain('"op":"delete"');
  await service('shop.test', true);
  node.hub.flush();
  expect(sorts('change')).toEqual(thrice([0, 0, 0, 0]));
});

test('PUSH10: a snapshot without anything private is one for all', async () => {
  sockets = [...SIGHTS, ...SIGHTS].map((sight) => connect(sight));
  expect(new Set(last('snapshot')).size).toBe(1);
  await service('cart.test', false);
  sockets = [...SIGHTS, ...SIGHTS].map((sight) => connect(sight));
  expect(sorts('snapshot')).toEqual([0, 1, 2, 1, 0, 1, 2, 1]);
  expect([last('snapshot')[0]?.text]).toEqual([last('snapshot')[2]?.text]);
});

test('PUSH7: a view that was loaded anew is not answered with a snapshot from before, though its revision be the same', () => {
  const item = node.tail.view.get('services/shop.test');
  if (item?.kind !== 'service') throw new Error('gone');
  const value = { ...item.value, displayName: 'Restored' };
  node.tail.view.fold([{ op: 'put', item: { ...item, value, json: JSON.stringify(value) } }]);
  node.hub.onReload('epoch');
  for (const frame of last('snapshot')) expect(frame?.text).toContain('"displayName":"Restored"');
});
