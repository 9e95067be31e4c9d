/** The two messages of grpc.health.v1, and the frame that carries one. */

/** What a server says of itself or of one of its services; numbers that are none of these are as good as `unknown`. */
export const SERVING_STATUS = ['unknown', 'serving', 'not serving', 'service unknown'] as const;

/** A flag and the length of the message. */
const PREFIX_BYTES = 5;
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const STATUS_FIELD = 1;
const MAX_VARINT_BYTES = 10;

/** A HealthCheckRequest in its frame. An empty service, the default, is not written. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varintBytes(name.length)]), name]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The status in a framed HealthCheckResponse; `undefined` when it is no such thing, or compressed. */
export function decodeResponse(frame: Buffer): number | undefined {
  if (frame.length < PREFIX_BYTES || frame[0] !== 0) return undefined;
  if (frame.readUInt32BE(1) !== frame.length - PREFIX_BYTES) return undefined;
  return statusIn(frame.subarray(PREFIX_BYTES));
}

/** Unknown fields are skipped, and of a field that comes twice the last counts, as protobuf says. */
function statusIn(message: Buffer): number | undefined {
  let status = 0;
  let at = 0;
  while (at < message.length) {
    const tag = varint(message, at);
    if (tag === undefined || tag.value < 8) return undefined;
    const wire = tag.value % 8;
    at = tag.end;
    if (wire === WIRE.varint || wire === WIRE.bytes) {
      const number = varint(message, at);
      if (number === undefined) return undefined;
      at = number.end + (wire === WIRE.bytes ? number.value : 0);
      if (wire === WIRE.varint && Math.floor(tag.value / 8) === STATUS_FIELD) status = number.value;
    } else if (wire === WIRE.fixed64) at += 8;
    else if (wire === WIRE.fixed32) at += 4;
    else return undefined;
  }
  return at === message.length ? status : undefined;
}

/** Exact up to 2^53, which is more than any length or status here; beyond it only the end is. */
function varint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  return undefined;
}

function varintBytes(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varintBytes(value >>> 7)];
}
