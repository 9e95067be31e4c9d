import { SignalboxError } from '../errors.ts';

/** What URL parsers drop, or take for a slash. */
const MISLEADING = /[\t\n\r\\]/;

/**
 * A path with its query, as it is added to an instance's `http://address:port`. It cannot name another host.
 * @throws SignalboxError `invalid-options`
 */
export function checkPath(path: string): string {
  if (path.charCodeAt(0) !== SLASH || path.charCodeAt(1) === SLASH || MISLEADING.test(path)) {
    throw new SignalboxError(
      'invalid-options',
      `the path of a call begins with one slash, and has no backslash or line break; encode what is part of a name: ${JSON.stringify(path)}`,
    );
  }
  return path;
}

const SLASH = 0x2f;
