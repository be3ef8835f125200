// Several sources in one folder. Tokens are asked of the API server and asked again when 80 % of their time
// has passed.
import { resource } from "../../client/client.ts";
import type { Files } from "./atomic-writer.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { downwardFiles, keyedFiles } from "./projected-files.ts";
import { fsGroupOf } from "./ownership.ts";
import type { VolumeContext, VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const serviceAccounts = resource("v1", "serviceaccounts");
const tokenAgeMsMax = 24 * 3600_000;

interface Token {
  token: string;
  refreshAt: number;
}

/** Tokens given out, by pod, account and audience, so that a change beside one asks for none. */
const tokens = new WeakMap<object, Map<string, Token>>();

async function tokenFor(context: VolumeContext, source: any): Promise<Token> {
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
  const token = { token: answer.status.token, refreshAt };
  known.set(key, token);
  return token;
}

/** Called when a pod is gone. */
export function forgetTokens(client: object, podUid: string) {
  const known = tokens.get(client);
  for (const key of known?.keys() ?? []) if (key.startsWith(`${podUid}/`)) known!.delete(key);
}

/** Readable by whom the token is for alone: its user, or the pod's group. */
function tokenFile({ pod }: VolumeContext, token: string, mode: number) {
  const content = Buffer.from(token);
  const security = pod.spec["securityContext"];
  if (security?.fsGroup !== undefined) return { content, mode: 0o600 };
  const users = pod.spec.containers.map((one) => one.securityContext?.runAsUser);
  const uid = users.every((one) => one === undefined) ? security?.runAsUser : users[0];
  const single = uid !== undefined && users.every((one) => (one ?? security?.runAsUser) === uid);
  return single ? { content, mode: 0o600, uid } : { content, mode };
}

async function filesOf(context: VolumeContext, source: any, defaultMode: number) {
  const [type] = Object.keys(source);
  const one = source[type!];
  if (type === "configMap") {
    return { files: keyedFiles(context, { kind: "configmap", ...one, defaultMode }) };
  }
  if (type === "secret") {
    return { files: keyedFiles(context, { kind: "secret", ...one, defaultMode }) };
  }
  if (type === "downwardAPI") {
    return { files: downwardFiles(context, one.items ?? [], defaultMode) };
  }
  if (type === "serviceAccountToken") {
    const { token, refreshAt } = await tokenFor(context, one);
    const files: Files = new Map([[one.path, tokenFile(context, token, defaultMode)]]);
    return { files, refreshAt };
  }
  throw new VolumeError(`projected source ${type} is not supported`);
}

export const projected: VolumeType = {
  live: true,
  async prepare(context) {
    const { sources = [], defaultMode = 0o644 } = context.volume["projected"];
    const all: Files = new Map();
    let refreshAt: number | undefined;
    for (const source of sources) {
      const made = await filesOf(context, source, defaultMode);
      for (const [path, file] of made.files) all.set(path, file);
      if (made.refreshAt) refreshAt = Math.min(refreshAt ?? Infinity, made.refreshAt);
    }
    await writeAtomically(context.inMemory, all, fsGroupOf(context.pod));
    return { hostPath: context.inMemory, readOnly: true, ...(refreshAt && { refreshAt }) };
  },
};
