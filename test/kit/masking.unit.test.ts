import { describe, expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { mask } from '../../src/kit/index.ts';

const NAMES = [
  'password',
  'db_password',
  'DB_PASSWD',
  'clientSecret',
  'token',
  'refreshTokens',
  'apiKey',
  'API-KEY',
  'privateKey',
  'credentials',
  'Authorization',
  'proxy-authorization',
  'passphrase',
  'connectionString',
  'dsn',
  'pwd',
  'sessionCookie',
  'x-api-key',
  'AWS_SECRET_ACCESS_KEY',
  'hmacKey',
  'jwt',
  'basic.auth',
  'commonKey',
  'monkeyKey',
  'KEY2',
  'dbpass',
  'DBPASS',
  'userpass',
  'sig',
] as const;

/** Ways in which a configuration holds a secret. */
const CARRIERS: readonly ((name: string, secret: string) => unknown)[] = [
  (name, secret) => ({ [name]: secret }),
  (name, secret) => ({ [name]: [secret, { deep: secret }] }),
  (name, secret) => ({ [name]: { user: 'x', value: secret } }),
  (name, secret) => new Map([[name, secret]]),
  (name, secret) => new Map([['outer', new Set([{ [name]: secret }])]]),
  (name, secret) => ({ env: [{ name, value: secret }] }),
  (name, secret) => ({ env: [{ key: name, value: secret, more: 1 }] }),
  (_, secret) => ({ key: secret, host: 'x' }),
  (name, secret) => ({ command: `run --${name} ${secret} --port 1` }),
  (_, secret) => `user:${secret}@tcp(db.test:3306)/orders`,
  (name, secret) => ({ pairs: [name, secret] }),
  (name, secret) => ({ args: ['serve', `--${name}`, secret] }),
  (name, secret) => ({ args: [`--${name}=${secret}`] }),
  (name, secret) => `host=db;${name}=${secret};port=1`,
  (name, secret) => `host=db ${name}='${secret}' port=1`,
  (name, secret) => `https://example.test/x?a=1&${name}=${secret}`,
  (name, secret) => `${name}: ${secret}`,
  (name, secret) => JSON.stringify({ a: { [name]: secret } }),
  (name, secret) => ({ text: `{ "${name}": "${secret}", broken` }),
  (name, secret) => new Error(`cannot log in with ${name}=${secret}`),
  (name, secret) => new Headers({ [name.replaceAll('.', '-')]: secret }),
  (name, secret) => ({
    get [name]() {
      return secret;
    },
  }),
  (_, secret) => `postgres://user:${secret}@db.test:5432/orders`,
  (_, secret) => `amqps://${secret}@mq.test,amqps://${secret}@mq2.test/x`,
  (_, secret) => new URL(`https://user:${secret}@example.test/`),
  (_, secret) => ({ url: `//user:p@${secret}@example.test` }),
  (_, secret) => ({ header: `Bearer ${secret}` }),
  (_, secret) => ({ header: `Basic ${secret}` }),
  (_, secret) => `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
  (_, secret) => `eyJhbGciOi.${secret}.${secret}`,
  (_, secret) => `sbr_${secret}${secret}`,
  (_, secret) => Buffer.from(secret),
  (name, secret) => `https://example.test/cb?${name}=${secret}`,
  (name, secret) => new URL(`https://example.test:8443/cb?${name}=${secret}&x=1`),
  (name, secret) => `callback: https://example.test?${name}=${secret}`,
  (name, secret) => `jdbc:mysql://db.test:3306/orders?${name}=${secret}`,
  (name, secret) => `redis://cache.test:6379?${name}=${secret}`,
  (name, secret) => `opts={"${name}":"${secret}"}`,
  (name, secret) => `opts="{\\"${name}\\": \\"${secret}\\"}"`,
  (name, secret) => `-Dspring.opts=x:${name}=${secret}`,
  (name, secret) => `env=prod:${name}=${secret}`,
  (name, secret) => `labels=[stage:prod, ${name}:${secret}]`,
  (name, secret) => `host=db ${name}=a,${secret} port=1`,
  (name, secret) => `host=db ${name}=my ${secret} port=1`,
  (name, secret) => `host=db ${name}="my ${secret}`,
  (name, secret) => ({ env: [{ key: name, val: secret }] }),
  (_, secret) => `curl -u user:${secret} https://example.test/`,
  (_, secret) => `curl -s --user 'user:${secret}' https://example.test/`,
  (_, secret) => ({ args: ['curl', '-u', `user:${secret}`, 'https://example.test/'] }),
  (_, secret) => `https://hooks.slack.com/services/T0/B0/${secret}`,
  (_, secret) => ({ hook: `https://discord.com/api/webhooks/1/${secret}?wait=true` }),
];

/** What else is in a configuration, with the planted thing somewhere in it. */
const around = (planted: unknown): fc.Arbitrary<unknown> =>
  fc
    .array(fc.tuple(fc.constantFrom('list', 'object', 'json', 'map'), fc.string(), fc.jsonValue({ maxDepth: 1 })), {
      maxLength: 6,
    })
    .map((layers) => {
      let value = planted;
      for (const [kind, name, beside] of layers) {
        if (kind === 'list') value = [beside, value];
        else if (kind === 'map')
          value = new Map<string, unknown>([
            ['beside', beside],
            [`m${name}`, value],
          ]);
        else if (kind === 'json' && typeof value === 'string') value = JSON.stringify({ beside, inner: value });
        else value = { beside, [`n${name}`]: value };
      }
      return value;
    });

describe('SEC5 no secret is shown', () => {
  test('wherever and however it is planted', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9_-]{16,40}$/).map((text) => `Zq9${text}`);
    const planted = fc
      .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...CARRIERS.keys()), secret)
      .chain(([name, carrier, text]) =>
        around(CARRIERS[carrier]?.(name, text)).map((value) => ({ value, text, carrier, name })),
      );
    fc.assert(
      fc.property(planted, ({ value, text }) => {
        expect(JSON.stringify(mask(value))).not.toContain(text);
      }),
      { numRuns: 5000 },
    );
  });

  test('each name with each carrier', () => {
    const leaks: string[] = [];
    for (const name of NAMES)
      for (const [index, carrier] of CARRIERS.entries()) {
        const shown = JSON.stringify(mask({ config: carrier(name, 'Zq9verySecret-0123_456789') }));
        if (shown.includes('Zq9verySecret')) leaks.push(`${name} in ${index}: ${shown}`);
      }
    expect(leaks).toEqual([]);
  });

  test('names of the service own, and not only what the kit knows', () => {
    const config = { recipe: 'sugar', nested: [{ Recipe2: 'salt' }], text: 'recipe=sugar' };
    expect(mask(config, [/recipe/gi])).toEqual({
      nested: [{ Recipe2: '[masked]' }],
      recipe: '[masked]',
      text: 'recipe=[masked]',
    });
  });
});

test('what is no secret is shown, and keys are sorted so that two can be compared', () => {
  const config = {
    port: 8080,
    host: 'db.test',
    tls: true,
    monkey: 'a',
    tls2: { turnkey: 1 },
    url: 'http://db.test/x?page=2&sort=name:asc',
    chaos: { bypass: true, compass: 'N' },
    command: 'node --port 80 -v main.js mode=fast,safe',
    at: '2026-01-01T10:20:30Z',
  };
  expect(mask(config)).toEqual(config);
  expect(Object.keys(mask({ b: { d: 1, c: 2 }, a: 1 }) as object)).toEqual(['a', 'b']);
  expect(JSON.stringify(mask({ b: { d: 1, c: 2 }, a: 1 }))).toBe(JSON.stringify(mask({ a: 1, b: { c: 2, d: 1 } })));
});

test('whether there is a secret may be told: an empty one is shown as empty', () => {
  expect(mask({ password: '', token: null, secret: undefined, key: 'x' })).toEqual({
    key: '[masked]',
    password: '',
    secret: null,
    token: null,
  });
});

test('what has no end, cannot be read or is no JSON does no harm', () => {
  const circle: Record<string, unknown> = { a: 1 };
  circle['self'] = circle;
  let deep: unknown = 1;
  for (let n = 0; n < 100; n++) deep = [deep];
  const odd = {
    circle,
    deep,
    get broken(): unknown {
      throw new Error('no');
    },
    run: () => 1,
    big: 10n,
    none: Number.NaN,
    at: new Date(0),
    proxy: new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    ),
  };
  expect(() => JSON.stringify(mask(odd))).not.toThrow();
  expect(mask(odd)).toMatchObject({ broken: '[unreadable]', proxy: '[unreadable]', run: '[function]', big: '10' });
});
