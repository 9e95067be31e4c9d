import { SignalboxError } from './errors.ts';

/** @throws SignalboxError `invalid-options`, which names the option. */
export function within(name: string, value: number, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return;
  throw new SignalboxError('invalid-options', `${name} is ${String(value)}: it must be from ${least} to ${most}.`);
}

/** @throws SignalboxError `invalid-options`, which names the option. */
export function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const message = `${name} is ${String(value)}: it must be a whole number from ${least} to ${most}.`;
  throw new SignalboxError('invalid-options', message);
}

/** @throws SignalboxError `invalid-options`, which names the option. */
export function oneOf(name: string, value: string, values: readonly string[]): void {
  if (values.includes(value)) return;
  throw new SignalboxError('invalid-options', `${name} is ${JSON.stringify(value)}: it must be ${values.join(', ')}.`);
}
