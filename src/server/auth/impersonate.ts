// Impersonation (`kubectl --as`): the caller must be allowed to impersonate each part of whom it names,
// then the request goes on as that user and nothing of the caller is left.
import { StatusError } from "../../lib/status-error.ts";
import type { Attributes, Authorize } from "../policy.ts";
import type { User } from "../request.ts";
import { forbiddenError } from "./forbidden.ts";

const extraPrefix = "impersonate-extra-";

/** Who really asks, for the audit log alone: nothing else of the caller goes on. */
const impersonators = new WeakMap<User, User>();
const refused = new WeakMap<object, User>();

/** Who asks as `user`; undefined when that is nobody else. */
export const impersonatorOf = (user: User) => impersonators.get(user);

/** Who was not allowed to ask as somebody else, by the refusal. */
export const refusedImpersonator = (error: unknown) =>
  error instanceof StatusError ? refused.get(error) : undefined;

/** Most groups or extras in one request. */
const partsMax = 64;

type Headers = Record<string, string | undefined>;

/** Repeated headers arrive joined by a comma and a space. */
const listOf = (value: string | undefined) => (value ? value.split(/,\s*/) : []);

/** What is not encoded as it should be stands for itself. */
function extraKey(text: string) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function extrasOf(headers: Headers) {
  const extra: Record<string, string[]> = Object.create(null);
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith(extraPrefix)) continue;
    extra[extraKey(header.slice(extraPrefix.length))] = listOf(value);
  }
  return extra;
}

const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/;

const asking = (resource: string, name: string, rest: Partial<Attributes> = {}): Attributes => ({
  verb: "impersonate",
  group: "",
  version: "v1",
  resource,
  subresource: "",
  namespace: "",
  name,
  path: "",
  ...rest,
});

const authentication = { group: "authentication.k8s.io" };

function askedOf(name: string, groups: string[], uid: string | undefined, extra: object) {
  const account = serviceAccount.exec(name);
  return [
    account
      ? asking("serviceaccounts", account[2]!, { namespace: account[1]! })
      : asking("users", name),
    ...groups.map((group) => asking("groups", group)),
    ...(uid ? [asking("uids", uid, authentication)] : []),
    ...Object.entries(extra).flatMap(([key, values]: [string, string[]]) =>
      values.map((value) => asking("userextras", value, { ...authentication, subresource: key })),
    ),
  ];
}

function defaultGroups(name: string): string[] {
  const account = serviceAccount.exec(name);
  return account ? ["system:serviceaccounts", `system:serviceaccounts:${account[1]}`] : [];
}

/** The user to go on as: `user` itself without impersonation headers. Throws Forbidden. */
export async function impersonate(user: User, headers: Headers, authorize: Authorize) {
  const name = headers["impersonate-user"];
  const groups = listOf(headers["impersonate-group"]);
  const uid = headers["impersonate-uid"];
  const extra = extrasOf(headers);
  const parts = groups.length + Object.keys(extra).length;
  if (!name) {
    if (parts === 0 && !uid) return user;
    throw new StatusError("InternalError", "requested impersonation without impersonating a user");
  }
  if (parts > partsMax) {
    throw new StatusError("BadRequest", `more than ${partsMax} groups and extras impersonated`);
  }
  for (const attributes of askedOf(name, groups, uid, extra)) {
    const { allowed, reason } = await authorize(user, attributes);
    if (allowed) continue;
    const error = forbiddenError(user, attributes, reason);
    refused.set(error, user);
    throw error;
  }
  const anonymous = name === "system:anonymous";
  const all = [...(groups.length > 0 ? groups : defaultGroups(name))];
  const standing = anonymous ? "system:unauthenticated" : "system:authenticated";
  if (!all.includes(standing)) all.push(standing);
  const other: User = {
    name,
    groups: all,
    ...(uid && { uid }),
    ...(parts > groups.length && { extra }),
  };
  impersonators.set(other, user);
  return other;
}
