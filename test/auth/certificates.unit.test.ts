import { describe, expect, test } from '@jest/globals';
import { Certificates, subjectOf, type Shown } from '../../src/auth/certificates.ts';
import { callerOf } from '../../src/auth/caller.ts';
import { identityOf } from '../../src/auth/identity.ts';
import { readIssuers } from '../../src/auth/issuer.ts';
import { put, World } from '../domain/world.ts';

type Certificate = Shown['certificate'];

const certificate = (cn: unknown, names?: string, validTo = 'Jan  1 00:00:00 2100 GMT'): Certificate => ({
  subject: { CN: cn } as Certificate['subject'],
  valid_to: validTo,
  ...(names !== undefined && { subjectaltname: names }),
});

const shown = (of: Certificate, more: Partial<Shown> = {}): Shown => ({
  authorized: true,
  error: undefined,
  certificate: of,
  ...more,
});

describe('SEC1 whom a certificate names', () => {
  test.each<[what: string, certificate: Certificate, subject: string]>([
    ['its common name', certificate('orders'), 'cert:cn:orders'],
    ['its one URI', certificate('orders', 'URI:spiffe://mesh/orders'), 'cert:uri:spiffe://mesh/orders'],
    [
      'its URI among others',
      certificate('x', 'DNS:a.test, URI:spiffe://m/a, IP Address:10.0.0.1'),
      'cert:uri:spiffe://m/a',
    ],
    ['the common name beside other names', certificate('orders', 'DNS:orders.test'), 'cert:cn:orders'],
    ['a common name that looks like a URI', certificate('spiffe://mesh/orders'), 'cert:cn:spiffe://mesh/orders'],
    ['what is quoted is no name', certificate('orders', 'DNS:"a.test, URI:spiffe://mesh/root"'), 'cert:cn:orders'],
    ['nor behind an escaped quote', certificate('o', 'DNS:"a\\", URI:spiffe://mesh/root", DNS:b'), 'cert:cn:o'],
  ])('%s', (_what, of, subject) => {
    expect(subjectOf(of)).toBe(subject);
  });

  test.each<[what: string, certificate: Certificate, fault: RegExp]>([
    ['several URIs', certificate('a', 'URI:spiffe://a, URI:spiffe://b'), /several URIs/],
    ['a URI that has to be quoted', certificate('a', 'URI:"spiffe://a, b"'), /cannot be read/],
    ['names that do not end', certificate('a', 'DNS:"a.test, URI:spiffe://a'), /cannot be read/],
    ['an empty URI', certificate('a', 'URI:'), /cannot be read/],
    ['several common names', certificate(['a', 'b']), /neither a URI nor one common name/],
    ['none', certificate(undefined), /neither/],
    ['an empty one', certificate(''), /neither/],
  ])('%s: nobody', (_what, of, fault) => {
    expect(subjectOf(of)).toEqual({ fault: expect.stringMatching(fault) });
  });
});

describe('SEC1 what a certificate is worth', () => {
  const at = Date.UTC(2026, 0, 1);

  test('nothing when none was shown, or TLS does not accept it, or it has expired', () => {
    const certificates = new Certificates(() => at);
    expect(certificates.verify(shown({} as Certificate))).toBeUndefined();
    expect(certificates.verify(shown(certificate('a'), { authorized: false, error: 'CERT_UNTRUSTED' }))).toMatchObject({
      ok: false,
      detail: 'TLS does not accept it (CERT_UNTRUSTED)',
    });
    for (const end of ['Dec 31 23:59:59 2025 GMT', 'nonsense'])
      expect(certificates.verify(shown(certificate('a', undefined, end)))).toMatchObject({
        ok: false,
        detail: 'it has expired',
      });
  });

  test('one subject without any right of its own, until it ends or the authorities change', () => {
    let now = at;
    const certificates = new Certificates(() => now);
    const verified = certificates.verify(shown(certificate('a', undefined, 'Jan  2 00:00:00 2026 GMT')));
    if (verified?.ok !== true) throw new Error('refused');
    const { grant } = verified;
    expect(grant.identity).toEqual({
      subject: 'cert:cn:a',
      administrator: false,
      reader: false,
      owns: { apiIds: [], services: [], groups: [] },
    });
    expect(certificates.stillHolds(grant)).toBe(true);
    now = Date.UTC(2026, 0, 2);
    expect(certificates.stillHolds(grant)).toBe(false);
    now = at;
    certificates.replaced();
    expect(grant.holds(at)).toBe(false);
  });
});

describe('SEC1 a certificate and a token never pass for one another', () => {
  const world = new World();
  world.must([
    put({ name: 'projects/core/service-accounts/by-cert', subject: 'cert:cn:orders' }),
    put({ name: 'projects/core/service-accounts/by-token', subject: 'orders' }),
    put({ name: 'projects/core/service-accounts/by-client', clientId: 'cert:cn:shop' }),
    put({ name: 'projects/core/service-accounts/by-both', subject: 'cert:cn:both', clientId: 'both' }),
  ]);
  const issuers = readIssuers('[{"issuer":"https://a.test","audience":"signalbox","readers":"*"}]');
  const issuer = issuers.ok ? issuers.issuers[0] : undefined;
  const whoIs = (cn: string) => {
    const verified = new Certificates(() => 0).verify(shown(certificate(cn)));
    if (verified?.ok !== true) throw new Error('refused');
    const found = callerOf(verified.grant.identity, world.view);
    return found.ok ? found.caller : undefined;
  };

  test('a certificate is the account that names it, and no other', () => {
    expect(whoIs('orders')).toMatchObject({
      kind: 'serviceAccount',
      account: 'projects/core/service-accounts/by-cert',
    });
    for (const cn of ['by-token', 'shop', 'both', 'cert:cn:orders', 'uri:orders'])
      expect(whoIs(cn)).toMatchObject({ kind: 'person', reader: false });
  });

  test('a token whose subject begins like a certificate’s is not taken', () => {
    if (issuer === undefined) throw new Error('no issuer');
    expect(identityOf({ sub: 'cert:cn:orders' }, issuer)).toBe('its sub begins with cert:, as only certificates may');
    expect(identityOf({ sub: 'CERT:cn:orders' }, issuer)).toMatchObject({ subject: 'CERT:cn:orders' });
  });
});
