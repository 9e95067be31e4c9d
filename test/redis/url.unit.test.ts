import { describe, expect, test } from '@jest/globals';
import { readRedisUrl, redisTarget } from '../../src/redis/url.ts';

describe('the URL of Redis', () => {
  test.each([
    ['redis://localhost', { host: 'localhost', port: 6379, db: 0, tls: false, credentials: {} }],
    ['rediss://cache_1.example:7000/3', { host: 'cache_1.example', port: 7000, db: 3, tls: true, credentials: {} }],
    ['redis://[fd00::1]:6380/', { host: 'fd00::1', port: 6380, db: 0, tls: false, credentials: {} }],
    [
      'redis://:p%40ss%2Fw%25rd@h',
      { host: 'h', port: 6379, db: 0, tls: false, credentials: { password: 'p@ss/w%rd' } },
    ],
    [
      'redis://me:a:b@h',
      { host: 'h', port: 6379, db: 0, tls: false, credentials: { username: 'me', password: 'a:b' } },
    ],
    [
      'redis://m%C3%A9:a@b@h',
      { host: 'h', port: 6379, db: 0, tls: false, credentials: { username: 'mé', password: 'a@b' } },
    ],
    ['redis://me@h', { host: 'h', port: 6379, db: 0, tls: false, credentials: { username: 'me', password: '' } }],
  ])('%s is one server', (url, target) => {
    expect(readRedisUrl(url)).toEqual({ ok: true, target: { form: 'single', ...target } });
  });

  test('Sentinels, with the port that they have by default, and a master', () => {
    expect(redisTarget('redis+sentinel://me:a%2Cb@h1,h2:1,[::1]:2,[::2]/my%20master')).toEqual({
      form: 'sentinel',
      tls: false,
      credentials: { username: 'me', password: 'a,b' },
      sentinels: [
        { host: 'h1', port: 26379 },
        { host: 'h2', port: 1 },
        { host: '::1', port: 2 },
        { host: '::2', port: 26379 },
      ],
      master: 'my master',
    });
    expect(redisTarget('rediss+sentinel://h/m')).toMatchObject({ form: 'sentinel', tls: true, credentials: {} });
  });

  test('a cluster, with the port that its servers have by default', () => {
    expect(redisTarget('rediss+cluster://:p@h1,h2:7000/')).toEqual({
      form: 'cluster',
      tls: true,
      credentials: { password: 'p' },
      nodes: [
        { host: 'h1', port: 6379 },
        { host: 'h2', port: 7000 },
      ],
    });
  });

  test.each([
    ['', 'it is not redis'],
    ['http://h', 'it is not redis'],
    ['redis://', 'it is not redis'],
    ['redis://:secret@', 'it is not redis'],
    ['redis://h?password=secret', 'it is not redis'],
    ['redis+other://h', 'it is not redis'],
    ['redis://:%zz@h', 'percent-encoded'],
    ['redis://h:0', 'no host:port'],
    ['redis://h:65536', 'no host:port'],
    ['redis://[1.2.3.4]', 'no host:port'],
    ['redis://h:secret', 'no host:port'],
    ['redis://h1,h2', 'several hosts'],
    ['redis://h/name', 'no number'],
    ['redis+cluster://h1,,h2', 'no host:port'],
    ['redis+cluster://h1/0', 'no database number'],
    ['redis+sentinel://h1,h2', 'the name of the master'],
    ['redis+sentinel://h1,h2/', 'the name of the master'],
    ['redis+sentinel://h1/master/1', 'the name of the master'],
    [`redis+cluster://${Array.from({ length: 65 }, (_, i) => `h${i}`).join(',')}`, 'more than 64'],
  ])('%s is refused without saying what stands in it', (url, why) => {
    const read = readRedisUrl(url);
    expect(read).toEqual({ ok: false, fault: expect.stringContaining(why) });
    expect(JSON.stringify(read)).not.toContain('secret');
    expect(() => redisTarget(url)).toThrow('the URL of Redis cannot be used');
  });
});
