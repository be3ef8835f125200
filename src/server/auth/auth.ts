// Authentication and authorization of one server, put together: `main/` opens this before the server and
// hands its parts to `createServer`.
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import type { Store } from "../../store/store.ts";
import type { User } from "../request.ts";
import type { Admission, Authenticate, Authorize, Plugs } from "../policy.ts";
import { createAuthenticator } from "./authenticate.ts";
import { bootstrapTokens } from "./bootstrap-tokens.ts";
import { nodeAuthorizer } from "./node/node-authorizer.ts";
import { NodeGraph } from "./node/node-graph.ts";
import type { AuthenticationConfiguration } from "./oidc/configuration.ts";
import type { Pki } from "./pki.ts";
import { createAuthorizer } from "./rbac/authorizer.ts";
import { rbacEscalation } from "./rbac/escalation.ts";
import { RbacIndex } from "./rbac/rbac-index.ts";
import { selfSubjectAccessReview, subjectAccessReview } from "./reviews/access-reviews.ts";
import {
  selfSubjectReview,
  selfSubjectRulesReview,
  tokenReview,
} from "./reviews/identity-reviews.ts";
import { secretTokens } from "./secret-token.ts";
import { ServiceAccountTokens } from "./service-account-tokens.ts";
import { tokenRequest } from "./token-request.ts";

export interface Auth {
  authenticate: Authenticate;
  authorize: Authorize;
  /** Refuses the granting of what the caller does not have; goes last among the admission plugins. */
  escalation: Admission;
  /** Adds the reviews, `serviceaccounts/token` and the OpenID paths. */
  plug(plugs: Plugs): void;
}

export interface AuthOptions {
  store: Store;
  pki: Pki;
  clock: Clock;
  random: Random;
  clusterDomain?: string;
  /** Of service-account tokens; by default the Service `kubernetes` of the domain. */
  issuer?: string;
  /** Who else may name users, and who may stay unnamed. */
  authentication?: AuthenticationConfiguration;
  /** What the holder of an expired certificate still is; by default nobody. */
  returning?: (user: User) => User | undefined;
  log: Log;
}

/** OpenID is loaded by a configuration that names an issuer. */
async function openIssuers({ authentication, clock, log, issuer: own }: AuthOptions) {
  const { jwt = [] } = authentication ?? {};
  if (jwt.length === 0) return undefined;
  if (jwt.some(({ issuer }) => issuer.url === own)) {
    throw new Error(`jwt: ${own} is the issuer of this cluster's own tokens`);
  }
  const { openOidc } = await import("./oidc/oidc.ts");
  return openOidc(jwt, { clock, log });
}

function anonymousRule({ anonymous }: AuthenticationConfiguration) {
  const paths = anonymous?.conditions?.map(({ path }) => path);
  return (path: string) => (anonymous?.enabled ?? true) && (paths?.includes(path) ?? true);
}

export async function openAuth(options: AuthOptions, scope: Scope): Promise<Auth> {
  const { store, pki, clock, random } = options;
  const read = async (key: string) => {
    const entry = await store.get(key);
    return entry && parseShared<KubeObject>(entry.value);
  };
  const tokens = new ServiceAccountTokens({
    key: pki.serviceAccountKey,
    clock,
    random,
    read,
    ...(options.issuer && { issuer: options.issuer }),
    ...(options.clusterDomain && { clusterDomain: options.clusterDomain }),
  });
  const index = await RbacIndex.open(store, scope);
  let graph: Promise<NodeGraph> | undefined;
  const authorize = nodeAuthorizer(
    () => (graph ??= NodeGraph.open(store, scope)),
    createAuthorizer(index),
  );
  const bootstrap = bootstrapTokens(read, clock);
  const ofIssuer = await openIssuers(options);
  const ofSecret = secretTokens(read, pki.serviceAccountKey);
  const bearers = {
    verify: async (token: string, audiences?: string[]) => {
      const user = await bootstrap(token);
      if (user) return { user, audiences: audiences ?? [] };
      const requested = await tokens.verify(token, audiences);
      if (requested) return requested;
      const named = await ofIssuer?.(token);
      if (named) return { user: named, audiences: audiences ?? [] };
      const account = await ofSecret(token);
      if (!account) return undefined;
      // Such a token is for the API server, whoever asks about it.
      const meant = (audiences ?? tokens.audiences).filter((one) => tokens.audiences.includes(one));
      return meant.length > 0 ? { user: account, audiences: meant } : undefined;
    },
  };
  return {
    authenticate: createAuthenticator({
      ca: () => pki.ca(),
      clock,
      tokens: bearers,
      authorize,
      returning: options.returning,
      admitsAnonymous: anonymousRule(options.authentication ?? {}),
    }),
    authorize,
    escalation: rbacEscalation(index, authorize),
    plug({ reviews, subresources, paths }) {
      const authentication = (plural: string) => `${plural}.authentication.k8s.io`;
      const authorization = (plural: string) => `${plural}.authorization.k8s.io`;
      reviews.set(authorization("subjectaccessreviews"), subjectAccessReview);
      reviews.set(authorization("localsubjectaccessreviews"), subjectAccessReview);
      reviews.set(authorization("selfsubjectaccessreviews"), selfSubjectAccessReview);
      reviews.set(authorization("selfsubjectrulesreviews"), selfSubjectRulesReview(index));
      reviews.set(authentication("selfsubjectreviews"), selfSubjectReview);
      reviews.set(authentication("tokenreviews"), tokenReview(bearers));
      subresources.set("serviceaccounts/token", tokenRequest(tokens, read));
      const serve = (path: string, object: () => object, type: string) =>
        paths.set(path, async () => ({
          code: 200,
          headers: { "content-type": type },
          object: object(),
        }));
      serve("/openid/v1/jwks", () => tokens.jwks(), "application/jwk-set+json");
      const configuration = "/.well-known/openid-configuration";
      serve(configuration, () => tokens.openidConfiguration(), "application/json");
    },
  };
}
