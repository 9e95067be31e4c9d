import { byApiId } from './indexes.ts';
import { isEmpty } from './lookup.ts';
import type { Reader } from './view.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const LENGTH = 10;
const SPACE = 32 ** LENGTH;

/**
 * The apiId of a service that is created at a revision: ten base32 characters, the next free ones after a hash of both.
 * No pair of name and revision comes twice, so the id of a deleted service does not come back when it is created anew.
 */
export function assignApiId(state: Reader, service: string, revision: number): string {
  let number = hash(`${service}@${revision}`);
  for (;;) {
    const id = encode(number);
    if (isEmpty(state.bucket(byApiId(id)))) return id;
    number = (number + 1) % SPACE;
  }
}

function encode(number: number): string {
  let rest = number;
  let id = '';
  for (let i = 0; i < LENGTH; i++) {
    id = (ALPHABET[rest % 32] ?? '') + id;
    rest = Math.floor(rest / 32);
  }
  return id;
}

/** 50 bits: two 32-bit multiplicative hashes of the text, mixed (the construction known as cyrb53). */
function hash(text: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x9e3779b1);
    b = Math.imul(b ^ code, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (a >>> 7) * 2 ** 25 + (b >>> 7);
}
