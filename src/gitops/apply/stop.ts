/** An expected end of a look at a Kustomization, with its reason as Flux names it. */
export class Stop extends Error {
  readonly reason: string;
  /** Worth another look in a moment. */
  readonly isSoon: boolean;

  constructor(reason: string, message: string, isSoon = false) {
    super(message);
    this.reason = reason;
    this.isSoon = isSoon;
  }
}
