import { ASSAULTS, assaultNamed, readAssault } from '../chaos/assaults.ts';
import type { Chaos } from '../chaos/chaos.ts';
import { answer, problem } from './answers.ts';
import type { AdminAnswer, AdminRequest } from './request.ts';

/** `GET /adm/chaosmonkey`: assault to configuration. */
export const listAssaults = (chaos: Pick<Chaos, 'list'>) => (): AdminAnswer => answer(chaos.list());

/** `POST /adm/chaosmonkey/:assault`: its configuration; answers what it is now. 403 where chaos is forbidden. */
export const setAssault =
  (chaos: Pick<Chaos, 'forbidden' | 'set'>) =>
  async ({ params, body }: Pick<AdminRequest, 'params' | 'body'>): Promise<AdminAnswer> => {
    const name = assaultNamed(params['assault'] ?? '');
    if (name === undefined) return problem(404, `There is no such assault; there are ${ASSAULTS.join(', ')}.`);
    if (chaos.forbidden !== undefined) return problem(403, `Chaos is forbidden here: ${chaos.forbidden}.`);
    const wanted = readAssault(name, await body());
    if (typeof wanted === 'string') return problem(400, wanted);
    const now = chaos.set(name, wanted);
    return answer(now, `${name}: ${JSON.stringify(now)}`);
  };
