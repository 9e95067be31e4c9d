import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { PROBLEMS, type ProblemCode } from '../../protocol/problem-catalogue.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import { pagePolicy } from '../security-headers.ts';
import { openApiText } from '../openapi-document.ts';

const PLACES: Readonly<Record<string, string>> = {
  '/docs': 'the interface, rendered',
  '/openapi.json': 'the interface as OpenAPI 3.1',
  '/v1': 'the catalog: /v1/regions, /v1/projects, /v1/services, /v1/bundles and what is below them',
  '/v1/apply': 'POST a manifest',
  '/v1/export': 'the catalog as a manifest',
  '/v1/instances': 'what runs; POST registers, /v1/services/{service}/instances finds',
  '/v1/overrides': 'what operators have set for instances',
  '/v1/advisories': 'what people should know about now',
  '/v1/coverage': 'services against regions',
  '/v1/changes': 'the revision log',
  '/v1/state': 'the head of the log',
  '/v1/watch': 'the push feed (WebSocket, subprotocol signalbox.v1, or text/event-stream)',
  '/v1/subscribers': 'who watches what',
  '/login': 'log in with a browser; /session says who you are',
  '/v1/whoami': 'who is calling',
  '/problems': 'what can go wrong',
  '/livez': 'whether the process lives',
  '/readyz': 'whether requests are answered',
  '/metrics': 'metrics for Prometheus',
};

/** Of the one style that swagger-ui writes into its page; it is another when that changes, which the browser's test shows. */
const STYLE_OF_SWAGGER_UI = 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w=';

/** The documentation, made to be read offline: its pages load nothing from elsewhere. `config.action` of the plugin's own routes is set by the app. */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: pagePolicy(STYLE_OF_SWAGGER_UI),
    uiConfig: { deepLinking: true, docExpansion: 'none', tryItOutEnabled: true },
  });
  const page = { config: { action: 'docs.read' as const }, schema: { hide: true } };
  let document: string | undefined;
  app.get('/openapi.json', page, (_request, reply) => {
    sendJson(reply, (document ??= openApiText(app)));
  });
  app.get('/', page, (request, reply) => {
    if (request.headers.accept?.includes('text/html') !== true) return void sendJson(reply, INDEX_JSON);
    reply.header('content-type', 'text/html; charset=utf-8').send(INDEX_HTML);
  });
  app.get('/problems', page, (_request, reply) => {
    sendText(reply, (Object.keys(PROBLEMS) as ProblemCode[]).map(explain).join('\n'));
  });
  app.get('/problems/:code', page, (request, reply) => {
    const { code } = request.params as { code: string };
    if (!Object.hasOwn(PROBLEMS, code))
      throw new Problem('unknown-path', 'No problem has this code; /problems lists them.');
    sendText(reply, explain(code as ProblemCode));
  });
}

const INDEX_JSON = JSON.stringify({ name: 'Signalbox', places: PLACES });

const INDEX_HTML = `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Signalbox</title><h1>Signalbox</h1><ul>${Object.entries(
  PLACES,
)
  .map(([path, what]) => `<li><a href="${path}"><code>${path}</code></a>: ${what}</li>`)
  .join('')}</ul></html>`;

const explain = (code: ProblemCode): string =>
  `${PROBLEMS[code].status} ${code}: ${PROBLEMS[code].title}\n${PROBLEMS[code].meaning}\n`;

const sendText = (
  reply: { header(name: string, value: string): { send(text: string): unknown } },
  text: string,
): void => {
  reply.header('content-type', 'text/plain; charset=utf-8').send(text);
};
