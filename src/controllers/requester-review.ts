// Whether whoever asked for a certificate may do something: the request says who that was.
import { resource } from "../client/client.ts";
import type { Client } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";

export const accessReviews = resource("authorization.k8s.io/v1", "subjectaccessreviews");

/** `resourceAttributes` as a SubjectAccessReview has them. */
export async function requesterMay(
  client: Client,
  { spec }: KubeObject,
  resourceAttributes: Record<string, string>,
): Promise<boolean> {
  const { username: user, groups, uid, extra } = spec;
  const review = await client.create(accessReviews, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: { user, groups, ...(uid && { uid }), ...(extra && { extra }), resourceAttributes },
  });
  return review.status?.allowed === true;
}
