/** What a bus logs. */
export class Log {
  readonly infos: string[] = [];
  readonly warnings: string[] = [];
  readonly info = (...args: unknown[]): void => void this.infos.push(JSON.stringify(args));
  readonly warn = (...args: unknown[]): void => void this.warnings.push(JSON.stringify(args));
}
