import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { failure } from './errors.ts';
import type { EndSignal } from './io.ts';

/** A command that runs in the place of this one: it has the same terminal. */
export interface Child {
  /** Its exit code; of one that a signal has ended, 128 and the signal's number, as shells say it. */
  readonly ended: Promise<number>;
  pass(signal: EndSignal): void;
}

/** Resolves once it runs. */
export function startChild(file: string, args: readonly string[]): Promise<Child> {
  const child = spawn(file, args, { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(cannotStart(file, error)));
    child.once('spawn', () => {
      // From now on an error is a signal that did not reach it, because it has ended.
      child.on('error', () => {});
      const ended = new Promise<number>((done) => {
        child.once('exit', (code, signal) => done(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
      });
      resolve({ ended, pass: (signal) => void child.kill(signal) });
    });
  });
}

function cannotStart(file: string, error: NodeJS.ErrnoException): Error {
  const why =
    error.code === 'ENOENT'
      ? 'there is no such command'
      : error.code === 'EACCES'
        ? 'it may not be run'
        : error.message;
  return failure(
    `${file} cannot be started`,
    `${why}. After -- comes a command and its arguments, not a line for a shell.`,
  );
}
