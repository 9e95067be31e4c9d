/** How to publish a document. */
export interface PublishOptions {
  /** Milliseconds for all of it. Default: 30000. */
  readonly timeoutMs?: number;
  /** Gives it up; it rejects with `stopped`. */
  readonly signal?: AbortSignal;
}

/** A document that a version has. */
export interface PublishedDocument {
  /** Of its text, in hex. */
  readonly sha256: string;
  /** false: the version had this very document already, and nothing was written. */
  readonly changed: boolean;
}
