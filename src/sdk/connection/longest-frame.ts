/** Bytes: the server closes a socket that brings a frame of more than 64 KiB. */
export const LONGEST_FRAME = 60 * 1024;

export const fitsFrame = (frame: object): boolean =>
  new TextEncoder().encode(JSON.stringify(frame)).length <= LONGEST_FRAME;
