/** Fails a call with a value of its error type: what the guest gets is a value, never an exception. */
export function refuse(value?: unknown): never {
  // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error
  throw value;
}
