import { LogController, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';

/** Takes Fastify's own messages about answers that went wrong to the log; the others are said better elsewhere. */
export class EdgeLog extends LogController {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    super({ disableRequestLogging: true });
    this.#logger = logger;
  }

  override streamError(error: Error, request: FastifyRequest): void {
    this.#logger.debug({ err: error, requestId: request.id, url: request.url }, 'an answer was cut off');
  }

  override writeHeadError(error: Error, request: FastifyRequest): void {
    this.#logger.error({ err: error, requestId: request.id, url: request.url }, 'an answer could not be begun');
  }
}
