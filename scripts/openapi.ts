/**
 * Writes openapi/openapi.json from the routes and docs/problems.md from the catalogue of problems; `--check` fails when
 * they are not current.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { format } from 'prettier';
import { Registry } from 'prom-client';
import { loadConfig } from '../src/config.ts';
import { View } from '../src/domain/view.ts';
import { buildApp } from '../src/edge/app.ts';
import type { EdgeDeps } from '../src/edge/deps.ts';
import { openApiText } from '../src/edge/openapi-document.ts';
import { PROBLEMS, problemType, type ProblemCode } from '../src/protocol/problem-catalogue.ts';

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
if (args.length > 1 || (args.length === 1 && args[0] !== '--check')) {
  console.error('usage: openapi.ts [--check]');
  process.exitCode = 2;
} else {
  const files: readonly [path: string, content: string][] = [
    [join('openapi', 'openapi.json'), await openApi()],
    [join('docs', 'problems.md'), await format(problemsPage(), { parser: 'markdown', printWidth: 120 })],
  ];
  for (const [path, content] of files) await (args[0] === '--check' ? check(path, content) : write(path, content));
}

async function write(path: string, content: string): Promise<void> {
  await writeFile(join(root, path), content);
  console.log(`Wrote ${path}`);
}

async function check(path: string, content: string): Promise<void> {
  const written = await readFile(join(root, path), 'utf8').catch(() => undefined);
  if (written === content) return console.log(`${path} is current`);
  console.error(`${path} is not what the routes say. Run: npm run openapi`);
  process.exitCode = 1;
}

async function openApi(): Promise<string> {
  const app = await buildApp(await inertDeps());
  await app.ready();
  const text = openApiText(app);
  await app.close();
  return text;
}

/** Routes are registered with these and never called. */
async function inertDeps(): Promise<EdgeDeps> {
  const loaded = loadConfig({});
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return {
    config: loaded.config,
    access: { development: true },
    registry: { execute: never },
    state: { ready: false, head: { epoch: '', revision: 0, trimmed: 0 }, view: new View(), waitFor: never },
    log: { read: never },
    instances: { register: never, deregister: never, override: never },
    monitoring: {
      enabled: false,
      renew: () => false,
      attach: () => undefined,
      detach: () => undefined,
      report: () => undefined,
      guards: () => [],
    },
    cluster: { ready: false, draining: false, degraded: [], nodes: () => ({ term: 0, nodes: [] }) },
    logger: pino({ level: 'silent' }),
    metrics: new Registry(),
    clock: () => 0,
    version,
    plugins: await plugins(),
  };
}

function never(): Promise<never> {
  return Promise.reject(new Error('not for calling'));
}

/** Routes of other rooms, and those that main.ts adds; their deps are only used by requests. */
async function plugins(): Promise<NonNullable<EdgeDeps['plugins']>> {
  const { watchRoute } = await import('../src/edge/ws/watch.ts');
  const { subscribersRoute } = await import('../src/edge/http/subscribers.ts');
  const { registrationTokenRoutes } = await import('../src/edge/http/registration-tokens.ts');
  const { apiDocumentRoutes } = await import('../src/edge/http/api-document-routes.ts');
  const { auditRoute } = await import('../src/edge/http/audit.ts');
  const { whoamiRoutes } = await import('../src/edge/http/whoami.ts');
  return [
    apiDocumentRoutes({} as unknown as Parameters<typeof apiDocumentRoutes>[0]),
    registrationTokenRoutes({} as unknown as Parameters<typeof registrationTokenRoutes>[0]),
    watchRoute({ maxFrameBytes: 1 } as unknown as Parameters<typeof watchRoute>[0]),
    subscribersRoute(undefined as never),
    auditRoute(undefined as never),
    whoamiRoutes({} as never),
  ];
}

function problemsPage(): string {
  const sections = (Object.keys(PROBLEMS) as ProblemCode[]).map((code) => {
    const { status, title, meaning } = PROBLEMS[code];
    return `## ${code}\n\n\`${problemType(code)}\`, status ${status}: ${title}.\n\n${meaning}\n`;
  });
  return `# Problems

Generated from \`src/protocol/problem-catalogue.ts\` by \`npm run openapi\`. Every error is an \`application/problem+json\` (RFC 9457) with
\`type\`, \`title\`, \`status\`, \`detail\` and \`requestId\`. The \`type\` is stable: programs should decide by it. It is a path on the
server itself, which explains it.

${sections.join('\n')}`;
}
