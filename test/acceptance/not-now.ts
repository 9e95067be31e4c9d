import type { Answer } from '../support/signalbox.ts';

/**
 * Whether nothing was done, and it is to be asked again: 503, or 408, since a node that stood still takes a request that waited unread
 * for one that never came (docs/hardening.md).
 */
export const isNotNow = ({ status }: Pick<Answer, 'status'>): boolean => status === 503 || status === 408;
