/**
 * The push protocol's subprotocol name and number. A frame that becomes different is a new number; what is only added, to
 * what no released server or client speaks yet, is not.
 */
export const PROTOCOL = 'signalbox.v1';
export const PROTOCOL_VERSION = 1;
/** SHA-256 of the frame schemas (see `test/protocol/frames.unit.test.ts`), so that none changes unnoticed. */
export const PROTOCOL_HASH = '56b76b9545bcf039ccccb0ed647c78330adab23c8bac790eac5865403f3fe422';
