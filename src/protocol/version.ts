/** A version of the push protocol: its number, and its name as a WebSocket subprotocol. */
export interface Spoken {
  readonly name: string;
  readonly version: number;
}

/**
 * The versions of the push protocol that are spoken here, the newest first. A frame that becomes different is a new number;
 * what is only added is not (openapi/PUSH.md, "Versions").
 */
export const SPOKEN: readonly [Spoken, ...Spoken[]] = [{ name: 'signalbox.v1', version: 1 }];
/** The newest. */
export const PROTOCOL = SPOKEN[0].name;
export const PROTOCOL_VERSION = SPOKEN[0].version;
/** SHA-256 of the frame schemas (see `test/protocol/frames.unit.test.ts`), so that none changes unnoticed. */
export const PROTOCOL_HASH = '4f90c8739d7e11b8572e981d027dccf495ec88d2a8f83db4797a5b86a3f86ee8';

/** The newest version that both sides speak; `undefined` when there is none. Who offers nothing is spoken to in the oldest. */
export function agreeOn(offered: Iterable<string>, spoken: readonly Spoken[] = SPOKEN): Spoken | undefined {
  const names = new Set(offered);
  return names.size === 0 ? spoken.at(-1) : spoken.find(({ name }) => names.has(name));
}
