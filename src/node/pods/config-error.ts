/** A container cannot be made from what the API has; `reason` goes to `state.waiting`. */
export class ConfigError extends Error {
  readonly reason: string;

  constructor(message: string, reason = "CreateContainerConfigError") {
    super(message);
    this.name = "ConfigError";
    this.reason = reason;
  }
}
