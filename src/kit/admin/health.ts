import type { Readiness } from '../health/readiness.ts';
import { answer, problem, wantsJson } from './answers.ts';
import type { AdminAnswer, AdminHandler, AdminRequest } from './request.ts';

type Asked = Pick<AdminRequest, 'headers'>;

/** `GET /health/liveness`: the process answers. It depends on nothing else, so that nobody is restarted for another's fault. */
export const liveness: AdminHandler = ({ headers }) => (wantsJson(headers) ? answer({ result: 'OK' }) : answer('OK'));

/** `GET /health/readiness`: 200 where it can serve calls, 503 where it cannot. */
export const readiness =
  (ready: Pick<Readiness, 'report'>) =>
  async ({ headers }: Asked): Promise<AdminAnswer> => {
    const { ready: ok, state, checks } = await ready.report();
    const result = ok ? 'OK' : 'ERROR';
    return { status: ok ? 200 : 503, body: wantsJson(headers) ? { result, state, checks } : result };
  };

/**
 * `GET /health/:serviceId`: as readiness, for its own id alone. Another id is answered 404, so that a check of a service that was
 * here before is not passed by who has its address now (INS6).
 */
export const healthOf =
  (serviceId: string, ready: Pick<Readiness, 'report'>) =>
  async ({ headers, params }: Pick<AdminRequest, 'headers' | 'params'>): Promise<AdminAnswer> =>
    params['serviceId'] === serviceId ? readiness(ready)({ headers }) : problem(404, 'Another service is here.');
