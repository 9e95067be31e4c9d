import { describe } from '@jest/globals';
import { registrationTokenContract } from './contract-registration-tokens.ts';
import { MemoryRegistrationTokens } from '../support/memory-registration-tokens.ts';

describe('registration tokens in memory', () => {
  const store = new MemoryRegistrationTokens();
  registrationTokenContract({ store, peer: store });
});
