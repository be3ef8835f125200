// `kubectl auth can-i`: asks the authorizer about a request nobody has made.
import type { Attributes, HandlerContext, SubresourceHandler } from "../../policy.ts";
import type { User } from "../../request.ts";
import { answer, invalidSpec, specOf } from "./review.ts";

/** The attributes a review's spec describes. */
function attributesOf(context: HandlerContext, spec: Record<string, any>): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (resource && path) {
    throw invalidSpec(
      context,
      "spec.nonResourceAttributes",
      `Invalid value: ${JSON.stringify(path)}: cannot be specified in combination with resourceAttributes`,
    );
  }
  if (!resource && !path) {
    throw invalidSpec(
      context,
      "spec.resourceAttributes",
      "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
  }
  return {
    verb: (resource ?? path).verb ?? "",
    group: resource?.group ?? "",
    version: resource?.version ?? "",
    resource: resource?.resource ?? "",
    subresource: resource?.subresource ?? "",
    namespace: resource?.namespace ?? "",
    name: resource?.name ?? "",
    path: path?.path ?? "",
  };
}

async function review(context: HandlerContext, spec: Record<string, any>, user: User) {
  const attributes = attributesOf(context, spec);
  const { allowed, reason } = await context.server.authorize(user, attributes);
  return answer(context, spec, { allowed, ...(reason && { reason }) });
}

/** SubjectAccessReview and LocalSubjectAccessReview. */
export const subjectAccessReview: SubresourceHandler = async (context) => {
  const spec = specOf(context);
  const { namespace } = context.info;
  if (!spec["user"] && !spec["groups"]?.length) {
    throw invalidSpec(
      context,
      "spec.user",
      `Invalid value: ${JSON.stringify(spec["user"] ?? "")}: at least one of user or group must be specified`,
    );
  }
  if (namespace !== undefined && spec["resourceAttributes"]?.namespace !== namespace) {
    throw invalidSpec(
      context,
      "spec.resourceAttributes.namespace",
      `Invalid value: ${JSON.stringify(spec["resourceAttributes"]?.namespace ?? "")}: must match metadata.namespace`,
    );
  }
  return review(context, spec, { name: spec["user"] ?? "", groups: spec["groups"] ?? [] });
};

export const selfSubjectAccessReview: SubresourceHandler = async (context) =>
  review(context, specOf(context), context.request.user);
