// Tokens of a pod's account, for volumes and their drivers: asked of the API server, and asked again when 80 % of
// their time has passed.
import { resource } from "../../client/client.ts";
import type { VolumeContext } from "./volume.ts";

const serviceAccounts = resource("v1", "serviceaccounts");
const tokenAgeMsMax = 24 * 3600_000;

interface Token {
  token: string;
  expirationTimestamp: string;
  refreshAt: number;
}

/** Tokens given out, by pod, account and audience, so that a change beside one asks for none. */
const tokens = new WeakMap<object, Map<string, Token>>();

interface TokenSource {
  audience?: string;
  expirationSeconds?: number;
}

type TokenContext = Pick<VolumeContext, "pod" | "client" | "clock">;

export async function tokenFor(context: TokenContext, source: TokenSource): Promise<Token> {
  const { pod, client, clock } = context;
  const { audience, expirationSeconds = 3600 } = source;
  const name = pod.spec["serviceAccountName"] ?? "default";
  const known = tokens.get(client) ?? new Map<string, Token>();
  tokens.set(client, known);
  const key = [pod.metadata.uid, name, audience ?? "", expirationSeconds].join("/");
  const before = known.get(key);
  if (before && before.refreshAt > clock.now()) return before;
  const { namespace } = pod.metadata;
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: {},
    spec: {
      audiences: audience ? [audience] : [],
      expirationSeconds,
      boundObjectRef: {
        apiVersion: "v1",
        kind: "Pod",
        name: pod.metadata.name,
        uid: pod.metadata.uid,
      },
    },
  };
  const target = { ...serviceAccounts, namespace, name, subresource: "token" };
  const answer = await client.create(target, request);
  const lifeMs = Date.parse(answer.status.expirationTimestamp) - clock.now();
  const refreshAt = clock.now() + Math.min(lifeMs * 0.8, tokenAgeMsMax);
  const { token: text, expirationTimestamp } = answer.status;
  const token = { token: text, expirationTimestamp, refreshAt };
  known.set(key, token);
  return token;
}

/** Called when a pod is gone. */
export function forgetTokens(client: object, podUid: string) {
  const known = tokens.get(client);
  for (const key of known?.keys() ?? []) if (key.startsWith(`${podUid}/`)) known!.delete(key);
}
