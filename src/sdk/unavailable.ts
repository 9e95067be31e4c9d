import { SignalboxError } from './errors.ts';
import type { Parts } from './parts.ts';

const cannot = (what: string): SignalboxError =>
  new SignalboxError('invalid-options', `This build of the client cannot ${what}.`);

/** In place of what a build of the client lacks, such as calling services from a browser. */
export const UNAVAILABLE: Pick<Parts, 'createService' | 'createRegistrar'> = {
  createService: () => ({
    service: () => {
      throw cannot('call services');
    },
    close: () => Promise.resolve(),
  }),
  createRegistrar: () => ({
    register: () => Promise.reject(cannot('register instances')),
    close: () => Promise.resolve(),
  }),
};
