// How a remote command ended, as the client reads it on the error channel.
import { StatusError } from "../../lib/status-error.ts";

/** A Status without kind, as upstream's remotecommand writes it. */
export function exitStatus(code: number): object {
  if (code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

export function failureStatus(error: unknown): object {
  const text = error instanceof Error ? error.message : String(error);
  const known =
    error instanceof StatusError
      ? error
      : new StatusError("InternalError", `Internal error occurred: ${text}`);
  const { kind: _, apiVersion: __, ...status } = known.toStatus();
  return status;
}

/** What the error channel carries: a Status, and a sentence before v4. */
export function errorText(status: any, protocol: string): string {
  if (/^v[45]/.test(protocol)) return JSON.stringify(status);
  return status.status === "Success" ? "" : status.message;
}
