import type { Guard } from '../guard.ts';
import type { KitLog } from '../log.ts';
import { problem } from './answers.ts';
import { BadBody, type AdminAnswer, type AdminRequest } from './request.ts';
import { findRoute, isAdminPath, isOwnPath, type AdminRoute } from './routes.ts';

interface Deps {
  readonly routes: readonly AdminRoute[];
  readonly guard: Guard;
  /** Its level must not be one that the endpoints change: who changes it could hide behind that. */
  readonly log: Pick<KitLog, 'info' | 'warn' | 'error'>;
}

/**
 * Answers what is asked of the kit's endpoints. The guard is asked before anything is looked up or read, so that who is refused
 * cannot tell what there is. Never rejects.
 */
export class Admin {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Whether a path is to be answered here. */
  owns(path: string): boolean {
    return isOwnPath(path);
  }

  async answer(request: Omit<AdminRequest, 'params'>): Promise<AdminAnswer> {
    const { routes, guard } = this.#deps;
    const found = findRoute(routes, request.method, request.path);
    const open = found.type === 'route' && found.route.open === true && !isAdminPath(request.path);
    if (open) return this.#handle(found.route, { ...request, params: found.params });
    if (!isAdminPath(request.path)) return missing(found);
    const verdict = await guard.check(request);
    if (verdict.type === 'refused') {
      this.#audit(request, verdict.subject, verdict.answer, verdict.why);
      return verdict.answer;
    }
    const answer =
      found.type === 'route' ? await this.#handle(found.route, { ...request, params: found.params }) : missing(found);
    this.#audit(request, verdict.subject, answer, answer.did);
    return answer;
  }

  async #handle(route: AdminRoute, request: AdminRequest): Promise<AdminAnswer> {
    try {
      return await route.handle(request);
    } catch (error) {
      if (error instanceof BadBody) return problem(error.status, error.message);
      this.#deps.log.error({ err: error, path: request.path }, 'an endpoint of the kit failed');
      return problem(500, 'It did not work; the log of the service says why.');
    }
  }

  #audit(request: Omit<AdminRequest, 'params'>, subject: string, { status }: AdminAnswer, detail?: string): void {
    const audit = {
      subject,
      action: `${request.method} ${request.path.slice(0, 300)}`,
      result: status,
      address: request.peer,
      ...(detail !== undefined && { detail: detail.slice(0, 1000) }),
    };
    if (status === 401 || status === 403) this.#deps.log.warn({ audit }, 'admin call refused');
    else this.#deps.log.info({ audit }, 'admin call');
  }
}

const missing = (found: { readonly type: string; readonly allow?: string }): AdminAnswer =>
  found.allow === undefined
    ? problem(404, 'There is nothing here.')
    : problem(405, `Only ${found.allow}.`, { allow: found.allow });
