/**
 * The push protocol's subprotocol name and number. A frame that becomes different is a new number; what is only added, to
 * what no released server or client speaks yet, is not.
 */
export const PROTOCOL = 'signalbox.v1';
export const PROTOCOL_VERSION = 1;
/** SHA-256 of the frame schemas (see `test/protocol/frames.unit.test.ts`), so that none changes unnoticed. */
export const PROTOCOL_HASH = 'c0b707c7baba89ad3b3688b62ae4e58b9dc74084585e34cb8daceff760698b3c';
