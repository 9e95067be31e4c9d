/** Its multiples, without their whole part, lie evenly, however many there are. */
const GOLDEN_RATIO = 0.618_033_988_749_895;

/** Times within a span for many, each another one, that lie evenly. */
export class Spread {
  #share = 0;

  within(ms: number): number {
    this.#share = (this.#share + GOLDEN_RATIO) % 1;
    return this.#share * ms;
  }
}
