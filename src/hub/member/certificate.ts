// The agent asks the hub for a certificate and waits until somebody, or a rule, has it signed.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { forAnyClock } from "../../lib/any-clock.ts";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { agentUser, clusterGroup, clusterNameLabel, managedClustersGroup } from "../names.ts";
import type { Issued } from "./credentials.ts";

const requests = resource("certificates.k8s.io/v1", "certificatesigningrequests");
const signerName = "kubernetes.io/kube-apiserver-client";
const pollMs = 2000;
const firstPollsMs = 250;
const quickPolls = 8;

export interface Subject {
  commonName: string;
  organizations: string[];
}

/** A new key, and a request (PKCS #10, PEM) for a certificate of it. */
export type MakeRequest = (subject: Subject) => { request: string; key: string };

export interface Asking {
  hub: Client;
  cluster: string;
  agent: string;
  makeRequest: MakeRequest;
  clock: Clock;
  signal: AbortSignal;
  /** Told once what the person at the hub must do. */
  waiting: (request: string) => void;
}

/** Rejects when the request is denied or fails. */
export async function askCertificate(asking: Asking): Promise<Issued> {
  const { hub, cluster, agent, makeRequest, clock, signal, waiting } = asking;
  const organizations = [clusterGroup(cluster), managedClustersGroup];
  const { request, key } = makeRequest({ commonName: agentUser(cluster, agent), organizations });
  const { metadata } = await hub.create(requests, {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: {
      generateName: `${cluster}-`,
      labels: { [clusterNameLabel]: cluster },
      ...forAnyClock,
    },
    spec: {
      request: Buffer.from(request).toString("base64"),
      signerName,
      usages: ["digital signature", "client auth"],
    },
  });
  for (let polls = 0; ; polls++) {
    const { status } = await hub.get({ ...requests, name: metadata.name });
    const refused = status?.conditions?.find(
      (one: any) => one.type === "Denied" || one.type === "Failed",
    );
    if (refused) throw new Error(`${metadata.name} is ${refused.type}: ${refused.message ?? ""}`);
    if (status?.certificate) {
      return { cert: Buffer.from(status.certificate, "base64").toString(), key };
    }
    if (polls === quickPolls) waiting(metadata.name);
    await sleep(clock, polls < quickPolls ? firstPollsMs : pollMs, signal);
  }
}
