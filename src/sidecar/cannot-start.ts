/** What keeps a sidecar from running, for the person who set it up; anything else that is thrown is a mistake of this program. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart';
}

/** `why`: the code of the error. */
export const cannotListen = (setting: string, host: string, port: number, why: string): string =>
  `${setting}: nobody can listen at ${host}:${port} (${why}). Is the sidecar running already? If not, set another one; 0 takes one that is free.`;

/** @throws CannotStart for whatever is thrown. */
export async function orCannotStart<T>(attempt: () => T | Promise<T>, say: (error: Error) => string): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    throw new CannotStart(say(error as Error), { cause: error });
  }
}
