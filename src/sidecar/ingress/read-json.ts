import type { Request } from '../proxy/messages.ts';

const MAX_BYTES = 1 << 20;

export class BadBody extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'BadBody';
    this.status = status;
  }
}

/** @throws BadBody where it is no JSON, or too long. */
export async function readJson(request: Request): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BYTES) throw new BadBody(413, `The body is longer than ${MAX_BYTES} bytes.`);
    chunks.push(chunk as Buffer);
  }
  if (bytes === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new BadBody(400, 'The body is no JSON.');
  }
}
