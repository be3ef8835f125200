// What any site claims about itself; people and programs add their own.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import { clusterClaims } from "../kinds/resources.ts";
import { timeZoneClaim, versionClaim } from "../names.ts";
import type { MemberSite } from "./session.ts";

const namespaces = resource("v1", "namespaces");

/** What the cluster is, by the version that it says. */
const products: [mark: RegExp, product: string][] = [
  [/\+k3s/, "K3S"],
  [/-eks-/, "EKS"],
  [/-gke\./, "GKE"],
  [/\+rke2/, "RKE2"],
];

/** Pure. */
export const productOf = (version: string, isKerb: boolean) =>
  isKerb ? "Kerb" : (products.find(([mark]) => mark.test(version))?.[1] ?? "Other");

export async function ensureClaims({ client, version: ask, isKerb, kerb, timeZone }: MemberSite) {
  const version = await ask();
  // The namespace's uid is the same for as long as the site is.
  const { metadata } = await client.get({ ...namespaces, name: "kube-system" });
  const claims = {
    "id.k8s.io": metadata.uid,
    "kubeversion.open-cluster-management.io": version,
    [timeZoneClaim]: timeZone,
    ...(kerb && { [versionClaim]: kerb.releases.report().version }),
    "product.open-cluster-management.io": productOf(version, isKerb),
  };
  for (const [name, value] of Object.entries(claims)) {
    const apiVersion = "cluster.open-cluster-management.io/v1alpha1";
    const claim = { apiVersion, kind: "ClusterClaim", metadata: { name }, spec: { value } };
    await apply(client, clusterClaims, claim, { fieldManager: "kerb-agent" });
  }
}
