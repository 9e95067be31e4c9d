/** The rules of docs/rules.md that a change can break. */
export type RuleId = 'REF1' | 'CAT1' | 'CAT2' | 'CAT3' | 'CAT4' | 'COV1' | 'COV3' | 'COV4';

/** A request under `/v1` that would mend a violation. */
export interface Fix {
  readonly method: 'PUT' | 'PATCH' | 'DELETE' | 'POST';
  /** Path from the root, `/v1/...`. */
  readonly path: string;
  readonly body?: unknown;
  /** What the request does, in one sentence. */
  readonly summary: string;
}

/** One thing that a refused change would have broken (COV2). */
export interface Violation {
  /** Stable, kebab-case. */
  readonly code: string;
  readonly rule: RuleId;
  /** The name of the resource that would be wrong. */
  readonly resource: string;
  /** Service ids and versions, where the rule is about an import. */
  readonly importer?: string;
  readonly importerVersion?: string;
  readonly imported?: string;
  readonly importedVersion?: string;
  readonly region?: string;
  /** One sentence that a person understands. */
  readonly message: string;
  readonly fix?: Fix;
}

/** Something odd in an accepted change. */
export interface Warning {
  readonly code: string;
  readonly resource: string;
  readonly message: string;
}

/** A field of a request that is wrong. `pointer` is a JSON pointer into the request's body. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** Why a command is not carried out. Rendered as problem+json by the edge, which alone knows status codes. */
export type Refusal =
  | { readonly code: 'invalid'; readonly detail: string; readonly errors: readonly FieldError[] }
  | { readonly code: 'forbidden'; readonly detail: string }
  | { readonly code: 'not-found'; readonly detail: string }
  | { readonly code: 'quota-exceeded'; readonly detail: string }
  | { readonly code: 'precondition-failed'; readonly detail: string; readonly revision?: number }
  | { readonly code: 'conflict'; readonly detail: string; readonly violations: readonly Violation[] };
