/** Looks at things one after another: what fails for one of them holds up no other. The first such error is thrown at the end. */
export async function eachAlone<T>(
  things: AsyncIterable<T> | Iterable<T>,
  look: (thing: T) => Promise<void>,
): Promise<void> {
  const faults: unknown[] = [];
  for await (const thing of things) {
    try {
      await look(thing);
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0) throw faults[0];
}
