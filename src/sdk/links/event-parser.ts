/** One server-sent event. `id` is the last one that was set, be it by an event before. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string;
}

/** What holds more than a whole message may. */
export class EventTooLong extends Error {
  override readonly name = 'EventTooLong';
}

/** As much as a WebSocket client takes in one message, in characters (openapi/PUSH.md, "Limits"). */
export const MAX_EVENT = 64 * 1024 * 1024;

const LINE_END = /[\r\n]/g;

/**
 * Takes a stream of server-sent events apart, in whatever pieces it comes. It holds one event at most, and of that no more than
 * `maxLength` characters. `retry` is passed over: who closes says in the reason when to come back.
 */
export class EventParser {
  readonly #maxLength: number;
  /** The line that has not ended, in pieces: to put them together for each new one would take time that grows with its square. */
  #line: string[] = [];
  #data: string[] = [];
  #length = 0;
  #event = '';
  #id = '';
  #afterCr = false;

  constructor(maxLength = MAX_EVENT) {
    this.#maxLength = maxLength;
  }

  /** Throws `EventTooLong`; nothing can be done with the stream then. */
  push(text: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    let from = 0;
    while (from < text.length) {
      if (this.#afterCr) {
        this.#afterCr = false;
        if (text[from] === '\n') from++;
      }
      LINE_END.lastIndex = from;
      const end = LINE_END.exec(text)?.index;
      this.#keep(text.slice(from, end));
      if (end === undefined) break;
      this.#afterCr = text[end] === '\r';
      from = end + 1;
      const event = this.#endLine();
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  #keep(piece: string): void {
    this.#length += piece.length;
    if (this.#length > this.#maxLength) throw new EventTooLong(`an event is longer than ${this.#maxLength} characters`);
    if (piece !== '') this.#line.push(piece);
  }

  #endLine(): ServerSentEvent | undefined {
    const line = this.#line.join('');
    this.#line = [];
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    // A comment takes no room.
    if (colon === 0) this.#length -= line.length;
    else this.#field(line, colon);
    return undefined;
  }

  #field(line: string, colon: number): void {
    const name = colon === -1 ? line : line.slice(0, colon);
    const start = line[colon + 1] === ' ' ? colon + 2 : colon + 1;
    const value = colon === -1 ? '' : line.slice(start);
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(): ServerSentEvent | undefined {
    const event = { event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n'), id: this.#id };
    const isWhole = this.#data.length > 0;
    this.#data = [];
    this.#event = '';
    this.#length = 0;
    return isWhole ? event : undefined;
  }
}
