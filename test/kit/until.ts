/** Waits until something holds; what never comes to be is an error. */
export async function until(holds: () => unknown, withinMs = 5000): Promise<void> {
  const end = performance.now() + withinMs;
  while ((await holds()) !== true) {
    if (performance.now() > end) throw new Error('it never came to be');
    await new Promise((done) => setTimeout(done, 5));
  }
}
