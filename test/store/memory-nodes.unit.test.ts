import { describe } from '@jest/globals';
import { MemoryStore } from '../support/memory-store.ts';
import { nodesContract } from './contract-nodes.ts';

describe('nodes in memory', () => {
  const store = new MemoryStore();
  nodesContract({ store, peer: store, makeOlder: async (prefix, ms) => store.nodes.makeOlder(prefix, ms) });
});
