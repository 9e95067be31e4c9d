const SYNC = 0x53;
const QUERY = 0x51;
const TERMINATE = 0x58;
const FIRST_SIZE = 64 * 1024;

/**
 * Cuts what a client sends into units that the server answers as a whole: the startup packet, a simple query, or
 * everything up to a Sync. PGlite is one session, so running whole units is what keeps one client's Parse from landing
 * between another's Bind and Execute, and what never leaves half an exchange behind when a client goes away.
 */
export class Units {
  #buffer = Buffer.allocUnsafe(FIRST_SIZE);
  #start = 0;
  #scanned = 0;
  #end = 0;

  /** The units that `bytes` completes, in order. They are views: valid until the next call. */
  push(bytes: Uint8Array): Buffer[] {
    this.#append(bytes);
    const units: Buffer[] = [];
    for (let size = this.#messageSize(); size !== undefined; size = this.#messageSize()) {
      const type = this.#buffer[this.#scanned];
      this.#scanned += size;
      // The startup packet alone has no type: it begins with its length, whose first byte is 0.
      if (type === SYNC || type === QUERY || type === 0) {
        units.push(this.#buffer.subarray(this.#start, this.#scanned));
        this.#start = this.#scanned;
      } else if (type === TERMINATE) {
        // Told apart from the end of the session by nobody, and PGlite would end itself.
        this.#start = this.#scanned;
      }
    }
    return units;
  }

  /** The size of the next message if all of it is here. */
  #messageSize(): number | undefined {
    const at = this.#scanned;
    const header = this.#buffer[at] === 0 ? 0 : 1;
    if (this.#end - at < header + 4) return undefined;
    const size = header + this.#buffer.readInt32BE(at + header);
    return this.#end - at < size ? undefined : size;
  }

  #append(bytes: Uint8Array): void {
    const held = this.#end - this.#start;
    // Always into a new or unshared region: units that were handed out may still be in use.
    if (held === 0 || this.#end + bytes.length > this.#buffer.length) {
      const next = Buffer.allocUnsafe(Math.max(FIRST_SIZE, (held + bytes.length) * 2));
      this.#buffer.copy(next, 0, this.#start, this.#end);
      this.#scanned -= this.#start;
      this.#end = held;
      this.#start = 0;
      this.#buffer = next;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }
}
