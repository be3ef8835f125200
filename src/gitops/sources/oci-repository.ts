// OCIRepository: a tag, range of versions or digest of an artifact in a registry, verified by cosign's keys when
// there are some.
import { durationMs } from "../../lib/parse-duration.ts";
import type { GitOpsHost } from "../host.ts";
import { ociRepositories } from "../kinds/resources.ts";
import { registryAccess, secretData } from "./access.ts";
import type { SourceKind } from "./source-controller.ts";

const timeoutMsDefault = 60_000;

export const ociRepository = (host: GitOpsHost): SourceKind => ({
  name: "oci-repository",
  resource: ociRepositories,
  fields: {
    ...{ url: true, interval: true, timeout: true, suspend: true, provider: true, insecure: true },
    secretRef: { name: true },
    certSecretRef: { name: true },
    ref: { tag: true, semver: true, digest: true },
    layerSelector: { mediaType: true, operation: true },
    verify: { provider: true, secretRef: { name: true } },
  },
  async find({ metadata, spec }, { client }) {
    const { url, ref = {}, secretRef, certSecretRef, layerSelector, verify } = spec;
    const { provider = "generic", insecure = false } = spec;
    const read = ({ name }: { name: string }) => secretData(client, metadata.namespace!, name);
    if (provider !== "generic") throw new Error(`spec.provider ${provider} is not supported here`);
    if (verify && (verify.provider !== "cosign" || !verify.secretRef)) {
      throw new Error(
        "spec.verify: only cosign with the public keys of a secretRef is supported here",
      );
    }
    if ((layerSelector?.operation ?? "extract") !== "extract") {
      throw new Error("spec.layerSelector.operation: only extract is supported here");
    }
    const registry = url.slice("oci://".length).split("/")[0];
    const access = secretRef ? registryAccess(await read(secretRef), registry) : {};
    const ca = certSecretRef ? (await read(certSecretRef))["ca.crt"] : undefined;
    const keys = verify ? Object.values(await read(verify.secretRef)) : undefined;
    return host.oci({
      ...{ url, ref, insecure },
      ...(layerSelector && { layer: layerSelector }),
      ...(keys && { keys }),
      access: { ...access, ...(ca !== undefined && { ca }) },
      timeoutMs: durationMs(spec.timeout) ?? timeoutMsDefault,
    });
  },
});
