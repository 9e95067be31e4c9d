/** The push protocol's subprotocol name and number. A change of any frame's schema is a new number. */
export const PROTOCOL = 'signalbox.v1';
export const PROTOCOL_VERSION = 1;
/** SHA-256 of the frame schemas (see `test/protocol/frames.unit.test.ts`): it changes only together with the number. */
export const PROTOCOL_HASH = '2518e098bb512075d482d5c67de263c7d0e43947576e5d1bad519b2431c3815e';
