import { isCidr } from './health/egress-addresses.ts';

/** How the text of a setting is read. `expects` ends the sentence "NAME must be ...". */
export interface Unit<T> {
  readonly expects: string;
  /** `undefined` when the text is not what is expected. */
  read(text: string): T | undefined;
  /** What of a text is not as expected, where that can be said. */
  fault?(text: string): string | undefined;
  /** The text of a value, as the documentation and `.env.example` write it. */
  write(value: T): string;
}

const TIMES: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SIZES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Milliseconds, written `250ms`, `10s`, `5m` or `24h`. */
export const duration = (min: string, max: string): Unit<number> =>
  scaled(TIMES, `a duration from ${min} to ${max}, such as 250ms, 10s, 5m or 24h`, min, max);

/** Bytes, written `512B`, `64KiB`, `1MiB` or `2GiB`. */
export const size = (min: string, max: string): Unit<number> =>
  scaled(SIZES, `a size from ${min} to ${max}, such as 512B, 64KiB, 1MiB or 2GiB`, min, max);

export const integer = (min: number, max: number): Unit<number> => ({
  expects: `a whole number from ${min} to ${max}`,
  read: (text) => within(/^[0-9]{1,15}$/.test(text) ? Number(text) : undefined, min, max),
  write: String,
});

/** A part of a whole, such as `0.25`. */
export const share: Unit<number> = {
  expects: 'a number from 0 to 1, such as 0.25',
  read: (text) => within(/^(?:[0-9]{1,3})?(?:\.[0-9]{1,9})?$/.test(text) ? Number(text) : undefined, 0, 1),
  write: String,
};

/** Headers of HTTP, written `name=value,name=value`, with what is special in a value in percents. */
export const headers: Unit<Readonly<Record<string, string>>> = {
  expects: 'headers as name=value, several between commas, with commas and spaces in values as %2C and %20',
  read: (text) => {
    const pairs = text.split(',').map((pair) => /^ *([!#$&'*+.^_`|~0-9A-Za-z-]+) *= *([!-~]*) *$/.exec(pair));
    const read: Record<string, string> = {};
    for (const pair of pairs) {
      const [, name, value] = pair ?? [];
      const plain = value === undefined ? undefined : decoded(value);
      if (name === undefined || plain === undefined) return undefined;
      read[name] = plain;
    }
    return read;
  },
  write: (value) =>
    Object.entries(value)
      .map(([name, text]) => `${name}=${encodeURIComponent(text)}`)
      .join(','),
};

/** Of printable characters alone: what else there is in a header would break it. */
function decoded(value: string): string | undefined {
  try {
    const plain = decodeURIComponent(value);
    return /^[ -~]*$/.test(plain) ? plain : undefined;
  } catch {
    return undefined;
  }
}

export const flag: Unit<boolean> = {
  expects: 'true or false',
  read: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  write: String,
};

export const choice = <const C extends readonly string[]>(choices: C): Unit<C[number]> => ({
  expects: `one of ${choices.join(', ')}`,
  read: (text) => choices.find((candidate) => candidate === text),
  write: String,
});

export const matching = (expects: string, pattern: RegExp): Unit<string> => ({
  expects,
  read: (text) => (pattern.test(text) ? text : undefined),
  write: String,
});

/** Networks such as `10.0.0.0/8` or `fd00::/8`, between commas, as the egress policy reads them. */
export const networks: Unit<readonly string[]> = {
  expects: 'networks such as 10.0.0.0/8 or fd00::/8, several between commas',
  read: (text) => {
    const all = text.split(',').map((network) => network.trim());
    return all.every(isCidr) ? all : undefined;
  },
  write: (value) => value.join(','),
};

/** So many a second, and so many at once after a quiet time; `off` for as many as one likes. */
export interface RateSetting {
  readonly perSecond: number;
  readonly burst: number;
}

/** `100/s`, or `100/s burst 500`; without a burst, as many at once as ten seconds give. */
export const rate: Unit<RateSetting | 'off'> = {
  expects: 'a rate such as 100/s or 100/s burst 500, or off',
  read: (text) => {
    if (text === 'off') return 'off';
    const [, perSecond, burst] = /^([1-9][0-9]{0,6})\/s(?: +burst +([1-9][0-9]{0,7}))?$/.exec(text) ?? [];
    if (perSecond === undefined) return undefined;
    return { perSecond: Number(perSecond), burst: burst === undefined ? Number(perSecond) * 10 : Number(burst) };
  },
  write: (value) => (value === 'off' ? 'off' : `${value.perSecond}/s burst ${value.burst}`),
};

/** A number that something may come to, or `off`. */
export const atMost = (max: number): Unit<number | 'off'> => ({
  expects: `a whole number from 1 to ${max}, or off`,
  read: (text) => (text === 'off' ? 'off' : integer(1, max).read(text)),
  write: String,
});

/** A duration, or `off`. */
export const durationOrOff = (min: string, max: string): Unit<number | 'off'> => {
  const unit = duration(min, max);
  return {
    expects: `${unit.expects}, or off`,
    read: (text) => (text === 'off' ? 'off' : unit.read(text)),
    write: (value) => (value === 'off' ? 'off' : unit.write(value)),
  };
};

/** A URL with one of the schemes, each written with its colon. */
export const url = (schemes: readonly string[]): Unit<string> => ({
  expects: `a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`,
  read: (text) => (URL.canParse(text) && schemes.includes(new URL(text).protocol) ? text : undefined),
  write: String,
});

function scaled(units: Readonly<Record<string, number>>, expects: string, min: string, max: string): Unit<number> {
  const parse = (text: string): number | undefined => {
    const [, digits, unit] = /^([0-9]{1,12})([a-zA-Z]{1,3})$/.exec(text) ?? [];
    const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined;
    return factor === undefined ? undefined : Number(digits) * factor;
  };
  const lowest = parse(min) ?? 0;
  const highest = parse(max) ?? Number.MAX_SAFE_INTEGER;
  return {
    expects,
    read: (text) => within(parse(text), lowest, highest),
    write: (value) => {
      const fitting = Object.entries(units).filter(([, factor]) => value % factor === 0);
      const [unit, factor] = fitting.at(-1) ?? ['', 1];
      return `${value / factor}${unit}`;
    },
  };
}

const within = (value: number | undefined, min: number, max: number): number | undefined =>
  value !== undefined && value >= min && value <= max ? value : undefined;
