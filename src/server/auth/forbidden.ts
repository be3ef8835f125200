// The sentence a refused caller reads, word for word as kube-apiserver says it: people and tools grep it.
import { StatusError } from "../../lib/status-error.ts";
import type { Attributes } from "../policy.ts";
import type { User } from "../request.ts";

const quote = (text: string) => JSON.stringify(text);

function sentence(user: User, { verb, ...asked }: Attributes): string {
  const who = `User ${quote(user.name)} cannot ${verb}`;
  if (!asked.resource) return `${who} path ${quote(asked.path)}`;
  const { resource, subresource, group, namespace } = asked;
  const what = quote(subresource ? `${resource}/${subresource}` : resource);
  const where = namespace ? `in the namespace ${quote(namespace)}` : "at the cluster scope";
  return `${who} resource ${what} in API group ${quote(group)} ${where}`;
}

export function forbiddenError(user: User, attributes: Attributes, reason = ""): StatusError {
  const { resource, group, name } = attributes;
  const why = sentence(user, attributes) + (reason && `: ${reason}`);
  if (!resource) return new StatusError("Forbidden", `forbidden: ${why}`, { details: {} });
  const qualified = group ? `${resource}.${group}` : resource;
  return new StatusError(
    "Forbidden",
    `${qualified}${name && ` ${quote(name)}`} is forbidden: ${why}`,
    { details: { ...(name && { name }), ...(group && { group }), kind: resource } },
  );
}
