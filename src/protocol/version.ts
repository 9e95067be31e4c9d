/**
 * The push protocol's subprotocol name and number. A frame that becomes different is a new number; what is only added, to
 * what no released server or client speaks yet, is not.
 */
export const PROTOCOL = 'signalbox.v1';
export const PROTOCOL_VERSION = 1;
/** SHA-256 of the frame schemas (see `test/protocol/frames.unit.test.ts`), so that none changes unnoticed. */
export const PROTOCOL_HASH = '70f55b23a40a890852d852fa00b0c7cdfa12fcb2d378f341fb7873a2e42c82b8';
