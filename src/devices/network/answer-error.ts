/** What came back is no answer in the protocol that was asked in. */
export class AnswerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AnswerError";
  }
}

/** What `read` makes of bytes; what it looks for beyond their end makes it an AnswerError. */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new AnswerError("the answer ends too early");
    throw error;
  }
}
