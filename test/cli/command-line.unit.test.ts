import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { EXIT } from '../../src/cli/errors.ts';
import { AnsweringServer } from './terminal.ts';

const server = new AnsweringServer();
const signalbox = server.signalbox.bind(server);

beforeAll(() => server.start());
afterAll(() => server.stop());
beforeEach(() => server.reset());

describe('the command line', () => {
  test.each([
    'start',
    'apply',
    'export',
    'get',
    'coverage',
    'watch',
    'status',
    'register',
    'sidecar',
    'drain',
    'undrain',
    'subscribers',
    'nodes',
    'audit',
  ])('%s --help has examples', async (name) => {
    const { code, out } = await signalbox([name, '--help']);
    expect(code).toBe(EXIT.ok);
    expect(out).toContain(`Examples:\n  signalbox ${name}`);
    expect(out).toContain('--url <url>');
  });

  test('--help tells the exit codes, --version the version', async () => {
    expect((await signalbox(['--help'])).out).toContain('3  the server cannot be reached');
    expect((await signalbox(['--help'])).out).toContain('-V, --version');
    for (const args of [['--version'], ['-V'], ['--json', '--version']])
      expect(await signalbox(args)).toEqual({
        code: EXIT.ok,
        out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
        err: '',
      });
  });

  test('what is misspelt is answered with what was meant', async () => {
    expect(await signalbox(['aply'])).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining("unknown command 'aply' (Did you mean apply?)"),
    });
    expect(await signalbox(['apply', '-f', 'x', '--dryrun'])).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('(Did you mean --dry-run?)'),
    });
  });

  test.each([
    [['apply'], "required option '-f, --file <files...>' not specified"],
    [['apply', '-f', 'x', '--prune'], 'add -l KEY=VALUE'],
    [['apply', '-f', 'x', '-l', 'a=b'], 'without --prune it has no meaning'],
    [['get'], "missing required argument 'kind'"],
    [['get', 'pods'], '"pods" is not a kind'],
    [['get', 'deployment', 'eu'], 'add --service'],
    [['get', 'services/../state'], 'is not the name of a resource'],
    [['get', 'regions', '--limit', 'x'], 'whole number above 0'],
    [['get', 'regions', '--timeout', '0'], 'seconds above 0'],
    [['get', 'regions', '--url', 'localhost:4400'], 'is not the address of a server'],
    [['get', 'regions', '--url', 'http://me:secret@localhost'], 'carries no user, password'],
    [['watch', 'regions', '-s', 'a.b'], 'do not belong to a service'],
    [['watch', 'instances', '-l', 'a=b'], 'use --tag'],
    [['get', 'instances', '-l', 'a=b'], 'use --tag'],
    [['get', 'deployments', '--version', 'v1'], '--version is about instances'],
    [['get', 'instance', 'a:b:c'], 'is not an instance'],
    [['drain', '3f'], "required option '--reason <text>'"],
    [['drain', '--reason', 'x'], 'Say which'],
    [['drain', '-s', 'a.b', '--reason', 'x'], '-r REGION'],
    [['drain', '3f', '-s', 'a.b', '--reason', 'x'], 'not both'],
    [['drain', '-s', 'A', '-r', 'eu', '--reason', 'x'], '"A" is not the id of a service'],
    [['drain', '3f', '--reason', ' '], 'says why'],
    [['drain', '3f', '--reason', 'x', '--maintenance', '--weight', '1'], 'leave out --weight'],
    [['drain', '3f', '--reason', 'x', '--weight', '-1'], '0 to 65535'],
    [['register', '--port', '80'], "required option '--service <service>'"],
    [['register', '--service', 'a.b', '--port', '70000'], '1 to 65535'],
    [['register', '--service', 'A B', '--port', '80'], '--service must be a lower-case domain name'],
    [['register', '--service', 'a.b', '--port', '80', '--check', 'udp'], '--check is ttl, http'],
    [['register', '--service', 'a.b', '--port', '80', '--check', 'tcp:1'], '--check is ttl, http'],
    [['register', '--service', 'a.b', '--port', '80', '--check', '{"type":'], 'without a type that is known'],
    [['register', '--service', 'a.b', '--port', '80', '--check', 'http:health'], '--check path must be a path'],
    [['register', '--service', 'a.b', '--port', '80', '--interval', '5s'], 'add --check http'],
    [['register', '--service', 'a.b', '--port', '80', '--check', 'tcp', '--ttl', '5s'], '--ttl is the lease'],
    [['register', '--service', 'a.b', '--port', '80', '--ttl', '5'], 'such as 500ms'],
    [['register', '--service', 'a.b', '--port', '80', '--ttl', '1ms'], '--ttl must be from 500ms to 24h, not 1ms'],
    [['register', '--service', 'a.b', '--port', '80', '--meta', 'x'], 'It is KEY=VALUE'],
    [['register', '--service', 'a.b', '--port', '80', '--address', 'x_y'], '--address'],
    [['export', 'x'], 'too many arguments'],
  ])('%j is exit code 2', async (args, message) => {
    const { code, out, err } = await signalbox(args);
    expect([code, out]).toEqual([EXIT.usage, '']);
    expect(err).toContain(message);
    expect(server.seen).toEqual([]);
  });

  test('no command is help, and exit code 2', async () => {
    expect(await signalbox([])).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('Commands:') });
  });

  test('with --json errors are problems, also those of the command line', async () => {
    const { err } = await signalbox(['get', 'pods', '--json']);
    expect(JSON.parse(err)).toMatchObject({
      title: 'The command line is wrong',
      detail: expect.stringContaining('pods'),
    });
  });
});

describe('a server that cannot be reached', () => {
  test('nothing listens: exit code 3 and what to do', async () => {
    const { code, out, err } = await signalbox(['status', '--url', 'http://127.0.0.1:9']);
    expect([code, out]).toEqual([EXIT.unreachable, '']);
    expect(err).toMatch(
      /^Signalbox cannot be reached\.\n(Nothing listens at|http:\/\/127\.0\.0\.1:9 cannot be reached)/,
    );
  });

  test('SIGNALBOX_URL is passed over by --url, and may end with a slash', async () => {
    server.answers['GET /v1/regions'] = () => ({ items: [], nextPageToken: '', revision: 0 });
    const env = { SIGNALBOX_URL: 'http://127.0.0.1:9' };
    expect(await signalbox(['get', 'regions', '--url', `${server.url}/`], { env })).toMatchObject({ code: EXIT.ok });
    expect(await signalbox(['--url', server.url, 'get', 'regions'], { env })).toMatchObject({ code: EXIT.ok });
  });

  test('a server that says nothing is given up on; a write may have been made', async () => {
    server.answers['POST /v1/apply'] = () => new Promise(() => {});
    server.answers['GET /v1/regions'] = () => new Promise(() => {});
    expect(await signalbox(['get', 'regions', '--timeout', '0.05'])).toMatchObject({
      code: EXIT.unreachable,
      err: expect.stringContaining('said nothing for 0.05 s. --timeout waits longer.'),
    });
    const { err } = await signalbox(['apply', '-f', '-', '--timeout', '0.05'], { stdin: '{"name":"regions/eu"}' });
    expect(err).toContain('It is not known whether the change was made; sending it again is safe.');
  });

  test('another program at the address is said to be one', async () => {
    server.answers['GET /v1/regions'] = (reply) => reply.code(200).type('text/html').send('<h1>hello</h1>');
    server.answers['GET /v1/services'] = (reply) =>
      reply.code(302).header('location', 'https://login.example.com/').send();
    expect(await signalbox(['get', 'regions'])).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('This is not an answer of Signalbox'),
    });
    expect((await signalbox(['get', 'services'])).err).toContain(
      'which points to https://login.example.com/, was answered with 302',
    );
  });
});
