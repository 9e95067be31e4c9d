import { describe, expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { createEgress, isCidr } from '../../src/health/egress.ts';

const open = createEgress({ allowLoopback: false, deny: [] });
const local = createEgress({ allowLoopback: true, deny: [] });

describe('SEC4: where Signalbox may connect to', () => {
  test.each([
    ['169.254.169.254', 'a metadata address of a cloud'],
    ['100.100.100.200', 'a metadata address of a cloud'],
    ['168.63.129.16', 'a metadata address of a cloud'],
    ['192.0.0.192', 'a metadata address of a cloud'],
    ['fd00:ec2::254', 'a metadata address of a cloud'],
    ['FD00:0EC2:0:0::0:254', 'a metadata address of a cloud'],
    ['fd20:ce::254', 'a metadata address of a cloud'],
    ['0.0.0.0', 'an unspecified address'],
    ['0.1.2.3', 'an unspecified address'],
    ['::', 'an unspecified address'],
    ['0:0:0:0:0:0:0:0', 'an unspecified address'],
    ['169.254.0.1', 'a link-local address'],
    ['fe80::1', 'a link-local address'],
    ['febf:ffff::1', 'a link-local address'],
    ['224.0.0.1', 'a multicast address'],
    ['239.255.255.255', 'a multicast address'],
    ['ff02::1', 'a multicast address'],
    ['255.255.255.255', 'the broadcast address'],
    ['240.0.0.1', 'a reserved address'],
    ['::5', 'a reserved address'],
    ['::127.0.0.1', 'a reserved address'],
    ['64:ff9b:1::a00:1', 'an address that is translated or tunnelled'],
    ['64:ff9b:1:a9fe:a9:fe00::', 'an address that is translated or tunnelled'],
    ['2001:0:1234::1', 'an address that is translated or tunnelled'],
    ['fe80::1%eth0', 'an address with a zone'],
    ['::ffff:10.0.0.1%lo', 'an address with a zone'],
  ])('%s is denied always: %s', (ip, why) => {
    expect(open.check(ip)).toBe(why);
    expect(local.check(ip)).toBe(why);
    const everything = createEgress({ allowLoopback: true, deny: [], allow: ['0.0.0.0/0', '::/0'] });
    expect(everything.check(ip)).toBe(why);
  });

  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::FFFF:7f00:1',
    '0:0:0:0:0:ffff:7f00:0001',
    '0000::0000:ffff:127.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2002:7f00:0001:0:1:2:3:4',
    '2001:db8::5efe:7f00:1',
    '2001:db8::200:5efe:127.0.0.1',
  ])('%s is loopback, which is denied unless it is allowed', (ip) => {
    expect(open.check(ip)).toBe('a loopback address');
    expect(local.check(ip)).toBeUndefined();
  });

  test.each([
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '0:0::ffff:A9FE:A9FE',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:0:0::169.254.169.254',
    '2002:a9fe:a9fe::1',
    '::ffff:0:a9fe:a9fe',
  ])('%s is judged by the IPv4 address inside', (ip) => {
    expect(local.check(ip)).toBe('a metadata address of a cloud');
  });

  test.each(['10.0.0.1', '192.168.1.1', '8.8.8.8', '126.255.255.255', '128.0.0.0', '223.255.255.255', '1.0.0.0'])(
    '%s is allowed, also inside IPv6 addresses',
    (ip) => {
      expect(open.check(ip)).toBeUndefined();
      expect(open.check(`::ffff:${ip}`)).toBeUndefined();
      expect(open.check(`64:ff9b::${ip}`)).toBeUndefined();
    },
  );

  test.each(['fd00::1', '2001:db8::1', 'fec0::1', '2003::7f00:1', '64:ff9c::7f00:1', '1::ffff:7f00:1'])(
    '%s is allowed',
    (ip) => {
      expect(open.check(ip)).toBeUndefined();
    },
  );

  test.each(['', 'localhost', '127.1', '0x7f.1', '2130706433', '0177.0.0.1', '010.0.0.1', '[::1]', '1.2.3.4 ', ' ::1'])(
    'what is no IP address is denied: "%s"',
    (text) => {
      expect(local.check(text)).toBe('no IP address');
    },
  );

  test('ranges that are denied, whatever carries the address there', () => {
    const egress = createEgress({ allowLoopback: true, deny: ['10.0.0.0/8', 'fd00::/8', '127.0.0.2/32'] });
    for (const ip of ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3', '64:ff9b::a01:203', 'fdff::1', '127.0.0.2'])
      expect(egress.check(ip)).toBe('in a range that is denied');
    for (const ip of ['9.255.255.255', '11.0.0.0', 'fc00::1', 'fe00::1', '127.0.0.1'])
      expect(egress.check(ip)).toBeUndefined();
  });

  test('an address is denied by the range of its carrier as well as by its own', () => {
    const egress = createEgress({ allowLoopback: true, deny: ['64:ff9b::/96', '2002::/16'] });
    expect(egress.check('64:ff9b::808:808')).toBe('in a range that is denied');
    expect(egress.check('2002:808:808::1')).toBe('in a range that is denied');
    expect(egress.check('8.8.8.8')).toBeUndefined();
  });

  test('only the ranges that are allowed, and less than those where they are denied', () => {
    const egress = createEgress({ allowLoopback: true, deny: ['10.9.0.0/16'], allow: ['10.0.0.0/8', 'fd00::/8'] });
    for (const ip of ['10.0.0.1', '::ffff:10.0.0.1', '64:ff9b::a00:1', 'fd12::1'])
      expect(egress.check(ip)).toBeUndefined();
    for (const ip of ['8.8.8.8', '2001:db8::1', '::ffff:8.8.8.8', '127.0.0.1', '::1'])
      expect(egress.check(ip)).toBe('not in a range that is allowed');
    expect(egress.check('10.9.1.1')).toBe('in a range that is denied');
    expect(egress.check('fd00:ec2::254')).toBe('a metadata address of a cloud');
  });

  test('loopback is allowed by a range inside of it, and not by one that holds everything', () => {
    const all = createEgress({ allowLoopback: false, deny: [], allow: ['0.0.0.0/0', '::/0'] });
    for (const ip of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1'])
      expect(all.check(ip)).toBe('a loopback address');
    const some = createEgress({ allowLoopback: false, deny: [], allow: ['127.0.0.0/30', '10.0.0.0/8'] });
    for (const ip of ['127.0.0.1', '127.0.0.3', '::ffff:127.0.0.1', '10.0.0.1']) expect(some.check(ip)).toBeUndefined();
    for (const ip of ['127.0.0.4', '::1']) expect(some.check(ip)).toBe('a loopback address');
    const six = createEgress({ allowLoopback: false, deny: ['127.0.0.1/32'], allow: ['::1/128', '127.0.0.0/8'] });
    expect(six.check('::1')).toBeUndefined();
    expect(six.check('127.0.0.1')).toBe('in a range that is denied');
    expect(six.check('127.0.0.2')).toBeUndefined();
  });

  test('the families are apart: all of IPv6 is none of IPv4, and nothing is allowed when no range is', () => {
    expect(createEgress({ allowLoopback: false, deny: ['::/0'] }).check('8.8.8.8')).toBeUndefined();
    expect(createEgress({ allowLoopback: false, deny: ['0.0.0.0/0'] }).check('2001:db8::1')).toBeUndefined();
    const six = createEgress({ allowLoopback: false, deny: [], allow: ['::/0'] });
    expect(six.check('8.8.8.8')).toBe('not in a range that is allowed');
    expect(six.check('::ffff:8.8.8.8')).toBe('not in a range that is allowed');
    expect(createEgress({ allowLoopback: false, deny: [], allow: [] }).check('8.8.8.8')).toBeDefined();
  });

  test('a range of mapped addresses is the range of IPv4 addresses', () => {
    const egress = createEgress({ allowLoopback: false, deny: ['::ffff:10.0.0.0/104'] });
    expect(egress.check('10.1.2.3')).toBe('in a range that is denied');
    expect(egress.check('::ffff:a01:203')).toBe('in a range that is denied');
    expect(egress.check('11.1.2.3')).toBeUndefined();
  });

  test('every spelling of an address is judged alike', () => {
    const word = fc.integer({ min: 0, max: 0xffff });
    // The first words are those that ranges are about.
    const first = fc.oneof(fc.constantFrom(0, 0x64, 0xff9b, 0x2002, 0xfe80, 0xff02, 0xfd00, 0xec2, 0xffff), word);
    const words = fc.tuple(first, first, first, first, first, first, fc.oneof(word, fc.constant(0xa9fe)), word);
    fc.assert(
      fc.property(words, (all) => {
        const plain = all.map((each) => each.toString(16)).join(':');
        const padded = all.map((each) => each.toString(16).padStart(4, '0').toUpperCase()).join(':');
        const [g = 0, h = 0] = all.slice(6);
        const dotted = `${plain.split(':').slice(0, 6).join(':')}:${g >> 8}.${g & 255}.${h >> 8}.${h & 255}`;
        const short = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
        const judged = [plain, padded, dotted, short].map((spelling) => open.check(spelling));
        expect(new Set(judged).size).toBe(1);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('ranges of addresses', () => {
  test.each([
    '10.0.0.0/8',
    '0.0.0.0/0',
    '1.2.3.4/32',
    '10.1.2.3/8',
    '::/0',
    'fd00::/8',
    '::1/128',
    '::ffff:10.0.0.0/104',
  ])('%s is one', (text) => {
    expect(isCidr(text)).toBe(true);
    expect(() => createEgress({ allowLoopback: false, deny: [text] })).not.toThrow();
  });

  test.each([
    '',
    '/',
    '10.0.0.0',
    '::1',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8 ',
    '10.0.0/8',
    '010.0.0.0/8',
    '::/129',
    'fe80::1%eth0/64',
    'localhost/8',
    '10.0.0.0/8/8',
    '10.0.0.0/1e1',
  ])('"%s" is none', (text) => {
    expect(isCidr(text)).toBe(false);
    expect(() => createEgress({ allowLoopback: false, deny: [text] })).toThrow('not a range of addresses');
  });
});
