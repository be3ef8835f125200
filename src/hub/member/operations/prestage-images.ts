// Images are pulled to every node of the site before anybody needs them: by pods that name them and whose command
// is in none, so any cluster can do it and nothing of them ever runs.
import { createHash } from "node:crypto";
import { resource } from "../../../client/client.ts";
import type { Client } from "../../../client/client.ts";
import type { Draft, KubeObject } from "../../../kinds/object.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { agentNamespace } from "../../names.ts";
import { complete, failed, running } from "./host.ts";
import type { CarryOut } from "./host.ts";

const pods = resource("v1", "pods");
const nodes = resource("v1", "nodes");
const label = "fleet.kerb.dev/prestage";
const lookMs = 1000;
const patienceMs = 15 * 60_000;
const stuck = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];

export interface Wanted {
  name: string;
  node: string;
  image: string;
}

/** One pod for each image on each node. Pure. */
export function wantedPods(uid: string, images: string[], nodeNames: string[]): Wanted[] {
  return nodeNames.flatMap((node) =>
    images.map((image) => {
      const hash = createHash("sha256").update([uid, node, image].join("\n")).digest("hex");
      return { name: `prestage-${hash.slice(0, 16)}`, node, image };
    }),
  );
}

const draftOf = ({ name, node, image }: Wanted, uid: string): Draft => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: agentNamespace, labels: { [label]: uid } },
  spec: {
    nodeName: node,
    hostNetwork: true,
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    tolerations: [{ operator: "Exists" }],
    containers: [
      { name: "image", image, command: ["/not-to-be-run"], imagePullPolicy: "IfNotPresent" },
    ],
  },
});

/** Whether the image is there: its container got as far as not starting. Pure. */
export const isPulled = ({ status }: KubeObject) =>
  status?.phase === "Failed" || status?.phase === "Succeeded";

/** Why it is not pulled, as the node says. Pure. */
export function pullProblem({ status }: KubeObject): string | undefined {
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  if (!stuck.includes(waiting?.reason)) return undefined;
  return waiting.message ? `${waiting.reason}: ${waiting.message}` : waiting.reason;
}

async function clear(client: Client, uid: string) {
  const options = { labelSelector: `${label}=${uid}`, gracePeriodSeconds: 0 };
  await client.deleteCollection({ ...pods, namespace: agentNamespace }, options);
}

export const prestageImages: CarryOut = async ({ metadata, spec, status }, { client, clock }) => {
  const { items } = await client.list(nodes);
  const names = items
    .filter((one) => !one.metadata.deletionTimestamp)
    .map((one) => one.metadata.name);
  if (names.length === 0) return failed("the site has no nodes");
  const wanted = wantedPods(metadata.uid, spec.images!, names);
  const found = await client.list(
    { ...pods, namespace: agentNamespace },
    { labelSelector: `${label}=${metadata.uid}` },
  );
  const there = new Map(found.items.map((pod) => [pod.metadata.name, pod]));
  for (const one of wanted.filter(({ name }) => !there.has(name))) {
    const draft = draftOf(one, metadata.uid);
    await client.create({ ...pods, namespace: agentNamespace }, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  }
  const done = wanted.filter(({ name }) => there.has(name) && isPulled(there.get(name)!)).length;
  if (done === wanted.length) {
    await clear(client, metadata.uid);
    return complete(`${spec.images!.length} images on ${names.length} nodes`);
  }
  const problems = wanted.flatMap(({ name, node, image }) => {
    const why = there.has(name) ? pullProblem(there.get(name)!) : undefined;
    return why ? [`${image} on ${node}: ${why}`] : [];
  });
  const begunMs = Date.parse(status?.startedAt ?? "") || clock.now();
  if (clock.now() - begunMs > patienceMs) {
    await clear(client, metadata.uid);
    return failed(
      problems[0] ?? `${wanted.length - done} of ${wanted.length} were not pulled in time`,
    );
  }
  return running("Pull", [`${done} of ${wanted.length} pulled`, ...problems].join("; "), lookMs);
};
