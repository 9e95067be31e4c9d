import { expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { Units } from '../../src/store/embedded/units.ts';

function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(`${type}....${body}`);
  bytes.writeInt32BE(4 + body.length, 1);
  return bytes;
}

const startup = Buffer.concat([Buffer.from([0, 0, 0, 12, 0, 3, 0, 0]), Buffer.from('user')]);
const exchange = (value: string): Buffer =>
  Buffer.concat([message('P', 'select'), message('B', value), message('D', 'P'), message('E', ''), message('S', '')]);

test('units come out whole and in order, however the bytes were cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string({ maxLength: 50 }), fc.constant('y'.repeat(200_000))), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 20 }),
      (values, cuts) => {
        const units = [startup, ...values.map((value, i) => (i % 3 ? exchange(value) : message('Q', value)))];
        const stream = Buffer.concat(units);
        const reader = new Units();
        const got: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          got.push(...reader.push(stream.subarray(at, at + size)));
          at += size;
        }
        // Compared only now: a unit stays valid while later ones arrive.
        expect(got.map((unit) => unit.toString('latin1'))).toEqual(units.map((unit) => unit.toString('latin1')));
      },
    ),
    { numRuns: 50 },
  );
});

test('a goodbye is no unit, and what follows it is not lost', () => {
  const reader = new Units();
  expect(reader.push(Buffer.concat([message('X', ''), exchange('one')]))).toEqual([exchange('one')]);
  expect(reader.push(message('X', ''))).toEqual([]);
});
