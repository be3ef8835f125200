// Several sources in one folder.
import type { Files } from "./atomic-writer.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { downwardFiles, keyedFiles } from "./projected-files.ts";
import { fsGroupOf } from "./ownership.ts";
import { tokenFor } from "./service-account-token.ts";
import type { VolumeContext, VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

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
    writeAtomically(context.inMemory, all, fsGroupOf(context.pod));
    return { hostPath: context.inMemory, readOnly: true, ...(refreshAt && { refreshAt }) };
  },
};
