import type { FastifyRequest } from 'fastify';
import { sightOf } from '../auth/sight.ts';
import type { Catalog } from '../domain/view.ts';
import type { EdgeState } from './deps.ts';

/** The catalog as the caller of a request sees it: what is hidden is not there (SEC3). */
export const seenBy = ({ caller }: Pick<FastifyRequest, 'caller'>, { view }: Pick<EdgeState, 'view'>): Catalog =>
  view.seenBy(sightOf(caller));
