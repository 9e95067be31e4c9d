/**
 * Every way in which a backend may read a path: decoded or not, with or without parameters, with `\` as a slash, and so on, in any
 * order. Undefined where no honest client writes such a path: one with dot segments, control characters, overlong UTF-8, or encoded
 * again and again. All of them are in small letters.
 */
export function readingsOf(path: string): ReadonlySet<string> | undefined {
  if (PLAIN.test(path)) return DOTS.test(path) ? undefined : new Set([path.toLowerCase()]);
  if (isEncodedTooOften(path)) return undefined;
  const readings = new Set([folded(path)]);
  // What is found on the way is looked at in its turn.
  for (const reading of readings) {
    if (DOTS.test(reading) || CONTROL.test(reading) || OVERLONG.test(reading)) return undefined;
    for (const step of STEPS) readings.add(step(reading));
    if (readings.size > MAX_READINGS || readings.size * path.length > MAX_CHARACTERS) return undefined;
  }
  return readings;
}

/** Spaces at the ends of segments, and empty segments, count nothing with some backends; but `/health/` is below `/health`. */
export function tidy(reading: string): string {
  const segments = reading.split('/').map((segment) => segment.trim());
  const path = `/${segments.filter((segment) => segment !== '').join('/')}`;
  return path !== '/' && segments.at(-1) === '' ? `${path}/` : path;
}

const DECODINGS = 3;
/** More than a path comes to that was not made for it, so that nobody keeps the sidecar busy with a few paths. */
const MAX_READINGS = 100;
const MAX_CHARACTERS = 100_000;

/** Read alike by everybody, but for dots and small letters. */
const PLAIN = /^(?:\/[\w~!$&'()*+,=:@.-]+)*\/?$/;
const DOTS = /(?:^|\/)\s*\.{1,2}\s*(?:\/|$)/;
// oxlint-disable-next-line no-control-regex -- what is looked for
const CONTROL = /[\0-\x1f\x7f]/;
/** Characters that are longer than they have to be, which old decoders take for slashes and dots. */
const OVERLONG = /%c[01]%[89ab][0-9a-f]|%e0%[89][0-9a-f]|%f0%8[0-9a-f]/i;
const ENCODED = /%(?:[0-9a-f]{2}|u[0-9a-f]{4})/i;

const STEPS: readonly ((reading: string) => string)[] = [
  decoded,
  (reading) => reading.replaceAll('\\', '/'),
  // Parameters.
  (reading) => reading.replaceAll(/;[^/]*/g, ''),
  // An encoded query or fragment.
  (reading) => reading.replace(/[?#].*$/s, ''),
  // What is read as a URL begins with a host after two slashes.
  (reading) => reading.replace(/^[/\\]{2,}[^/\\]*[/\\]*/, '/'),
];

/** Bytes that are no UTF-8 become signs that stand for nothing. `%u0061` is a form of its own, of Microsoft. */
function decoded(text: string): string {
  if (!ENCODED.test(text)) return text;
  return folded(
    text
      .replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString())
      .replaceAll(/%u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

function isEncodedTooOften(path: string): boolean {
  let text = path;
  for (let n = 0; n < DECODINGS; n++) text = decoded(text);
  return ENCODED.test(text);
}

/** Wide letters and the like are those that they stand for. */
const folded = (text: string): string => text.normalize('NFKC').toUpperCase().toLowerCase();
