/** Everything that has to hold, one step after the other, whatever the ones before said. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

const checks: [heading: string, script: string, ...args: string[]][] = [
  ['build', 'build'],
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

for (const [heading, script, ...args] of checks) {
  const ok = await run(heading, script, args);
  count(ok ? 1 : 0, ok ? 0 : 1, heading);
}
await runTests();

console.log('');
for (const failure of failures) console.log(`FAILED: ${failure}`);
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed`);

async function runTests(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
  const report = join(dir, 'jest.json');
  const ok = await run('tests', 'jest', ['--json', `--outputFile=${report}`, ...process.argv.slice(2)]);
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

function run(heading: string, script: string, args: string[]): Promise<boolean> {
  console.log(`\n== ${heading}`);
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], { cwd: root, stdio: 'inherit' });
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}
