// What the controllers of CertificateSigningRequests share.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";

export const requests = resource("certificates.k8s.io/v1", "certificatesigningrequests");

/** The cluster's authority, as these controllers need it. `spec` is of a CertificateSigningRequest. */
export interface Signing {
  /** Is it one of Kubernetes' own signers, which this authority stands for? */
  isOwn(signerName: string): boolean;
  /** The certificate in PEM, for clocks that lie if need be. Throws an Error that says why it is not given. */
  sign(spec: any, how: { anyClock: boolean }): string;
  /** The user name of the node whose agent asks for its client certificate; undefined for all else. */
  nodeOf(spec: any): string | undefined;
}

export const conditionOf = (request: KubeObject, type: string): any =>
  request.status?.conditions?.find((one: any) => one.type === type);
