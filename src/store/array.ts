/**
 * Arrays in PostgreSQL's binary wire format. Against array literals this saves the escaping on our side and the parsing
 * on the server's: half as many commits again, on one core that both share.
 */

const TEXT = 25;
const JSON_TEXT = 114;
const INT4 = 23;
const INT8 = 20;
const TIMESTAMPTZ = 1184;

const HEADER = 20;
const WORD = 2 ** 32;
/** PostgreSQL counts microseconds from 2000-01-01. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/** text[]; `undefined` is null. */
export const textArray = (texts: readonly (string | undefined)[]): Buffer => strings(TEXT, texts);
/** json[]: the server checks that each element is a JSON text. */
export const jsonArray = (texts: readonly string[]): Buffer => strings(JSON_TEXT, texts);

/** int[] */
export function int4Array(numbers: readonly number[]): Buffer {
  const buffer = allocate(INT4, numbers.length, numbers.length * 8);
  let at = HEADER;
  for (const number of numbers) {
    buffer.writeInt32BE(4, at);
    buffer.writeInt32BE(number, at + 4);
    at += 8;
  }
  return buffer;
}

/** bigint[]; `undefined` is null. */
export const int8Array = (numbers: readonly (number | undefined)[]): Buffer => words(INT8, numbers);

/** timestamptz[], from milliseconds since 1970. */
export function timestampArray(times: readonly number[]): Buffer {
  return words(
    TIMESTAMPTZ,
    times.map((time) => Math.trunc(time - POSTGRES_EPOCH_MS) * 1000),
  );
}

function strings(type: number, texts: readonly (string | undefined)[]): Buffer {
  let size = 0;
  let bytes = 0;
  let last: string | undefined;
  for (const text of texts) {
    if (text !== last) bytes = text === undefined ? 0 : Buffer.byteLength(text);
    last = text;
    size += 4 + bytes;
  }
  const buffer = allocate(type, texts.length, size);
  let at = HEADER;
  // What is said again and again is encoded once.
  let from = 0;
  let to = 0;
  last = undefined;
  for (const text of texts) {
    if (text === undefined) {
      at = writeNull(buffer, at);
    } else if (text === last) {
      buffer.copyWithin(at, from, to);
      at += to - from;
    } else {
      from = at;
      at = to = at + 4 + buffer.write(text, at + 4);
      buffer.writeInt32BE(to - from - 4, from);
      last = text;
    }
  }
  return buffer;
}

function words(type: number, numbers: readonly (number | undefined)[]): Buffer {
  const buffer = allocate(type, numbers.length, numbers.length * 12);
  let at = HEADER;
  for (const number of numbers) {
    if (number === undefined) {
      at = writeNull(buffer, at);
      continue;
    }
    const high = Math.floor(number / WORD);
    buffer.writeInt32BE(8, at);
    buffer.writeInt32BE(high, at + 4);
    buffer.writeUInt32BE(number - high * WORD, at + 8);
    at += 12;
  }
  // A null is shorter than a number.
  return buffer.subarray(0, at);
}

/** A length of -1 is a null. */
function writeNull(buffer: Buffer, at: number): number {
  buffer.writeInt32BE(-1, at);
  buffer.writeInt32BE(1, 4);
  return at + 4;
}

/** One dimension, no nulls yet, the element type, the length, counted from 1. */
function allocate(type: number, length: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER + size);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(0, 4);
  buffer.writeInt32BE(type, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}
