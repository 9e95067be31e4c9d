import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly seconds: number;
  /** Calls of `orders` in a second. */
  readonly rate: number;
  readonly seed: number;
  readonly json: boolean;
}

export const HELP = `npm run demo -- [options]

  --seconds N   how long actions go on; default 60
  --rate N      calls of orders in a second; default 50
  --seed N      the same order of actions again; default: another one each time
  --json        a JSON object in each line, for machines
  --help        this

Ctrl-C ends it early, with a summary. It exits with 1 when a graceful change failed calls.`;

/** Undefined where help is asked for. @throws Error that says what is wrong. */
export function readOptions(args: readonly string[]): DemoOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '60' },
      rate: { type: 'string', default: '50' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    seconds: numberOf('seconds', values.seconds, 5, 86_400),
    rate: numberOf('rate', values.rate, 1, 2000),
    seed: numberOf('seed', values.seed, 0, 2 ** 31),
    json: values.json,
  };
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isInteger(number) && number >= min && number <= max) return number;
  throw new Error(`--${name} is a whole number from ${min} to ${max}`);
}
