import type { Instance } from '../../domain/instances/instance.ts';
import type { CallOptions } from './options.ts';

/** The metadata by which an http instance says that it speaks HTTP/2 from the first byte. */
export const HTTP2_METADATA = 'http2';

/** Whether HTTP/2 is spoken to an http instance without asking. */
export function speaksH2c(instance: Pick<Instance, 'metadata'>, http2: CallOptions['http2']): boolean {
  if (http2 === 'never') return false;
  return http2 === 'h2c' || instance.metadata[HTTP2_METADATA] === 'h2c';
}
