import { SignalboxError } from '../errors.ts';
import type { Time } from '../time.ts';
import type { KeptInstance } from './instance.ts';

export interface UntilTakenOptions {
  readonly service: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly time: Pick<Time, 'after'>;
}

const HOW = 'Or start without it: `startOnRegistryFailure: true` goes on trying.';

/** Starts to register it, and resolves once Signalbox has taken it. Where it rejects, nothing is registered, nor tried. */
export function untilTaken(
  instance: Pick<KeptInstance, 'start' | 'on' | 'onSaid' | 'deregister'>,
  { service, timeoutMs, signal, time }: UntilTakenOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let last: SignalboxError | undefined;
    const end = (settle: () => void): void => {
      cancel();
      off();
      offState();
      signal?.removeEventListener('abort', aborted);
      settle();
    };
    const giveUp = (why: unknown): void => {
      end(() => reject(why));
      void instance.deregister();
    };
    const off = instance.onSaid(({ say, error }) => {
      last = error;
      if (say === 'registered') end(resolve);
      else if (say === 'refused' && error !== undefined) giveUp(refusedBy(service, error));
    });
    // Whoever closes the client meanwhile does not wait for the rest of the time.
    const offState = instance.on('state', (state) => {
      if (state === 'gone') end(() => reject(stopped(service)));
    });
    const aborted = (): void => giveUp(signal?.reason);
    const cancel = time.after(timeoutMs, () => giveUp(tooLate(service, timeoutMs, last)));
    signal?.addEventListener('abort', aborted, { once: true });
    instance.start();
  });
}

const stopped = (service: string): SignalboxError =>
  new SignalboxError('stopped', `The client was closed before ${service} was registered.`);

function refusedBy(service: string, { code, message, problem }: SignalboxError): SignalboxError {
  const text = `Signalbox does not take the registration of ${service}: ${message} ${HOW}`;
  return new SignalboxError(code, text, { ...(problem && { problem }) });
}

function tooLate(service: string, timeoutMs: number, last: SignalboxError | undefined): SignalboxError {
  const what = `${service} could not be registered within ${timeoutMs} ms`;
  if (last === undefined) return new SignalboxError('timeout', `${what}: Signalbox has not answered. ${HOW}`);
  const check = 'Check that Signalbox runs, and the address that it has (`url`, SIGNALBOX_URL).';
  return new SignalboxError(last.code, `${what}: ${last.message} ${check} ${HOW}`, { cause: last });
}
