/** What an error says; one that was thrown by the network need not be of this realm's `Error`. */
export function messageOf(error: unknown): string {
  const { message } = (typeof error === 'object' && error !== null ? error : {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : String(error);
}

/** What is at the bottom of it: a code such as `ECONNREFUSED`, or what it says. */
export function rootOf(error: unknown): string {
  for (let root = error; ;) {
    const { cause, code } = (typeof root === 'object' && root !== null ? root : {}) as Record<string, unknown>;
    if (cause === undefined || cause === null) return typeof code === 'string' ? code : messageOf(root);
    root = cause;
  }
}
