import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../protocol/problem.ts';
import { findJsonFault } from './json-fault.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The Content-Types that the route takes; none when it takes no body. */
    accepts?: readonly string[];
  }
}

export const JSON_BODY = ['application/json'];
const MAX_UNWANTED_BYTES = 1024;

/**
 * Lets the routes of a scope take bodies of these types, as bytes. They are parsed by the handlers: a mistake in a text is
 * no reason to close the connection, which Fastify does when a parser of its own fails.
 */
export function acceptOnly(scope: FastifyInstance, types: readonly string[]): void {
  scope.removeAllContentTypeParsers();
  if (types.length === 0) {
    // Many clients name a type although they send nothing.
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_UNWANTED_BYTES }, (_request, body, done) => {
      done(body.length === 0 ? null : new Problem('unsupported-media-type', 'This route takes no body; send none.'));
    });
    return;
  }
  scope.addContentTypeParser([...types], { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  scope.addHook('onRequest', (request, _reply, done) => {
    const coding = request.headers['content-encoding'];
    if (coding === undefined || coding === 'identity') return done();
    done(new Problem('unsupported-media-type', 'Compressed bodies are not taken; send it without Content-Encoding.'));
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The text of a body. Rejects what is not UTF-8, where a lenient decoder would store replacement characters. */
export function textOf(request: FastifyRequest): string {
  if (!Buffer.isBuffer(request.body)) throw new Problem('malformed-body', 'The request has no body.');
  try {
    return decoder.decode(request.body);
  } catch {
    throw new Problem('malformed-body', 'The body is not UTF-8.');
  }
}

export const jsonOf = (request: FastifyRequest): unknown => parseJson(textOf(request));

/** `firstLine` is the number of the text's first line in the body. */
export function parseJson(text: string, firstLine = 1): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('malformed-body', faultOf(text, firstLine));
  }
}

function faultOf(text: string, firstLine: number): string {
  const at = findJsonFault(text);
  const before = text.slice(0, at).split('\n');
  const place = `line ${before.length - 1 + firstLine}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  if (at >= text.length) return `The body is not JSON: it ends too early, at ${place}.`;
  return `The body is not JSON: ${JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0))} is not expected at ${place}.`;
}
