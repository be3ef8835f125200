/** A refusal in the words of errno, by whichever WASI it is told. */
export class FileError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.name = "FileError";
    this.code = code;
  }
}

/** Of a FileError or of Node's own errors; undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  if (error instanceof RangeError && typeof code !== "string") return "EFAULT";
  if (code === "ERR_INVALID_ARG_VALUE") return "EINVAL";
  if (code === "ERR_OUT_OF_RANGE") return "EINVAL";
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
