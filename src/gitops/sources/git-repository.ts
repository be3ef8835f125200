// GitRepository: a branch, tag, range of versions, reference or commit of a repository behind HTTPS.
import { durationMs } from "../../lib/parse-duration.ts";
import type { GitOpsHost } from "../host.ts";
import { gitRepositories } from "../kinds/resources.ts";
import { gitAccess, secretData } from "./access.ts";
import type { SourceKind } from "./source-controller.ts";

const timeoutMsDefault = 60_000;

export const gitRepository = (host: GitOpsHost): SourceKind => ({
  name: "git-repository",
  resource: gitRepositories,
  fields: {
    ...{ url: true, interval: true, timeout: true, suspend: true, provider: true },
    secretRef: { name: true },
    ref: { branch: true, tag: true, semver: true, name: true, commit: true },
  },
  async find({ metadata, spec }, { client }) {
    const { url, ref = {}, secretRef, provider = "generic" } = spec;
    if (provider !== "generic") throw new Error(`spec.provider ${provider} is not supported here`);
    if (!url.startsWith("https://")) throw new Error("spec.url: only https:// is supported here");
    const data = secretRef ? await secretData(client, metadata.namespace!, secretRef.name) : {};
    const timeoutMs = durationMs(spec.timeout) ?? timeoutMsDefault;
    return host.git({ id: metadata.uid, url, ref, access: gitAccess(data), timeoutMs });
  },
});
