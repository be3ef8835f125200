/** What a probe or a lifecycle hook came to. */
export interface HandlerResult {
  ok: boolean;
  /** What it said, for people. */
  output: string;
}
