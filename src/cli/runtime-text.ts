import type { Instance } from '../domain/instances/instance.ts';
import { diffFields, showDiff } from './diff.ts';
import { placeOf } from './instance-text.ts';
import { printable, type Style } from './style.ts';
import type { Delta, Value } from './delta.ts';

/** What a change of what runs is about, in words; undefined for the kinds of the catalog. */
export function aboutRuntime({ kind, op, before, value }: Delta, style: Style): string | undefined {
  const now = value ?? before ?? {};
  switch (kind) {
    case 'instance': {
      if (op === 'delete' && before === undefined) return '';
      const place = placeOf(now as unknown as Instance);
      if (op === 'delete') return place;
      return `${place} ${before === undefined ? standing(now, style) : changes(before, now, style)}`;
    }
    case 'override':
      return op === 'delete' ? '' : overrideText(now);
    case 'advisory':
      return op === 'delete' ? '' : word(now['message']);
    default:
      return undefined;
  }
}

/** A field of a resource; a later server may have others than this command knows. */
const word = (field: unknown): string =>
  typeof field === 'string' ? printable(field) : printable(JSON.stringify(field) ?? '');

const PAINT = { passing: 'green', warning: 'yellow', critical: 'red' } as const;

function statusText({ status }: Value, style: Style): string {
  const text = word(status);
  return style[Object.hasOwn(PAINT, text) ? PAINT[text as keyof typeof PAINT] : 'bold'](text);
}

/** `passing, drain, v1, eu-central` */
function standing(value: Value, style: Style): string {
  const { mode, version, region, displacedBy } = value;
  const more = [mode === 'serving' ? undefined : mode, version, region, displacedBy && 'displaced'];
  return [statusText(value, style), ...more.filter((part) => part !== undefined).map(word)].join(', ');
}

/** Said in words, or of no interest to people. */
const SAID =
  /^(?:status|statusReason|statusSince|mode|passing|displacedBy|detectionBound|registeredWeight|generation|override)\b/;

/** `passing → critical: connection refused; mode: serving → drain (kernel upgrade)` */
function changes(before: Value, now: Value, style: Style): string {
  const said: string[] = [];
  if (before['status'] !== now['status']) {
    said.push(`${statusText(before, style)} → ${statusText(now, style)}: ${word(now['statusReason'])}`);
  }
  if (before['mode'] !== now['mode']) {
    const { reason } = (now['override'] ?? {}) as { reason?: unknown };
    const why = reason === undefined ? '' : ` (${word(reason)})`;
    said.push(`mode: ${word(before['mode'])} → ${word(now['mode'])}${why}`);
  }
  if (before['displacedBy'] !== now['displacedBy']) {
    const by = now['displacedBy'];
    said.push(by === undefined ? 'no longer displaced' : `displaced by ${word(by)}`);
  }
  if (before['generation'] !== now['generation']) said.push('registered anew');
  const others = diffFields(before, now).filter(({ path }) => !SAID.test(path));
  said.push(...others.map(showDiff));
  if (said.length > 0) return said.join('; ');
  const same = before['statusReason'] === now['statusReason'];
  return `still ${standing(now, style)}${same ? '' : `: ${word(now['statusReason'])}`}`;
}

/** `drain, weight 5: kernel upgrade (by admin)` */
function overrideText({ mode, weight, evictionGuard, reason, by }: Value): string {
  const sets = [
    ...(mode === undefined ? [] : [word(mode)]),
    ...(weight === undefined ? [] : [`weight ${word(weight)}`]),
    ...(evictionGuard === false ? ['without the eviction guard'] : []),
  ];
  return `${sets.join(', ')}: ${word(reason)} (by ${word(by)})`;
}
