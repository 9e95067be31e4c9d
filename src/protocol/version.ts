/**
 * The push protocol's subprotocol name and number. A frame that becomes different is a new number; what is only added, to
 * what no released server or client speaks yet, is not.
 */
export const PROTOCOL = 'signalbox.v1';
export const PROTOCOL_VERSION = 1;
/** SHA-256 of the frame schemas (see `test/protocol/frames.unit.test.ts`), so that none changes unnoticed. */
export const PROTOCOL_HASH = '2a19df25ddd2e6ab585fd3750e55d5856dac309eba0b94218c5249ae24e87eba';
