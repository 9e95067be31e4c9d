import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { freePort } from '../support/free-port.ts';
import { call, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { embeddedHome } from './homes.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const CLI = resolve('dist/cli/main.js');
const EDGE = resolve('examples/spektra-edge');
const edge = (name: string): string => join(EDGE, `${name}.yaml`);

/** What a test left running, ended after it. */
const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

interface Run {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly out: () => string;
  readonly err: () => string;
  /** Its exit code, once it has ended and everything it wrote was read. */
  readonly ended: Promise<number | null>;
}

interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

let server: Signalbox;

/** Starts a program with SIGNALBOX_URL, and without a terminal. */
function start(command: string, args: readonly string[], { input, env = {} }: RunOptions = {}): Run {
  const child = spawn(command, args, { env: { ...process.env, SIGNALBOX_URL: server.url, ...env }, stdio: 'pipe' });
  running.add(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  child.stdin.on('error', () => {
    // It has not read all of its input, which is its own affair.
  });
  child.stdin.end(input ?? '');
  const ended = new Promise<number | null>((done) => {
    child.on('close', (code) => {
      running.delete(child);
      done(code);
    });
  });
  return { child, out: () => out, err: () => err, ended };
}

const signalbox = (args: readonly string[], options?: RunOptions): Run =>
  start(process.execPath, [CLI, ...args], options);

/** Runs the command to its end. */
async function run(
  args: readonly string[],
  options?: RunOptions,
): Promise<{ code: number | null; out: string; err: string }> {
  const { ended, out, err } = signalbox(args, options);
  const code = await ended;
  return { code, out: out(), err: err() };
}

/** The objects in lines of JSON, of whatever shape the test expects. */
const jsonLines = <T = Readonly<Record<string, unknown>>>(text: string): T[] =>
  text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
const revision = async (): Promise<number> => (await call(server.url, 'GET', '/v1/state')).body.revision as number;
async function subscriptions(): Promise<number> {
  const { body } = await call(server.url, 'GET', '/metrics');
  return Number(/^signalbox_watch_subscriptions ([0-9]+)$/m.exec(String(body))?.[1]);
}
const put = (name: string, body: object) => call(server.url, 'PUT', `/v1/${name}`, body);

let db: TestDatabase;
async function startServer(port?: number): Promise<void> {
  server = await startNode({ DATABASE_URL: db.url, WATCH_HEARTBEAT: '1s' }, port === undefined ? {} : { port });
}

describe('signalbox, against a server', () => {
  const files = temporaryDirectory();
  const file = (name: string, text: string): string => {
    const path = join(files.path, name);
    writeFileSync(path, text);
    return path;
  };

  beforeAll(async () => {
    db = await createDatabase();
    await startServer();
  }, 150_000);
  afterAll(async () => {
    await server.stop('SIGKILL');
    await db.drop();
    files.remove();
  });

  test('COV1 REV3: the walkthrough of the SPEKTRA Edge example, command by command', async () => {
    const applied = await run(['apply', '-f', edge('regions'), '-f', edge('core')]);
    expect(applied).toMatchObject({ code: 0, err: '' });
    expect(applied.out).toContain('76 created, 0 updated, 0 unchanged, 0 deleted; revision 1\n');
    expect((await run(['apply', '-f', edge('third-party')])).out).toContain(
      '6 created, 0 updated, 0 unchanged, 0 deleted; revision 2\n',
    );
    const again = await run(['apply', '-f', EDGE, '--dry-run']);
    expect(again.code).toBe(0);
    expect(again.out).toContain('nothing was changed (dry run)');
    const same = await run(['apply', '-f', edge('core'), edge('regions'), '-f', edge('third-party')]);
    expect(same).toMatchObject({ code: 0, out: '0 created, 0 updated, 82 unchanged, 0 deleted; still revision 2\n' });

    const coverage = await run(['coverage', '-s', 'fleet.acme.example']);
    expect(coverage.code).toBe(0);
    expect(coverage.out).toMatch(/^SERVICE +ap-south2 +eu-west +us-east$/m);
    expect(coverage.out).toContain('fleet.acme.example would need devices.edgelq.com v1, iam.edgelq.com v1');

    const watching = signalbox(['watch', '--json']);
    const watchingPeople = signalbox(['watch', 'deployments', '-r', 'ap-south2']);
    await until('both watch', async () => (await subscriptions()) === 2);

    const refused = await run(['apply', '-f', edge('third-party-expands')]);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain(
      'fleet.acme.example v1 runs in ap-south2 and imports devices.edgelq.com v1, but devices.edgelq.com is not deployed there. [COV1 import-not-deployed]',
    );
    expect(refused.err).toContain('2 violations, 1 fix; nothing was changed.');
    expect(await revision()).toBe(2);

    // The fix as it is printed, pasted into a shell.
    const command = refused.err.slice(refused.err.indexOf('curl '), refused.err.indexOf('\n\n2 violations'));
    const pasted = start('sh', ['-c', command], { env: { PATH: `${curlDirectory()}:${process.env['PATH']}` } });
    expect(await pasted.ended).toBe(0);
    expect(JSON.parse(pasted.out())).toMatchObject({ revision: 3, summary: { created: 12 } });
    const expanded = await run(['apply', '-f', edge('third-party-expands'), '--json']);
    expect(expanded.code).toBe(0);
    expect(JSON.parse(expanded.out)).toMatchObject({ revision: 4, summary: { created: 1 } });

    await until(
      'the changes are printed',
      () =>
        jsonLines(watching.out()).length >= 13 &&
        watchingPeople.out().includes('fleet.acme.example/deployments/ap-south2'),
    );
    const seen = jsonLines<{ op: string; key: string; revision: number }>(watching.out());
    expect(seen).toHaveLength(13);
    expect(
      seen
        .slice(0, 12)
        .every((one) => one.op === 'put' && one.revision === 3 && one.key.endsWith('/deployments/ap-south2')),
    ).toBe(true);
    expect(seen[12]).toMatchObject({ key: 'services/fleet.acme.example/deployments/ap-south2', revision: 4 });
    const lines = watchingPeople
      .out()
      .split('\n')
      .filter((line) => line.includes('/deployments/ap-south2'));
    expect(lines).toHaveLength(13);
    for (const one of [watching, watchingPeople]) {
      one.child.kill('SIGINT');
      expect(await one.ended).toBe(0);
    }
  }, 60_000);

  test('REV1: files of every syntax, directories and standard input are one manifest', async () => {
    const yaml = file(
      'a.yaml',
      'name: regions/from-yaml\ntitle: One\n---\nname: regions/from-yaml-too\ntitle: "Two"\n',
    );
    const ndjson = file(
      'b.ndjson',
      '{"name":"regions/from-ndjson","title":"Three"}\n\n{"name":"regions/from-ndjson-too","title":"Four"}',
    );
    const json = file('c.json', '[{"name":"regions/from-json","title":"Five"}]');
    const before = await revision();
    const applied = await run(['apply', '--json', '-f', yaml, ndjson, '-f', json, '-f', '-'], {
      input: 'name: regions/from-stdin\ntitle: Six\n',
    });
    expect(applied.code).toBe(0);
    const answer = JSON.parse(applied.out) as { revision: number; items: { name: string }[] };
    expect(answer.revision).toBe(before + 1);
    expect(answer.items.map(({ name }) => name)).toEqual(
      ['from-yaml', 'from-yaml-too', 'from-ndjson', 'from-ndjson-too', 'from-json', 'from-stdin'].map(
        (id) => `regions/${id}`,
      ),
    );
    const listed = await run(['get', 'regions', '--filter', 'id : from', '--order-by', 'title desc', '--json']);
    expect(jsonLines(listed.out).map(({ title }) => title)).toEqual(['Two', 'Three', 'Six', 'One', 'Four', 'Five']);
  });

  test('COV5: a dry run shows every field that would change, and changes nothing', async () => {
    await put('regions/dry', { title: 'Before', labels: { keep: '1', drop: '2' } });
    const before = await revision();
    const manifest = file(
      'dry.yaml',
      'name: regions/dry\ntitle: After\nlabels: { keep: "1", add: "3" }\n---\nname: regions/drier\ntitle: New\n',
    );
    const tried = await run(['apply', '-f', manifest, '--dry-run']);
    expect(tried.code).toBe(0);
    expect(tried.out).toMatch(/^~ regions\/dry$/m);
    expect(tried.out).toMatch(/~ title: .*Before.*After/);
    expect(tried.out).toMatch(/- labels\.drop/);
    expect(tried.out).toMatch(/\+ labels\.add/);
    expect(tried.out).not.toContain('labels.keep');
    expect(tried.out).toMatch(/^\+ regions\/drier$/m);
    expect(tried.out).toContain('1 created, 1 updated, 0 unchanged, 0 deleted; nothing was changed (dry run)');
    expect(await revision()).toBe(before);
    expect((await call(server.url, 'GET', '/v1/regions/dry')).body.title).toBe('Before');
    expect((await run(['apply', '-f', manifest])).out).toContain(`revision ${before + 1}`);
  });

  test('REV1: --prune deletes what carries the labels and is no longer listed, and wants to know the labels', async () => {
    const three = ['one', 'two', 'three'].map(
      (id) => `name: regions/prune-${id}\ntitle: ${id}\nlabels: { team: pruners }\n`,
    );
    await run(['apply', '-f', file('three.yaml', three.join('---\n'))]);
    await put('regions/prune-other', { title: 'other', labels: { team: 'others' } });
    const two = file('two.yaml', three.slice(0, 2).join('---\n'));
    const tried = await run(['apply', '-f', two, '--prune', '-l', 'team=pruners', '--dry-run']);
    expect(tried.out).toContain('- regions/prune-three');
    expect((await call(server.url, 'GET', '/v1/regions/prune-three')).status).toBe(200);
    const pruned = await run(['apply', '-f', two, '--prune', '-l', 'team=pruners']);
    expect(pruned.code).toBe(0);
    expect(pruned.out).toContain('0 created, 0 updated, 2 unchanged, 1 deleted');
    expect((await call(server.url, 'GET', '/v1/regions/prune-three')).status).toBe(404);
    expect((await call(server.url, 'GET', '/v1/regions/prune-other')).status).toBe(200);
    for (const args of [['--prune'], ['-l', 'team=pruners']]) {
      const wrong = await run(['apply', '-f', two, ...args]);
      expect(wrong.code).toBe(2);
      expect(wrong.err).toContain('--prune');
    }
  });

  test('CAT1: get lists what the filters mean, and shows one resource in the form that apply takes', async () => {
    const ids = async (...args: string[]): Promise<string[]> => {
      const { code, out, err } = await run(['get', ...args, '--json']);
      expect([code, err]).toEqual([0, '']);
      return jsonLines(out).map(({ name }) => name as string);
    };
    expect(await ids('deployments', '-s', 'iam.edgelq.com')).toEqual(
      ['ap-south2', 'eu-west', 'us-east'].map((id) => `services/iam.edgelq.com/deployments/${id}`),
    );
    expect(await ids('deployments', '-s', 'iam.edgelq.com,fleet.acme.example', '-r', 'eu-west')).toHaveLength(2);
    expect(await ids('services', '-l', 'tier=core')).toHaveLength(12);
    expect(await ids('services', '--filter', 'not labels.tier = core')).toEqual(['services/fleet.acme.example']);
    expect(await ids('services', '-p', 'acme')).toEqual(['services/fleet.acme.example']);
    expect(await ids('versions', '--limit', '3')).toHaveLength(3);
    const table = await run(['get', 'd', '-s', 'fleet.acme.example']);
    expect(table.out).toMatch(/^SERVICE +REGION +VERSION +STATE +ENDPOINT +REVISION$/m);
    expect(table.out.trim().split('\n')).toHaveLength(3);
    const one = await run(['get', 'deployment', 'eu-west', '-s', 'iam.edgelq.com']);
    expect((await run(['get', 'services/iam.edgelq.com/deployments/eu-west'])).out).toBe(one.out);
    const before = await revision();
    const again = await run(['apply', '-f', '-'], { input: one.out });
    expect(again.out).toContain(`still revision ${before}`);
    expect((await run(['get', 'bundles', '--filter', 'id = nothing'])).out).toContain('No bundles match.');
  }, 60_000);

  test('REV3: export, piped into apply, changes nothing here and makes the same catalog elsewhere', async () => {
    const before = await revision();
    const same = start('sh', ['-c', '"$0" "$1" export | "$0" "$1" apply -f -', process.execPath, CLI]);
    expect(await same.ended).toBe(0);
    expect(same.out()).toContain(`still revision ${before}`);
    const otherDb = await createDatabase();
    const other = await startNode({ DATABASE_URL: otherDb.url });
    try {
      const piped = start('sh', [
        '-c',
        '"$0" "$1" export --yaml | "$0" "$1" apply -f - --url "$2"',
        process.execPath,
        CLI,
        other.url,
      ]);
      expect(await piped.ended).toBe(0);
      expect(piped.out()).toContain('; revision 1\n');
      expect((await run(['export', '--url', other.url])).out).toBe((await run(['export'])).out);
    } finally {
      await other.stop('SIGKILL');
      await otherDb.drop();
    }
  }, 60_000);

  test('REV1: status says where the server is and what it holds', async () => {
    const { code, out } = await run(['status']);
    expect(code).toBe(0);
    expect(out).toContain(`${server.url} ready`);
    expect(out).toMatch(new RegExp(`^revision +${await revision()}$`, 'm'));
    const json = await run(['status', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({
      ready: true,
      revision: await revision(),
      kinds: { service: 13, bundle: 1 },
    });
  });

  test('PUSH5: watch goes on over kill -9 and a graceful restart of the server, with every change once', async () => {
    const watching = signalbox(['watch', 'regions', '-l', 'live=yes', '--json', '--snapshot']);
    const people = signalbox(['watch', 'regions', '-l', 'live=yes']);
    await until('both watch', async () => (await subscriptions()) === 2);
    const printed = (): string[] =>
      people
        .out()
        .split('\n')
        .filter((line) => line.includes('regions/live-'));
    let written = 0;
    const write = async (): Promise<void> => {
      const { status } = await put(`regions/live-${written % 5}`, { title: `${written}`, labels: { live: 'yes' } });
      expect(status).toBeLessThan(300);
      written += 1;
    };
    for (const signal of [undefined, 'SIGKILL', 'SIGTERM'] as const) {
      for (let i = 0; i < 20; i++) await write();
      if (signal !== undefined) {
        await server.stop(signal);
        await until('the loss is told', () => watching.err().includes('connection lost'));
        await startServer(server.port);
        // Before it is back, and after.
        for (let i = 0; i < 10; i++) await write();
      }
      await until('all came', () => jsonLines(watching.out()).length >= written && printed().length >= written);
    }
    const seen = jsonLines<{ revision: number; value: { title: string } }>(watching.out());
    expect(seen.map(({ value }) => value.title)).toEqual(Array.from({ length: written }, (_, i) => String(i)));
    expect(seen.map(({ revision: at }) => at)).toEqual(seen.map(({ revision: at }) => at).toSorted((a, b) => a - b));
    expect(printed()).toHaveLength(written);
    expect(watching.err()).toContain('connected again; going on after revision');
    expect(watching.err()).not.toContain('starts over');
    watching.child.kill('SIGINT');
    people.child.kill('SIGTERM');
    expect(await watching.ended).toBe(0);
    expect(await people.ended).toBe(0);
  }, 90_000);

  test('REV1: whoever closes the pipe early (| head) is let go, without a word', async () => {
    const documents = Array.from({ length: 3000 }, (_, i) =>
      JSON.stringify({ name: `regions/pipe-${i}`, title: 'x'.repeat(100) }),
    );
    expect((await run(['apply', '-f', '-'], { input: documents.join('\n') })).code).toBe(0);
    for (const args of [
      ['get', 'regions'],
      ['get', 'regions', '--json'],
      ['export'],
      ['export', '--yaml'],
      ['watch', '--snapshot'],
    ]) {
      const piped = start('sh', ['-c', '"$0" "$@" | head -n 1', process.execPath, CLI, ...args]);
      await piped.ended;
      expect([args, piped.out().split('\n').length, piped.err()]).toEqual([args, 2, '']);
      const direct = signalbox(args);
      direct.child.stdout?.once('data', () => direct.child.stdout?.destroy());
      expect([args, await direct.ended]).toEqual([args, 0]);
    }
  }, 60_000);

  test('CAT1: what is wrong in a file is told with file, line and field', async () => {
    const wrong = file(
      'wrong.yaml',
      'name: regions/fine\ntitle: Fine\n---\n# a comment\nname: regions/wrong\ntitle: 7\n---\nname: regions/Wrong\ntitle: x\n',
    );
    const before = await revision();
    const refused = await run(['apply', '-f', wrong]);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(/wrong\.yaml:[0-9]+/);
    const typed = await run([
      'apply',
      '-f',
      file('typed.yaml', 'name: regions/fine\ntitle: Fine\n---\n# a comment\nname: regions/wrong\ntitle: 7\n'),
    ]);
    expect(typed.err).toMatch(/typed\.yaml:5 regions\/wrong title {2}must be a string/);
    const broken = await run(['apply', '-f', file('broken.json', '{"name": "regions/x",\n "title": }')]);
    expect(broken).toMatchObject({ code: 1, out: '' });
    expect(broken.err).toMatch(/broken\.json:2/);
    const cut = await run(['apply', '-f', file('cut.yaml', 'name: [\n')]);
    expect([cut.code, cut.err]).toEqual([1, expect.stringContaining('cut.yaml')]);
    const misspelt = await run(['apply', '-f', file('misspelt.yaml', 'name: regions/eu-west\ntitel: EU\n')]);
    expect([misspelt.code, misspelt.err]).toEqual([1, expect.stringMatching(/misspelt\.yaml:1.*titel/)]);
    expect(await revision()).toBe(before);
  });

  test.each([
    [2, ['frobnicate'], 'unknown command'],
    [2, ['aply'], 'apply'],
    [2, [], 'Usage: signalbox'],
    [2, ['apply'], '--file'],
    [2, ['get', 'planets'], 'not a kind of resource'],
    [2, ['get', 'regions', '--limit', 'many'], 'whole number'],
    [2, ['watch', '-l', 'nonsense'], 'KEY=VALUE'],
    [2, ['watch', 'projects', '-s', 'x.example'], 'do not belong to a service'],
    [2, ['status', '--url', 'not a url'], 'not the address of a server'],
    [1, ['apply', '-f', 'no/such/file.yaml'], 'no such file'],
    [1, ['get', 'regions', 'no-such-region'], 'no region'],
    [1, ['get', 'regions', '--filter', 'title ='], 'filter'],
    [1, ['coverage', '-s', 'nobody.example'], 'no service'],
    [1, ['export', '-s', 'nobody.example'], 'no service'],
    [0, ['--version'], ''],
    [0, ['help', 'apply'], ''],
  ])('REV1: exit code %i for %j', async (code, args, words) => {
    const ended = await run(args);
    expect([ended.code, ended.err]).toEqual([code, expect.stringContaining(words)]);
    expect(ended.err).not.toMatch(/\n\s+at |mistake in signalbox/);
    if (code !== 0) expect(ended.out).toBe('');
  });

  test('REV1: with --json, what went wrong is a problem on standard error', async () => {
    const missing = await run(['get', 'regions', 'no-such-region', '--json']);
    expect(missing.code).toBe(1);
    expect(JSON.parse(missing.err)).toMatchObject({ type: '/problems/not-found', status: 404 });
    const refused = await run(['apply', '--json', '-f', '-'], {
      input: '{"name":"services/lonely.example/versions/v1"}',
    });
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.err)).toMatchObject({
      status: 409,
      violations: [expect.objectContaining({ rule: 'REF1' })],
    });
  });

  describe('that is not there', () => {
    let elsewhere: string;
    beforeEach(async () => {
      elsewhere = `http://127.0.0.1:${await freePort()}`;
    });

    test('REV1: a server that cannot be reached is told in one sentence that says what to do, with exit code 3', async () => {
      for (const args of [
        ['status'],
        ['get', 'services'],
        ['export'],
        ['coverage'],
        ['apply', '-f', edge('regions')],
      ]) {
        const { code, out, err } = await run(args, { env: { SIGNALBOX_URL: elsewhere } });
        expect([args, code, out]).toEqual([args, 3, '']);
        expect(err).toContain(
          `Nothing listens at ${elsewhere}: start Signalbox (\`signalbox start\`), or say where it is with --url or SIGNALBOX_URL.`,
        );
        expect(err.trim().split('\n')).toHaveLength(2);
      }
    }, 30_000);

    test('REV1: a server that says nothing is given up, and one that is something else is told apart', async () => {
      const silent = createServer(() => {
        // No answer.
      });
      const other = createServer((_request, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hello</h1>'),
      );
      try {
        for (const one of [silent, other]) await new Promise<void>((done) => one.listen(0, '127.0.0.1', done));
        const at = (one: typeof silent): string => `http://127.0.0.1:${(one.address() as { port: number }).port}`;
        const waited = await run(['get', 'regions', '--url', at(silent), '--timeout', '0.3']);
        expect(waited.code).toBe(3);
        expect(waited.err).toContain('said nothing for 0.3 s');
        const strange = await run(['get', 'regions', '--url', at(other)]);
        expect(strange.code).toBe(1);
        expect(strange.err).toContain('This is not an answer of Signalbox');
      } finally {
        for (const one of [silent, other]) {
          one.close();
          one.closeAllConnections();
        }
      }
    });

    test('PUSH5: watch takes a server that was never there for a mistake, and says so', async () => {
      const { code, out, err } = await run(['watch', '--url', elsewhere]);
      expect([code, out]).toEqual([3, '']);
      expect(err).toContain(`Nothing listens at ${elsewhere}`);
    });
  });
});

test('REV2: signalbox start serves, says where, and ends in order', async () => {
  const data = await embeddedHome();
  const port = await freePort();
  server = { ...server, url: `http://127.0.0.1:${port}` };
  const node = signalbox(['start', '--port', String(port), '--data-dir', data.path], {
    env: { LOG_FORMAT: 'pretty', DATABASE_URL: '' },
  });
  try {
    await until('it is ready', () => run(['status']).then(({ code }) => code === 0), 120_000);
    for (const words of [
      'API',
      `${server.url}/v1`,
      `${server.url}/docs`,
      `ws://127.0.0.1:${port}/v1/watch`,
      'development mode',
    ]) {
      expect(node.out()).toContain(words);
    }
    expect((await run(['apply', '-f', edge('regions')])).code).toBe(0);
    const second = await run(['start', '--port', '0', '--data-dir', data.path], { env: { DATABASE_URL: '' } });
    expect(second.code).toBe(1);
    expect(second.err).toContain(data.path);
    node.child.kill('SIGTERM');
    expect(await node.ended).toBe(0);
  } finally {
    node.child.kill('SIGKILL');
    await node.ended;
    await data.drop();
  }
}, 150_000);

/** Where a `curl` is that knows what the printed fixes use: not every machine that runs the tests has the real one. */
function curlDirectory(): string {
  const directory = temporaryDirectory();
  process.on('exit', () => directory.remove());
  const script = `#!${process.execPath}
    const [, , ...args] = process.argv;
    const options = { method: undefined, headers: {}, body: undefined };
    let url;
    while (args.length > 0) {
      const arg = args.shift();
      if (arg === '-X') options.method = args.shift();
      else if (arg === '-H') { const [name, value] = args.shift().split(': '); options.headers[name] = value; }
      else if (arg === '-d' || arg === '--data-binary') { options.body = args.shift(); options.method ??= 'POST'; }
      else if (url === undefined) url = arg;
      else throw new Error('curl does not know ' + arg);
    }
    fetch(url, options).then((response) => response.text()).then((text) => process.stdout.write(text));
  `;
  writeFileSync(join(directory.path, 'curl'), script, { mode: 0o755 });
  expect(readFileSync(join(directory.path, 'curl'), 'utf8')).toBe(script);
  return directory.path;
}
