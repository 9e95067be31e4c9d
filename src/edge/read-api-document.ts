import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { ApiDocument } from '../domain/resources.ts';
import { describeApi } from '../protocol/api-document.ts';
import { Problem } from '../protocol/problem.ts';
import { parseJson, textOf } from './body.ts';
import { MAX_DOCUMENT_LENGTH, readYaml } from './yaml-documents.ts';

const JSON_TYPES = ['application/json', 'application/openapi+json', 'application/vnd.oai.openapi+json'];
const YAML_TYPES = ['application/yaml', 'application/openapi+yaml', 'application/vnd.oai.openapi', 'text/yaml'];
export const API_DOCUMENT_TYPES = [...JSON_TYPES, ...YAML_TYPES];

/** The API document in a body, as it came, and what is known of it. Throws a `Problem`. */
export async function readApiDocument(request: FastifyRequest): Promise<{ document: ApiDocument; body: Buffer }> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const text = textOf(request);
  const format = YAML_TYPES.includes(type) ? 'yaml' : 'json';
  const described = describeApi(format === 'yaml' ? await yamlOf(text) : parseJson(text));
  if (Array.isArray(described)) {
    const [first] = described;
    const detail = `The body is not an OpenAPI document: ${`${first?.pointer ?? ''} ${first?.detail ?? ''}`.trim()}.`;
    throw new Problem('invalid', { detail, errors: described });
  }
  const body = request.body as Buffer;
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { document: { sha256, bytes: body.length, format, ...described }, body };
}

async function yamlOf(text: string): Promise<unknown> {
  if (text.length > MAX_DOCUMENT_LENGTH) {
    const detail = `The body has more than ${MAX_DOCUMENT_LENGTH} characters of YAML, which is slow to read; send it as JSON.`;
    throw new Problem('too-large', detail);
  }
  const [document] = await readYaml(text, 1);
  return document;
}
