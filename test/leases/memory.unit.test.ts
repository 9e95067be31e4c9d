import { MemoryLeaseServer } from '../support/memory-leases.ts';
import { leasesContract } from './contract.ts';

leasesContract('memory', () => {
  const server = new MemoryLeaseServer();
  return Promise.resolve({
    open: (prefix) => Promise.resolve(server.open(prefix)),
    prefixes: true,
    losesAll: true,
    goAway: async () => void (server.failing = 'away'),
    comeBack: async () => server.comeBack(),
    setBack: async (ms) => server.setClock(-ms),
    lose: async () => server.lose(),
    dispose: () => Promise.resolve(),
  });
});
