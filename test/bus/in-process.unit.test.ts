import { InProcessNetwork } from '../../src/bus/in-process.ts';
import { busContract } from './contract.ts';

busContract('in process', (count) => {
  const network = new InProcessNetwork();
  return Promise.resolve(Array.from({ length: count }, () => network.join()));
});
