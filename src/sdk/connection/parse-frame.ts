import type { LinkFrame } from './link.ts';

const SHAPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  welcome: { protocol: 'number', epoch: 'string', revision: 'number', heartbeat: 'number' },
  subscribed: { id: 'string', topic: 'string' },
  snapshot: { topic: 'string', items: 'object' },
  synced: { topic: 'string', revision: 'number' },
  change: { topic: 'string', revision: 'number', changes: 'object' },
  bookmark: { revision: 'number', digests: 'object' },
  reset: { topic: 'string', epoch: 'string', reason: 'string' },
  error: { code: 'string', message: 'string' },
  reauth: { expiresIn: 'number' },
  registered: { id: 'string', instance: 'object' },
  deregistered: { id: 'string' },
  renewed: { renewed: 'number', unknown: 'object' },
};

/** A server's frame, or undefined when it is none. Frames and fields that are not known here pass: they are not looked at. */
export function parseServerFrame(text: string): LinkFrame | undefined {
  try {
    const frame = JSON.parse(text) as Record<string, unknown>;
    const shape = SHAPES[String(frame['type'])] ?? { type: 'string' };
    const fits = Object.entries(shape).every(([field, type]) => typeof frame[field] === type && frame[field] !== null);
    return fits ? (frame as LinkFrame) : undefined;
  } catch {
    return undefined;
  }
}

export const watchUrl = (url: string): string => `${url.replace(/^http/, 'ws')}/v1/watch`;
