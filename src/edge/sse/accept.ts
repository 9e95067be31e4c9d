/** Whether the client asks for events, by name. */
export const wantsEvents = (accept: string | undefined): boolean =>
  accept !== undefined && accept.split(',').some((type) => /^\s*text\/event-stream\s*(?:;|$)/i.test(type));
