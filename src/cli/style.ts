const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** Colours, or the text as it is where colours are not wanted. */
export type Style = Readonly<Record<keyof typeof CODES, (text: string) => string>>;

export function styler(enabled: boolean): Style {
  const entries = Object.entries(CODES).map(([name, [open, close]]) => [
    name,
    (text: string) => (enabled && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text),
  ]);
  return Object.fromEntries(entries) as Style;
}

export const plain: Style = styler(false);

// Control characters, and the marks that turn the direction of text: they could make a terminal show what is not there.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Text from elsewhere, safe to show on one line of a terminal. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, '\ufffd');

/** "1 service", "2 services", "4,247 deployments". */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
