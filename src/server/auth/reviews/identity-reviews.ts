// Who am I (`kubectl auth whoami`), who is this token, and what may I do (`kubectl auth can-i --list`).
import type { SubresourceHandler } from "../../policy.ts";
import type { User } from "../../request.ts";
import { isMaster } from "../rbac/authorizer.ts";
import type { RbacIndex } from "../rbac/rbac-index.ts";
import type { PolicyRule } from "../rbac/rules.ts";
import type { ServiceAccountTokens } from "../service-account-tokens.ts";
import { answer, invalidSpec, specOf } from "./review.ts";

const userInfo = ({ name, uid, groups, extra }: User) => ({
  username: name,
  ...(uid && { uid }),
  groups,
  ...(extra && { extra }),
});

export const selfSubjectReview: SubresourceHandler = async (context) =>
  answer(context, undefined, { userInfo: userInfo(context.request.user) });

export const tokenReview =
  (tokens: Pick<ServiceAccountTokens, "verify">): SubresourceHandler =>
  async (context) => {
    const spec = specOf(context);
    if (!spec["token"]) {
      throw invalidSpec(context, "spec.token", 'Invalid value: "": token is required');
    }
    const asked = spec["audiences"]?.length ? spec["audiences"] : undefined;
    const verified = await tokens.verify(spec["token"], asked);
    if (!verified) return answer(context, spec, { user: {}, error: "invalid bearer token" });
    const { user, audiences } = verified;
    return answer(context, spec, { authenticated: true, user: userInfo(user), audiences });
  };

const everything: PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

export const selfSubjectRulesReview =
  (index: RbacIndex): SubresourceHandler =>
  async (context) => {
    const spec = specOf(context);
    const { user } = context.request;
    if (!spec["namespace"]) {
      throw invalidSpec(context, "spec.namespace", 'Invalid value: "": namespace is required');
    }
    const { rules, errors } = isMaster(user)
      ? { rules: everything, errors: [] }
      : index.rulesFor(user, spec["namespace"]);
    const paths = rules.filter((rule) => rule.nonResourceURLs?.length);
    return answer(context, spec, {
      resourceRules: rules.filter((rule) => rule.resources?.length),
      nonResourceRules: paths.map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      incomplete: errors.length > 0,
      ...(errors.length > 0 && { evaluationError: errors.join(", ") }),
    });
  };
