/** What the kit says goes to it; a pino logger fits, and so does Fastify's. */
export interface KitLog {
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
  error(about: object, message: string): void;
  fatal(about: object, message: string): void;
}

/** A logger whose level can be changed while the program runs: pino's, or Fastify's. */
export interface LevelledLog extends KitLog {
  level: string;
  child(bindings: object, options?: { level?: string }): LevelledLog;
  /** pino's table of names and numbers. */
  readonly levels?: { readonly values: Readonly<Record<string, number>> };
  /** pino's; called before the process ends at once. */
  flush?(done?: (error?: Error) => void): void;
}
