/** The push protocol's subprotocol name and number. A change of any frame's schema is a new number. */
export const PROTOCOL = 'signalbox.v1';
export const PROTOCOL_VERSION = 1;
/** SHA-256 of the frame schemas (see `test/protocol/frames.unit.test.ts`): it changes only together with the number. */
export const PROTOCOL_HASH = '2b7e6775ac8b6dcd468a90cfd09587d9f8c955266caaa73833f69901585f2d84';
