// The ConfigMap in which an extension server finds how to know its callers: our CA for certificates, and
// the authority of the front proxy whose X-Remote headers it may believe.
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { frontProxyName } from "../auth/pki.ts";
import { loopback } from "../bootstrap.ts";
import type { ServerHandle } from "../policy.ts";

const name = "extension-apiserver-authentication";
const collection = "/api/v1/namespaces/kube-system/configmaps";

const dataOf = ({ clientCa, requestHeaderCa }: Authorities) => ({
  "client-ca-file": clientCa,
  "requestheader-allowed-names": JSON.stringify([frontProxyName]),
  "requestheader-client-ca-file": requestHeaderCa,
  "requestheader-extra-headers-prefix": JSON.stringify(["X-Remote-Extra-"]),
  "requestheader-group-headers": JSON.stringify(["X-Remote-Group"]),
  "requestheader-uid-headers": JSON.stringify(["X-Remote-Uid"]),
  "requestheader-username-headers": JSON.stringify(["X-Remote-User"]),
});

/** PEM texts. */
export interface Authorities {
  clientCa: string;
  requestHeaderCa: string;
}

/** Writes what has changed; other keys stay. */
export async function publishAuthentication(server: ServerHandle, authorities: Authorities) {
  const entry = await server.store.get(`configmaps/kube-system/${name}`);
  const existing = entry && parseShared<KubeObject>(entry.value);
  const data = { ...existing?.["data"], ...dataOf(authorities) };
  if (existing && jsonEqual(existing["data"], data)) return;
  const draft = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "kube-system" },
  };
  await server.handle({
    method: existing ? "PUT" : "POST",
    path: existing ? `${collection}/${name}` : collection,
    query: new URLSearchParams(),
    headers: { "user-agent": "kube-apiserver" },
    body: existing ? { ...structuredClone(existing), data } : { ...draft, data },
    decoded: true,
    user: loopback,
    signal: new AbortController().signal,
  });
}
