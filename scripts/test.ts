/** Everything that has to hold: the build, then all checks, then the tests, whatever the ones before said. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

type Check = [heading: string, script: string, ...args: string[]];

/** The others need what it makes. */
const BUILD: Check = ['build', 'build'];
/** None of these writes anything. */
const CHECKS: readonly Check[] = [
  ['types', 'typecheck'],
  ['lint', 'lint'],
  ['formatting', 'format:check'],
  ['migrations match the schema', 'migration:check'],
  ['openapi.json is current', 'openapi', '--check'],
  ['settings documentation is current', 'settings', '--check'],
  ['docs/api is current', 'api-docs', '--check'],
  ['docs/access.md is current', 'access', '--check'],
  ['docs/rules.md names the tests', 'rules', '--check'],
  ['the AWS example is made from its facts', 'example:aws', '--check'],
];

let passed = 0;
let failed = 0;
const failures: string[] = [];

await check(BUILD);
await twoAtATime(CHECKS, check);
await runTests();

console.log('');
for (const failure of failures) console.log(`FAILED: ${failure}`);
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed`);

async function runTests(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
  const report = join(dir, 'jest.json');
  console.log('\n== tests');
  const { ok } = await run('jest', ['--json', `--outputFile=${report}`, ...process.argv.slice(2)], 'inherit');
  const result = readReport(report);
  rmSync(dir, { recursive: true });
  if (!result) return count(0, 1, 'tests (jest gave no report)');
  for (const suite of result.testResults) {
    for (const test of suite.assertionResults) if (test.status === 'failed') failures.push(test.fullName);
  }
  count(result.numPassedTests, result.numFailedTests);
  // A suite that could not even be loaded has no failed test that would give it away; nor has jest itself.
  const broken = result.numRuntimeErrorTestSuites;
  if (broken > 0) count(0, broken, `${broken} test file(s) could not run`);
  else if (!ok && result.numFailedTests === 0) count(0, 1, 'jest');
  if (result.numPendingTests > 0) console.log(`${result.numPendingTests} test(s) were skipped`);
}

interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numRuntimeErrorTestSuites: number;
  testResults: { assertionResults: { status: string; fullName: string }[] }[];
}

function readReport(path: string): JestReport | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}

function count(good: number, bad: number, what?: string): void {
  passed += good;
  failed += bad;
  if (bad > 0 && what) failures.push(what);
}

async function check([heading, script, ...args]: Check): Promise<void> {
  const { ok, output } = await run(script, args, 'pipe');
  console.log(`\n== ${heading}\n${output}`);
  count(ok ? 1 : 0, ok ? 0 : 1, heading);
}

/** Each keeps about one core busy. */
async function twoAtATime<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next);
  };
  await Promise.all([lane(), lane()]);
}

function run(script: string, args: string[], to: 'pipe' | 'inherit'): Promise<{ ok: boolean; output: string }> {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], { cwd: root, stdio: ['inherit', to, to] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      output += data.toString();
    });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ ok: false, output: String(error) }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}
