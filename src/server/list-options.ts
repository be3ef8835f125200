// What a list asks for, from its query. resourceVersion has four meanings on a list (newest, any, not
// older than, exactly), and continue tokens carry the revision that keeps the pages of one list consistent.
import { badRequest, expired, invalid, StatusError } from "../lib/status-error.ts";

export interface ListQuery {
  /** List as things stood here; absent: now. */
  exactly: number | undefined;
  /** What is listed must be at least this new. */
  atLeast: number;
  limit: number | undefined;
  /** Start after this key, relative to the list's prefix. */
  after: string | undefined;
}

export function parseRevision(text: string): number {
  const revision = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(revision)) {
    throw badRequest(`Invalid value: ${JSON.stringify(text)}: resourceVersion must be an integer`);
  }
  return revision;
}

const optionsInvalid = (field: string, message: string, type: "Forbidden" | "NotSupported") =>
  invalid("ListOptions", "meta.k8s.io", "", [{ type: `FieldValue${type}`, field, message }]);

/** Checks `resourceVersionMatch` and `sendInitialEvents` as upstream's ListOptions validation does. */
export function checkMatch(query: URLSearchParams, watch: boolean) {
  const match = query.get("resourceVersionMatch") ?? "";
  const revision = query.get("resourceVersion") ?? "";
  const initial = query.get("sendInitialEvents");
  const forbid = (field: string, why: string) => {
    throw optionsInvalid(field, `Forbidden: ${why}`, "Forbidden");
  };
  if (!watch && initial !== null)
    forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
  if (watch && initial !== null && match !== "NotOlderThan") {
    forbid(
      "resourceVersionMatch",
      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    );
  }
  if (match === "") return;
  if (watch && initial === null) {
    forbid(
      "resourceVersionMatch",
      "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    );
  }
  if (match !== "Exact" && match !== "NotOlderThan") {
    throw optionsInvalid(
      "resourceVersionMatch",
      `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan"`,
      "NotSupported",
    );
  }
  if (watch) return;
  if (query.get("continue")) {
    forbid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
  }
  if (revision === "") {
    forbid(
      "resourceVersionMatch",
      "resourceVersionMatch is forbidden unless resourceVersion is provided",
    );
  }
  if (match === "Exact" && revision === "0") {
    forbid(
      "resourceVersionMatch",
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    );
  }
}

function limitOf(query: URLSearchParams): number | undefined {
  const text = query.get("limit");
  if (text === null || text === "") return undefined;
  if (!/^-?\d+$/.test(text)) throw badRequest(`limit: Invalid value: ${JSON.stringify(text)}`);
  return Number(text) > 0 ? Number(text) : undefined;
}

/** Reads a list's options; throws BadRequest or Invalid. */
export function listQuery(query: URLSearchParams): ListQuery {
  checkMatch(query, false);
  const limit = limitOf(query);
  const token = query.get("continue");
  const text = query.get("resourceVersion") ?? "";
  if (token) {
    if (text !== "" && text !== "0") {
      throw badRequest("specifying resource version is not allowed when using continue");
    }
    const { revision, after } = decodeContinue(token);
    return { exactly: revision < 0 ? undefined : revision, atLeast: 0, limit, after };
  }
  const revision = text === "" ? 0 : parseRevision(text);
  const match = query.get("resourceVersionMatch");
  const exact = match === "Exact" || (!match && limit !== undefined && revision > 0);
  return {
    exactly: exact ? revision : undefined,
    atLeast: revision,
    limit,
    after: undefined,
  };
}

/** `revision` -1 means: the newest, whatever it is by then. `after` is relative to the list's prefix. */
export const encodeContinue = (revision: number, after: string) =>
  Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: after })).toString(
    "base64url",
  );

export function decodeContinue(token: string): { revision: number; after: string } {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(token, "base64url").toString());
    if (v === "meta.k8s.io/v1" && Number.isSafeInteger(rv) && typeof start === "string") {
      return { revision: rv, after: start };
    }
  } catch {
    // Falls through to the one answer for every token we did not make.
  }
  throw badRequest("continue key is not valid: the token was not issued by this server");
}

/** The caller knows of a revision that this server has not reached. */
export const tooLargeRevision = (asked: number, current: number) =>
  new StatusError("Timeout", `Too large resource version: ${asked}, current: ${current}`, {
    details: {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    },
  });

export const revisionExpired = (asked: number, oldest: number) =>
  expired(`too old resource version: ${asked} (${oldest})`);

export const continueExpired = () =>
  expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a " +
      "new list without the continue parameter, or use the continue token in this response to retrieve " +
      "the remainder of the results. Continuing with the provided token results in an inconsistent list " +
      "- objects that were created, modified, or deleted between the time the first chunk was returned " +
      "and now may show up in the list.",
  );
