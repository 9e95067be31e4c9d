/**
 * Preloaded into a node (`node --import`): its wall clock is off by as many milliseconds as the file says that SKEW_FILE
 * names, and jumps when the file does. Monotonic time is left alone.
 */
import { readFileSync } from 'node:fs';

const LOOK_MS = 25;
const file = process.env['SKEW_FILE'];
const Real = Date;
let skew = 0;

function look() {
  const told = Number(readFileSync(file, 'utf8'));
  if (Number.isFinite(told)) skew = told;
}

const now = () => Real.now() + skew;

if (file !== undefined) {
  look();
  setInterval(look, LOOK_MS).unref();
  globalThis.Date = new Proxy(Real, {
    construct: (_target, args, as) => Reflect.construct(Real, args.length === 0 ? [now()] : args, as),
    apply: () => new Real(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });
}
