// The one error type that crosses the API. Every expected failure is a StatusError made by one of
// the constructors below; it becomes a Kubernetes `Status` object in exactly one place (the HTTP
// writer) and is rebuilt from one in exactly one place (the client). Callers test `reason`, never text.

/** One offending field, as in `Status.details.causes`. `field` is a path such as `spec.ports[0].port`. */
export interface StatusCause {
  reason: string;
  message: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** `meta/v1 Status`, as written on the wire. */
export interface Status {
  kind: "Status";
  apiVersion: "v1";
  metadata: Record<string, unknown>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** Reasons and their HTTP codes (k8s.io/apimachinery, meta/v1 StatusReason). */
export const statusCodes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  NotImplemented: 501,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof statusCodes;

export class StatusError extends Error {
  readonly reason: StatusReason;
  readonly code: number;
  readonly details: StatusDetails | undefined;
  /** Told with the answer. */
  headers: Record<string, string> | undefined;

  constructor(
    reason: StatusReason,
    message: string,
    options: {
      details?: StatusDetails;
      code?: number;
      cause?: unknown;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "StatusError";
    this.reason = reason;
    this.code = options.code ?? statusCodes[reason];
    this.details = options.details;
    this.headers = options.headers;
  }

  toStatus(): Status {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.details && { details: this.details }),
      code: this.code,
    };
  }

  static from(status: Partial<Status>): StatusError {
    const reason = (status.reason ?? "InternalError") as StatusReason;
    return new StatusError(reason, status.message ?? reason, {
      ...(status.details && { details: status.details }),
      ...(status.code !== undefined && { code: status.code }),
    });
  }
}

/** True when `error` is a StatusError with one of `reasons`. */
export function isStatus(error: unknown, ...reasons: StatusReason[]): error is StatusError {
  return error instanceof StatusError && reasons.includes(error.reason);
}

/** Names a resource in a message: `deployments.apps`. */
export interface ResourceName {
  group: string;
  resource: string;
}

const qualified = (of: ResourceName) => (of.group ? `${of.resource}.${of.group}` : of.resource);
const details = (of: ResourceName, name: string): StatusDetails => ({
  name,
  ...(of.group && { group: of.group }),
  kind: of.resource,
});

export const notFound = (of: ResourceName, name: string) =>
  new StatusError("NotFound", `${qualified(of)} "${name}" not found`, {
    details: details(of, name),
  });

export const alreadyExists = (of: ResourceName, name: string) =>
  new StatusError("AlreadyExists", `${qualified(of)} "${name}" already exists`, {
    details: details(of, name),
  });

export const conflict = (of: ResourceName, name: string, why: string) =>
  new StatusError(
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(of)} "${name}": ${why}`,
    { details: details(of, name) },
  );

export const forbidden = (of: ResourceName, name: string, why: string) =>
  new StatusError("Forbidden", `${qualified(of)}${name && ` "${name}"`} is forbidden: ${why}`, {
    details: details(of, name),
  });

export const badRequest = (message: string) => new StatusError("BadRequest", message);

export const expired = (message: string) => new StatusError("Expired", message);

/** One validation failure; `type` is the cause's reason (field.ErrorType upstream). */
export interface FieldError {
  type:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueDuplicate"
    | "FieldValueNotFound"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid";
  /** Path from the object's root, `spec.containers[0].name`. */
  field: string;
  /** Full text as Kubernetes prints it after the field: `Required value`, `Invalid value: "x": must be ...`. */
  message: string;
}

/** 422 with one cause per field, in Kubernetes' wording. `kind` is the Kind, `group` its API group. */
export function invalid(kind: string, group: string, name: string, errors: FieldError[]) {
  const lines = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  const text = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  return new StatusError(
    "Invalid",
    `${group ? `${kind}.${group}` : kind} "${name}" is invalid: ${text}`,
    {
      details: {
        name,
        ...(group && { group }),
        kind,
        causes: errors.map(({ type, field, message }) => ({ reason: type, message, field })),
      },
    },
  );
}
