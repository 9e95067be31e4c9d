import type { Loggers } from '../logging/loggers.ts';
import { readTimeLimit } from '../time-limit.ts';
import { answer, problem } from './answers.ts';
import type { AdminAnswer, AdminRequest } from './request.ts';

type Known = Pick<Loggers, 'list' | 'get' | 'set' | 'canSet' | 'readLevel' | 'levelNames'>;

const MAX_CHANGES = 100;
const NAME = /^[\w$@:/.-]{1,200}$/;

/** `GET /adm/logger`: `[{name, level, until?}]`. */
export const listLoggers = (loggers: Known) => (): AdminAnswer => answer(loggers.list());

/** `GET /adm/logger/:name`. */
export const getLogger =
  (loggers: Known) =>
  ({ params }: Pick<AdminRequest, 'params'>): AdminAnswer => {
    const found = loggers.get(params['name'] ?? '');
    return found === undefined ? problem(404, 'There is no logger of this name.') : answer(found);
  };

/** `POST /adm/logger`: `[{name, level, for?}]`, all of them or none; answers what they are now. */
export const setLoggers =
  (loggers: Known) =>
  async ({ body }: Pick<AdminRequest, 'body'>): Promise<AdminAnswer> => {
    const changes = readChanges(await body(), loggers);
    if (typeof changes === 'string') return problem(400, changes);
    const now = changes.map(({ name, level, forMs }) => loggers.set(name, level, forMs));
    return answer(
      now,
      now.map(({ name, level, until }) => `${name}=${level}${until ? ` until ${until}` : ''}`).join(', '),
    );
  };

interface Change {
  readonly name: string;
  readonly level: string;
  readonly forMs: number | undefined;
}

/** A text says what is wrong. */
function readChanges(body: unknown, loggers: Known): readonly Change[] | string {
  if (!Array.isArray(body) || body.length === 0)
    return 'Send a list: [{"name": "ROOT", "level": "debug", "for": "10m"}].';
  if (body.length > MAX_CHANGES) return `At most ${MAX_CHANGES} loggers at once.`;
  const changes: Change[] = [];
  for (const [index, item] of body.entries()) {
    const at = `[${index}]`;
    if (typeof item !== 'object' || item === null) return `${at}: an object with name and level.`;
    const { name, level, for: limit, ...rest } = item as Readonly<Record<string, unknown>>;
    const [unknown] = Object.keys(rest).filter((key) => key !== 'until');
    if (unknown !== undefined) return `${at}: there are name, level and for, and nothing else.`;
    if (typeof name !== 'string' || !NAME.test(name))
      return `${at}.name: 1 to 200 letters, digits, and any of . _ - $ @ : /`;
    const known = loggers.readLevel(level);
    if (known === undefined) return `${at}.level: one of ${loggers.levelNames.join(', ')}.`;
    const forMs = readTimeLimit(limit);
    if (typeof forMs === 'string') return `${at}.${forMs}.`;
    if (!loggers.canSet(name)) return `${at}: too many names have a level of their own.`;
    changes.push({ name, level: known, forMs });
  }
  return changes;
}
